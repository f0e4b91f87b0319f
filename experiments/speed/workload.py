"""The texts on which speed is measured: real sentences, drawn once and the same for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.records import Pair
from kosim.index.corpus import read_corpus

_FEWEST = 10


@dataclass(frozen=True)
class WorkloadSizes:
    """How much is measured; less where the corpus has less.

    Args:
        sentences: encoded in bulk.
        pairs: scored in bulk.
        queries: searched in bulk.
        candidates: documents that a query is reranked against, and ranked against alone.
        singles: calls of one sentence or query, for its latency.
    """

    sentences: int = 1_000
    pairs: int = 500
    queries: int = 50
    candidates: int = 100
    singles: int = 50

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ConfigError(f"{name} is {value}; measure at least 1")


@dataclass(frozen=True)
class Workload:
    """Distinct sentences, of which the first ones are encoded, paired and asked.

    ``origin`` says where they came from.
    """

    origin: str
    texts: tuple[str, ...]
    sizes: WorkloadSizes

    @classmethod
    def of(cls, corpus: str | Path | None, sizes: WorkloadSizes, *, seed: int = 0) -> Workload:
        """Read a corpus, or the bundled sample, and shuffle it.

        Raises:
            DataError: the corpus cannot be read, or has fewer than 10 different sentences.
        """
        texts = _sample() if corpus is None else [one.text for one in read_corpus(corpus)]
        distinct = list(dict.fromkeys(texts))
        if len(distinct) < _FEWEST:
            raise DataError(
                f"{corpus} has {len(distinct)} different sentences; speed needs at least {_FEWEST}"
            )
        order = np.random.default_rng(seed).permutation(len(distinct))
        origin = "the bundled sample" if corpus is None else str(corpus)
        return cls(origin, tuple(distinct[position] for position in order.tolist()), sizes)

    @property
    def sentences(self) -> list[str]:
        """What is encoded in bulk."""
        return list(self.texts[: self.sizes.sentences])

    @property
    def queries(self) -> list[str]:
        """What is searched."""
        return list(self.texts[: self.sizes.queries])

    @property
    def candidates(self) -> list[str]:
        """What one query is ranked against."""
        return list(self.texts[-self.sizes.candidates :])

    @property
    def pairs(self) -> list[Pair]:
        """Different pairs of the sentences, in random order."""
        count = len(self.texts)
        every = (
            (self.texts[position], self.texts[(position + shift) % count])
            for shift in range(1, count)
            for position in range(count)
        )
        return list(islice(every, self.sizes.pairs))

    def single_texts(self) -> Sequence[str]:
        """Return what is encoded or asked alone."""
        return self.texts[: self.sizes.singles]


def _sample() -> list[str]:
    # Here, as it imports pandas, whose start would be measured with that of an encoder.
    from kosim.experiments.data.datasets import load_sample

    frame = load_sample("train").frame
    return [*frame["sentence1"], *frame["sentence2"]]
