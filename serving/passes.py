"""From what waits to passes of the network: fair among requests, sorted by length."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")

_FEWEST = 8
"""Items of a pass before a much shorter one begins another: a pass has a price of its own."""


@dataclass(eq=False)
class Waiting(Generic[Item]):
    """The items of one request, the longest first, and what is computed of them already.

    ``lengths`` are in tokens. ``taken`` items are on their way, those of ``tokens_left`` wait.
    ``rows`` holds a result for each item, in the order of ``items``; ``missing`` of them lack.
    """

    items: Sequence[Item]
    lengths: npt.NDArray[np.int64]
    arrived: float
    result: Future[npt.NDArray[np.float32]] = field(default_factory=Future)
    order: list[int] = field(init=False)
    rows: list[Any] = field(init=False)
    taken: int = 0
    tokens_left: int = field(init=False)
    missing: int = field(init=False)

    def __post_init__(self) -> None:
        self.order = np.argsort(-self.lengths, kind="stable").tolist()
        self.rows = [None] * len(self.items)
        self.tokens_left = int(self.lengths.sum())
        self.missing = len(self.items)


@dataclass(frozen=True)
class Taken(Generic[Item]):
    """One item of a request on its way through the network."""

    request: Waiting[Item]
    position: int
    length: int

    @property
    def item(self) -> Item:
        """What is computed."""
        return self.request.items[self.position]


def take(queue: deque[Waiting[Item]], tokens: int) -> list[Taken[Item]]:
    """Take items from the requests in turn, one each, until there are ``tokens``.

    So a request of one sentence never waits for all of a request of a thousand. Requests of which
    nothing is left leave the queue. At least one item is taken where there is one.
    """
    taken: list[Taken[Item]] = []
    total = 0
    while queue and (not taken or total < tokens):
        request = queue.popleft()
        position = request.order[request.taken]
        length = int(request.lengths[position])
        taken.append(Taken(request, position, length))
        request.taken += 1
        request.tokens_left -= length
        total += length
        if request.taken < len(request.items):
            queue.append(request)
    return taken


def into_passes(taken: list[Taken[Item]], tokens: int) -> list[list[Taken[Item]]]:
    """Sort items by length, the longest first, and cut them where a pass would be mostly padding.

    A pass costs its number of items times its longest; that is at most ``tokens``, or the pass is
    one item. A new one also begins at an item of less than half the longest's length.
    """
    passes: list[list[Taken[Item]]] = []
    for one in sorted(taken, key=lambda each: -each.length):
        if passes:
            last = passes[-1]
            longest = last[0].length
            fits = (len(last) + 1) * longest <= tokens
            short = 2 * one.length < longest and len(last) >= _FEWEST
            if fits and not short:
                last.append(one)
                continue
        passes.append([one])
    return passes
