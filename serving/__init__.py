"""What serves: the HTTP service over saved encoders and an index, and its page."""
