"""How soon kosim answers, in how much memory, and how large its installations are."""
