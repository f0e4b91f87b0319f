"""The one interface: every test here runs for both kinds."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers
import torch

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ConfigError, DataError, StorageError
from kosim.encoders.explanation import Masking
from kosim.encoders.loading import KINDS, load
from tests.encoders.tiny import COMMIT, HUB_ID, SENTENCES, WORDS

PAIRS = [(first, second) for first in SENTENCES for second in SENTENCES]
STEEP = MonotoneCalibration.fit(np.linspace(-1, 1, 200), np.linspace(0, 5, 200) ** 2 / 5)


def reference(model: Any, pairs: list[tuple[str, str]]) -> np.ndarray:
    """Score pairs with nothing but sentence-transformers' own methods."""
    if isinstance(model, sentence_transformers.CrossEncoder):
        return np.asarray(model.predict(pairs))
    first, second = (model.encode(list(texts)) for texts in zip(*pairs, strict=True))
    return sentence_transformers.util.pairwise_cos_sim(first, second).numpy()


def reopen(kind: str, folder: Path) -> Any:
    """Open an artifact with plain sentence-transformers."""
    opener = {
        "bi": sentence_transformers.SentenceTransformer,
        "cross": sentence_transformers.CrossEncoder,
    }[kind]
    return opener(str(folder), device="cpu")


def test_scores_are_float32_on_the_label_scale(encoder: PairEncoder) -> None:
    scores = encoder.score(PAIRS)
    assert scores.shape == (len(PAIRS),)
    assert scores.dtype == np.float32
    assert ((scores > 0) & (scores < 5)).all()


def test_raw_scores_differ_between_pairs(encoder: PairEncoder) -> None:
    assert np.ptp(encoder.score(PAIRS, raw=True)) > 0.05


def test_raw_equals_sentence_transformers(encoder: PairEncoder) -> None:
    raw = encoder.score(PAIRS, raw=True)
    assert raw.dtype == np.float32
    np.testing.assert_allclose(raw, reference(encoder.model, PAIRS), atol=1e-5)


def test_score_is_the_calibrated_raw_value(encoder: PairEncoder) -> None:
    raw = encoder.score(PAIRS, raw=True)
    np.testing.assert_array_equal(encoder.score(PAIRS), encoder.calibration(raw))


def test_batch_size_does_not_change_a_score(encoder: PairEncoder) -> None:
    np.testing.assert_allclose(
        encoder.score(PAIRS, raw=True, batch_size=3),
        encoder.score(PAIRS, raw=True, batch_size=64),
        atol=1e-5,
    )


def test_no_pairs_give_no_scores(encoder: PairEncoder) -> None:
    scores = encoder.score([])
    assert scores.shape == (0,)
    assert scores.dtype == np.float32


@pytest.mark.parametrize(
    "bad", ["ab", ("a",), ("a", "b", "c"), ("a", None), ("a", 3), None, 7], ids=repr
)
def test_bad_pair_is_named_by_its_number(encoder: PairEncoder, bad: Any) -> None:
    with pytest.raises(DataError, match=r"pair 1 is .*two strings") as caught:
        encoder.score([("a", "b"), bad])
    assert "\n" not in str(caught.value)


def test_symmetric_averages_both_orders(encoder: PairEncoder) -> None:
    swapped = [(second, first) for first, second in PAIRS]
    mean = (encoder.score(PAIRS, raw=True) + encoder.score(swapped, raw=True)) / 2
    np.testing.assert_allclose(encoder.score(PAIRS, raw=True, symmetric=True), mean, atol=1e-6)


def test_order_matters_says_whether_orders_differ(encoder: PairEncoder) -> None:
    swapped = [(second, first) for first, second in PAIRS]
    gap = np.abs(encoder.score(PAIRS, raw=True) - encoder.score(swapped, raw=True)).max()
    assert (gap > 1e-4) == encoder.order_matters


def test_symmetric_scores_are_calibrated_after_averaging(encoder: PairEncoder) -> None:
    raw = encoder.score(PAIRS, raw=True, symmetric=True)
    np.testing.assert_array_equal(encoder.score(PAIRS, symmetric=True), encoder.calibration(raw))


def test_rank_is_the_order_of_raw_scores(encoder: PairEncoder) -> None:
    documents = SENTENCES[1:]
    raw = encoder.score([(SENTENCES[0], document) for document in documents], raw=True)
    expected = sorted(range(len(documents)), key=lambda i: -raw[i])
    hits = encoder.rank(SENTENCES[0], documents)
    assert [hit.position for hit in hits] == expected
    assert [hit.text for hit in hits] == [documents[i] for i in expected]
    np.testing.assert_allclose([hit.raw for hit in hits], raw[expected], atol=1e-6)
    np.testing.assert_allclose([hit.score for hit in hits], encoder.calibration(raw[expected]))


def test_ties_are_ranked_by_position(encoder: PairEncoder) -> None:
    hits = encoder.rank(SENTENCES[0], [SENTENCES[2]] * 5)
    assert [hit.position for hit in hits] == [0, 1, 2, 3, 4]


def test_top_k_keeps_the_best(encoder: PairEncoder) -> None:
    assert (
        encoder.rank(SENTENCES[0], SENTENCES, top_k=2) == encoder.rank(SENTENCES[0], SENTENCES)[:2]
    )


def test_top_k_above_the_number_of_documents_gives_all(encoder: PairEncoder) -> None:
    hits = encoder.rank(SENTENCES[0], SENTENCES, top_k=100)
    assert sorted(hit.position for hit in hits) == list(range(len(SENTENCES)))


@pytest.mark.parametrize("top_k", [0, -1])
def test_top_k_below_one_is_refused(encoder: PairEncoder, top_k: int) -> None:
    with pytest.raises(ConfigError, match=f"top_k is {top_k}"):
        encoder.rank(SENTENCES[0], SENTENCES, top_k=top_k)


def test_no_documents_give_no_hits(encoder: PairEncoder) -> None:
    assert encoder.rank(SENTENCES[0], []) == []


@pytest.mark.parametrize("query", ["", " \t\n"])
def test_query_without_text_is_refused(encoder: PairEncoder, query: Any) -> None:
    with pytest.raises(DataError, match="query is empty"):
        encoder.rank(query, SENTENCES)


def test_documents_given_as_one_string_are_refused(encoder: PairEncoder) -> None:
    with pytest.raises(DataError, match="list of texts"):
        encoder.rank(SENTENCES[0], SENTENCES[1])


def test_document_that_is_no_string_is_refused(encoder: PairEncoder) -> None:
    with pytest.raises(DataError, match="documents 1 is"):
        encoder.rank(SENTENCES[0], ["a", None])  # type: ignore[list-item]


def test_hits_hold_plain_python_values(encoder: PairEncoder) -> None:
    for hit in encoder.rank(SENTENCES[0], SENTENCES):
        assert [type(value) for value in vars(hit).values()] == [int, str, float, float]


def test_calibration_keeps_the_ranking(fresh: PairEncoder) -> None:
    before = fresh.rank(SENTENCES[0], SENTENCES)
    fresh.calibration = STEEP
    after = fresh.rank(SENTENCES[0], SENTENCES)
    assert [hit.position for hit in after] == [hit.position for hit in before]
    assert [hit.score for hit in after] == sorted((hit.score for hit in after), reverse=True)
    assert [hit.score for hit in after] != [hit.score for hit in before]


def test_token_lengths_are_what_a_batch_is_padded_to(encoder: PairEncoder) -> None:
    first, second = "가나 A", "가나 A a"
    tokens = {"bi": 2 + 4, "cross": 3 + 3 + 4}
    assert encoder.token_lengths([(first, second)]).tolist() == [tokens[encoder.kind]]


def test_token_lengths_are_not_cut(fresh: PairEncoder) -> None:
    fresh.model.max_seq_length = 8
    assert fresh.token_lengths([("가 " * 50, "가")])[0] > 50


def test_text_beyond_the_maximum_length_is_ignored(kind: str, koelectra: Path) -> None:
    short = KINDS[kind].from_backbone(str(koelectra), max_length=10, device="cpu")
    scores = short.score([("가 나 다 라 " * 5, "가"), ("가 나 다 라 " * 50, "가")], raw=True)
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_case_and_accents_are_kept(encoder: PairEncoder) -> None:
    assert encoder.tokenizer.tokenize("A a é e") == ["A", "a", "é", "e"]
    scores = encoder.score([(SENTENCES[0], "A"), (SENTENCES[0], "a")], raw=True)
    assert abs(scores[0] - scores[1]) > 1e-4


def test_hangul_syllables_stay_whole(encoder: PairEncoder) -> None:
    assert encoder.tokenizer.tokenize("가갸") == ["가", "##갸"]


def test_hub_id_and_commit_are_remembered(encoder: PairEncoder, saved: Path) -> None:
    for one in (encoder, load(saved)):
        assert (one.backbone.name, one.backbone.revision) == (HUB_ID, COMMIT)


def test_same_seed_gives_the_same_new_weights(kind: str, koelectra: Path) -> None:
    one, same = (KINDS[kind].from_backbone(str(koelectra), seed=3, device="cpu") for _ in "ab")
    assert one.fingerprint() == same.fingerprint()


def test_new_weights_leave_the_random_state_alone(kind: str, koelectra: Path) -> None:
    before = torch.get_rng_state()
    KINDS[kind].from_backbone(str(koelectra), device="cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_load_gives_the_same_weights_and_scores(encoder: PairEncoder, saved: Path) -> None:
    again = load(saved, device="cpu")
    assert type(again) is type(encoder)
    np.testing.assert_allclose(again.score(PAIRS), encoder.score(PAIRS), rtol=1e-6)
    assert again.fingerprint() == encoder.fingerprint()


def test_load_restores_what_training_chose(fresh: PairEncoder, tmp_path: Path) -> None:
    fresh.calibration, fresh.threshold = STEEP, 2.75
    fresh.training = {"seed": 1, "history": []}
    fresh.save(tmp_path / "artifact")
    again = load(tmp_path / "artifact", device="cpu")
    assert again.calibration == STEEP
    assert again.threshold == 2.75
    assert again.training == fresh.training
    assert again.max_length == fresh.max_length
    assert again.parameters == fresh.parameters


def test_plain_sentence_transformers_opens_the_artifact(encoder: PairEncoder, saved: Path) -> None:
    plain = reopen(encoder.kind, saved)
    assert plain.max_seq_length == encoder.max_length
    np.testing.assert_allclose(reference(plain, PAIRS), encoder.score(PAIRS, raw=True), atol=1e-5)


def test_saving_over_something_is_refused(encoder: PairEncoder, saved: Path) -> None:
    with pytest.raises(StorageError, match="exists already"):
        encoder.save(saved)


def test_half_precision_weights_are_full_precision_in_memory(
    kind: str, koelectra: Path, tmp_path: Path
) -> None:
    half = KINDS[kind].from_backbone(str(koelectra), device="cpu")
    half.model.half().save(str(tmp_path / "half"))
    one = KINDS[kind].from_backbone(str(tmp_path / "half"), device="cpu")
    assert {weight.dtype for weight in one.model.parameters()} == {torch.float32}
    assert one.score(PAIRS, raw=True).dtype == np.float32


def _bump_a_weight(one: PairEncoder) -> None:
    with torch.no_grad():
        next(iter(one.model.parameters())).view(-1)[0] += 1e-3


def _shorten(one: PairEncoder) -> None:
    one.model.max_seq_length = 64


def _change_a_token(one: PairEncoder) -> None:
    one.tokenizer.add_tokens(["새말"])


@pytest.mark.parametrize("change", [_bump_a_weight, _shorten, _change_a_token])
def test_fingerprint_changes_with_what_changes_a_score(fresh: PairEncoder, change: Any) -> None:
    before = fresh.fingerprint()
    change(fresh)
    assert fresh.fingerprint() != before


def test_fingerprint_ignores_calibration_and_threshold(fresh: PairEncoder) -> None:
    before = fresh.fingerprint()
    fresh.calibration, fresh.threshold = STEEP, 1.0
    assert fresh.fingerprint() == before


def test_fingerprint_ignores_earlier_calls(fresh: PairEncoder) -> None:
    before = fresh.fingerprint()
    fresh.score(PAIRS, batch_size=2)
    fresh.token_lengths(PAIRS)
    assert fresh.fingerprint() == before


def test_fingerprints_of_the_kinds_differ(koelectra: Path) -> None:
    assert (
        BiEncoder.from_backbone(str(koelectra), device="cpu").fingerprint()
        != CrossEncoder.from_backbone(str(koelectra), device="cpu").fingerprint()
    )


@pytest.mark.parametrize("masking", ["removal", "mask"])
def test_an_explanation_is_that_of_scoring_every_set_of_words(
    encoder: PairEncoder, masking: Masking
) -> None:
    first, second = WORDS[:2], WORDS[1:3]
    token = {"removal": "", "mask": encoder.tokenizer.mask_token}[masking]

    def worth(kept: tuple[int, ...]) -> float:
        words = [word if i in kept else token for i, word in enumerate([*first, *second])]
        pair = " ".join(filter(None, words[:2])), " ".join(filter(None, words[2:]))
        return float(encoder.score([pair])[0])

    expected = np.zeros(4)
    for order in permutations(range(4)):
        for place, one in enumerate(order):
            expected[one] += (worth(order[: place + 1]) - worth(order[:place])) / 24
    found = encoder.explain(" ".join(first), " ".join(second), masking=masking)
    values = np.concatenate([found.values1, found.values2])
    np.testing.assert_allclose(values, expected, atol=1e-4)
    assert np.ptp(values) > 1e-3
    assert values.sum() == pytest.approx(found.score - worth(()), abs=1e-4)


def test_a_drawn_explanation_sums_to_the_score_and_is_repeated_by_its_seed(
    encoder: PairEncoder,
) -> None:
    first, second = SENTENCES[1], SENTENCES[3]
    found, again = (encoder.explain(first, second, orders=4, seed=2) for _ in range(2))
    assert not found.exact
    base = float(encoder.score([("", "")])[0])
    total = found.values1.sum() + found.values2.sum()
    assert total == pytest.approx(float(encoder.score([(first, second)])[0]) - base, abs=1e-4)
    np.testing.assert_array_equal(found.values1, again.values1)


def test_an_unknown_masking_is_refused(encoder: PairEncoder) -> None:
    with pytest.raises(ConfigError, match="masking 'blank' is unknown"):
        encoder.explain("가", "나", masking="blank")  # type: ignore[arg-type]
