"""Texts that are not composed (NFD, as macOS writes them) are read like those that are."""

from __future__ import annotations

import shutil
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from kosim.encoders.artifact import read_manifest
from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import BackboneError
from kosim.encoders.loading import load
from kosim.encoders.pretraining.backbone_folder import open_tokenizer
from kosim.encoders.records import LabelledPairs
from kosim.encoders.tokenizers.composition import compose_before, pipeline_content
from kosim.encoders.tokenizers.training import train_tokenizer
from kosim.encoders.training import train
from tests.encoders.tiny import SENTENCES, TRAIN, VALIDATION, config, tiny_encoder


def decomposed(text: str) -> str:
    """Return a text in NFD, every syllable in its jamo."""
    return unicodedata.normalize("NFD", text)


PAIRS = list(pairwise(SENTENCES))
DECOMPOSED = [(decomposed(first), decomposed(second)) for first, second in PAIRS]


def decomposed_pairs(pairs: LabelledPairs) -> LabelledPairs:
    """Return the same pairs in NFD."""
    texts = [(decomposed(first), decomposed(second)) for first, second in pairs.pairs]
    return LabelledPairs.from_lists(texts, pairs.labels)


def test_the_texts_of_these_tests_differ() -> None:
    assert all(first != decomposed(first) for first in SENTENCES)


def test_scores_and_counts_do_not_depend_on_the_form(encoder: PairEncoder) -> None:
    np.testing.assert_array_equal(
        encoder.score(DECOMPOSED, raw=True), encoder.score(PAIRS, raw=True)
    )
    np.testing.assert_array_equal(encoder.token_lengths(DECOMPOSED), encoder.token_lengths(PAIRS))


def test_the_backend_of_the_tokenizer_composes_by_itself(encoder: PairEncoder) -> None:
    backend = encoder.tokenizer.backend_tokenizer
    text = SENTENCES[1]
    assert backend.encode(decomposed(text)).ids == backend.encode(text).ids
    assert backend.token_to_id("[UNK]") not in backend.encode(text).ids


def test_the_reader_composes_and_counts_alike(encoder: PairEncoder) -> None:
    reader = encoder.reader
    read, expected = reader.pairs(DECOMPOSED), reader.pairs(PAIRS)
    assert [one.ids for one in read.encodings] == [one.ids for one in expected.encodings]
    np.testing.assert_array_equal(read.lengths, expected.lengths)


def test_onnx_scores_do_not_depend_on_the_form(saved: Path, tmp_path: Path) -> None:
    encoder = load(shutil.copytree(saved, tmp_path / "encoder"), backend="onnx")
    np.testing.assert_array_equal(
        encoder.score(DECOMPOSED, raw=True), encoder.score(PAIRS, raw=True)
    )


def test_training_does_not_depend_on_the_form(kind: str, koelectra: Path) -> None:
    def trained(learnt: LabelledPairs, validation: LabelledPairs) -> str:
        encoder = tiny_encoder(kind, koelectra)
        train(encoder, learnt, validation, config(epochs=1))
        return encoder.fingerprint()

    expected = trained(TRAIN, VALIDATION)
    assert trained(decomposed_pairs(TRAIN), decomposed_pairs(VALIDATION)) == expected


def test_pretraining_reads_either_form(koelectra: Path) -> None:
    tokenizer = open_tokenizer(koelectra)
    assert tokenizer([decomposed(text) for text in SENTENCES]) == tokenizer(SENTENCES)


@pytest.mark.parametrize(
    ("kind", "size"), [("wordpiece", 100), ("unigram", 60), ("syllable", 60), ("jamo", 50)]
)
def test_a_vocabulary_is_learnt_alike_from_either_form(kind: Any, size: int) -> None:
    texts = [f"{text} {number}" for number, text in enumerate(SENTENCES * 8)]
    composed = train_tokenizer(texts, kind, size, coverage=1.0).tokenizer
    other = train_tokenizer(map(decomposed, texts), kind, size, coverage=1.0).tokenizer
    assert composed.get_vocab() == other.get_vocab()
    assert other.tokenize(decomposed(SENTENCES[0])) == composed.tokenize(SENTENCES[0])


def test_saved_encoders_compose_in_other_programs_too(bi: BiEncoder, tmp_path: Path) -> None:
    bi.save(tmp_path / "bi")
    plain = SentenceTransformer(str(tmp_path / "bi"), device="cpu")
    vectors = plain.encode([decomposed(text) for text in SENTENCES])
    np.testing.assert_allclose(vectors, bi.encode(SENTENCES), atol=1e-6)


def test_the_fingerprint_tells_that_texts_are_composed(encoder: PairEncoder) -> None:
    content = pipeline_content(encoder.tokenizer)
    assert content["normalizer"]["normalizers"][0] == {"type": "NFC"}
    assert (
        pipeline_content(encoder.tokenizer, composed=False)["normalizer"]
        == (content["normalizer"]["normalizers"][1])
    )


def test_composing_twice_changes_nothing(encoder: PairEncoder) -> None:
    before = pipeline_content(encoder.tokenizer)
    compose_before(encoder.tokenizer)
    assert pipeline_content(encoder.tokenizer) == before


def test_a_tokenizer_without_a_fast_form_is_refused() -> None:
    with pytest.raises(BackboneError, match="has no fast form"):
        compose_before(object())  # type: ignore[arg-type]


def test_a_trained_encoder_keeps_its_fingerprint_on_disk(saved: Path) -> None:
    assert load(saved).fingerprint() == read_manifest(saved).fingerprint
    assert read_manifest(saved).composed == "NFC"
