"""Inputs, batches and masks: what is read, in which order, and by which seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kosim.encoders.errors import BackboneError, ConfigError, DataError
from kosim.encoders.pretraining.backbone_folder import open_tokenizer
from kosim.encoders.pretraining.batches import (
    ALONE,
    Schedule,
    SpecialTokens,
    assemble,
    cut_batches,
    neighbour_inputs,
    paired_inputs,
    single_inputs,
)
from kosim.encoders.pretraining.corpus import TokenCache, read_sentences, tokenise
from kosim.encoders.pretraining.masking import MaskedCorpus
from tests.encoders.pretraining_fixtures import sentences, write_corpus, write_tokenizer


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batches")
    write_corpus(folder)
    write_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def special(place: Path) -> SpecialTokens:
    return SpecialTokens.of(open_tokenizer(place / "tokenizer"))


@pytest.fixture(scope="module")
def cache(place: Path) -> TokenCache:
    tokenizer = open_tokenizer(place / "tokenizer")
    return tokenise(sentences(300), tokenizer, place / "tokens", longest=30)


@pytest.fixture(scope="module")
def masked(cache: TokenCache, special: SpecialTokens) -> MaskedCorpus:
    return MaskedCorpus(
        cache,
        np.arange(len(cache)),
        special,
        tokens=400,
        longest=48,
        pair_share=0.5,
        masking=0.15,
        seed=3,
    )


def test_blank_lines_are_no_sentences(place: Path) -> None:
    assert read_sentences(place / "corpus.txt") == sentences(300)


def test_a_limit_draws_in_order_by_seed(place: Path) -> None:
    drawn = read_sentences(place / "corpus.txt", limit=20, seed=5)
    everything = sentences(300)
    places = [everything.index(text) for text in drawn]
    assert len(drawn) == 20
    assert places == sorted(places)
    assert drawn == read_sentences(place / "corpus.txt", limit=20, seed=5)
    assert drawn != read_sentences(place / "corpus.txt", limit=20, seed=6)


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blank.txt").write_text("\n \n")
    with pytest.raises(DataError, match="holds no text"):
        read_sentences(tmp_path / "blank.txt")
    with pytest.raises(DataError, match="cannot read"):
        read_sentences(tmp_path / "missing.txt")
    with pytest.raises(ConfigError, match="0 sentences"):
        read_sentences(tmp_path / "blank.txt", limit=0)


def test_the_cache_holds_what_the_tokenizer_says(place: Path, cache: TokenCache) -> None:
    tokenizer = open_tokenizer(place / "tokenizer")
    expected = tokenizer(sentences(300), add_special_tokens=False)["input_ids"]
    assert len(cache) == 300
    assert [list(cache[row]) for row in range(300)] == [ids[:30] for ids in expected]


def test_a_finished_cache_is_not_made_again(place: Path, cache: TokenCache) -> None:
    again = tokenise([], open_tokenizer(place / "tokenizer"), place / "tokens", longest=30)
    assert np.array_equal(again.ids, cache.ids)


def test_every_sentence_is_read_once_an_epoch_and_half_of_them_in_pairs() -> None:
    lengths = np.full(2001, 10)
    random = np.random.default_rng(1)
    inputs = neighbour_inputs(np.arange(2001), lengths, pair_share=0.5, longest=64, random=random)
    partners = inputs.second[inputs.second != ALONE]
    assert sorted([*inputs.first, *partners]) == list(range(2001))
    assert np.array_equal(partners, inputs.first[inputs.second != ALONE] + 1)
    assert 0.42 < 2 * len(partners) / 2001 < 0.58
    assert set(inputs.lengths[inputs.second == ALONE]) == {12}
    assert set(inputs.lengths[inputs.second != ALONE]) == {23}


def test_two_sentences_that_are_too_long_together_stay_alone() -> None:
    lengths = np.array([10, 10, 30, 30])
    random = np.random.default_rng(0)
    inputs = neighbour_inputs(np.arange(4), lengths, pair_share=1.0, longest=40, random=random)
    assert inputs.lengths.max() <= 40


@pytest.mark.parametrize("tokens", [50, 400])
def test_batches_hold_at_most_the_tokens_and_every_input_once(tokens: int) -> None:
    lengths = np.random.default_rng(2).integers(3, 50, size=500)
    batches = cut_batches(lengths, tokens=tokens, random=np.random.default_rng(4))
    assert sorted(np.concatenate(batches)) == list(range(500))
    assert all(len(batch) * lengths[batch].max() <= tokens for batch in batches)
    # Fewer could not hold them; padding costs little.
    assert sum(len(batch) * lengths[batch].max() for batch in batches) < 1.05 * lengths.sum()


def test_an_input_longer_than_a_batch_is_one_of_its_own() -> None:
    batches = cut_batches(np.array([5, 90]), tokens=20, random=np.random.default_rng(0))
    assert sorted(map(list, batches)) == [[0], [1]]


def test_inputs_are_in_the_format_of_bert(cache: TokenCache, special: SpecialTokens) -> None:
    lengths = cache.lengths
    pair = paired_inputs(np.array([4]), np.array([9]), lengths)
    read = assemble(pair, np.array([0]), cache, special)
    first, second = list(cache[4]), list(cache[9])
    assert read["input_ids"].tolist() == [[2, *first, 3, *second, 3]]
    assert read["token_type_ids"].tolist() == [[0] * (len(first) + 2) + [1] * (len(second) + 1)]
    assert "attention_mask" not in read
    two = single_inputs(np.array([4, 9]), lengths)
    padded = assemble(two, np.array([0, 1]), cache, special)
    assert padded["attention_mask"].sum(dim=1).tolist() == two.lengths.tolist()
    assert padded["input_ids"][0, : two.lengths[0]].tolist() == [2, *first, 3]


def test_a_tokenizer_without_a_mask_token_is_refused(place: Path) -> None:
    tokenizer = open_tokenizer(place / "tokenizer")
    tokenizer.mask_token = None
    with pytest.raises(BackboneError, match="no mask token"):
        SpecialTokens.of(tokenizer)


def test_a_share_of_the_text_is_masked(masked: MaskedCorpus) -> None:
    count = tokens = 0
    for key in masked.batches(0):
        batch = masked.make(key)
        ids = batch["input_ids"].flatten()
        assert not np.isin(ids[batch["masked"]], [0, 2, 3]).any()
        assert len(batch["masked"]) == len(set(batch["masked"].tolist())) == len(batch["draws"])
        assert ((batch["draws"] >= 0) & (batch["draws"] < 1)).all()
        count += len(batch["masked"])
        tokens += int((~np.isin(ids, [0, 2, 3])).sum())
    assert 0.13 < count / tokens < 0.18


def test_masks_depend_on_seed_epoch_and_example_alone(masked: MaskedCorpus) -> None:
    """The same example is masked alike in whatever batch it is, whatever was drawn before."""
    epoch = masked.batches(1)
    key = next(key for key in epoch if len(key.members) > 3)
    together = masked.make(key)
    torch.manual_seed(99)
    np.random.seed(99)
    member = key.members[2]
    alone = masked.make(type(key)(key.epoch, key.inputs, np.array([member])))
    width = together["input_ids"].shape[1]
    in_row = (together["masked"] // width) == 2
    assert (together["masked"][in_row] % width).tolist() == alone["masked"].tolist()
    assert together["draws"][in_row].tolist() == alone["draws"].tolist()


def test_epochs_differ_and_repeat_exactly(masked: MaskedCorpus) -> None:
    def read(epoch: int) -> list[list[int]]:
        return [masked.make(key)["masked"].tolist() for key in masked.batches(epoch)]

    assert read(0) == read(0)
    assert read(0) != read(1)


def test_a_schedule_goes_through_epochs_until_its_steps_are_done(masked: MaskedCorpus) -> None:
    length = len(masked.batches(0))
    keys = list(Schedule(masked, length + 2))
    assert len(keys) == len(Schedule(masked, length + 2)) == length + 2
    assert [key.epoch for key in keys] == [0] * length + [1, 1]
