"""Random sequences of operations against an oracle that holds everything in memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kosim.encoders.errors import CorpusIndexError, DataError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.store import commit
from tests.index.vectors import DIMENSION, ENCODER

NAMES = st.lists(
    st.sampled_from([f"문장 {n}" for n in range(24)]), min_size=1, max_size=9, unique=True
)
SEEDS = st.integers(0, 2**31)
LOG_DOCUMENTS = 12
# Few directions, so that equal vectors and ties are common.
DIRECTIONS = np.random.default_rng(5).standard_normal((15, DIMENSION))
DIRECTIONS = (DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)).astype(np.float32)

Content = dict[str, tuple[Document, np.ndarray]]


def drawn(names: list[str], seed: int) -> Content:
    random = np.random.default_rng(seed)
    return {
        name: (
            Document(name, f"{name}, {random.integers(1000)}번째 판", {"판": int(seed % 7)}),
            DIRECTIONS[random.integers(len(DIRECTIONS))],
        )
        for name in names
    }


def arguments(content: Content) -> tuple[list[Document], np.ndarray]:
    documents, vectors = zip(*content.values(), strict=True)
    return list(documents), np.stack(vectors)


class CorpusIndexMachine(RuleBasedStateMachine):
    """The writer equals the oracle always; a second reader equals what it saw last."""

    @initialize(names=NAMES, seed=SEEDS)
    def create(self, names: list[str], seed: int) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="kosim-machine-"))
        self.patch = mock.patch.object(commit, "LOG_DOCUMENTS", LOG_DOCUMENTS)
        self.patch.start()
        self.oracle = drawn(names, seed)
        blocks = [arguments(self.oracle)]
        folder = self.place / "index"
        self.index = CorpusIndex.create(folder, ENCODER, blocks, segment_rows=4)
        self.reader = CorpusIndex.open(folder)
        self.seen = dict(self.oracle)

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.patch.stop()
            shutil.rmtree(self.place)

    @rule(names=NAMES, seed=SEEDS)
    def add(self, names: list[str], seed: int) -> None:
        content = drawn(names, seed)
        if any(name in self.oracle for name in names):
            with pytest.raises(DataError):
                self.index.add(*arguments(content))
        else:
            self.index.add(*arguments(content))
            self.oracle |= content

    @rule(names=NAMES, seed=SEEDS)
    def replace(self, names: list[str], seed: int) -> None:
        content = drawn(names, seed)
        self.index.add(*arguments(content), on_duplicate="replace")
        self.oracle |= content

    @rule(names=NAMES)
    def remove(self, names: list[str]) -> None:
        if all(name in self.oracle for name in names):
            self.index.remove(names)
            for name in names:
                del self.oracle[name]
        else:
            with pytest.raises(CorpusIndexError):
                self.index.remove(names)

    @precondition(lambda self: self.oracle)
    @rule(data=st.data())
    def remove_some_that_are_there(self, data: st.DataObject) -> None:
        there = st.sampled_from(sorted(self.oracle))
        self.remove(data.draw(st.lists(there, min_size=1, max_size=8, unique=True)))

    @rule(type=st.sampled_from([None, "flat", "hnsw"]), rows=st.sampled_from([5, None]))
    def compact(self, type: str | None, rows: int | None) -> None:
        self.index.compact(type=type, segment_rows=rows)  # type: ignore[arg-type]

    @rule()
    def reload(self) -> None:
        self.index = CorpusIndex.open(self.index.folder)

    @rule()
    def refresh_the_reader(self) -> None:
        self.reader.refresh()
        self.seen = dict(self.oracle)

    @rule(seed=SEEDS, k=st.integers(1, 30))
    def search(self, seed: int, k: int) -> None:
        compare(self.index, self.oracle, seed, k)
        compare(self.reader, self.seen, seed, k)

    @rule()
    def verify(self) -> None:
        assert self.index.verify() == []

    @invariant()
    def holds_what_the_oracle_holds(self) -> None:
        if hasattr(self, "index"):
            same_content(self.index, self.oracle)
            same_content(self.reader, self.seen)


def same_content(index: CorpusIndex, content: Content) -> None:
    places = index.rows()
    assert len(index) == len(places) == len(content)
    documents = {document.id: document for document in index.documents(places)}
    assert documents == {name: document for name, (document, _) in content.items()}
    located = index.locate([*content, "없는 문장"])
    assert located[-1] == -1
    if content:
        np.testing.assert_array_equal(index.vectors(located[:-1]), arguments(content)[1])


def compare(index: CorpusIndex, content: Content, seed: int, k: int) -> None:
    """Scores are the best ones; each hit has the score of its own vector; ties go by place."""
    queries = np.random.default_rng(seed).standard_normal((2, DIMENSION)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    scores, places = index.search(queries, k)
    real = min(k, len(content))
    assert (places[:, real:] == -1).all()
    assert (scores[:, real:] == -np.inf).all()
    for query, found_scores, found in zip(queries, scores[:, :real], places[:, :real], strict=True):
        every = {name: float(query @ vector) for name, (_, vector) in content.items()}
        best = sorted(every.values(), reverse=True)[:real]
        np.testing.assert_allclose(found_scores, best, atol=1e-6)
        ids = index.ids(found)
        assert len(set(ids)) == real
        np.testing.assert_allclose([every[name] for name in ids], found_scores, atol=1e-6)
        order = list(zip(-found_scores, found.tolist(), strict=True))
        assert order == sorted(order)


class TestCorpusIndexMachine(CorpusIndexMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(
        max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[*HealthCheck]
    )


@pytest.mark.slow
class TestCorpusIndexMachineLong(CorpusIndexMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(
        max_examples=80,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=[*HealthCheck],
    )
