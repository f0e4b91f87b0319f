"""Data: sentence pairs read, cleaned and split, and what was found on the way."""
