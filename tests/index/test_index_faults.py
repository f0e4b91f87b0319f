"""Kills at random moments: what is on the disk is always a committed state, whole and verified.

A child does one operation after another and writes a line before and after each; the parent kills
it with SIGKILL while an operation runs. Children come from multiprocessing's fork server, a
process without the threads of torch or FAISS.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.errors import CorpusIndexError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.store import commit
from tests.index.vectors import DIMENSION, ENCODER

OPERATIONS = ("create", "overwrite", "add", "replace", "long add", "remove", "compact", "hnsw")
LOG_DOCUMENTS = 60
SEGMENT_ROWS = 40

State = dict[str, int]
"""The version of each document: its text and its vector follow from its id and version."""


def document(name: str, version: int) -> Document:
    return Document(name, f"{name}의 {version}번째 판", {"판": version})


def vector(name: str, version: int) -> np.ndarray:
    values = np.random.default_rng([int(name), version]).standard_normal(DIMENSION)
    return (values / np.linalg.norm(values)).astype(np.float32)


def content(state: State) -> tuple[list[Document], np.ndarray]:
    pairs = list(state.items())
    vectors = np.stack([vector(name, version) for name, version in pairs])
    return [document(name, version) for name, version in pairs], vectors


def planned(operation: str, state: State, version: int, random: np.random.Generator) -> State:
    """Return the documents that an operation adds, replaces or removes."""
    free = [str(n) for n in range(400) if str(n) not in state]
    if operation in ("create", "overwrite"):
        return {str(n): version for n in random.choice(400, size=90, replace=False)}
    if operation in ("add", "long add"):
        return dict.fromkeys(free[: 10 if operation == "add" else 100], version)
    if operation == "replace":
        return dict.fromkeys([*list(state)[:8], *free[:4]], version)
    if operation == "remove":
        there = list(state)
        count = min(len(there), 12)
        return {there[n]: 0 for n in random.choice(len(there), size=count, replace=False)}
    return {}


def result(operation: str, state: State, change: State) -> State:
    if operation in ("create", "overwrite"):
        return change
    if operation == "remove":
        return {name: version for name, version in state.items() if name not in change}
    return {**state, **change}


def carry_out(operation: str, folder: Path, change: State) -> None:
    if operation in ("create", "overwrite"):
        documents, vectors = content(change)
        blocks = [
            (documents[start : start + 20], vectors[start : start + 20])
            for start in range(0, 90, 20)
        ]
        overwrite = operation == "overwrite"
        CorpusIndex.create(folder, ENCODER, blocks, overwrite=overwrite, segment_rows=SEGMENT_ROWS)
        return
    index = CorpusIndex.open(folder)
    if operation in ("add", "long add"):
        index.add(*content(change))
    elif operation == "replace":
        index.add(*content(change), on_duplicate="replace")
    elif operation == "remove":
        index.remove(list(change))
    else:
        index.compact(type="hnsw" if operation == "hnsw" else "flat", segment_rows=SEGMENT_ROWS)


def worker(folder: Path, commands: Connection, kill_at: int | None) -> None:
    """Carry out the operations that come, telling before and after each."""
    commit.LOG_DOCUMENTS = LOG_DOCUMENTS
    if kill_at is not None:
        kill_at_call(kill_at)
    while True:
        operation, change = commands.recv()
        commands.send("begin")
        carry_out(operation, folder, change)
        commands.send("end")


def kill_at_call(number: int) -> None:
    """Die before the ``number``-th call that changes something on the disk for good."""
    left = [number]

    def counted(name: str, genuine: object) -> object:
        def call(*arguments: object, **options: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return genuine(*arguments, **options)  # type: ignore[operator]

        return call

    for name in ("fsync", "replace", "rename", "ftruncate", "unlink", "mkdir", "rmdir", "write"):
        setattr(os, name, counted(name, getattr(os, name)))


@dataclass
class Trial:
    """One index, the states it may be in, and the child that works on it."""

    folder: Path
    random: np.random.Generator
    state: State | None = None
    version: int = 0
    durations: dict[str, float] = field(default_factory=dict)
    kills: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)

    def start(self, kill_at: int | None = None) -> tuple[BaseProcess, Connection]:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        here, there = context.Pipe()
        child = context.Process(target=worker, args=(self.folder, there, kill_at), daemon=True)
        child.start()
        there.close()
        return child, here

    def plan(self, operation: str) -> tuple[State, State]:
        self.version += 1
        before = self.state or {}
        change = planned(operation, before, self.version, self.random)
        return change, result(operation, before, change)

    def undisturbed(self, operation: str, child: BaseProcess, pipe: Connection) -> None:
        change, after = self.plan(operation)
        pipe.send((operation, change))
        assert pipe.recv() == "begin"
        started = time.perf_counter()
        assert pipe.recv() == "end"
        self.durations[operation] = time.perf_counter() - started
        self.state = after

    def killed(self, operation: str, child: BaseProcess, pipe: Connection) -> None:
        """Kill the child at a random moment of an operation, and check what is left."""
        change, after = self.plan(operation)
        pipe.send((operation, change))
        assert pipe.recv() == "begin"
        time.sleep(self.random.uniform(0, 1.1 * self.durations[operation]))
        os.kill(child.pid, signal.SIGKILL)  # type: ignore[arg-type]
        child.join()
        self.kills += 1
        ended = wait_for_end(pipe)
        if not ended:
            self.hits[operation] += 1
        self.settle(operation, after, must_be_after=ended)

    def settle(self, operation: str, after: State, *, must_be_after: bool) -> None:
        """Check that the index is in the state before or after, and go on from there."""
        try:
            found = self.read()
        except CorpusIndexError:
            assert self.state is None, "a committed index cannot be opened"
            assert not self.folder.exists()
            assert not must_be_after
            return
        allowed = [after] if must_be_after else [self.state, after]
        assert found in allowed, f"after a kill in {operation}: neither before nor after"
        self.kept[operation] += found == after
        self.state = found

    def read(self) -> State:
        index = CorpusIndex.open(self.folder)
        assert index.verify() == []
        places = index.rows()
        documents = index.documents(places)
        state = {one.id: int(one.extra["판"]) for one in documents}
        assert len(state) == len(documents)
        assert documents == [document(one.id, state[one.id]) for one in documents]
        expected = np.stack([vector(one.id, state[one.id]) for one in documents])
        np.testing.assert_array_equal(index.vectors(places), expected)
        scores, found = index.search(expected[:3], 1)
        np.testing.assert_allclose(scores[:, 0], 1, atol=1e-6)
        assert found[:, 0].tolist() == places[:3].tolist()
        return state


def fresh(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def run_kills(folder: Path, kills: int) -> Trial:
    trial = Trial(folder, np.random.default_rng(11))
    child, pipe = trial.start()
    for operation in OPERATIONS:
        trial.undisturbed(operation, child, pipe)
    child.kill()
    child.join()
    while sum(trial.hits.values()) < kills:
        operation = OPERATIONS[int(trial.random.integers(len(OPERATIONS)))]
        child, pipe = trial.start()
        if operation == "create":
            fresh(folder)
            trial.state = None
        elif trial.state is None:
            trial.undisturbed("create", child, pipe)
        for _ in range(int(trial.random.integers(0, 3))):
            if trial.state is not None and operation != "create":
                trial.undisturbed("add" if len(trial.state) < 250 else "remove", child, pipe)
        trial.killed(operation, child, pipe)
    return trial


def test_five_kills(tmp_path: Path) -> None:
    trial = run_kills(tmp_path / "index", 5)
    assert sum(trial.hits.values()) == 5


@pytest.mark.slow
def test_a_hundred_kills(tmp_path: Path) -> None:
    trial = run_kills(tmp_path / "index", 100)
    assert set(trial.hits) == set(OPERATIONS)
    # Early and late enough: both outcomes were seen.
    assert 0 < sum(trial.kept.values()) < 100


@pytest.mark.parametrize(
    "operation",
    [
        "add",
        "remove",
        pytest.param("create", marks=pytest.mark.slow),
        pytest.param("overwrite", marks=pytest.mark.slow),
        pytest.param("replace", marks=pytest.mark.slow),
        pytest.param("long add", marks=pytest.mark.slow),
        pytest.param("compact", marks=pytest.mark.slow),
    ],
)
def test_a_kill_before_every_change_on_the_disk(tmp_path: Path, operation: str) -> None:
    """Not at random: before each write, flush, rename and removal that Python makes, in turn.

    Of the longer operations, before every fifth of them.
    """
    trial = Trial(tmp_path / "index", np.random.default_rng(12))
    if operation != "create":
        child, pipe = trial.start()
        for one in ("create", "add", "remove"):
            trial.undisturbed(one, child, pipe)
        child.kill()
        child.join()
        shutil.copytree(trial.folder, tmp_path / "kept")
    first_state, number, outcomes = trial.state, 0, set()
    step = 1 if operation in ("add", "remove", "replace") else 5
    while True:
        number += step
        fresh(trial.folder)
        if operation != "create":
            shutil.copytree(tmp_path / "kept", trial.folder)
        trial.state = first_state
        change, after = trial.plan(operation)
        child, pipe = trial.start(kill_at=number)
        pipe.send((operation, change))
        ended = wait_for_end(pipe)
        child.kill()
        child.join()
        trial.settle(operation, after, must_be_after=ended)
        outcomes.add(trial.state == after)
        if ended:
            break
    assert number > 2
    # A compaction changes no document: before and after are the same.
    assert outcomes == ({True} if operation == "compact" else {True, False})


def wait_for_end(pipe: Connection) -> bool:
    """Return whether the operation ended before its process did."""
    try:
        while True:
            if pipe.recv() == "end":
                return True
    except EOFError:
        return False
