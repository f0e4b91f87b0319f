"""Encoders that teach each other: silver pairs, and the students that learn from them."""
