"""Lexical search: BM25 over the morphemes of Korean sentences."""
