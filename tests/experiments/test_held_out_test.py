"""A test set split off from one file: apart by sentences, with the same mix of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.texts import comparable
from kosim.experiments.data.cleaning import comparable_texts, sentences
from kosim.experiments.data.held_out_test import split_off_test
from kosim.experiments.data.pairs import RawPairs, load_pairs
from kosim.experiments.data.partition import load_partition, load_training
from kosim.experiments.settings import CompareSettings, DataSettings


def _file(folder: Path, rows: list[tuple[str, str, float | str]]) -> Path:
    path = folder / "pairs.csv"
    frame = pd.DataFrame(rows, columns=["sentence1", "sentence2", "label"])
    frame.to_csv(path, index=False)
    return path


def _linked(folder: Path, n: int = 600, seed: int = 0) -> Path:
    """Pairs over few sentences, so that many of them hang together."""
    drawn = np.random.default_rng(seed)
    firsts, seconds = drawn.integers(0, 3 * n, size=(2, n))
    labels = drawn.choice([0, 1, 2.5, 4, 5], p=[0.4, 0.2, 0.2, 0.1, 0.1], size=n)
    return _file(
        folder,
        [(f"문장 {a}", f"문장  {b}", c) for a, b, c in zip(firsts, seconds, labels, strict=True)],
    )


def _sentences(raw: RawPairs) -> set[str]:
    return sentences(comparable_texts(raw.frame))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_no_sentence_stands_on_both_sides(tmp_path: Path, seed: int, share: float) -> None:
    raw = load_pairs(_linked(tmp_path, seed=seed))
    train, test, facts = split_off_test(raw, share=share, seed=seed)
    assert len(train.frame) + len(test.frame) == len(raw.frame)
    assert facts["test"] == len(test.frame)
    assert 0.8 * share * facts["usable"] <= len(test.frame) <= share * facts["usable"] + 1
    removed_from_train = DataSettings(train=str(tmp_path / "pairs.csv"), test_share=share)
    partition = load_partition(removed_from_train.model_copy(update={"split_seed": seed}))
    assert partition.training is not None
    learnt = {
        comparable(text)
        for part in (partition.training.train, partition.training.validation)
        for text in (*part.sentence1, *part.sentence2)
    }
    assert learnt.isdisjoint(_sentences(partition.test.raw))
    assert partition.test.split_off == facts


def test_the_mix_of_labels_is_kept(tmp_path: Path) -> None:
    raw = load_pairs(_linked(tmp_path, n=2_000))
    _, test, _ = split_off_test(raw, share=0.2, seed=1)
    for label in (0, 1, 2.5, 4, 5):
        shares = [(part.frame["label"] == label).mean() for part in (raw, test)]
        assert shares[1] == pytest.approx(shares[0], abs=0.02)


def test_groups_are_the_connected_components(tmp_path: Path) -> None:
    chain = [(f"사슬 {n}", f"사슬 {n + 1}", 1.0) for n in range(9)]
    alone = [(f"홀로 {n}", f"따로 {n}", n % 6) for n in range(91)]
    raw = load_pairs(_file(tmp_path, [*chain, *alone]))
    for seed in range(20):
        _, test, facts = split_off_test(raw, share=0.3, seed=seed)
        in_test = test.frame["sentence1"].str.startswith("사슬").sum()
        assert in_test in (0, 9)
        assert (facts["groups"], facts["largest_group"], facts["usable"]) == (92, 9, 100)


def test_the_same_seed_gives_the_same_split(tmp_path: Path) -> None:
    raw = load_pairs(_linked(tmp_path))
    rows = [
        split_off_test(raw, share=0.2, seed=seed)[1].frame["row"].tolist() for seed in (1, 1, 2)
    ]
    assert rows[0] == rows[1] != rows[2]


def test_the_test_set_holds_usable_pairs_only(tmp_path: Path) -> None:
    rows: list[tuple[str, str, float | str]] = [(f"가 {n}", f"나 {n}", n % 6) for n in range(100)]
    bad: list[tuple[str, str, float | str]] = [
        ("가 1", "나 1", 1),
        ("나 2", "가 2", 2),
        ("다", "라", 0),
        ("다", "라", 5),
        ("", "마", 1),
        ("바", "사", ""),
    ]
    settings = DataSettings(train=str(_file(tmp_path, [*rows, *bad])), test_share=0.2)
    partition = load_partition(settings)
    assert partition.training is not None
    assert partition.test.raw.frame["row"].max() <= 100
    removed = {name: len(found) for name, found in partition.training.removed.items() if found}
    assert removed["missing_sentence"] == removed["missing_label"] == 1
    assert removed["conflicting_labels"] == 2
    assert sum(removed.values()) == len(bad)
    total = sum(
        map(len, (partition.test.pairs, partition.training.train, partition.training.validation))
    )
    assert total == 100


def test_pairs_that_all_hang_together_are_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, [("같은 문장", f"나 {n}", n % 6) for n in range(100)])
    with pytest.raises(
        DataError, match=r"largest group .* has 100 pairs; give test pairs .*--test"
    ):
        split_off_test(load_pairs(path), share=0.2, seed=0)


def test_too_few_pairs_are_refused_for_their_number(tmp_path: Path) -> None:
    raw = load_pairs(_file(tmp_path, [(f"가 {n}", f"나 {n}", n % 6) for n in range(30)]))
    with pytest.raises(DataError, match="it needs 10: give more pairs, or test pairs of their"):
        split_off_test(raw, share=0.2, seed=42)


def test_training_alone_splits_off_nothing(tmp_path: Path) -> None:
    path = _linked(tmp_path)
    whole = load_training(DataSettings(train=str(path)))
    part = load_training(DataSettings(train=str(path), test_share=0.2))
    sizes = [len(one.train) + len(one.validation) for one in (whole, part)]
    assert sizes[0] == len(load_pairs(path).frame) - sum(map(len, whole.removed.values()))
    assert sizes[1] <= 0.85 * sizes[0]


def test_a_comparison_of_one_file_splits_it(tmp_path: Path) -> None:
    content = {
        "data": {"train": str(_linked(tmp_path))},
        "encoders": {"bi": {"kind": "bi", "backbone": "scratch"}},
    }
    settings = CompareSettings.parse(content)
    assert settings.data.test_share == 0.2
    assert "test_share = 0.2" in settings.to_toml()
    # A trial of the same comparison learns from none of its test pairs.
    test = load_partition(settings.data).test
    training = load_training(settings.data)
    learnt = {*training.train.sentence1, *training.train.sentence2}
    assert {comparable(text) for text in learnt}.isdisjoint(_sentences(test.raw))
    saved = {**content, "encoders": {"bi": {"kind": "bi", "artifact": "mini-bi"}}}
    with pytest.raises(ConfigError, match=r"give data\.test"):
        CompareSettings.parse(saved)
