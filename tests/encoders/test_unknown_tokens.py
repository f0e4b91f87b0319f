"""A tokenizer that cannot read the training pairs is refused, one that reads them badly is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import BackboneError
from kosim.encoders.loading import KINDS
from kosim.encoders.records import LabelledPairs
from kosim.encoders.training import train
from kosim.encoders.unknown_tokens import REFUSED, WARNED, UnknownShare, unknown_share
from tests.encoders.tiny import (
    TRAIN,
    VALIDATION,
    VOCABULARY,
    WORDS,
    config,
    tiny_encoder,
    write_koelectra,
)


def with_unknown(pairs: LabelledPairs, every: int) -> LabelledPairs:
    """Return pairs of which one in ``every`` has a first sentence of nothing but unknown words."""
    changed = [
        ("뷁 " * len(first.split()), second) if number % every == 0 else (first, second)
        for number, (first, second) in enumerate(pairs.pairs)
    ]
    return LabelledPairs.from_lists(changed, pairs.labels)


def test_the_share_is_counted_over_distinct_texts(encoder: PairEncoder) -> None:
    # Two known words of two pieces each, and three unknown words of one [UNK] each.
    texts = [f"{WORDS[0]} {WORDS[1]}", "뷁 뷁 뷁", "뷁 뷁 뷁"]
    found = unknown_share(encoder.tokenizer, texts)
    assert found == UnknownShare(tokens=7, unknown=3, example="뷁 뷁 뷁")
    assert found.share == pytest.approx(3 / 7)
    assert str(found) == "42.9% of the tokens are unknown"


def test_no_text_has_no_unknown_tokens(encoder: PairEncoder) -> None:
    assert unknown_share(encoder.tokenizer, []).share == 0
    assert unknown_share(encoder.tokenizer, [WORDS[0]]) == UnknownShare(2, 0)


def test_texts_are_counted_whole_whatever_was_cut_before(encoder: PairEncoder) -> None:
    encoder.tokenizer(["가"], truncation=True, max_length=3)
    assert unknown_share(encoder.tokenizer, ["뷁 " * 200]) == UnknownShare(200, 200, "뷁 " * 200)


def test_readable_pairs_are_trained_on_without_a_notice(fresh: PairEncoder) -> None:
    result = train(fresh, TRAIN, VALIDATION, config(epochs=1))
    assert (result.unknown_share, result.notices) == (0, [])


def test_a_share_in_between_is_a_notice(fresh: PairEncoder) -> None:
    pairs = with_unknown(TRAIN, every=2)
    result = train(fresh, pairs, VALIDATION, config(epochs=1))
    assert result.unknown_share is not None
    assert WARNED < result.unknown_share < REFUSED
    assert len(result.notices) == 1
    assert f"makes [UNK] of {result.unknown_share:.0%}" in result.notices[0]


def test_a_vocabulary_of_another_model_is_refused(kind: str, tmp_path: Path) -> None:
    folder = write_koelectra(tmp_path / "backbone")
    other = [*VOCABULARY[:5], *(f"word{number}" for number in range(len(VOCABULARY) - 5))]
    (folder / "vocab.txt").write_text("\n".join(other) + "\n", encoding="utf-8")
    encoder = tiny_encoder(kind, folder)
    before = encoder.fingerprint()
    with pytest.raises(BackboneError, match=r"makes \[UNK\] of 100%.*Korean vocabulary"):
        train(encoder, TRAIN, VALIDATION, config(), folder=tmp_path / "checkpoints")
    assert encoder.fingerprint() == before
    assert not (tmp_path / "checkpoints").exists()


def test_lower_casing_that_takes_hangul_apart_is_refused_with_the_remedy(
    kind: str, tmp_path: Path
) -> None:
    folder = write_koelectra(tmp_path / "backbone")
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(BackboneError, match='"do_lower_case": false'):
        train(tiny_encoder(kind, folder), TRAIN, VALIDATION, config())
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    encoder = KINDS[kind].from_backbone(str(folder), device="cpu")
    assert unknown_share(encoder.tokenizer, TRAIN.sentence1).share == 0
