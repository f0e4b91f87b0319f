"""The bundled sample data set: its particles, labels, splits and baselines."""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sample import frames
from benchmarks.sample.baselines import baselines, jaccard
from benchmarks.sample.frames import DOMAINS, Frame, Meaning, Phrase, Split, read_frames
from benchmarks.sample.generate import FOLDER, Row, as_tsv, generate
from benchmarks.sample.josa import with_josa
from benchmarks.sample.labels import Said, label
from kosim.encoders.errors import DataError
from kosim.encoders.records import DECISION_THRESHOLD, LabelledPairs

SPLITS: tuple[Split, ...] = ("train", "test")

# Word beginnings that both splits may use: auxiliary and light verbs (하다, 되다, 있다, 없다,
# 않다, 못하다, 받다, 주다, 보다, 가다, 오다), common adverbs, words of time and relation, bound
# nouns, counters and stranded particles.
CLOSED_CLASS = """
가는 개 거 걸로 계속 년 다시 대한 대해 더 돼 되면 된다 뒤 때문 라는 만 만큼 명의 명이 못 못한
못했 받았 밤 밤에 보게 분 수 시 시간 시로 시에 아니 안 안에 않게 않고 않는 않습 않아 않았 앞에
앞으 없는 없습 없어 없었 없이 오는 오늘 오면 왔어 원 원에 원을 원이 일이 있게 있는 있다 있습
있어 있었 있지 잘 저녁 전 전혀 좀 준 줍니 중 쪽에 쪽은 탓에 한 해 해도 했지
"""


@pytest.fixture(scope="module")
def rows() -> dict[Split, list[Row]]:
    return {split: generate(split) for split in SPLITS}


def _sentences(rows: list[Row]) -> set[str]:
    return {sentence.rstrip(".") for first, second, *_ in rows for sentence in (first, second)}


def _heads(rows: list[Row]) -> set[str]:
    words = (word for text in _sentences(rows) for word in re.findall("[가-힣]+", text))
    return {word[:2] for word in words}


def _lexicon(split: Split) -> set[str]:
    return {
        word
        for domain in DOMAINS
        for frame in read_frames(domain, split)
        for entries in frame.slots.values()
        for entry in entries
        for word in entry
        if not word[0].isdigit()
    }


def _record(rows: list[Row]) -> LabelledPairs:
    return LabelledPairs.from_lists([(a, b) for a, b, *_ in rows], [score for *_, score, _ in rows])


@pytest.mark.parametrize(
    ("word", "particle", "expected"),
    [
        ("이불", "은", "이불은"),
        ("숙소", "은", "숙소는"),
        ("침실", "이", "침실이"),
        ("과자", "이", "과자가"),
        ("귤", "을", "귤을"),
        ("문자", "을", "문자를"),
        ("산", "과", "산과"),
        ("바다", "과", "바다와"),
        ("독일", "으로", "독일로"),
        ("유럽", "으로", "유럽으로"),
        ("제주", "으로", "제주로"),
        ("미국", "으로부터", "미국으로부터"),
        ("호주", "이다", "호주다"),
        ("아내", "이랑", "아내랑"),
        ("남편", "이랑", "남편이랑"),
        ("호스트", "이었어요", "호스트였어요"),
        ("관리인", "이었어요", "관리인이었어요"),
        ("3", "을", "3을"),
        ("5", "을", "5를"),
        ("1", "으로", "1로"),
        ("0", "은", "0은"),
        ("20%", "은", "20%는"),
    ],
)
def test_particle_follows_the_final_consonant(word: str, particle: str, expected: str) -> None:
    assert with_josa(word, particle) == expected


@pytest.mark.parametrize("word", ["", "TV", "방 "])
def test_word_without_a_readable_end_is_refused(word: str) -> None:
    with pytest.raises(DataError, match="no particle"):
        with_josa(word, "은")


def test_unknown_particle_is_refused() -> None:
    with pytest.raises(DataError, match="unknown particle '는'"):
        with_josa("방", "는")


PLAIN, OTHER, LOOSE = (
    Phrase("plain", "{a}{b}{c}"),
    Phrase("plain", "{b}{c}{a}"),
    Phrase("loose", "{c}{a}{b}"),
)
NO_C, NO_B = Phrase("less", "{a}{b}"), Phrase("less", "{a}{c}")
DENIED, DENIED_TOO = Phrase("denied", "{a}{b}{c}!"), Phrase("denied", "{b}{a}{c}!")
ABC = {"a": ("가",), "b": ("나",), "c": ("다",), "d": ("라",)}
FRAME = Frame("smart-home", "frame", "topic", roles=("a", "b"))
FRAME.major.update(a=[], b=[])
FRAME.minor.update(c=[], d=[])


def _label(
    first: Phrase, second: Phrase, changes: dict[str, str], *, frame: Frame = FRAME
) -> float:
    meaning: Meaning = ABC | {name: (word,) for name, word in changes.items()}
    return label(Said(FRAME, first, ABC, ""), Said(frame, second, meaning, ""))


@pytest.mark.parametrize(
    ("first", "second", "changes", "expected"),
    [
        (PLAIN, OTHER, {}, 5.0),
        (PLAIN, LOOSE, {}, 4.5),
        (PLAIN, NO_C, {}, 4.0),
        (DENIED, DENIED_TOO, {}, 4.0),
        (PLAIN, NO_B, {}, 3.5),
        (LOOSE, NO_C, {}, 3.5),
        (PLAIN, OTHER, {"c": "마"}, 3.0),
        (PLAIN, LOOSE, {"c": "마"}, 2.5),
        (PLAIN, PLAIN, {"a": "마"}, 2.0),
        (PLAIN, PLAIN, {"a": "나", "b": "가"}, 2.0),
        (PLAIN, OTHER, {"a": "마", "c": "바"}, 1.5),
        (PLAIN, DENIED, {}, 1.5),
        (PLAIN, DENIED, {"c": "마"}, 1.0),
        (PLAIN, OTHER, {"a": "마", "b": "바"}, 1.0),
        (DENIED, DENIED, {"a": "마"}, 2.0),
    ],
)
def test_label_follows_from_how_the_pair_was_made(
    first: Phrase, second: Phrase, changes: dict[str, str], expected: float
) -> None:
    assert _label(first, second, changes) == expected
    assert _label(second, first, changes) == expected


def test_two_frames_are_related_by_their_topic_only() -> None:
    assert _label(PLAIN, PLAIN, {}, frame=Frame("smart-home", "sibling", "topic")) == 0.5
    assert _label(PLAIN, PLAIN, {}, frame=Frame("smart-home", "other", "else")) == 0.0
    assert _label(PLAIN, PLAIN, {}, frame=Frame("policy-news", "foreign", "topic")) == 0.0


def test_a_line_that_is_no_frame_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "smart-home.train.txt").write_text("# light light\n* 불 꺼줘.\n", encoding="utf-8")
    monkeypatch.setattr(frames, "_FOLDER", tmp_path)
    with pytest.raises(DataError, match=r"smart-home.train.txt, line 2"):
        read_frames("smart-home", "train")


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_has_enough_frames_of_several_phrasings(domain: str) -> None:
    frames = [frame for split in SPLITS for frame in read_frames(domain, split)]
    assert len(frames) >= 25
    for frame in frames:
        assert len(frame.worded("plain")) >= 4, frame.name
        assert all(frame.worded(kind) for kind in ("loose", "less", "denied")), frame.name


@pytest.mark.parametrize("split", SPLITS)
def test_whole_phrasings_mention_every_slot(split: Split) -> None:
    for frame in (frame for domain in DOMAINS for frame in read_frames(domain, split)):
        for phrase in frame.worded("plain", "loose", "denied"):
            assert phrase.slots == frame.slots.keys(), (frame.name, phrase.text)


@pytest.mark.parametrize("split", SPLITS)
def test_drawn_words_differ_and_changes_are_new(split: Split) -> None:
    rng = random.Random(0)
    for frame in (frame for domain in DOMAINS for frame in read_frames(domain, split)):
        meaning = frame.draw(rng)
        assert len(set(meaning.values())) == len(meaning)
        for name in frame.slots:
            assert frame.change(meaning, [name], rng)[name] not in meaning.values()


@pytest.mark.parametrize("split", SPLITS)
def test_committed_file_is_what_the_generator_writes(
    split: Split, rows: dict[Split, list[Row]]
) -> None:
    assert (FOLDER / f"{split}.tsv").read_bytes() == as_tsv(rows[split]).encode()


@pytest.mark.parametrize(("split", "least"), [("train", 1500), ("test", 300)])
def test_split_is_large_and_labelled_about_as_klue_sts(
    split: Split, least: int, rows: dict[Split, list[Row]]
) -> None:
    labels = np.array([score for *_, score, _ in rows[split]])
    assert len(labels) >= least
    assert set(labels) <= set(np.arange(0, 5.5, 0.5))
    assert 2.2 <= labels.mean() <= 2.5
    assert 0.42 <= (labels >= DECISION_THRESHOLD).mean() <= 0.48
    assert {source for *_, source in rows[split]} == set(DOMAINS)


@pytest.mark.parametrize("split", SPLITS)
def test_no_pair_repeats_in_either_order_or_joins_a_sentence_to_itself(
    split: Split, rows: dict[Split, list[Row]]
) -> None:
    keys = [frozenset((a.rstrip("."), b.rstrip("."))) for a, b, *_ in rows[split]]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 2 for key in keys)


@pytest.mark.parametrize("split", SPLITS)
def test_no_cell_needs_quoting(split: Split, rows: dict[Split, list[Row]]) -> None:
    for first, second, *_ in rows[split]:
        assert not set('\t\n\r"{}') & set(first + second)


def test_splits_share_no_sentence(rows: dict[Split, list[Row]]) -> None:
    assert not _sentences(rows["train"]) & _sentences(rows["test"])


def test_splits_share_no_frame_and_no_phrasing() -> None:
    frames = {
        split: [frame for domain in DOMAINS for frame in read_frames(domain, split)]
        for split in SPLITS
    }
    names = {split: {(f.domain, f.name) for f in frames[split]} for split in SPLITS}
    texts = {split: {p.text for f in frames[split] for p in f.phrases} for split in SPLITS}
    assert not names["train"] & names["test"]
    assert not texts["train"] & texts["test"]


def test_lexicon_of_the_test_split_never_stands_in_training(rows: dict[Split, list[Row]]) -> None:
    assert not _lexicon("train") & _lexicon("test")
    training = "\n".join(_sentences(rows["train"]))
    assert [word for word in sorted(_lexicon("test")) if word in training] == []


def test_only_closed_class_words_begin_alike_in_both_splits(
    rows: dict[Split, list[Row]],
) -> None:
    assert (_heads(rows["train"]) & _heads(rows["test"])) - set(CLOSED_CLASS.split()) == set()


@pytest.mark.parametrize("split", SPLITS)
def test_shared_letters_mislead_in_both_directions(
    split: Split, rows: dict[Split, list[Row]]
) -> None:
    overlaps = [(jaccard(a, b), score) for a, b, score, _ in rows[split]]
    alike_but_different = sum(overlap >= 0.5 and score <= 2 for overlap, score in overlaps)
    different_but_alike = sum(overlap <= 0.3 and score >= 4 for overlap, score in overlaps)
    assert alike_but_different >= 0.05 * len(overlaps)
    assert different_but_alike >= 0.1 * len(overlaps)


def test_baselines_stay_below_the_limit_and_stand_in_the_readme(
    rows: dict[Split, list[Row]],
) -> None:
    figures = baselines(_record(rows["train"]), _record(rows["test"]))
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name, pearson in figures.items():
        assert pearson < 0.8
        assert f"| {name} | {pearson:.3f} |" in readme


def test_jaccard_counts_bigrams() -> None:
    assert jaccard("가나 다", "나다라") == pytest.approx(1 / 3)  # {가나, 나다} and {나다, 다라}
    assert jaccard("가", "가") == 0


def _published(data: Path) -> Iterator[str]:
    with (data / "klue-sts" / "train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield from (row["sentence1"], row["sentence2"])
    dev = json.loads((data / "klue-sts" / "klue-sts-v1.1_dev.json").read_text(encoding="utf-8"))
    for pair in dev:
        yield from (pair["sentence1"], pair["sentence2"])
    for path in (*(data / "korsts").glob("*.tsv"), *(data / "parakqc").glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield from line.split("\t")
    with gzip.open(data / "corpus" / "ko-sentences.txt.gz", "rt", encoding="utf-8") as lines:
        yield from lines


@pytest.mark.shared
def test_no_sentence_stands_in_a_published_data_set(
    shared: Path, rows: dict[Split, list[Row]]
) -> None:
    ours = _sentences(rows["train"]) | _sentences(rows["test"])
    taken: defaultdict[str, int] = defaultdict(int)
    for sentence in _published(shared / "data"):
        if (key := sentence.strip().rstrip(".")) in ours:
            taken[key] += 1
    assert dict(taken) == {}
