"""What a pretraining begins with: counted embeddings against a dense computation of the formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kosim.encoders.pretraining.batches import SpecialTokens
from kosim.encoders.pretraining.cooccurrence import cooccurrence_embeddings, frequencies
from kosim.encoders.pretraining.corpus import TokenCache
from kosim.encoders.pretraining.start import drawn_network, informed

VOCABULARY = 12
SPECIAL = SpecialTokens(pad=0, cls=2, sep=3, mask=4)


@pytest.fixture
def cache() -> TokenCache:
    """Sentences of tokens 5 to 11, of which 11 only ever stands alone."""
    random = np.random.default_rng(3)
    sentences = [random.integers(5, 11, size=random.integers(2, 9)) for _ in range(40)]
    sentences.append(np.array([11]))
    ends = np.cumsum([0, *map(len, sentences)])
    return TokenCache(np.concatenate(sentences).astype(np.uint16), ends.astype(np.int64))


def dense(cache: TokenCache, rows: range) -> np.ndarray:
    """The positive pointwise mutual information, pair by pair."""
    counts = np.zeros((VOCABULARY, VOCABULARY))
    for row in rows:
        ids = cache[row].tolist()
        for place, token in enumerate(ids):
            for other in range(place + 1, min(place + 5, len(ids))):
                counts[token, ids[other]] += 1 / (other - place)
                counts[ids[other], token] += 1 / (other - place)
    total = counts.sum()
    tokens = counts.sum(axis=1)
    contexts = tokens**0.75 / (tokens**0.75).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log((counts / total) / ((tokens / total)[:, None] * contexts[None, :]))
    return np.where(counts > 0, np.maximum(information, 0), 0)


def test_embeddings_are_the_factors_of_the_positive_information(cache: TokenCache) -> None:
    width = VOCABULARY - 1
    found = cooccurrence_embeddings(cache, np.arange(41), VOCABULARY, width, seed=0)
    left, values, _ = np.linalg.svd(dense(cache, range(41)))
    expected = (left * np.sqrt(values))[5:11, :width]
    expected -= expected.mean(axis=0)
    expected /= expected.std()
    # Signs of the factors are free, angles and lengths are not.
    np.testing.assert_allclose(found[5:11] @ found[5:11].T, expected @ expected.T, atol=1e-4)
    assert not found[:5].any()
    assert not found[11].any()


def test_only_the_given_sentences_are_counted(cache: TokenCache) -> None:
    counts = frequencies(cache, np.array([0, 3]), VOCABULARY)
    both = np.concatenate([cache[0], cache[3]])
    assert counts.tolist() == [int((both == token).sum()) for token in range(VOCABULARY)]


def test_a_width_beyond_the_rank_is_filled_with_zeros(cache: TokenCache) -> None:
    found = cooccurrence_embeddings(cache, np.arange(41), VOCABULARY, 32, seed=0)
    assert found.shape == (VOCABULARY, 32)
    assert not found[:, VOCABULARY - 1 :].any()


def test_sentences_of_one_token_leave_nothing_to_count() -> None:
    alone = TokenCache(np.full(4, 7, dtype=np.uint16), np.arange(5, dtype=np.int64))
    assert not cooccurrence_embeddings(alone, np.arange(4), VOCABULARY, 8, seed=0).any()


def test_the_start_keeps_both_networks_tied(cache: TokenCache) -> None:
    options = {"vocabulary": VOCABULARY, "special": SPECIAL, "dropout": 0.0}
    drawn, made = (
        drawn_network("tiny", discriminator_weight=50.0, seed=1, **options)  # type: ignore[arg-type]
        for _ in range(2)
    )
    informed(made, cache, np.arange(41), seed=1)
    words = made.discriminator.electra.embeddings.word_embeddings.weight
    before = drawn.discriminator.electra.embeddings.word_embeddings.weight
    assert made.vocabulary.weight is words
    assert made.generator.embeddings.word_embeddings.weight is words
    # What never stands beside another token keeps what was drawn.
    assert torch.equal(words[11], before[11])
    assert not torch.equal(words[5], before[5])
    counts = frequencies(cache, np.arange(41), VOCABULARY) + 1
    shares = made.vocabulary.bias.exp().detach().numpy()
    np.testing.assert_allclose(shares, counts / counts.sum(), rtol=1e-5)


def test_positions_are_waves(cache: TokenCache) -> None:
    made = drawn_network(
        "tiny", vocabulary=VOCABULARY, special=SPECIAL, dropout=0.0, discriminator_weight=1, seed=0
    )
    informed(made, cache, np.arange(41), seed=0)
    positions = made.discriminator.electra.embeddings.position_embeddings.weight.detach()
    # The first pair turns by a radian a place, the last by 10,000 ** -(30 / 32).
    np.testing.assert_allclose(positions[:, 0], 0.03 * np.sin(np.arange(len(positions))), atol=1e-5)
    slow = 10_000 ** (-30 / 32) * np.arange(len(positions))
    np.testing.assert_allclose(positions[:, 31], 0.03 * np.cos(slow), atol=1e-5)


def test_a_cache_on_the_disk_counts_alike(cache: TokenCache, tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", cache.ids)
    mapped = TokenCache(np.load(tmp_path / "ids.npy", mmap_mode="r"), cache.ends)
    rows = np.arange(41)
    np.testing.assert_array_equal(
        cooccurrence_embeddings(mapped, rows, VOCABULARY, 6, seed=2),
        cooccurrence_embeddings(cache, rows, VOCABULARY, 6, seed=2),
    )
