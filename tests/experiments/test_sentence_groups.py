"""Grouped sentences: reading them, drawing groups, the sentences of a group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.experiments.data.sentence_groups import SentenceGroups, load_groups


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_gives_groups_by_name(tmp_path: Path) -> None:
    file = write(tmp_path / "g.tsv", "group\ttext\nb\t문 열어\na\t불 꺼\nb\t문 좀 열어\n")
    groups = load_groups(file)
    assert groups.texts == ("문 열어", "불 꺼", "문 좀 열어")
    assert groups.groups.tolist() == [1, 0, 1]
    assert groups.count == 2


def test_parakqc_has_ten_sentences_an_intent(tmp_path: Path) -> None:
    lines = [f"0\t1\t의도 {n // 10} 문장 {n}" for n in range(20)]
    groups = load_groups(write(tmp_path / "p.txt", "\n".join(lines) + "\n"))
    assert groups.groups.tolist() == [0] * 10 + [1] * 10
    assert groups.texts[10] == "의도 1 문장 10"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("g.tsv", "group\tbody\na\t가\n", "no column 'text'"),
        ("g.tsv", "group\ttext\na\t\n", "row 1: the text is empty"),
        ("g.tsv", "group\ttext\na\t가\nb\t나\n", "no group has two"),
        ("p.txt", "0\t1\n", "line 1"),
        ("p.txt", "0\t1\t가\n", "not a multiple of 10"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load_groups(write(tmp_path / name, content))


def test_held_out_groups_are_drawn_once_each_by_the_seed() -> None:
    groups = SentenceGroups(tuple(map(str, range(100))), np.repeat(np.arange(50), 2))
    drawn = groups.held_out(20, seed=4)
    assert len(set(drawn.tolist())) == 20
    assert drawn.tolist() == groups.held_out(20, seed=4).tolist()
    assert drawn.tolist() != groups.held_out(20, seed=5).tolist()


@pytest.mark.parametrize("count", [0, 3])
def test_more_groups_than_there_are_cannot_be_held_out(count: int) -> None:
    groups = SentenceGroups(("가", "나"), np.array([0, 1]))
    with pytest.raises(ConfigError, match=f"cannot hold out {count} of 2"):
        groups.held_out(count, seed=0)


def test_sentences_are_distinct_in_comparable_form() -> None:
    groups = SentenceGroups(("문  열어", "문 열어", "불 꺼"), np.array([0, 0, 1]))
    assert groups.sentences(np.array([0])) == ["문 열어"]
