"""What turns text into scores or vectors; the public names are those of `kosim`."""
