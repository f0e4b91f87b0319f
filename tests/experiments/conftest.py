"""One small comparison that several tests look at, and a way to make more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.comparison.run import compare
from kosim.experiments.settings import CompareSettings
from tests.encoders.tiny import write_koelectra
from tests.experiments.databases import Database, running_database

TRAINING = {"epochs": 2, "learning_rate": 5e-4, "batch_size": 16}


def small_settings(**changes: Any) -> dict[str, Any]:
    """Return raw settings of a comparison that takes seconds."""
    contender = {"backbone": "scratch", "max_length": 48, "training": dict(TRAINING)}
    return {
        "name": "small",
        "seeds": [1],
        "data": {"dataset": "sample", "limit": 120},
        "evaluation": {"resamples": 400},
        "encoders": {"bi": {"kind": "bi", **contender}, "cross": {"kind": "cross", **contender}},
        **changes,
    }


@pytest.fixture
def database() -> Iterator[Database]:
    """A PostgreSQL server of the test's own."""
    with running_database() as database:
        yield database


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ComparisonResults]:
    """The folder and results of a finished comparison with two seeds."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    return folder, compare(CompareSettings.parse(small_settings(seeds=[1, 2])), folder)


@pytest.fixture(scope="session")
def tiny_encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of an untrained bi-encoder and an untrained cross-encoder, by kind."""
    folder = tmp_path_factory.mktemp("encoders")
    backbone = write_koelectra(folder / "koelectra")
    for kind in (BiEncoder, CrossEncoder):
        kind.from_backbone(str(backbone), device="cpu").save(folder / kind.kind)
    return {"bi": folder / "bi", "cross": folder / "cross"}
