"""The verdict: what the figures mean in plain words, Korean and English."""
