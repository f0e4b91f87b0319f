"""Silver pairs: which are drawn, what is kept out, and what a killed run ends in."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.errors import ConfigError, DataError, MissingExtraError, StorageError
from kosim.encoders.loading import load
from kosim.encoders.pretraining.corpus import read_sentences
from kosim.encoders.records import LabelledPairs
from kosim.experiments.teaching.candidates import RANKS, find_candidates
from kosim.experiments.teaching.kept_out import KeptOut, pair_key, read_sentences_of
from kosim.experiments.teaching.sampling import draw, quotas, score_bins
from kosim.experiments.teaching.settings import EVEN, SilverSettings, parse_mix
from kosim.experiments.teaching.silver import (
    Corpus,
    as_table,
    draw_silver,
    make_silver,
    open_miner,
    read_corpus_sentences,
    read_labelled,
    read_silver,
    write_parquet,
)
from kosim.experiments.teaching.teachers import BLOCK, Teacher, label, open_teachers
from tests.checkout import ROOT
from tests.experiments.tiny_artifacts import sentences


def settings_of(**changes: Any) -> SilverSettings:
    return SilverSettings.parse({"teachers": ["t"], "corpus": "c.txt", "pairs": 40, **changes})


def corpus_file(folder: Path, count: int = 120) -> Path:
    path = folder / "corpus.txt"
    path.write_text("\n".join(dict.fromkeys(sentences(count))) + "\n", encoding="utf-8")
    return path


# Drawing


def test_quotas_are_even_where_there_is_room_and_shared_where_there_is_none() -> None:
    assert quotas([9, 9, 9, 9, 9], EVEN, 20) == [4, 4, 4, 4, 4]
    assert quotas([9, 9, 9, 1, 0], EVEN, 19) == [6, 6, 6, 1, 0]
    assert quotas([100, 100, 100, 100, 100], [3, 1, 0, 0, 0], 40) == [30, 10, 0, 0, 0]
    assert quotas([5, 100], [3, 1], 40) == [5, 35]
    assert quotas([2, 3], [1, 1], 40) == [2, 3]


def test_quotas_leave_no_group_short_while_another_has_more_than_its_share() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        size = int(random.integers(1, 7))
        available = random.integers(0, 60, size).tolist()
        weights = random.uniform(0.5, 5, size).tolist()
        count = int(random.integers(0, 200))
        found = quotas(available, weights, count)
        assert sum(found) == min(count, sum(available))
        assert all(0 <= number <= most for number, most in zip(found, available, strict=True))
        for group in range(size):
            if found[group] < available[group]:  # with room, it got as much as any, by weight
                ours = (found[group] + 1) / weights[group]
                assert all((found[k] - 1) / weights[k] <= ours + 1e-9 for k in range(size))


def test_drawn_pairs_cover_the_scale_evenly_and_every_source_in_each_point() -> None:
    random = np.random.default_rng(0)
    scores = np.concatenate([random.uniform(0, 1, 900), random.uniform(0, 5, 600)])
    sources = ["random"] * 900 + ["vectors", "bm25"] * 300
    rows = draw(scores, sources, 200, mix=EVEN, random=np.random.default_rng(1))
    assert len(set(rows)) == 200
    assert np.bincount(score_bins(scores[rows])).tolist() == [40] * 5
    lowest = [sources[row] for row in rows if scores[row] < 1]
    assert sorted(map(lowest.count, ("bm25", "random", "vectors"))) == [13, 13, 14]
    again = draw(scores, sources, 200, mix=EVEN, random=np.random.default_rng(1))
    assert (rows == again).all()
    wanted = draw(scores, sources, 100, mix=[0, 0, 0, 1, 3], random=random)
    assert np.bincount(score_bins(scores[wanted])).tolist() == [0, 0, 0, 25, 75]


def test_a_mix_is_read_and_another_is_refused() -> None:
    assert parse_mix("0:3,4:1.5") == [3, 0, 0, 0, 1.5]
    for weight in ("inf", "nan", "1e308,1:1e308"):
        with pytest.raises(ConfigError, match="mix"):
            settings_of(mix=parse_mix(f"0:{weight}"))
    for wrong in ("5:1", "0:1,0:2", "0", "a:b", ""):
        with pytest.raises(ConfigError, match="the mix is"):
            parse_mix(wrong)
    with pytest.raises(ConfigError, match="mix: weights must not be negative"):
        settings_of(mix=[0, 0, 0, 0, 0])


def test_pairs_on_which_teachers_disagree_are_dropped() -> None:
    table = pd.DataFrame(
        {
            "sentence1": [f"a{n}" for n in range(40)],
            "sentence2": [f"b{n}" for n in range(40)],
            "source": "vectors",
            "one": np.linspace(0, 4, 40),
            "two": np.linspace(0, 4, 40) + np.where(np.arange(40) % 4 == 0, 1.0, 0.1),
        }
    ).assign(label=lambda frame: (frame["one"] + frame["two"]) / 2)
    silver = draw_silver(
        table, settings_of(pairs=20, teachers=["one", "two"], max_disagreement=0.5), ["one", "two"]
    )
    assert silver.facts["disagreed"] == 10
    assert (silver.table["two"] - silver.table["one"]).max() < 0.5
    assert list(silver.table) == ["sentence1", "sentence2", "label", "one", "two", "source"]


# Candidates


def test_candidates_are_distinct_and_hold_nothing_that_is_kept_out() -> None:
    texts = [f"문장 {number}" for number in range(60)]
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kept_out = KeptOut()
    nearest = np.argsort(-(vectors @ vectors.T), axis=1)[:, 1]
    gold = [(texts[nearest[row]], texts[row]) for row in range(60)]
    kept_out.add_pairs(LabelledPairs.from_lists(gold, [1.0] * 60))

    def found(count: int) -> pd.DataFrame:
        return find_candidates(
            texts,
            vectors,
            MonotoneCalibration.identity(),
            count=count,
            sources=["vectors", "random"],
            kept_out=kept_out,
            random=np.random.default_rng(3),
        )

    table = found(150)
    keys = [pair_key(*pair) for pair in zip(table.sentence1, table.sentence2, strict=True)]
    assert len(set(keys)) == len(table) == 150
    assert not set(keys) & {pair_key(*pair) for pair in gold}
    assert table.equals(found(150))
    position = {text: row for row, text in enumerate(texts)}
    order = np.argsort(-(vectors @ vectors.T), axis=1)
    for row in table[table.source == "vectors"].itertuples():
        one, other = position[row.sentence1], position[row.sentence2]
        ranks = {int(np.flatnonzero(order[a] == b)[0]) for a, b in ((one, other), (other, one))}
        assert ranks & set(RANKS)


def test_sentences_are_kept_out_in_any_spelling(tmp_path: Path) -> None:
    kept_out = KeptOut()
    kept_out.add_sentences(["불을  꺼 줘"])
    decomposed = unicodedata.normalize("NFD", "불을 꺼 줘")
    assert kept_out.clear(["가", decomposed, "가 ", "나", ""]) == ["가", "나"]
    spelt = ["불을 꺼 줘.", "“불을 꺼줘”", "불을\u200b 꺼 줘!"]
    assert kept_out.clear(spelt) == []
    assert kept_out.clear(["불을 켜 줘", "!!", "??"]) == ["불을 켜 줘", "!!", "??"]
    kept_out.add_sentences(["ＴＶ 켜"])
    assert not kept_out.allows("나", "tv 켜!")
    (tmp_path / "pairs.csv").write_text("sentence1,sentence2\n하나,둘\n", encoding="utf-8")
    (tmp_path / "intents.txt").write_text("0\t1\t셋\n넷\n", encoding="utf-8")
    assert read_sentences_of(str(tmp_path / "pairs.csv")) == ["하나", "둘"]
    cells = ["0\t1\t셋", "0", "1", "셋", "넷"]  # a line is a sentence too, tabs and all
    assert read_sentences_of(str(tmp_path / "intents.txt")) == cells


# Labelling


def test_labels_are_the_encoders_scores_block_by_block(
    tiny_encoders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load(tiny_encoders["bi"])
    encoder.calibration = MonotoneCalibration.fit([0.0, 0.5, 1.0], [0.5, 2.0, 4.5])
    pairs = list(zip(sentences(10), sentences(10, seed=1), strict=True))
    monkeypatch.setattr("kosim.experiments.teaching.teachers.BLOCK", 4)
    assert BLOCK > 4
    first = label(Teacher("t", encoder), pairs, tmp_path / "labels")
    np.testing.assert_allclose(first.scores, encoder.score(pairs), atol=1e-4)
    (tmp_path / "labels" / "000001.npy").unlink()  # as if killed
    again = label(Teacher("t", encoder), pairs, tmp_path / "labels")
    assert (first.labelled, again.labelled) == (10, 14)
    assert label(Teacher("t", encoder), pairs, tmp_path / "labels").seconds == again.seconds > 0
    np.testing.assert_array_equal(first.scores, again.scores)
    with pytest.raises(StorageError, match="made with another pairs than now"):
        label(Teacher("t", encoder), pairs[1:], tmp_path / "labels")
    (tmp_path / "labels" / "000000.npy").write_bytes(b"")
    with pytest.raises(StorageError, match="is damaged"):
        label(Teacher("t", encoder), pairs, tmp_path / "labels")


def test_a_teacher_without_calibration_is_refused(tiny_encoders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"is not calibrated.*kosim adopt"):
        open_teachers([str(tiny_encoders["bi"])])
    with pytest.raises(ConfigError, match="mini-bi is given twice"):
        open_teachers(["mini-bi", "mini-bi"])


def test_a_teacher_gets_no_name_of_a_step_or_a_column(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken = ["bi", "cross", "bi-silver", "cross-baseline", "bi, round 1", "score", "Real_Label"]
    bundled = load("mini-bi")
    monkeypatch.setattr("kosim.experiments.teaching.teachers.load", lambda *_, **__: bundled)
    monkeypatch.setattr("kosim.experiments.teaching.teachers.saved_encoder", Path)
    for name in taken:
        assert open_teachers([name])[0].name == f"teacher {name}"
    assert open_teachers(["bi-encoder"])[0].name == "bi-encoder"


def test_a_miner_must_be_a_calibrated_bi_encoder(
    tiny_encoders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="is a cross-encoder; give a bi-encoder"):
        open_miner(settings_of(miner="mini-cross", sources=["random"]))
    with pytest.raises(ConfigError, match=r"is not calibrated.*kosim adopt"):
        open_miner(settings_of(miner=str(tiny_encoders["bi"]), sources=["random"]))

    def missing(purpose: str) -> str:
        raise MissingExtraError(f"{purpose} needs kiwipiepy")

    monkeypatch.setattr("kosim.experiments.teaching.silver.kiwi_version", missing)
    with pytest.raises(MissingExtraError, match="finding pairs by words"):
        open_miner(settings_of())
    assert open_miner(settings_of(sources=["random"])).calibrated


# A file


def test_pairs_of_a_file_are_drawn_by_the_mix_even_where_they_are_few(tmp_path: Path) -> None:
    path = tmp_path / "silver.csv"
    rows = [f"하나 {n},둘 {n},{n % 5 + 0.5}" for n in range(25)]
    path.write_text("\n".join(["sentence1,sentence2,label", *rows]), encoding="utf-8")
    given = {"teachers": [], "corpus": None, "silver": str(path)}
    assert len(read_silver(settings_of(**given), KeptOut()).table) == 25
    high = read_silver(settings_of(**given, mix=[0, 0, 0, 1, 1]), KeptOut())
    assert sorted(high.table["label"]) == [3.5] * 5 + [4.5] * 5
    assert "mix" in high.facts and high.facts["mix"] == [0, 0, 0, 1, 1]
    for more in ({"teachers": ["mini-bi"]}, {"max_disagreement": 1.0}):
        with pytest.raises(ConfigError, match="pairs of a silver file"):
            settings_of(**{**given, **more})


def test_a_file_of_silver_pairs_is_cleaned_of_copies_and_contradictions(tmp_path: Path) -> None:
    path = tmp_path / "silver.csv"
    rows = [
        "하나,둘,1.5",
        "둘,하나,1.5",
        "하나,둘,1.5",
        "셋,넷,5",
        "넷,셋,0",
        " ,다섯,3",
        "일곱,여덟,4",
    ]
    path.write_text("\n".join(["sentence1,sentence2,label", *rows]), encoding="utf-8")
    kept_out = KeptOut()
    kept_out.add_sentences(["여덟!"])
    found = read_silver(settings_of(teachers=[], corpus=None, silver=str(path)), kept_out)
    assert found.pairs.pairs == [("하나", "둘")]
    assert found.facts["left_out"] == 6
    assert found.facts["mix"] is None


def test_a_file_of_silver_pairs_says_who_labelled_them(tmp_path: Path) -> None:
    path = tmp_path / "silver.parquet"
    table = as_table(LabelledPairs.from_lists([("하나", "둘"), ("셋", "넷")], [1.0, 4.0]))
    origin = {"teachers": [{"name": "t", "fingerprint": "f"}], "corpus": "c"}
    write_parquet(table, path, origin)
    assert table.attrs == {}
    silver = read_silver(settings_of(teachers=[], corpus=None, silver=str(path)), KeptOut())
    assert {name: silver.facts[name] for name in origin} == origin


@pytest.mark.parametrize("labels", [(0, 1), (-1, 3), (2, 5.5)])
def test_labelled_pairs_of_another_scale_are_refused(
    labels: tuple[float, float], tmp_path: Path
) -> None:
    path = tmp_path / "extra.csv"
    rows = [f"하나 {n},둘 {n},{label}" for n, label in enumerate(labels * 30)]
    path.write_text("\n".join(["sentence1,sentence2,label", *rows]), encoding="utf-8")
    with pytest.raises(DataError, match=r"extra\.csv .* labelled from 0 to 5"):
        read_labelled(str(path))


def test_labels_that_are_all_low_stay_low(tmp_path: Path) -> None:
    path = tmp_path / "hard.csv"
    rows = [f"하나 {n},둘 {n},{n / 50:.2f}" for n in range(46)]
    path.write_text("\n".join(["sentence1,sentence2,label", *rows]), encoding="utf-8")
    assert read_labelled(str(path)).frame["label"].max() == pytest.approx(0.9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("source", ["bm25", "random", "vectors"])
def test_one_source_finds_as_many_pairs_as_are_asked_for(source: Any, seed: int) -> None:
    if source == "bm25":
        pytest.importorskip("kiwipiepy")
    texts = list(dict.fromkeys(sentences(200)))
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(len(texts), 8)).astype(np.float32)
    found = find_candidates(
        texts,
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        MonotoneCalibration.identity(),
        count=40,
        sources=[source],
        kept_out=KeptOut(),
        random=random,
    )
    assert len(found) == 40


# All of it


def test_a_corpus_that_is_too_small_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text("하나\n둘\n셋\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"3 distinct sentences.* only 3 of the 40 pairs"):
        read_corpus_sentences(settings_of(corpus=str(path)), KeptOut())


@pytest.mark.slow
def test_silver_pairs_are_made_and_a_killed_run_ends_in_the_same(tmp_path: Path) -> None:
    settings = settings_of(
        corpus=str(corpus_file(tmp_path)), teachers=["mini-bi", "mini-cross"], sentences=90
    )
    kept_out = KeptOut()
    corpus = read_corpus_sentences(settings, kept_out)
    teachers = open_teachers(settings.teachers)

    def made(folder: str) -> pd.DataFrame:
        return make_silver(settings, corpus, teachers, kept_out, tmp_path / folder).table

    whole = made("whole")
    assert len(whole) == 40
    assert {"bm25", "random", "vectors"} <= set(whole.source)
    np.testing.assert_allclose(whole.label, (whole["mini-bi"] + whole["mini-cross"]) / 2, rtol=1e-6)
    candidates = pd.read_parquet(tmp_path / "whole" / "labelled.parquet")
    assert len(candidates) == 80
    hard = candidates["mined"] - candidates["label"] >= 1.0
    found = candidates.source.isin(["vectors", "hard"])
    assert ((candidates.source == "hard") == (hard & found)).all()

    class KilledError(Exception):
        pass

    def kill(stage: object, done: int = 0, total: int = 0) -> None:
        if "labels by mini-cross" in str(stage):
            raise KilledError

    with pytest.raises(KilledError):
        make_silver(settings, corpus, teachers, kept_out, tmp_path / "killed", progress=kill)
    assert not (tmp_path / "killed" / "silver.parquet").exists()
    pd.testing.assert_frame_equal(made("killed"), whole)
    spent = [
        make_silver(settings, corpus, teachers, kept_out, tmp_path / "killed").facts[name]
        for name in ("mining_seconds", "mining_seconds", "labelling")
    ]
    assert spent[0] == spent[1] > 0.1  # not the moment that reading it again takes
    silver = read_silver(
        settings_of(teachers=[], silver=str(tmp_path / "whole" / "silver.parquet")), KeptOut()
    )
    np.testing.assert_allclose(sorted(silver.pairs.labels), sorted(whole.label))
    assert silver.facts["teachers"] == [teacher.record() for teacher in teachers]


def test_silver_pairs_of_another_scale_are_refused_with_it(tmp_path: Path) -> None:
    path = tmp_path / "hundred.csv"
    path.write_text("sentence1,sentence2,label\n가,나,0\n다,라,80\n", encoding="utf-8")
    settings = SilverSettings(silver=str(path))
    with pytest.raises(DataError, match="run from 0 to 80, but silver and extra pairs are labell"):
        read_silver(settings, KeptOut())


def test_the_one_column_of_a_table_is_kept_out(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("문장\n불 꺼 줘\n불 켜 줘\n", encoding="utf-8")
    assert read_sentences_of(str(path)) == ["불 꺼 줘", "불 켜 줘"]


def test_a_table_is_no_corpus() -> None:
    with pytest.raises(DataError, match=r"pairs\.csv is a table \(csv\)"):
        read_sentences(ROOT / "examples" / "data" / "pairs.csv")


def test_few_sentences_make_every_pair_by_chance() -> None:
    found = find_candidates(
        ["가", "나", "다"],
        np.eye(3, dtype=np.float32),
        MonotoneCalibration.identity(),
        count=10,
        sources=["random"],
        kept_out=KeptOut(),
        random=np.random.default_rng(0),
    )
    keys = {pair_key(*pair) for pair in zip(found.sentence1, found.sentence2, strict=True)}
    assert keys == {pair_key(*pair) for pair in (("가", "나"), ("가", "다"), ("나", "다"))}


def test_a_mix_that_no_labelled_pair_has_leaves_no_silver_pairs(tmp_path: Path) -> None:
    settings = SilverSettings(
        teachers=["mini-bi"], corpus="corpus.txt", pairs=10, sources=["random"], mix=[0, 0, 0, 0, 1]
    )
    texts = [f"서로 다른 문장 {number}번입니다" for number in range(6)]
    teachers = open_teachers(["mini-bi"])
    unlike = [Teacher("low", Low(teachers[0].encoder))]  # type: ignore[arg-type]
    with pytest.raises(DataError, match="of 15 labelled pairs none has a label of the wanted mix"):
        make_silver(settings, Corpus(texts, 6, 0), unlike, KeptOut(), tmp_path)
    assert not (tmp_path / "silver.parquet").exists()


class Low:
    """An encoder to which everything is unlike."""

    kind, precision = "bi", "fp32"

    def __init__(self, encoder: Any) -> None:
        self.calibration, self.fingerprint = encoder.calibration, encoder.fingerprint

    def score(self, pairs: list[Any], *, symmetric: bool) -> Any:
        """Score every pair 0."""
        return np.zeros(len(pairs), dtype=np.float32)
