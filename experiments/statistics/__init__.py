"""Statistics: how sure a figure is, and a difference between two encoders."""
