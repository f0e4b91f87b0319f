"""What a user would otherwise run, measured beside kosim on the same texts, models and threads."""
