"""Scripts that measure; each writes its results beside it, under ``results``."""
