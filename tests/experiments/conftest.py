"""One small comparison that several tests look at, a way to make more, and encoders to export."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest

from kosim.encoders.scratch import build_scratch_backbone
from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.comparison.run import compare
from kosim.experiments.settings import CompareSettings
from kosim.experiments.statistics.resampling import Bootstrap, bootstrap
from tests.conftest import make_once
from tests.experiments.databases import Database, running_database

RESAMPLES = 999
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


def leave_undrawn(patch: pytest.MonkeyPatch) -> None:
    """Let reports paint their plots, but spare the seconds in which they become pictures."""

    def save(figure: object, file: IO[str], **options: object) -> None:
        file.write('<svg viewBox="0 0 1 1"></svg>')

    patch.setattr("matplotlib.figure.Figure.savefig", save)


def resample_less(patch: pytest.MonkeyPatch) -> None:
    """Let commands without an option for it draw a tenth of their 10,000 resamples."""

    def few(*given: Any, resamples: int, **options: Any) -> Bootstrap:
        return bootstrap(*given, resamples=min(resamples, RESAMPLES), **options)

    for module in ("statistics.significance", "retrieval.significance", "retrieval.depth.run"):
        patch.setattr(f"kosim.experiments.{module}.bootstrap", few)


def build_less(patch: pytest.MonkeyPatch) -> None:
    """Let backbones that a comparison builds from scratch have one layer and not three."""
    built = partial(build_scratch_backbone, layers=1)
    patch.setattr("kosim.experiments.comparison.contenders.build_scratch_backbone", built)


@pytest.fixture(scope="session", autouse=True)
def one_layer(exported_once: None) -> Iterator[None]:
    """Every comparison here, also those of fixtures, is of small backbones."""
    with pytest.MonkeyPatch.context() as patch:
        build_less(patch)
        yield


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each test the pictures in the reports that it writes; `test_report` looks at some."""
    leave_undrawn(monkeypatch)


@pytest.fixture
def database() -> Iterator[Database]:
    """A PostgreSQL server of the test's own."""
    with running_database() as database:
        yield database


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ComparisonResults]:
    """The folder and results of a finished comparison with two seeds."""

    def run(folder: Path) -> None:
        compare(CompareSettings.parse(small_settings(seeds=[1, 2])), folder / "small")

    folder = make_once(tmp_path_factory, "runs", run) / "small"
    return folder, COMPARISON.read(folder)


@pytest.fixture(scope="module")
def own_encoders(
    encoders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Copies of the encoders, to which exports may be added."""
    folder = tmp_path_factory.mktemp("encoders")
    return {name: Path(shutil.copytree(saved, folder / name)) for name, saved in encoders.items()}


@pytest.fixture(scope="session")
def tiny_encoders(encoders: dict[str, Path]) -> dict[str, Path]:
    """The folders of one encoder of each kind, which no test changes."""
    return {kind: encoders[kind] for kind in ("bi", "cross")}
