"""Encoders whose texts are cut into morphemes first: everywhere, and known by their fingerprint."""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import ArtifactError, BackboneError, ConfigError, MissingExtraError
from kosim.encoders.loading import KINDS, load
from kosim.encoders.provenance import Provenance
from kosim.encoders.training.run import train
from tests.encoders.tiny import TRAIN, VALIDATION, config

pytest.importorskip("kiwipiepy")

PAIR = ("날씨가 더웠다", "방이 조용했다")
SEGMENTED = ("날씨 가 덥 었 다", "방 이 조용 하 었 다")


@pytest.fixture(scope="module")
def backbone(koelectra: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone that says that it reads morphemes."""
    folder = tmp_path_factory.mktemp("morphemes") / "backbone"
    shutil.copytree(koelectra, folder)
    Provenance(text_step="morphemes", steps=[{"step": "test"}]).write(folder)
    return folder


def test_an_encoder_segments_what_plain_loading_must_be_given_segmented(
    kind: str, backbone: Path, koelectra: Path
) -> None:
    segmenting = KINDS[kind].from_backbone(str(backbone), device="cpu")
    plain = KINDS[kind].from_backbone(str(koelectra), device="cpu")
    expected = plain.score([SEGMENTED], raw=True)
    np.testing.assert_array_equal(segmenting.score([PAIR], raw=True), expected)
    assert segmenting.token_lengths([PAIR]) == plain.token_lengths([SEGMENTED])


def test_a_ready_made_backbone_can_be_given_the_step(kind: str, koelectra: Path) -> None:
    asked = KINDS[kind].from_backbone(str(koelectra), device="cpu", text_step="morphemes")
    assert asked.tokenizer("더웠다")["input_ids"] == asked.tokenizer("덥었다")["input_ids"]


def test_the_fingerprint_covers_the_step(
    kind: str, backbone: Path, koelectra: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = KINDS[kind].from_backbone(str(koelectra), device="cpu").fingerprint()
    first = KINDS[kind].from_backbone(str(backbone), device="cpu").fingerprint()
    real = metadata.version
    monkeypatch.setattr(
        "kosim.encoders.tokenizers.kiwi.version",
        lambda name: "9.9" if name == "kiwipiepy" else real(name),
    )
    newer = KINDS[kind].from_backbone(str(backbone), device="cpu").fingerprint()
    assert len({plain, first, newer}) == 3


def test_a_saved_encoder_keeps_the_step(kind: str, backbone: Path, tmp_path: Path) -> None:
    encoder = KINDS[kind].from_backbone(str(backbone), device="cpu")
    encoder.save(tmp_path / "saved")
    again = load(tmp_path / "saved", device="cpu")
    assert json.loads((tmp_path / "saved" / "kosim.json").read_text())["text_step"] == "morphemes"
    assert again.fingerprint() == encoder.fingerprint()
    np.testing.assert_allclose(again.score([PAIR]), encoder.score([PAIR]), rtol=1e-5)
    plain = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert plain(SEGMENTED[0])["input_ids"] == again.tokenizer(PAIR[0])["input_ids"]


def test_training_reads_segmented_texts(
    kind: str, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every text of every batch passes the step, exactly once."""
    seen: set[str] = set()

    def mark(self: object, texts: object) -> object:
        for text in texts:  # type: ignore[attr-defined]
            assert "|" not in text
            seen.add(text)
            yield f"{text} |"

    monkeypatch.setattr("kosim.encoders.tokenizers.text_step.MorphemeSegmentation.apply", mark)
    encoder = KINDS[kind].from_backbone(str(backbone), device="cpu")
    train(encoder, TRAIN, VALIDATION, config(epochs=1))
    assert {*TRAIN.sentence1, *TRAIN.sentence2} <= seen


def test_an_unknown_step_is_refused(koelectra: Path) -> None:
    with pytest.raises(ConfigError, match="'stems' is unknown"):
        BiEncoder.from_backbone(str(koelectra), device="cpu", text_step="stems")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"made": [], "text_step": "stems"}', "'stems'"),
        ('{"made": [], "format": 99}', "newer than"),
        ('{"made": ', "is damaged"),
    ],
)
def test_a_wrong_record_is_refused(
    koelectra: Path, tmp_path: Path, content: str, said: str
) -> None:
    shutil.copytree(koelectra, tmp_path / "backbone")
    (tmp_path / "backbone" / "kosim.json").write_text(content)
    with pytest.raises(BackboneError, match=said):
        BiEncoder.from_backbone(str(tmp_path / "backbone"), device="cpu")


def test_a_backbone_is_not_taken_for_an_encoder(backbone: Path) -> None:
    with pytest.raises(ArtifactError, match="a backbone or a tokenizer, not a saved encoder"):
        load(backbone)


def test_without_kiwi_a_saved_encoder_names_the_extra(
    backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    BiEncoder.from_backbone(str(backbone), device="cpu").save(tmp_path / "saved")

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("kosim.encoders.tokenizers.kiwi.version", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "kosim\[lexical\]"'):
        load(tmp_path / "saved")
