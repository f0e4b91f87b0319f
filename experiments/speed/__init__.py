"""How fast encoders and search are on this machine, and what a faster backend costs in quality."""
