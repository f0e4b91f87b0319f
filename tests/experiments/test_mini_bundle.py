"""Bundling: half precision on disk, full precision wherever it is opened, a card that says all."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from benchmarks.mini.bundle import RUNS, bundle
from benchmarks.mini.cards import as_toml, backbone_card, encoder_card
from kosim.encoders.artifact import read_manifest
from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import BUNDLED, MINI, MINI_BI, MINI_CROSS
from kosim.encoders.errors import StorageError
from kosim.encoders.model_card import CARD
from kosim.encoders.provenance import Provenance, read_provenance
from tests.encoders.tiny import write_koelectra


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    """A backbone that says how it was made."""
    folder = write_koelectra(tmp_path / "backbone")
    Provenance(steps=[{"step": "distillation", "steps": 7}]).write(folder)
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The comparison of two starts, of the bi-encoder only."""
    figure = {"low": 0.1, "high": 0.9}
    encoders = {
        start: {"test": {"pearson": {"value": pearson, **figure}, "f1": {"value": 0.5, **figure}}}
        for start, pearson in (("random", 0.25), ("rtd", 0.75))
    }
    (tmp_path / "bi").mkdir()
    (tmp_path / "bi" / "results.json").write_text(json.dumps({"encoders": encoders}))
    return tmp_path


def test_it_is_half_as_large_and_opens_in_full_precision(
    backbone: Path, results: Path, tmp_path: Path
) -> None:
    size = bundle(backbone, tmp_path / "mini", results=results)
    assert size == sum(file.stat().st_size for file in (tmp_path / "mini").iterdir())
    before = load_file(backbone / "model.safetensors")
    after = load_file(tmp_path / "mini" / "model.safetensors")
    assert all(torch.equal(after[name], before[name].half()) for name in before)
    assert {w.dtype for w in AutoModel.from_pretrained(tmp_path / "mini").parameters()} == {
        torch.float32
    }
    vector = BiEncoder.from_backbone(str(tmp_path / "mini"), device="cpu").encode(["가나"])
    full = BiEncoder.from_backbone(str(backbone), device="cpu").encode(["가나"])
    assert vector == pytest.approx(full, abs=5e-3)


def test_the_card_says_how_it_was_made_and_what_it_reached(
    backbone: Path, results: Path, tmp_path: Path
) -> None:
    bundle(backbone, tmp_path / "mini", results=results)
    card = (tmp_path / "mini" / "README.md").read_text("utf-8")
    assert "### distillation" in card
    assert '"steps": 7' in card
    assert "| rtd | 0.750 [0.100, 0.900] | 0.500 [0.100, 0.900] | – | – |" in card
    assert "CC BY-SA 4.0" in card
    assert read_provenance(tmp_path / "mini").steps == [{"step": "distillation", "steps": 7}]


def test_figures_that_were_not_measured_are_not_shown(backbone: Path, tmp_path: Path) -> None:
    bundle(backbone, tmp_path / "mini", results=tmp_path / "nowhere")
    assert "Not measured yet." in (tmp_path / "mini" / "README.md").read_text("utf-8")


def test_a_folder_that_is_too_large_or_there_is_refused(
    backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle(backbone, tmp_path / "mini")
    with pytest.raises(StorageError, match="exists already"):
        bundle(backbone, tmp_path / "mini")
    monkeypatch.setattr("benchmarks.mini.halved.MOST_BYTES", 1_000)
    with pytest.raises(click.ClickException, match="more than"):
        bundle(backbone, tmp_path / "large")
    assert not (tmp_path / "large").exists()


def test_the_shipped_cards_have_the_figures_of_the_committed_results() -> None:
    """Regenerate with ``python -m benchmarks.mini.cards`` after results or encoders changed."""
    backbone = backbone_card(read_provenance(BUNDLED / MINI), RUNS)
    assert (BUNDLED / MINI / "README.md").read_text("utf-8") == backbone
    for name in (MINI_BI, MINI_CROSS):
        text, card = encoder_card(name)
        assert (BUNDLED / name / "README.md").read_text("utf-8") == text
        assert (BUNDLED / name / CARD).read_text("utf-8") == as_toml(card)


@pytest.mark.parametrize("name", [MINI_BI, MINI_CROSS])
def test_the_results_of_the_cards_are_of_the_shipped_encoders(name: str) -> None:
    manifest = read_manifest(BUNDLED / name)
    results = json.loads((RUNS.parent / "klue-sts-mini" / "results.json").read_text("utf-8"))
    measured = results["encoders"][manifest.kind]["seeds"]["1"]
    assert measured["threshold"] == manifest.threshold
    assert measured["history"] == (manifest.training or {})["history"]
