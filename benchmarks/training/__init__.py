"""How both kinds are trained best: trials, what they cost, and the tables of what was tried."""
