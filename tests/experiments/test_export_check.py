"""``kosim export``: what is reported, and that a loss is refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kosim.encoders.errors import QualityError
from kosim.encoders.loading import load
from kosim.experiments.speed.export_check import require_quality
from tests.experiments.tiny_artifacts import answer, refusal, sentences

if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript")):
    pytest.skip("the extra onnx is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def in_full(exported: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved bi-encoder with its export in full precision alone."""
    folder = shutil.copytree(exported["bi"], tmp_path_factory.mktemp("in-full") / "bi")
    shutil.rmtree(folder / "onnx" / "int8")
    return Path(folder)


@pytest.fixture(scope="module")
def own_scores(in_full: Path) -> Path:
    """Pairs whose labels follow the full encoder's own scores: any change of them is a loss."""
    pairs = list(zip(sentences(60, seed=1), sentences(60, seed=2), strict=True))
    raw = load(in_full).score(pairs, raw=True)
    scores = 5 * (raw - raw.min()) / np.ptp(raw)
    path = in_full.parent / "own.csv"
    frame = pd.DataFrame(pairs, columns=["sentence1", "sentence2"])
    frame.assign(score=scores.astype(float)).to_csv(path, index=False)
    return path


def test_full_precision_loses_nothing(in_full: Path, own_scores: Path) -> None:
    options = ("--precision", "fp32", "--validation", own_scores, "--json")
    result = json.loads(answer("export", in_full, *options))
    assert result["export"] == str(in_full / "onnx" / "fp32")
    check = result["check"]
    assert check["n"] == 60
    assert check["full"]["pearson"] > 0.99
    assert check["pearson_change"] == pytest.approx(0, abs=1e-5)
    assert check["f1_change"] == pytest.approx(0, abs=1e-5)
    assert check["times_faster"] > 0


def test_a_loss_is_refused_unless_it_is_accepted(
    in_full: Path, own_scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So small a network loses little in int8; what counts is that the limit is kept.
    monkeypatch.setattr("kosim.experiments.speed.export_check.PEARSON_LIMIT", 0.0)
    folder = Path(shutil.copytree(in_full, tmp_path / "bi"))
    full = load(folder).score([("가", "나")])
    line = refusal("export", folder, "--validation", own_scores)
    assert "points of Pearson" in line
    assert "--accept-loss" in line
    assert not (folder / "onnx" / "int8" / "model.onnx").exists()
    with pytest.raises(QualityError, match=r"was refused by kosim export: .* points of Pearson"):
        load(folder, precision="int8")
    assert "was refused" in refusal("export", folder)
    assert load(folder).score([("가", "나")]) == full
    output = answer("export", folder, "--validation", own_scores, "--accept-loss")
    assert (folder / "onnx" / "int8" / "model.onnx").is_file()
    assert "Pearson" in output
    assert load(folder, precision="int8").precision == "int8"


@pytest.mark.parametrize(("change", "refused"), [(-0.0049, False), (0.2, False), (-0.0051, True)])
def test_half_a_point_is_the_limit(change: float, refused: bool) -> None:
    sides = {"full": {"pearson": 0.8}, "exported": {"pearson": 0.8 + change}}
    figures = {**sides, "n": 10, "pearson_change": change}
    if refused:
        with pytest.raises(QualityError, match=r"loses 0\.51 points"):
            require_quality(figures)
    else:
        require_quality(figures)


def test_without_validation_nothing_is_said_of_quality(in_full: Path) -> None:
    result = json.loads(answer("export", in_full, "--precision", "fp32", "--json"))
    assert "check" not in result
