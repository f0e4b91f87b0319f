"""How well sentences are found: metrics, queries with what is relevant to them, tests, report."""
