"""Adaptive stopping, by simulation: lists whose scores are a noisy function of the cosine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kosim.encoders.errors import ConfigError, CorpusIndexError, DataError
from kosim.index.adaptive.policy import CandidatePolicy, PolicyIdentity

DEPTH, FLOOR = 60, 0.5
IDENTITY = PolicyIdentity("a" * 64, "b" * 64, "dense", documents=1000, generation=3)
Lists = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def lists(count: int, random: np.random.Generator) -> Lists:
    """Return descending cosines and scores in (0, 1), with an offset that each query has."""
    level = random.normal(0.45, 0.12, (count, 1))
    cosines = np.sort(level + random.exponential(0.08, (count, DEPTH)), axis=1)[:, ::-1]
    offset = random.normal(0, 0.7, (count, 1))
    logits = 9 * (cosines - 0.8) + offset + random.normal(0, 1, (count, DEPTH))
    return cosines, 1 / (1 + np.exp(-1.5 * logits))


def fitted(count: int = 90, seed: int = 0) -> CandidatePolicy:
    random = np.random.default_rng(seed)
    return CandidatePolicy.fit(*lists(count, random), IDENTITY, floor=FLOOR, seed=seed)


@pytest.fixture(scope="module")
def policy() -> CandidatePolicy:
    return fitted()


@pytest.fixture(scope="module")
def others() -> Lists:
    return lists(300, np.random.default_rng(99))


def shown(scores: npt.NDArray[np.floating], k: int) -> list[set[int]]:
    """Return by brute force which candidates of each query are in the top k and count."""
    return [
        {int(i) for i in np.argsort(-row, kind="stable")[:k] if row[i] >= FLOOR} for row in scores
    ]


def test_held_out_queries_lose_hits_no_more_often_than_stated() -> None:
    chance, rates, calls = 0.1, [], []
    for seed in range(30):
        held_out = lists(200, np.random.default_rng(1000 + seed))
        result = fitted(seed=seed).replay(*held_out, k=10, chance=chance)
        rates.append(result.missed.mean())
        calls.append(result.calls.mean())
    error = np.std(rates, ddof=1) / np.sqrt(len(rates))
    assert np.mean(rates) <= chance + 2 * error
    assert np.mean(rates) >= chance / 2  # or it would rerank more than it has to
    assert np.mean(calls) < 0.9 * DEPTH


@pytest.mark.parametrize(("k", "chance"), [(1, 0.05), (10, 0.05), (10, 0.2)])
def test_limit_is_the_largest_that_risk_control_allows(
    policy: CandidatePolicy, k: int, chance: float
) -> None:
    n = len(policy.cosines)
    result = policy.replay(policy.cosines, policy.scores, k=k, chance=chance)
    risk = (result.missed.sum() + 1) / (n + 1)
    assert risk <= chance < risk + 1 / (n + 1)


def test_replay_says_which_hits_are_lost(policy: CandidatePolicy, others: Lists) -> None:
    cosines, scores = others
    result = policy.replay(cosines, scores, k=5, chance=0.2)
    kept = np.where(np.arange(DEPTH) < result.calls[:, None], scores, -np.inf)
    lost = [bool(a - b) for a, b in zip(shown(scores, 5), shown(kept, 5), strict=True)]
    assert result.missed.tolist() == lost
    assert 0 < sum(lost) < len(lost)


def test_larger_chance_reranks_less(policy: CandidatePolicy, others: Lists) -> None:
    careful, bold = (policy.replay(*others, k=10, chance=chance) for chance in (0.05, 0.3))
    assert (bold.calls <= careful.calls).all()
    assert bold.calls.sum() < careful.calls.sum()


def test_queries_without_a_hit_that_counts_stop_early(policy: CandidatePolicy) -> None:
    cosines = np.linspace(0.3, 0.2, DEPTH)[None]
    assert policy.replay(cosines, 0.01 * cosines, k=10, chance=0.1).calls == [10]


@pytest.mark.parametrize("k", [1, 10, 13])
def test_reranking_adaptively_asks_for_what_replay_counts(
    policy: CandidatePolicy, others: Lists, k: int
) -> None:
    cosines, scores = others
    asked = np.zeros(cosines.shape, dtype=int)

    def score(wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        asked[wanted] += 1
        return scores.astype(np.float32)

    known = scores.astype(np.float32)
    result = policy.rerank_adaptively(cosines, score, k=k, chance=0.1)
    calls = policy.replay(cosines, known, k=k, chance=0.1).calls
    assert (asked == (np.arange(DEPTH) < calls[:, None])).all()
    np.testing.assert_array_equal(result, np.where(asked, known, -np.inf))


def test_lists_shorter_than_the_depth_are_reranked_no_further(policy: CandidatePolicy) -> None:
    cosines, scores = (values[:2].copy() for values in lists(2, np.random.default_rng(5)))
    scores[:] = FLOOR / 2
    cosines[0, 3:] = scores[0, 3:] = -np.inf
    cosines[1, :] = scores[1, :] = -np.inf
    result = policy.rerank_adaptively(
        cosines, lambda wanted: scores.astype(np.float32), k=10, chance=0.1
    )
    assert np.isfinite(result).sum(axis=1).tolist() == [3, 0]
    assert policy.replay(cosines, scores, k=10, chance=0.1).calls.tolist() == [3, 0]


def test_k_beyond_the_depth_reranks_everything(policy: CandidatePolicy, others: Lists) -> None:
    assert (policy.replay(*others, k=DEPTH + 1, chance=0.1).calls == DEPTH).all()


def test_lists_without_any_hit_that_counts_give_a_policy_that_stops_at_once() -> None:
    cosines, scores = lists(30, np.random.default_rng(0))
    policy = CandidatePolicy.fit(cosines, scores, IDENTITY, floor=2.0)
    assert (policy.replay(cosines, scores, k=10, chance=0.1).calls == 10).all()


def test_scale_of_the_reranker_does_not_matter(others: Lists) -> None:
    cosines, scores = lists(90, np.random.default_rng(0))
    logits = CandidatePolicy.fit(cosines, np.log(scores / (1 - scores)), IDENTITY, floor=0.0)
    plain = CandidatePolicy.fit(cosines, scores, IDENTITY, floor=FLOOR)
    wide = logits.replay(others[0], np.log(others[1] / (1 - others[1])), k=10, chance=0.1)
    assert abs(wide.calls.mean() - plain.replay(*others, k=10, chance=0.1).calls.mean()) < 2


def test_chance_that_needs_more_queries_says_how_many(policy: CandidatePolicy) -> None:
    with pytest.raises(ConfigError, match=r"0\.001 needs .* at least 1500 queries .* has 60"):
        policy.limit(10, 0.001)
    assert len(fitted(count=30).cosines) == 20
    fitted(count=30).limit(10, 0.05)
    with pytest.raises(ConfigError, match="at least 30 queries"):
        fitted(count=27).limit(10, 0.05)


@pytest.mark.parametrize("chance", [0.0, 1.0, -0.1, float("nan")])
def test_impossible_chance_is_refused(policy: CandidatePolicy, chance: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        policy.limit(10, chance)


def test_lists_that_do_not_fit_are_refused() -> None:
    cosines, scores = lists(30, np.random.default_rng(0))
    with pytest.raises(DataError, match=r"\(30, 60\) and scores \(29, 60\)"):
        CandidatePolicy.fit(cosines, scores[1:], IDENTITY, floor=FLOOR)
    with pytest.raises(DataError, match="2 candidate lists are too few"):
        CandidatePolicy.fit(cosines[:2], scores[:2], IDENTITY, floor=FLOOR)
    scores[3, 7] = np.nan
    with pytest.raises(DataError, match="same places"):
        CandidatePolicy.fit(cosines, scores, IDENTITY, floor=FLOOR)


def test_saved_policy_decides_as_before(
    policy: CandidatePolicy, others: Lists, tmp_path: Path
) -> None:
    policy.save(tmp_path)
    policy.save(tmp_path)
    again = CandidatePolicy.load(tmp_path, IDENTITY.encoder, IDENTITY.reranker)
    assert again.identity == IDENTITY
    assert again.limit(10, 0.1) == policy.limit(10, 0.1)
    np.testing.assert_array_equal(
        again.replay(*others, k=10, chance=0.1).calls,
        policy.replay(*others, k=10, chance=0.1).calls,
    )


@pytest.mark.parametrize(
    ("encoder", "reranker", "mode"),
    [
        ("a" * 63 + "c", "b" * 64, "dense"),
        ("a" * 64, "b" * 63 + "c", "dense"),
        ("a" * 64, "b" * 64, "hybrid"),
        ("c" * 64, "b" * 64, "dense"),
    ],
)
def test_policy_of_other_encoders_is_refused(
    policy: CandidatePolicy, tmp_path: Path, encoder: str, reranker: str, mode: str
) -> None:
    policy.save(tmp_path)
    remedy = f"fit it with `kosim depth {tmp_path} --reranker CROSS --queries FILE`"
    if mode != "dense":
        remedy = "fits one for the mode dense alone: give a number of candidates"
    with pytest.raises(ConfigError, match=remedy):
        CandidatePolicy.load(tmp_path, encoder, reranker, mode=mode)


def test_index_of_another_size_is_refused(policy: CandidatePolicy, tmp_path: Path) -> None:
    policy.check_corpus(1, 2000, tmp_path)
    policy.check_corpus(3, 500, tmp_path)
    for documents in (0, 499, 2001):
        with pytest.raises(ConfigError, match=f"1000 documents, now there are {documents}"):
            policy.check_corpus(1, documents, tmp_path)


def test_index_that_was_made_anew_is_refused(policy: CandidatePolicy, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rebuilt; fit it again with `kosim depth"):
        policy.check_corpus(IDENTITY.generation + 1, 1000, tmp_path)


def test_damaged_policy_is_refused(policy: CandidatePolicy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    folder = tmp_path / IDENTITY.folder
    arrays = (folder / "arrays.npz").read_bytes()
    header = json.loads((folder / "policy.json").read_text())
    damages = [
        ("arrays.npz", arrays[:-9], "truncated"),
        ("arrays.npz", bytes([arrays[0] ^ 1]) + arrays[1:], "edited"),
        ("policy.json", b"[]", "damaged"),
        ("policy.json", json.dumps({**header, "format": 2}).encode(), "newer"),
        ("policy.json", json.dumps({**header, "depth": 7}).encode(), "shapes"),
        ("policy.json", json.dumps({**header, "block": 0}).encode(), "block 0"),
        ("policy.json", json.dumps({**header, "floor": "x"}).encode(), "floor 'x'"),
        ("policy.json", json.dumps({**header, "identity": {}}).encode(), "damaged"),
    ]
    for name, content, reason in damages:
        policy.save(tmp_path)
        (folder / name).write_bytes(content)
        with pytest.raises(CorpusIndexError, match=reason):
            CandidatePolicy.load(tmp_path, IDENTITY.encoder, IDENTITY.reranker)
