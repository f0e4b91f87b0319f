"""What only a bi-encoder has: vectors, poolings and a prompt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.runtime import FloatArray, Runtime, TokenBatch
from kosim.encoders.errors import ConfigError
from kosim.encoders.loading import load
from tests.encoders.tiny import PROMPT, SENTENCES

POOLINGS = ["mean", "cls", "max"]


def by_hand(koelectra: Path, encoder: BiEncoder, texts: list[str], pooling: str) -> np.ndarray:
    """Pool the transformer's last hidden state without sentence-transformers, a text at a time."""
    network = AutoModel.from_pretrained(koelectra).eval()
    rows = []
    for text in texts:
        with torch.no_grad():
            states = network(**encoder.tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        pooled = {"mean": states.mean(0), "cls": states[0], "max": states.max(0).values}[pooling]
        rows.append((pooled / pooled.norm()).numpy())
    return np.stack(rows)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_is_that_of_the_last_hidden_state(koelectra: Path, pooling: str) -> None:
    encoder = BiEncoder.from_backbone(str(koelectra), pooling=pooling, device="cpu")  # type: ignore[arg-type]
    np.testing.assert_allclose(
        encoder.encode(SENTENCES), by_hand(koelectra, encoder, SENTENCES, pooling), atol=1e-5
    )


def test_mean_is_the_default_pooling(koelectra: Path, bi: BiEncoder) -> None:
    np.testing.assert_allclose(
        bi.encode(SENTENCES), by_hand(koelectra, bi, SENTENCES, "mean"), atol=1e-5
    )


def test_pooling_of_an_artifact_used_as_backbone_is_kept(koelectra: Path, tmp_path: Path) -> None:
    first = BiEncoder.from_backbone(str(koelectra), pooling="cls", device="cpu")
    first.save(tmp_path / "artifact")
    second = BiEncoder.from_backbone(str(tmp_path / "artifact"), device="cpu")
    np.testing.assert_allclose(second.encode(SENTENCES), first.encode(SENTENCES), atol=1e-6)


def test_unknown_pooling_is_refused(koelectra: Path) -> None:
    with pytest.raises(ConfigError, match="pooling 'sum' is unknown; choose mean, cls or max"):
        BiEncoder.from_backbone(str(koelectra), pooling="sum")  # type: ignore[arg-type]


def test_vectors_are_float32_of_unit_length(bi: BiEncoder) -> None:
    vectors = bi.encode(SENTENCES)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(SENTENCES), bi.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_no_texts_give_no_vectors(bi: BiEncoder) -> None:
    assert bi.encode([]).shape == (0, bi.dimension)


def test_vectors_come_in_the_order_of_the_texts(bi: BiEncoder) -> None:
    forwards, backwards = bi.encode(SENTENCES), bi.encode(SENTENCES[::-1])
    np.testing.assert_allclose(forwards, backwards[::-1], atol=1e-6)


def test_identical_texts_are_encoded_once(koelectra: Path) -> None:
    encoder = BiEncoder.from_backbone(str(koelectra), device="cpu")
    rows = 0

    def count(module: object, inputs: tuple[dict[str, torch.Tensor]]) -> None:
        nonlocal rows
        rows += len(inputs[0]["input_ids"])

    encoder.model[0].register_forward_pre_hook(count)
    encoder.rank(SENTENCES[0], [*SENTENCES, *SENTENCES])
    assert rows == len(SENTENCES)


def test_identical_sentences_score_the_highest_cosine(bi: BiEncoder) -> None:
    np.testing.assert_allclose(
        bi.score([(text, text) for text in SENTENCES], raw=True), 1, rtol=1e-5
    )


class Overstepping(Runtime):
    """Gives vectors whose length is 1 but for float32's last bits."""

    backend, precision, token_budget = "torch", "fp32", 1_024

    def run(self, batch: TokenBatch) -> FloatArray:
        """Return (rows, 32), every second row negative."""
        signs = np.where(np.arange(len(batch["input_ids"])) % 2, -1, 1)[:, None]
        return (signs * np.full(32, 0.1767768)).astype(np.float32)


def test_cosines_stay_within_one(koelectra: Path) -> None:
    encoder = BiEncoder.from_backbone(str(koelectra), device="cpu")
    encoder.runtime = Overstepping()
    vectors = encoder.encode(SENTENCES)
    assert (vectors @ vectors.T).max() > 1 and (vectors @ vectors.T).min() < -1
    scores = encoder.score([(one, other) for one in SENTENCES for other in SENTENCES], raw=True)
    assert set(scores.tolist()) == {1.0, -1.0}


def test_prompt_is_put_before_every_text(koelectra: Path, bi: BiEncoder) -> None:
    prompted = BiEncoder.from_backbone(str(koelectra), prompt=PROMPT, device="cpu")
    np.testing.assert_allclose(
        prompted.encode(SENTENCES), bi.encode([PROMPT + text for text in SENTENCES]), atol=1e-6
    )
    assert np.abs(prompted.encode(SENTENCES) - bi.encode(SENTENCES)).max() > 1e-2


def test_prompt_counts_as_tokens(koelectra: Path, bi: BiEncoder) -> None:
    prompted = BiEncoder.from_backbone(str(koelectra), prompt=PROMPT, device="cpu")
    pairs = [(SENTENCES[0], SENTENCES[1])]
    assert prompted.token_lengths(pairs) == bi.token_lengths(pairs) + 2


@pytest.mark.parametrize("prompt", ["", PROMPT])
def test_prompt_is_kept_in_the_artifact(koelectra: Path, tmp_path: Path, prompt: str) -> None:
    encoder = BiEncoder.from_backbone(str(koelectra), prompt=prompt, device="cpu")
    encoder.save(tmp_path / "artifact")
    again = load(tmp_path / "artifact", device="cpu")
    assert isinstance(again, BiEncoder)
    assert again.prompt == prompt
    np.testing.assert_allclose(again.encode(SENTENCES), encoder.encode(SENTENCES), atol=1e-6)
    assert again.fingerprint() == encoder.fingerprint()


def test_fingerprint_changes_with_the_prompt(koelectra: Path, bi: BiEncoder) -> None:
    prompted = BiEncoder.from_backbone(str(koelectra), prompt=PROMPT, device="cpu")
    assert prompted.fingerprint() != bi.fingerprint()


def test_fingerprints_of_the_poolings_differ(koelectra: Path) -> None:
    prints = {
        BiEncoder.from_backbone(str(koelectra), pooling=pooling, device="cpu").fingerprint()  # type: ignore[arg-type]
        for pooling in POOLINGS
    }
    assert len(prints) == len(POOLINGS)


def test_plain_sentence_transformers_applies_the_saved_prompt(
    koelectra: Path, tmp_path: Path
) -> None:
    encoder = BiEncoder.from_backbone(str(koelectra), prompt=PROMPT, device="cpu")
    encoder.save(tmp_path / "artifact")
    plain = SentenceTransformer(str(tmp_path / "artifact"), device="cpu")
    np.testing.assert_allclose(plain.encode(SENTENCES), encoder.encode(SENTENCES), atol=1e-6)
