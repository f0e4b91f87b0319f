"""Vectors in FAISS: flat, graph and compressed lists, exact scores, recall."""

import os

import faiss


def _compute_alone() -> None:
    """Let FAISS use one thread: of its parent's a forked process has none, and would wait."""
    faiss.omp_set_num_threads(1)


os.register_at_fork(after_in_child=_compute_alone)
