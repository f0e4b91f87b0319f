"""What is asked for: a corpus, its queries, and the machines that there are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kosim.encoders.errors import ConfigError

GIBIBYTE = 1 << 30

_BOUNDS: dict[str, tuple[float, float, str]] = {
    "sentences": (1, 1e12, "sentences"),
    "queries_per_second": (0, 1e6, "queries a second"),
    "candidates": (0, 10_000, "candidates"),
    "node_memory": (0.5, 1e5, "GiB"),
    "node_cores": (1, 1024, "cores"),
    "memory_share": (0.05, 1, "of a node's memory"),
    "utilisation": (0.05, 1, "of a node's time"),
}


@dataclass(frozen=True)
class Demand:
    """A corpus and its queries.

    Args:
        sentences: in the corpus.
        queries_per_second: to be answered at most, on average over a second.
        candidates: candidates that the cross-encoder reranks for each query; 0 for none.
        node_memory: GiB of a machine.
        node_cores: cores of a machine.
        memory_share: share of the memory that is planned with; the rest is the system's.
        utilisation: share of the cores' time that is planned with; the rest keeps queues short.
    """

    sentences: int
    queries_per_second: float = 1.0
    candidates: int = 100
    node_memory: float = 64.0
    node_cores: int = 16
    memory_share: float = 0.8
    utilisation: float = 0.7

    def __post_init__(self) -> None:
        wrong = []
        for name, (least, most, unit) in _BOUNDS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and least <= value <= most):
                wrong.append(f"{name} is {value:g}; give {least:g} to {most:g} {unit}")
        if wrong:
            raise ConfigError("; ".join(wrong))
