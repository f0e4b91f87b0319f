"""Vectors in FAISS: flat, graph and compressed lists, exact scores, recall."""
