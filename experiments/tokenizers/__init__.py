"""The comparison of tokenizers by what their encoders are good for."""
