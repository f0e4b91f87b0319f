"""Backbones of every usual architecture: they work, or are refused in one line, as the docs say."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from kosim.encoders.errors import BackboneError, ConfigError
from kosim.encoders.loading import KINDS, load
from kosim.encoders.training.run import train
from tests.checkout import ROOT
from tests.encoders.shapes import ALIKE, POSITIONS, SHAPES, SIZES
from tests.encoders.tiny import TRAIN, VALIDATION, WORDS, config

LONG = " ".join(WORDS * 3)
PAIRS = [(LONG, LONG), (WORDS[0], WORDS[1]), (LONG, WORDS[2])]
MOST = 48


def documented() -> dict[tuple[str, str], str]:
    """Return what the table of docs/models.md says of each shape and kind."""
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, flags=re.MULTILINE)
    cells = {
        (name, kind): said
        for name, *both in rows
        if name in SHAPES
        for kind, said in zip(("bi", "cross"), both, strict=True)
    }
    assert len(cells) == 2 * len(SHAPES), "docs/models.md has a row for each shape"
    return cells


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each shape."""
    folder = tmp_path_factory.mktemp("shapes")
    for number, write in enumerate(SHAPES.values()):
        write(folder / str(number))
    return {name: folder / str(number) for number, name in enumerate(SHAPES)}


@pytest.fixture(scope="module")
def exportable(
    folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The folders, with one layer where all are alike: to export one takes seconds."""
    folder = tmp_path_factory.mktemp("exportable")
    with mock.patch.dict(SIZES, num_hidden_layers=1):
        for number, name in enumerate(ALIKE):
            SHAPES[name](folder / str(number))
    return folders | {name: folder / str(number) for number, name in enumerate(ALIKE)}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_backbone_works_or_is_refused_as_the_docs_say(
    shape: str,
    kind: str,
    folders: dict[str, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcome, _, why = documented()[shape, kind].partition(": ")
    name = str(folders[shape])
    if outcome == "refused":
        with pytest.raises(BackboneError) as caught:
            KINDS[kind].from_backbone(name, device="cpu", max_length=MOST)
        message = str(caught.value)
        assert why in message and ";" in message and "\n" not in message
        return
    with caplog.at_level(logging.WARNING, logger="kosim"):
        encoder = KINDS[kind].from_backbone(name, device="cpu", max_length=MOST)
    notices = [one.getMessage() for one in caplog.records if one.name.startswith("kosim")]
    assert len(notices) == ("notice" in outcome) and all(why in notice for notice in notices)
    together = encoder.score(PAIRS, raw=True)
    alone = [encoder.score([pair], raw=True)[0] for pair in PAIRS]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert len(set(together.tolist())) > 1
    encoder.save(tmp_path / "saved")
    again = load(tmp_path / "saved", device="cpu")
    assert again.fingerprint() == encoder.fingerprint()
    # Weights that were read lie elsewhere in memory, by which some kernels round differently.
    np.testing.assert_allclose(again.score(PAIRS, raw=True), together, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_what_opens_can_be_trained_and_exported(
    shape: str, kind: str, exportable: dict[str, Path], tmp_path: Path
) -> None:
    said = documented()[shape, kind]
    if said.startswith("refused"):
        pytest.skip("is not opened")
    encoder = KINDS[kind].from_backbone(str(exportable[shape]), device="cpu", max_length=MOST)
    before = encoder.fingerprint()
    train(encoder, TRAIN, VALIDATION, config(epochs=1, batch_size=64))
    assert encoder.fingerprint() != before
    encoder.save(tmp_path / "saved")
    exported = load(tmp_path / "saved", backend="onnx")
    np.testing.assert_allclose(
        exported.score(PAIRS, raw=True), encoder.score(PAIRS, raw=True), atol=1e-4
    )


@pytest.mark.parametrize("shape", ["XLM-R", "RoBERTa with a BERT tokenizer that makes token types"])
def test_positions_with_an_offset_are_two_fewer(
    shape: str, kind: str, folders: dict[str, Path]
) -> None:
    name, most = str(folders[shape]), POSITIONS - 2
    assert KINDS[kind].from_backbone(name, device="cpu", max_length=most).max_length == most
    with pytest.raises(ConfigError, match=f"choose 8 to {most}"):
        KINDS[kind].from_backbone(name, device="cpu", max_length=most + 1)


def test_a_saved_encoder_that_states_too_many_tokens_reads_what_it_can(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    encoder = KINDS[kind].from_backbone(str(folders["XLM-R"]), device="cpu", max_length=MOST)
    encoder.model.max_seq_length = POSITIONS  # as earlier versions allowed
    encoder.save(tmp_path / "saved")
    again = load(tmp_path / "saved", device="cpu")
    assert (again.max_length, again.fingerprint()) == (POSITIONS - 2, encoder.fingerprint())
    assert np.isfinite(again.score(PAIRS)).all()


def test_what_was_cut_is_counted(kind: str, folders: dict[str, Path]) -> None:
    encoder = KINDS[kind].from_backbone(str(folders["BERT"]), device="cpu", max_length=16)
    assert encoder.truncated == 0
    encoder.score([("가", "나"), (LONG, "나"), (LONG, "다")])
    # A pair is an input of a cross-encoder, a distinct sentence one of a bi-encoder.
    assert encoder.truncated == (2 if kind == "cross" else 1)


def test_damaged_weights_are_refused(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    source = folders["BERT"]
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(source / "model.safetensors")
    weights["bert.encoder.layer.0.output.dense.weight"][0, 0] = float("nan")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError, match="not a finite number"):
        KINDS[kind].from_backbone(str(tmp_path), device="cpu", max_length=MOST)
