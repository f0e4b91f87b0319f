"""Studies of hyperparameters: what they find on KLUE-STS, and what pruning saves."""
