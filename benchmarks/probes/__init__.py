"""The generator of the minimal pairs that `kosim probe` ships."""
