"""Slices: groups of test pairs that have something in common, on which encoders are compared."""
