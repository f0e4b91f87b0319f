"""Bundling: half precision on disk, full precision wherever it is opened, a card that says all."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from benchmarks.mini.bundle import bundle
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import StorageError
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
    """The runs of two starts, of the bi-encoder only."""
    runs = [
        {"start": start, "seed": seed, "pearson": pearson, "f1": 0.5}
        for start, pearson in (("random", 0.25), ("rtd", 0.75))
        for seed in (1, 2)
    ]
    (tmp_path / "bi-runs.json").write_text(json.dumps(runs))
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
    assert "| rtd | 0.750 | 0.500 | – | – | 2 |" in card
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
