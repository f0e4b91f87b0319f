"""A comparison and an index from Python: any pairs in, and what a notebook shows of them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from datasets import Dataset

import kosim
from kosim.encoders.errors import ConfigError, DataError, KosimError, StorageError
from kosim.encoders.records import LabelledPairs
from kosim.experiments.comparison import in_python
from kosim.experiments.comparison.finding import compute_finding
from kosim.experiments.comparison.in_python import Comparison
from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.data.datasets import load_sample
from kosim.experiments.data.partition import load_raw
from kosim.experiments.settings import CompareSettings, DataSettings, EvaluationSettings
from kosim.experiments.study.progress import notebook_progress, silent
from tests.experiments.fixtures import example_results

ROWS = [(f"문장 {i}번입니다", f"다른 문장 {i}", i % 6) for i in range(12)]
RESULTS = ComparisonResults.model_validate(example_results())
FRAME = pd.DataFrame(ROWS, columns=["문장1", "문장2", "유사도"])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[CompareSettings]:
    """The settings that a comparison would be run with; the results are made up."""
    settings: list[CompareSettings] = []

    def run(given: CompareSettings, out: Path, **_: Any) -> ComparisonResults:
        settings.append(given)
        return RESULTS

    monkeypatch.setattr(in_python.run, "compare", run)
    return settings


@pytest.mark.parametrize(
    "source",
    [
        FRAME,
        ROWS,
        iter(ROWS),
        Dataset.from_pandas(FRAME),
        LabelledPairs.from_lists([row[:2] for row in ROWS], [row[2] for row in ROWS]),
    ],
    ids=["frame", "list", "iterator", "dataset", "pairs"],
)
def test_pairs_may_come_from_anywhere(
    source: Any, told: list[CompareSettings], tmp_path: Path
) -> None:
    path = tmp_path / "test.csv"
    FRAME.to_csv(path, index=False)
    kosim.compare(train=source, test=path, backbone="scratch", out=tmp_path / "run", seeds=[3])
    (settings,) = told
    assert settings.data.train == str(tmp_path / "run-data" / "train.parquet")
    assert settings.data.test == str(path)
    assert settings.seeds == [3]
    assert {one.backbone for one in settings.encoders.values()} == {"scratch"}
    read, _ = load_raw(settings.data)
    assert read is not None
    frame = read.frame
    assert list(zip(frame.sentence1, frame.sentence2, frame.given, strict=True)) == ROWS


def test_a_run_of_a_file_is_named_after_it(
    told: list[CompareSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    FRAME.to_csv("ours.csv", index=False)
    assert kosim.compare(train="ours.csv").folder == Path("runs/ours")
    assert kosim.compare(train=FRAME).folder == Path("runs/python")
    assert [settings.name for settings in told] == ["ours", "python"]


def test_the_newest_interrupted_run_is_resumed(
    told: list[CompareSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("python", "python-2"):
        Path("runs", name).mkdir(parents=True)
    Path("runs/python/results.json").write_text("{}")
    assert kosim.compare(train=FRAME, resume=True).folder == Path("runs/python-2")


def test_the_pairs_of_an_earlier_run_stay(told: list[CompareSettings], tmp_path: Path) -> None:
    kosim.compare(train=FRAME[:7], out=tmp_path / "run")  # refused, so that there is no run
    kosim.compare(train=FRAME, out=tmp_path / "run")
    (tmp_path / "run").mkdir()
    kosim.compare(train=FRAME, out=tmp_path / "run", resume=True)
    with pytest.raises(StorageError, match="other pairs, of an earlier run"):
        kosim.compare(train=FRAME[:8], out=tmp_path / "run")
    kept = tmp_path / "run-data" / "train.parquet"
    assert len(pd.read_parquet(kept)) == len(FRAME)
    kosim.compare(train=FRAME[:8], out=tmp_path / "run", overwrite=True)
    assert len(pd.read_parquet(kept)) == 8


def test_each_encoder_may_have_its_own_backbone(
    told: list[CompareSettings], tmp_path: Path
) -> None:
    training = {"epochs": 2}
    backbone = {"bi": "scratch"}
    kosim.compare(train=ROWS, backbone=backbone, training=training, out=tmp_path / "run")
    (settings,) = told
    assert [one.backbone for one in settings.encoders.values()] == ["scratch", "mini"]
    assert [one.training.epochs for one in settings.encoders.values()] == [2, 2]
    assert settings.data.test_share == 0.2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ConfigError, "nothing to compare on"),
        ({"train": [("a", "b")]}, DataError, "row 0 is"),
        ({"train": ["ab"]}, DataError, "row 0 is the text"),
        ({"train": 7}, DataError, "train is 7"),
        ({"train": {"train": FRAME}}, DataError, "give one of its tables"),
        ({"train": ROWS, "backbone": {"by": "mini"}}, ConfigError, "'by'"),
        (
            {"train": ROWS, "training": {"epoch": 1}},
            ConfigError,
            "epoch: unknown setting; did you mean epochs",
        ),
        ({"train": ROWS, "data": {"limits": 1}}, ConfigError, "limits: unknown setting"),
        ({"train": pd.DataFrame({"a": [1, "b"]})}, DataError, "cannot be kept"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    options: dict[str, Any], error: type[KosimError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        kosim.compare(out=tmp_path / "run", **options)


def test_a_finished_comparison_is_short_and_shows_itself(tmp_path: Path) -> None:
    COMPARISON.write(RESULTS, tmp_path)
    scored = pd.DataFrame({"seed": [1, 1], "sentence1": ["가", "나"], "bi": [1.5, 2.5]})
    scored.to_parquet(tmp_path / "predictions.parquet", index=False)
    found = Comparison.open(tmp_path)
    assert found.folder == tmp_path
    pearson = {name: one.test["pearson"].value for name, one in RESULTS.encoders.items()}  # type: ignore[union-attr]
    assert repr(found) == str(found)
    assert len(repr(found)) < 300
    assert all(f"{name} Pearson {value:.3f}" in repr(found) for name, value in pearson.items())
    lines = found.summary().splitlines()
    finding = compute_finding(RESULTS)
    first = [line.en for line in (*finding.warnings, finding.headline, finding.advice) if line]
    assert finding.warnings
    assert lines[: len(first)] == first
    assert all(line in (tmp_path / "report.md").read_text(encoding="utf-8") for line in lines)
    assert found.summary(language="ko") != found.summary()
    frame = found.to_frame()
    assert frame["pearson"].to_dict() == pearson
    assert (frame.pearson_low < frame.pearson).all()
    pd.testing.assert_frame_equal(found.predictions, scored)
    (tmp_path / "predictions.parquet").unlink()
    with pytest.raises(StorageError, match="run the comparison again"):
        _ = found.predictions
    figure = found.plot()
    assert [axes.get_xlim() for axes in figure.axes] == [(0, 5)] * len(RESULTS.encoders)
    assert all(axes.patches for axes in figure.axes)


def test_public_objects_are_short(tiny_encoders: dict[str, Path]) -> None:
    encoder = kosim.load(tiny_encoders["bi"], device="cpu")
    hit = encoder.rank("가", ["나" * 5000])[0]
    for thing in (RESULTS, encoder, encoder.calibration, hit, load_sample("train")):
        assert len(repr(thing)) < 200
        assert "\n" not in repr(thing)


@pytest.mark.parametrize("group", [kosim.TrainingConfig, DataSettings, EvaluationSettings])
def test_settings_of_a_call_are_refused_as_those_of_a_file(group: Any) -> None:
    with pytest.raises(ConfigError, match="nonsense: unknown setting"):
        group(nonsense=1)


def test_all_that_is_wrong_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        CompareSettings(
            data={"train": "a"},  # type: ignore[arg-type]
            encoders={"bi": {"kind": "bi", "backbone": "scratch", "training": {"epochs": 0}}},  # type: ignore[dict-item]
            seeds=[],
        )
    assert "encoders.bi.training.epochs: " in str(caught.value)
    assert "seeds: " in str(caught.value)


def test_progress_shows_in_a_notebook_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    handle = SimpleNamespace(update=lambda data, raw: shown.append(data["text/plain"]))
    shell = SimpleNamespace(kernel=object())
    notebook = SimpleNamespace(
        get_ipython=lambda: shell, display=SimpleNamespace(display=lambda *_, **__: handle)
    )
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    progress = notebook_progress()
    progress("bi, seed 1: training")
    progress("encoding", 5, 1000)
    assert shown == ["kosim: bi, seed 1: training", "kosim: encoding (5 of 1,000)"]
    del shell.kernel
    assert notebook_progress() is silent
