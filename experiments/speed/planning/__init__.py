"""What a corpus and its queries will need, from what was measured on this machine."""
