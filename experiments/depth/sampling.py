"""Which documents beyond the retrieved ones are scored where scoring all would take days.

Hits beyond the retrieved documents are rare, and the rarer the further away. A uniform sample
would hardly ever draw one, and each drawn would stand for hundreds of documents. So the rest is
cut into bands of cosine rank, each twice as deep as the one before it, and every band gets the
same number of draws: a stratified sample without replacement (Cochran 1977, chapter 5). A drawn
document has the weight (documents in its band) / (draws from it), the inverse of its chance to
be drawn, so that weighted sums estimate sums over all documents without bias
(Horvitz & Thompson 1952).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kosim.encoders.metrics import Floats


@dataclass(frozen=True)
class Band:
    """The documents of cosine rank above ``start`` up to ``stop``, of which ``drawn`` are scored.

    Ranks are counted over all documents but the query's own, the retrieved ones first.
    """

    start: int
    stop: int
    drawn: int

    @property
    def weight(self) -> float:
        """How many documents a drawn one stands for."""
        return (self.stop - self.start) / self.drawn


def bands(top: int, documents: int, draws: int | None) -> list[Band]:
    """Cut the ranks above ``top`` into bands, each twice as deep, and share out the draws.

    Args:
        top: how many documents are scored anyway.
        documents: how many there are.
        draws: how many more to score; None for all.
    """
    rest = documents - top
    if rest <= 0:
        return []
    if draws is None or draws >= rest:
        return [Band(top, documents, rest)]
    edges = [top]
    while edges[-1] < documents:
        edges.append(min(2 * edges[-1], documents))
    # A last band much smaller than the others joins the one before it.
    if len(edges) > 2 and edges[-1] - edges[-2] < (edges[-2] - edges[-3]) / 2:
        del edges[-2]
    made, left = [], max(draws, len(edges) - 1)
    for number, (start, stop) in enumerate(pairwise(edges)):
        drawn = min(left // (len(edges) - 1 - number), stop - start)
        made.append(Band(start, stop, drawn))
        left -= drawn
    return made


def draw(
    order: npt.NDArray[np.int64], made: list[Band], random: np.random.Generator
) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int64]]:
    """Draw from every band without replacement.

    Args:
        order: (m,) the documents beyond the retrieved ones, by falling cosine.
        made: bands that begin behind the retrieved documents and cover ``order``.
        random: source of the draws.

    Returns:
        The members of ``order`` that were drawn, the weight of each, and the band of each.
    """
    drawn, weights, numbers = [], [], []
    for number, band in enumerate(made):
        inside = order[band.start - made[0].start : band.stop - made[0].start]
        chosen = np.sort(random.permutation(len(inside))[: band.drawn])
        drawn.append(inside[chosen])
        weights.append(np.full(len(chosen), band.weight))
        numbers.append(np.full(len(chosen), number, dtype=np.int64))
    if not made:
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64)
    return np.concatenate(drawn), np.concatenate(weights), np.concatenate(numbers)
