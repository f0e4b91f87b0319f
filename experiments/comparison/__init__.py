"""The comparison of bi-encoders and cross-encoders on the same pairs, from data to verdict."""
