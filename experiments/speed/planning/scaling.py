"""How an index grows: from the measured sizes to any other.

Bytes follow from the file formats. Times lie on the measured points, between them on the line
through their logarithms, and beyond them on a power of the rows that is stated by type.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from kosim.experiments.speed.planning.measurements import Layout, SizeFigures, layout_parts
from kosim.index.store.generation import segment_limit
from kosim.index.vectors.inverted_lists import list_count
from kosim.index.vectors.ivfpq import code_bytes
from kosim.index.vectors.stored import COMPONENT_BYTES
from kosim.index.vectors.vector_index import IndexType

_FLOAT = 4
_ROW_ID = 8
_CENTROIDS = 256
_BIT_FACTORS = 8
"""Bytes of the two factors beside the bits of a RaBitQ code."""
_HNSW_EXPONENTS = (0.1, 0.6)
"""The least and most that the cost of a graph search is taken to grow: the root, and a bit."""


def segments(rows: int, type: IndexType) -> list[int]:
    """Return the rows of each segment in which an index of that type keeps its documents."""
    limit = segment_limit(type)
    full, rest = divmod(rows, limit)
    return [limit] * full + ([rest] if rest else [])


def disk_bytes(layout: Layout, rows: int, dimension: int, sizes: Sequence[SizeFigures]) -> float:
    """Return the bytes of the vector structure on disk, without the documents.

    flat and hnsw: as many a row as measured (with fp32 vectors 4 d, and 4 d + some 272 for the
    links of M = 32). ivfpq and rabitq: the lists of `resident_bytes` and the vectors themselves.
    """
    type, stored = layout_parts(layout)
    if type in ("ivfpq", "rabitq"):
        vectors = rows * dimension * COMPONENT_BYTES[stored]
        return resident_bytes(layout, rows, dimension, sizes) + vectors
    return rows * sizes[-1].disk_bytes / sizes[-1].rows


def resident_bytes(
    layout: Layout, rows: int, dimension: int, sizes: Sequence[SizeFigures]
) -> float:
    """Return the bytes that searches read all over, which memory should hold.

    flat and hnsw: the structure. ivfpq: of each row a code of d / 4 bytes and its number of 8,
    and in each segment the centres of the lists, 4 d each, and 256 centroids of 4 d (Jégou et al.
    2011, section II). rabitq: codes of d / 8 bytes and two factors of 4, and a rotation of d
    vectors instead of the centroids. The vectors that rescore candidates stay on disk.
    """
    type, _ = layout_parts(layout)
    if type not in ("ivfpq", "rabitq"):
        return rows * sizes[-1].resident_bytes / sizes[-1].rows
    vector = dimension * _FLOAT
    product = type == "ivfpq"
    code = code_bytes(dimension) if product else -(-dimension // 8) + _BIT_FACTORS
    # The vectors of a segment beside the lists' centres: centroids, or a rotation.
    beside = _CENTROIDS if product else dimension
    return sum(
        part * (code + _ROW_ID) + (list_count(part) + beside) * vector
        for part in segments(rows, type)
    )


def search_seconds(layout: Layout, rows: int, sizes: Sequence[SizeFigures]) -> float:
    """Return the seconds of one query on one core, over all segments one after the other.

    Beyond the measured sizes flat grows with the rows, since all are compared. ivfpq and rabitq
    grow with their root: of 4 sqrt(n) lists of sqrt(n) / 4 rows a query visits as many, however
    many rows (FAISS's guidelines). hnsw is logarithmic in theory (Malkov & Yashunin 2018, section
    4.2), but at a fixed recall its depth grows too: it goes on as between the two largest sizes.
    """
    times = [(one.rows, one.search_seconds) for one in sizes]
    type, _ = layout_parts(layout)
    exponent = {"flat": 1.0, "ivfpq": 0.5, "rabitq": 0.5, "hnsw": _slope(times)}[type]
    return sum(_along(times, part, exponent) for part in segments(rows, type))


def build_seconds(layout: Layout, rows: int, sizes: Sequence[SizeFigures]) -> float:
    """Return the seconds of building the structure on one core.

    Linear in the rows through the two largest sizes; k-means trains 39 vectors a list on 4 sqrt(n)
    lists, which is linear too. A graph takes log n a row (Malkov & Yashunin 2018, section 4.2).
    """
    last = sizes[-1]
    type, _ = layout_parts(layout)
    if type == "hnsw":
        per = last.build_seconds / (last.rows * math.log(last.rows + 1))
        return sum(per * part * math.log(part + 1) for part in segments(rows, type))
    before = sizes[-2] if len(sizes) > 1 else None
    slope = last.build_seconds / last.rows
    if before is not None and before.build_seconds < last.build_seconds:
        slope = (last.build_seconds - before.build_seconds) / (last.rows - before.rows)
    fixed = max(0.0, last.build_seconds - slope * last.rows)
    return sum(fixed + slope * part for part in segments(rows, type))


def _slope(points: Sequence[tuple[int, float]]) -> float:
    """Return the exponent of the power law through the two last points, within bounds."""
    least, most = _HNSW_EXPONENTS
    if len(points) < 2:
        return most
    (rows, seconds), (more, longer) = points[-2:]
    return min(most, max(least, math.log(longer / seconds) / math.log(more / rows)))


def _along(points: Sequence[tuple[int, float]], rows: int, exponent: float) -> float:
    """Return the time at ``rows``: interpolated in logarithms, or by the exponent outside."""
    first, last = points[0], points[-1]
    if rows >= last[0]:
        return last[1] * (rows / last[0]) ** exponent
    if rows <= first[0]:
        return first[1] * (rows / first[0]) ** exponent
    low, high = next((one, other) for one, other in pairwise(points) if one[0] <= rows <= other[0])
    share = math.log(rows / low[0]) / math.log(high[0] / low[0])
    return math.exp((1 - share) * math.log(low[1]) + share * math.log(high[1]))
