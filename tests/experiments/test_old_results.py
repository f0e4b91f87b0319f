"""Results that the first version of the code wrote are read, and reported anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from kosim.experiments.cli import main
from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.retrieval.depth.report import DEPTH
from kosim.experiments.retrieval.report import RETRIEVAL
from kosim.experiments.speed.report import SPEED
from kosim.experiments.study.experiment import Experiment
from kosim.experiments.study.figures import Difference
from kosim.experiments.tokenizers.report import TOKENIZERS
from kosim.experiments.tuning.report import TUNING
from tests.checkout import ROOT

RESULTS = ROOT / "benchmarks" / "results"
FOLDERS: list[tuple[Experiment, str]] = [
    (COMPARISON, "klue-sts-e5-small-ko-0.1"),
    (COMPARISON, "mini/bi"),
    (RETRIEVAL, "retrieval-parakqc"),
    (DEPTH, "depth-klue-dev"),
    (DEPTH, "depth-corpus-100k"),
    (SPEED, "bench"),
    (TUNING, "tuning/cross"),
    (TOKENIZERS, "tokenizers"),
]


@pytest.mark.parametrize(("experiment", "name"), FOLDERS)
def test_old_results_are_read_and_rendered(
    experiment: Experiment, name: str, tmp_path: Path
) -> None:
    results = experiment.read(RESULTS / name)
    experiment.write(results, tmp_path, language="ko")
    assert experiment.read(tmp_path) == results
    assert "</html>" in (tmp_path / "report.html").read_text("utf-8")


def test_the_figures_are_those_of_the_file() -> None:
    old = json.loads((RESULTS / "klue-sts-e5-small-ko-0.1" / "results.json").read_text("utf-8"))
    results = COMPARISON.read(RESULTS / "klue-sts-e5-small-ko-0.1")
    for name, encoder in old["encoders"].items():
        for metric, figure in encoder["test"].items():
            assert vars(results.encoders[name].test[metric]) == figure
    gap = results.difference.difference("f1")
    assert isinstance(gap, Difference)
    recorded = old["difference"]["f1"]
    assert (gap.value, gap.low, gap.high) == tuple(recorded[k] for k in ("value", "low", "high"))


def test_a_report_is_rendered_again_without_changing_a_figure(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    before = json.loads((RESULTS / "bench" / "results.json").read_text("utf-8"))
    (folder / "results.json").write_text(json.dumps(before | {"verdict": {}}), encoding="utf-8")
    shown = CliRunner().invoke(main, ["report", str(folder), "--lang", "ko"])
    assert shown.exit_code == 0, shown.output
    assert "보고서: " in shown.output
    assert '<html lang="ko">' in (folder / "report.html").read_text("utf-8")
    after = json.loads((folder / "results.json").read_text("utf-8"))
    assert "최대" in after["finding"]["ko"]["headline"]
    assert {**after, "finding": None} == {**before, "finding": None}


def test_a_folder_without_known_results_is_refused(tmp_path: Path) -> None:
    header = {"format": 1, "name": "x", "created": "now", "kosim_version": "0"}
    (tmp_path / "results.json").write_text(json.dumps(header), encoding="utf-8")
    refused = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert refused.exit_code == 2
    assert "of no experiment that has a report" in refused.output
