"""Noisy labels: pairs whose label encoders contradict that never learnt from them."""
