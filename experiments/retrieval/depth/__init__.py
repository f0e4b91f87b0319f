"""How many candidates to rerank: what a depth loses against scoring everything."""
