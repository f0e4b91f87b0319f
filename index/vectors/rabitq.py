"""Lists of codes of a bit a component (Gao & Long 2024, RaBitQ, arXiv:2405.12497)."""

from __future__ import annotations

from typing import Any

import faiss

from kosim.index.vectors.inverted_lists import TRAINING_POINTS, ListsFinder, list_count

_QUERY_BITS = 4


class RabitqFinder(ListsFinder):
    """``IndexIVFRaBitQ``: the signs of the rotated residual to a list's centre, and two factors.

    A compressed vector has d / 8 bytes and some 8 more, so that memory holds a few dozen bytes a
    row; the stored vectors are read for the candidates alone.
    """

    minimum_rows = TRAINING_POINTS
    lists = "bits.faiss"
    kind = faiss.IndexIVFRaBitQ
    target = 0.985
    refinement_cost = 1500.0
    centroids = 1

    @classmethod
    def empty(cls, rows: int, dimension: int) -> faiss.IndexIVFRaBitQ:
        """Return an index with codes of a bit a component."""
        coarse, inner = faiss.IndexFlatIP(dimension), faiss.METRIC_INNER_PRODUCT
        return faiss.IndexIVFRaBitQ(coarse, dimension, list_count(rows), inner)

    @staticmethod
    def parameters(nprobe: int, selector: faiss.IDSelector | None) -> Any:
        """Return FAISS's parameters of a search; the query has a few bits a component too."""
        return faiss.IVFRaBitQSearchParameters(nprobe=nprobe, sel=selector, qb=_QUERY_BITS)
