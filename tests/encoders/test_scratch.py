"""The backbone made on the spot: a whole one, the same each time, and never made twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kosim.encoders.errors import StorageError
from kosim.encoders.loading import KINDS
from kosim.encoders.scratch import build_scratch_backbone
from tests.encoders.tiny import SENTENCES, labelled_pairs

TEXTS = [text for pair in labelled_pairs(80, seed=3).pairs for text in pair]
SMALL = {"vocabulary": 300, "hidden": 32, "layers": 2, "heads": 2}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone made from the texts."""
    folder = tmp_path_factory.mktemp("scratch") / "backbone"
    build_scratch_backbone(TEXTS, folder, **SMALL)
    return folder


def test_both_kinds_start_from_it(kind: str, scratch: Path) -> None:
    encoder = KINDS[kind].from_backbone(str(scratch), device="cpu")
    assert encoder.score([(SENTENCES[0], SENTENCES[1])]).shape == (1,)


def test_it_is_an_electra_of_the_asked_size(scratch: Path) -> None:
    config = json.loads((scratch / "config.json").read_text())
    assert config["model_type"] == "electra"
    assert (config["hidden_size"], config["num_hidden_layers"]) == (32, 2)
    assert config["vocab_size"] <= 300


def test_its_tokenizer_knows_the_texts_and_keeps_case(scratch: Path) -> None:
    tokenizer = KINDS["bi"].from_backbone(str(scratch), device="cpu").tokenizer
    assert "[UNK]" not in tokenizer.tokenize(TEXTS[0])
    assert tokenizer.decode(tokenizer(TEXTS[0])["input_ids"]) == f"[CLS] {TEXTS[0]} [SEP]"


def test_a_pair_is_read_as_two_segments(scratch: Path) -> None:
    tokenizer = KINDS["cross"].from_backbone(str(scratch), device="cpu").tokenizer
    encoded = tokenizer(SENTENCES[2], SENTENCES[2])
    half = len(tokenizer(SENTENCES[2])["input_ids"])
    assert encoded["token_type_ids"] == [0] * half + [1] * (half - 1)


def test_order_of_the_texts_does_not_matter(scratch: Path, tmp_path: Path) -> None:
    build_scratch_backbone(reversed(TEXTS * 2), tmp_path / "again", **SMALL)
    for name in ("tokenizer.json", "model.safetensors", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (scratch / name).read_bytes()


def test_other_seed_gives_other_weights(scratch: Path, tmp_path: Path) -> None:
    build_scratch_backbone(TEXTS, tmp_path / "other", seed=1, **SMALL)
    weights = "model.safetensors"
    assert (tmp_path / "other" / weights).read_bytes() != (scratch / weights).read_bytes()


def test_backbone_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    build_scratch_backbone(TEXTS, tmp_path / "there", **SMALL)
    assert list((tmp_path / "there").iterdir()) == []


def test_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        build_scratch_backbone(TEXTS, tmp_path / "file" / "below", **SMALL)
