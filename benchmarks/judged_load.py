"""Clients of ``POST /v1/search`` that judge every answer, for as long as there are any."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import numpy as np

from kosim.index.searcher import SearchResult

TOLERANCE = 1e-5
"""How far scores may be from the expected ones: batches of another size round otherwise."""

_TIMEOUT = 120.0


def search(url: str, query: str, **options: Any) -> httpx.Response:
    """Ask a service once."""
    return httpx.post(f"{url}/v1/search", json={"query": query, **options}, timeout=_TIMEOUT)


def difference(answer: Mapping[str, Any], expected: SearchResult) -> str | None:
    """Return in what an answer is not the expected one; None where it is.

    Scores must agree within `TOLERANCE`, and the ids in their order, but for hits whose scores are
    that close to each other.
    """
    hits = answer["hits"]
    if len(hits) != len(expected.hits):
        return f"{len(hits)} hits, not {len(expected.hits)}"
    for name in ("score", "retrieval_score", "rerank_score"):
        found = [hit[name] for hit in hits]
        wanted = [getattr(hit, name) for hit in expected.hits]
        if None in wanted:
            if found != wanted:
                return f"{name} {found}, not {wanted}"
        elif not np.allclose(found, wanted, rtol=0, atol=TOLERANCE):
            return f"{name} {found}, not {wanted}"
    ids, order = [hit["id"] for hit in hits], [hit.id for hit in expected.hits]
    ranked_by = [
        hit.retrieval_score if hit.rerank_score is None else hit.rerank_score
        for hit in expected.hits
    ]
    tied = (np.abs(np.diff(ranked_by)) <= TOLERANCE).any()
    # With a near tie at the end, another document may stand there with the same right.
    if ids != order and not tied:
        return f"{ids}, not {order}"
    return None


class JudgedLoad:
    """Clients, each with one request at a time, from the making of this object to `end`.

    Every answer is one of: "complete", "partial" (it names what is missing, and is right for the
    rest), "wrong: ...", and "failed: ..." where there is none.

    Args:
        url: of the service.
        queries: asked in turn.
        expected: the right results for all queries, by what is missing; () for nothing.
        clients: how many.
        options: of every request.
    """

    def __init__(
        self,
        url: str,
        queries: Sequence[str],
        expected: Mapping[tuple[str, ...], Sequence[SearchResult]],
        *,
        clients: int,
        **options: Any,
    ) -> None:
        self._url = url
        self._queries = queries
        self._expected = expected
        self._options = options
        self._end = threading.Event()
        self.outcomes: list[tuple[float, str]] = []
        """When each answer came, by the monotonic clock, and what it was."""
        self._threads = [
            threading.Thread(target=self._ask, args=(number * len(queries) // clients,))
            for number in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, kind: str, *, after: float = 0.0, count: int = 1, seconds: float = 240) -> None:
        """Wait for so many answers of a kind that came after a moment.

        Raises:
            TimeoutError: they do not come.
        """
        deadline = time.monotonic() + seconds
        while sum(at > after and each == kind for at, each in list(self.outcomes)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {count} answers {kind}: {dict(self.counts())}")
            time.sleep(0.1)

    def last(self, kind: str) -> float:
        """Return when the last answer of a kind came, 0 if none did."""
        return max((at for at, each in list(self.outcomes) if each == kind), default=0.0)

    def counts(self, *, after: float = 0.0) -> Counter[str]:
        """Return how many answers of each kind came after a moment."""
        return Counter(kind.partition(":")[0] for at, kind in list(self.outcomes) if at > after)

    def end(self) -> None:
        """Let every client finish its request."""
        self._end.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT)

    def _ask(self, number: int) -> None:
        while not self._end.is_set():
            number = (number + 1) % len(self._queries)
            outcome = self._outcome(number)
            self.outcomes.append((time.monotonic(), outcome))

    def _outcome(self, number: int) -> str:
        try:
            response = search(self._url, self._queries[number], **self._options)
        except httpx.HTTPError as error:
            return f"failed: {error!r}"
        if response.status_code != 200:
            return f"failed: {response.status_code} {response.text}"
        answer = response.json()
        missing = tuple(answer["missing"])
        if missing not in self._expected:
            return f"wrong: {missing} is missing"
        wrong = difference(answer, self._expected[missing][number])
        if wrong:
            return f"wrong: {wrong}, {missing} missing"
        return "partial" if missing else "complete"
