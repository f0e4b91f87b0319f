"""``kosim teach``: what it refuses, what it writes, and that a killed run goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from kosim.encoders.artifact import read_manifest
from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import ArtifactError, ConfigError
from kosim.encoders.records import LabelledPairs
from kosim.experiments.settings import EncoderSettings
from kosim.experiments.study.progress import silent
from kosim.experiments.teaching.evaluation import Step, describe_step
from kosim.experiments.teaching.finding import compute_finding, notices
from kosim.experiments.teaching.in_python import teach
from kosim.experiments.teaching.lessons import (
    SILVER_EPOCHS,
    plan_stages,
    read_lessons,
    with_minimal_pairs,
)
from kosim.experiments.teaching.report import TEACHING
from kosim.experiments.teaching.results import SilverFacts, StepResults, TeachResults
from kosim.experiments.teaching.run import summarise
from kosim.experiments.teaching.settings import TeachSettings, students_of
from kosim.experiments.teaching.silver import Corpus, Silver, describe, read_corpus_sentences
from kosim.experiments.teaching.student import (
    Stage,
    joined,
    starting_settings,
    teaching_record,
    train_student,
)
from kosim.experiments.teaching.teachers import Teacher
from kosim.experiments.teaching.turns import Turns, take_turns, validation_pearson
from tests.checkout import ROOT
from tests.encoders.tiny import VOCABULARY, write_koelectra
from tests.experiments.tiny_artifacts import answer, refusal

DATA = ROOT / "examples" / "data"
SHORT = ["--epochs", "1", "--silver-epochs", "1", "--limit", "60", "--resamples", "400"]


def settings_of(tmp_path: Path, **changes: Any) -> TeachSettings:
    students = {kind: {"kind": kind, "backbone": "mini"} for kind in ("bi", "cross")}
    return TeachSettings.parse(
        {
            "teachers": ["mini-bi"],
            "corpus": "corpus.txt",
            "data": {"train": str(DATA / "pairs.csv"), "test": str(DATA / "test.csv")},
            "students": students,
            **changes,
        }
    )


def silver_pairs(count: int = 100) -> Silver:
    frame = pd.DataFrame(
        {
            "sentence1": [f"하나 {number}" for number in range(count)],
            "sentence2": [f"둘 {number}" for number in range(count)],
            "label": [5 * number / count for number in range(count)],
            "source": "random",
        }
    )
    return Silver(frame)


def test_validation_and_test_sentences_are_kept_out_and_gold_pairs_are_no_silver(
    tmp_path: Path,
) -> None:
    lessons = read_lessons(settings_of(tmp_path))
    assert lessons.gold is not None and lessons.validation is not None and lessons.test is not None
    for pairs in (lessons.validation, lessons.test):
        for first, second in pairs.pairs:
            assert lessons.kept_out.clear([first, second]) == []
    first, second = lessons.gold.pairs[0]
    assert not lessons.kept_out.allows(second, first)
    excluded = tmp_path / "excluded.txt"
    excluded.write_text(first + "\n", encoding="utf-8")
    without = read_lessons(settings_of(tmp_path, exclude=[str(excluded)]))
    assert without.gold is not None
    assert first not in {*without.gold.sentence1, *without.gold.sentence2}
    assert len(without.gold) < len(lessons.gold)


def test_stages_are_silver_then_gold_or_both_mixed(tmp_path: Path) -> None:
    settings, silver = settings_of(tmp_path), silver_pairs()
    lessons = read_lessons(settings)
    assert lessons.gold is not None
    stages, validation = plan_stages("cross", settings, silver, lessons)
    assert [(stage.name, len(stage.pairs)) for stage in stages] == [
        ("silver", 100),
        ("gold", len(lessons.gold)),
    ]
    assert [stage.training.epochs for stage in stages] == [SILVER_EPOCHS["cross"], 10]
    assert validation is lessons.validation
    mixed, _ = plan_stages("bi", settings_of(tmp_path, order="mixed"), silver, lessons)
    assert [(stage.name, len(stage.pairs)) for stage in mixed] == [
        ("mixed", 100 + len(lessons.gold))
    ]
    alone = settings_of(tmp_path, data=None)
    (stage,), held_out = plan_stages("bi", alone, silver, read_lessons(alone))
    assert (len(stage.pairs), len(held_out)) == (90, 10)
    assert not set(stage.pairs.sentence1) & set(held_out.sentence1)


def test_pairs_are_joined_in_order() -> None:
    one = LabelledPairs.from_lists([("a", "b")], [1.0], ["x"])
    other = LabelledPairs.from_lists([("c", "d"), ("e", "f")], [2.0, 3.0])
    both = joined(one, other)
    assert both.pairs == [("a", "b"), ("c", "d"), ("e", "f")]
    assert both.labels.tolist() == [1, 2, 3]
    assert both.sources == ("x", "", "")


def test_a_bi_encoder_pools_what_a_cross_encoder_gave_it(tiny_encoders: dict[str, Path]) -> None:
    def started(kind: str, backbone: Path | str) -> EncoderSettings:
        return starting_settings(
            EncoderSettings.model_validate({"kind": kind, "backbone": str(backbone)})
        )

    assert started("bi", tiny_encoders["cross"]).pooling == "mean"
    assert started("bi", tiny_encoders["bi"]).pooling is None
    assert started("cross", tiny_encoders["bi"]).pooling is None
    with pytest.raises(ConfigError, match="cannot start from scratch"):
        started("bi", "scratch")


def test_a_backbone_with_another_tokenizer_is_refused(
    tiny_encoders: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_encoders["bi"], tmp_path / "changed")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text("utf-8") + "\n", encoding="utf-8")
    settings = EncoderSettings.model_validate({"kind": "cross", "backbone": str(folder)})
    with pytest.raises(ArtifactError, match=r"tokenizer\.json"):
        starting_settings(settings)


def test_bad_input_is_refused_in_one_line_and_nothing_is_written(
    tiny_encoders: dict[str, Path], tmp_path: Path
) -> None:
    small = tmp_path / "small.txt"
    small.write_text("불을 켜 줘\n불을 꺼 줘\n비가 와\n", encoding="utf-8")
    ten = tmp_path / "ten.txt"
    ten.write_text("\n".join(f"문장 {number}" for number in range(10)), encoding="utf-8")
    out = tmp_path / "run"
    teacher = ["--teacher", "mini-bi", "--backbone", "mini", "--out", out]
    student = teacher[2:]
    corpus = ["--corpus", small]
    mined = [*teacher, "--pairs", "42", "--corpus", ten]
    unlabelled = tmp_path / "unlabelled.csv"
    unlabelled.write_text("sentence1,sentence2\n하나,둘\n", encoding="utf-8")
    calls: dict[str, list[str | Path]] = {
        "give a teacher and a corpus": ["bi", "--backbone", "mini", "--out", out],
        "is not calibrated": [
            *("bi", "--teacher", tiny_encoders["bi"], "--backbone", "mini", "--out", out),
            *corpus,
        ],
        "does not exist; give the folder of a saved encoder": [
            *("bi", "--teacher", tmp_path / "missing", "--backbone", "mini", "--out", out),
            *corpus,
        ],
        "there is no encoder mini; did you mean mini-bi": [
            *("bi", "--teacher", "mini", "--backbone", "mini", "--out", out),
            *corpus,
        ],
        "of the 20,000 pairs asked for": ["cross", *teacher, *corpus],
        "rounds": ["both", *teacher, *corpus, "--rounds", "0"],
        "--rounds belongs to": ["bi", *teacher, *corpus, "--rounds", "2"],
        "the mix is": ["bi", *teacher, *corpus, "--mix", "9:1"],
        "name vectors too": ["bi", *teacher, *corpus, "--sources", "hard,random"],
        "fewer than the 20000 pairs": ["bi", *teacher, *corpus, "--candidates", "100"],
        "gold pairs say when": ["both", *teacher, "--pairs", "10", "--corpus", ten],
        "leave out the teachers": ["bi", *teacher, "--silver", DATA / "pairs.csv"],
        "missing.csv": ["bi", *student, "--silver", tmp_path / "missing.csv"],
        "no label column": ["bi", *student, "--silver", unlabelled],
        "leave out --silver": ["both", *student, "--silver", DATA / "pairs.csv"],
        "too few to choose the epoch": ["bi", *teacher, "--pairs", "40", "--corpus", ten],
        "missing-miner": ["bi", *mined, "--miner", tmp_path / "missing-miner"],
        "is a cross-encoder": ["bi", *mined, "--miner", "mini-cross"],
        "do not say how alike": ["bi", *mined, "--miner", tiny_encoders["bi"]],
        "give --train FILE": ["bi", *teacher, "--pairs", "10", "--corpus", ten, "--baseline"],
    }
    for said, call in calls.items():
        line = refusal("teach", *call)
        assert any(part in line for part in said.split("|")), (said, line)
        assert not out.exists(), said
    out.mkdir()
    for name in ("config.toml", "results.json"):
        (out / name).write_text("earlier", encoding="utf-8")
    refusal("teach", "bi", *mined, "--miner", "mini-cross", "--overwrite")
    refusal("teach", "bi", *student, "--silver", unlabelled, "--overwrite")
    assert (out / "results.json").read_text("utf-8") == "earlier"


def test_an_extra_pair_is_not_learnt_when_it_is_held_out_of_the_silver_pairs(
    tmp_path: Path,
) -> None:
    settings, silver = settings_of(tmp_path, data=None), silver_pairs()
    lessons = read_lessons(settings)
    _, held_out = plan_stages("bi", settings, silver, lessons)
    turned = [(second, first) for first, second in silver.pairs.pairs]
    extra = LabelledPairs.from_lists([*turned, ("셋", "넷")], [1.0] * 101)
    (stage,), again = plan_stages("bi", settings, silver, replace(lessons, extra=extra))
    assert again.pairs == held_out.pairs
    keys = {frozenset(pair) for pair in held_out.pairs}
    assert not keys & {frozenset(pair) for pair in stage.pairs.pairs}
    assert len(stage.pairs) == 90 + 91


def test_silver_pairs_of_a_file_go_with_minimal_pairs_of_a_corpus(tmp_path: Path) -> None:
    pytest.importorskip("kiwipiepy")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("거실 불을 켜 주세요\n음식이 아주 뜨거웠다\n", encoding="utf-8")
    settings = settings_of(
        tmp_path, teachers=[], silver=str(DATA / "pairs.csv"), corpus=str(corpus), minimal_pairs=20
    )
    lessons = read_lessons(settings)
    sentences = read_corpus_sentences(settings, lessons.kept_out)
    lessons = with_minimal_pairs(lessons, settings, sentences)
    assert lessons.extra is not None and len(lessons.extra) == 20
    record = teaching_record(settings, silver_with_facts(), [])
    assert (record["file"], record["minimal_pairs"], record["extra"]) == ("pairs.csv", 20, [])


@pytest.mark.parametrize(
    ("asked", "facts", "said"),
    [
        (
            {"silver": "labelled.parquet"},
            {"pairs": 10, "labelled": 1_234},
            ("10 of the 1,234 pairs of the file are drawn", "파일의 1,234쌍 가운데 10쌍"),
        ),
        (
            {"silver": "labelled.parquet"},
            {"pairs": 10, "left_out": 1},
            ("1 pair of the file left out", "파일에서 1쌍을"),
        ),
        ({}, {"pairs": 10, "left_out": 1}, ("1 sentence of the corpus kept", "제외 문장 1개")),
        ({}, {"pairs": 9}, ("9 silver pairs instead of 10", "10쌍이 아니라 9쌍")),
        ({}, {"pairs": 10}, None),
        ({}, {"pairs": 10, "mix": [1] * 5}, None),
        (
            {},
            {"pairs": 10, "mix": [1] * 5, "bins": [4, 3, 2, 1, 0]},
            (
                "The silver pairs do not have the wanted mix: there are too few labelled ones of "
                "3–4, 4–5, and others stand in for them; label more (--candidates",
                "3–4, 4–5",
            ),
        ),
        (
            {"silver": "labelled.parquet"},
            {"pairs": 9, "labelled": 20, "mix": [1, 2, 0, 0, 0], "bins": [4, 5, 0, 0, 0]},
            (
                "9 silver pairs instead of 10: the labelled pairs hold no more of the wanted mix; "
                "give more pairs",
                "쌍을 더 주거나",
            ),
        ),
        (
            {"max_disagreement": 0.5},
            {"pairs": 10, "labelled": 80, "disagreed": 37},
            (
                "37 of the 80 labelled pairs dropped: the teachers are further than 0.5 apart",
                "0.5점을 넘는 37쌍",
            ),
        ),
    ],
)
def test_what_became_of_the_silver_pairs_is_told_in_both_languages(
    asked: dict[str, Any], facts: dict[str, Any], said: tuple[str, str] | None
) -> None:
    results = TeachResults.model_construct(
        config={"pairs": 10, **asked},
        silver=[SilverFacts(**{"bins": [2] * 5, "sources": {}, "labelled": 0, **facts})],
    )
    found = notices(results)
    assert len(found) == (said is not None)
    if said is not None:
        assert found[0].en.startswith(said[0])
        assert said[1] in found[0].ko


def silver_with_facts() -> Silver:
    table = silver_pairs().table
    return Silver(table, describe(table))


def test_what_only_a_bi_encoder_has_goes_to_it_where_both_are_taught(tmp_path: Path) -> None:
    fields = {
        "backbone": "mini",
        "pooling": "mean",
        "prompt": "질문: ",
        "training": {"matryoshka": [64], "epochs": 3},
    }
    taught = settings_of(tmp_path, students=students_of("both", fields)).students
    assert (taught["bi"].pooling, taught["bi"].prompt) == ("mean", "질문: ")
    assert taught["bi"].training.matryoshka == (64,)
    assert taught["cross"].training.epochs == 3
    with pytest.raises(ConfigError, match="belong to a bi-encoder"):
        settings_of(tmp_path, students=students_of("cross", fields))
    with pytest.raises(ConfigError, match="one kind takes no turns"):
        settings_of(tmp_path, students=students_of("bi", fields), rounds=3)


def stubbed_turns(
    settings: TeachSettings, folder: Path, monkeypatch: pytest.MonkeyPatch, opened: Any
) -> tuple[Turns, LabelledPairs]:
    """Take turns without mining and training; return them with the validation pairs."""
    lessons = read_lessons(settings)
    assert lessons.validation is not None
    for name, stand_in in {
        "make_silver": lambda *_, **__: silver_with_facts(),
        "train_student": lambda *_, **__: None,
        "validation_pearson": lambda _: 0.5,
        "_opened": opened,
        "_keep": lambda *_: None,
    }.items():
        monkeypatch.setattr(f"kosim.experiments.teaching.turns.{name}", stand_in)
    turns = take_turns(
        settings,
        settings.students,
        Corpus([], 0, 0),
        [],
        lessons,
        lessons.validation,
        folder,
        callbacks=[],
        progress=silent,
    )
    return turns, lessons.validation


def test_turns_tell_every_seed_and_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path, seeds=[1, 2])
    turns, validation = stubbed_turns(settings, tmp_path, monkeypatch, lambda *_: [])
    steps = ["cross, round 1", "bi, round 1"]
    assert [each.facts["name"] for each in turns.silver] == [
        f"{step}, seed {seed}" for step in steps for seed in (1, 2)
    ]
    cross = turns.steps[0]
    assert cross.earlier == [tmp_path / "round-1" / "cross-silver" / f"seed-{n}" for n in (1, 2)]

    def manifest(folder: Path) -> SimpleNamespace:
        silver = folder.parent.name == "cross-silver"
        return SimpleNamespace(training={"seconds": 1.5, "train_pairs": 100 if silver else 7})

    monkeypatch.setattr("kosim.experiments.teaching.evaluation.read_manifest", manifest)
    monkeypatch.setattr("kosim.experiments.teaching.evaluation.evaluate", lambda *_, **__: {})
    found = describe_step(cross, (None, validation), None, settings.evaluation)  # type: ignore[arg-type]
    assert (found.train_pairs, found.seconds) == (107, 6.0)


def test_a_teacher_is_named_after_the_round_that_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, str]] = []

    def open_it(_: object, folder: Path, name: str) -> list[Teacher]:
        opened.append((folder.relative_to(tmp_path).as_posix(), name))
        return []

    stubbed_turns(settings_of(tmp_path, rounds=2), tmp_path, monkeypatch, open_it)
    assert opened == [
        ("round-1/cross/seed-1", "cross-round-1-seed-1"),
        ("round-1/bi/seed-1", "bi-round-1-seed-1"),
        ("round-2/cross/seed-1", "cross-round-2-seed-1"),
    ]


def test_the_headline_says_which_round_was_kept() -> None:
    results = TeachResults.model_construct(
        config={"pairs": 10, "seeds": [1, 2, 3]},
        silver=[SilverFacts(pairs=10, bins=[2] * 5, sources={})],
        steps={name: StepResults(kind=name[:2]) for name in ("bi", "bi, round 2")},  # type: ignore[arg-type]
        gains=[],
        kept={"bi": "bi, round 2"},
        validation_of="gold",
        test_pairs=9,
    )
    assert "bi-encoder (bi, round 2) Pearson" in compute_finding(results).headline.en
    alone = results.model_copy(update={"kept": {"bi": "bi"}})
    assert "bi-encoder Pearson" in compute_finding(alone).headline.en


@pytest.mark.parametrize("gold", [True, False])
def test_a_student_that_cannot_read_the_pairs_is_refused_before_they_are_labelled(
    gold: bool, tmp_path: Path
) -> None:
    backbone = write_koelectra(tmp_path / "latin")
    words = [*VOCABULARY[:5], *(f"word{number}" for number in range(len(VOCABULARY) - 5))]
    (backbone / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    given = ["--train", DATA / "pairs.csv"] if gold else []
    call = [
        *("teach", "bi", "--teacher", "mini-bi", "--corpus", DATA / "sentences.txt", *given),
        *("--backbone", backbone, "--pairs", "60", "--out", tmp_path / "run"),
    ]
    assert "makes [UNK] of 100%" in refusal(*call)
    assert not (tmp_path / "run").exists()


def test_a_stage_that_is_saved_keeps_no_checkpoints_of_a_killed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    stage = Stage("gold", silver_pairs().pairs, settings.students["bi"].training)
    folder, left = tmp_path / "bi" / "seed-1", tmp_path / "bi" / ".seed-1.checkpoints"
    shutil.copytree(ROOT / "encoders" / "bundled" / "mini-bi", folder)
    (left / "checkpoint-7").mkdir(parents=True)
    monkeypatch.setattr("kosim.experiments.teaching.student._check_learnt", lambda *_: None)
    train_student(settings.students["bi"], [stage], stage.pairs, [folder], {}, seed=1)
    assert not left.exists()


def test_teachers_are_not_tested_on_their_own_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, data=None)
    teacher = Teacher("t", cast(PairEncoder, None))
    steps = [Step("t", "bi", teacher=teacher), Step("bi", "bi")]
    compared: list[str] = []
    for name, stand_in in {
        "score_step": lambda *_: None,
        "describe_step": lambda step, *_: StepResults(kind="bi", teacher=bool(step.teacher)),
        "paired_gains": lambda given, *_: compared.extend(step.name for step in given) or [],
    }.items():
        monkeypatch.setattr(f"kosim.experiments.teaching.run.{name}", stand_in)
    results = summarise(
        settings,
        [silver_with_facts()],
        steps,
        {"bi": "bi"},
        silver_pairs().pairs,
        read_lessons(settings),
        silent,
    )
    assert compared == ["bi"]
    assert "The validation labels are the teachers' own" in str(compute_finding(results))


def test_resuming_from_python_goes_on_with_the_interrupted_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "teach-bi").mkdir(parents=True)
    folders: list[Path] = []
    monkeypatch.setattr(
        "kosim.experiments.teaching.in_python.teach_students",
        lambda settings, folder, **_: folders.append(folder),
    )
    call: dict[str, Any] = {"teachers": "mini-bi", "corpus": "c.txt"}
    teach("bi", **call, student={"backbone": "mini"}, resume=True)
    teach("bi", **call, student={"backbone": "mini"})
    assert folders == [Path("runs/teach-bi"), Path("runs/teach-bi-2")]


def test_hard_pairs_show_their_gap_and_need_calibration_before_anything_is_encoded(
    tiny_encoders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("불을 켜 줘\n불을 꺼 줘\n비가 와\n비가 안 와\n", encoding="utf-8")
    call = ("mine", corpus, "--encoder", "mini-bi", "--hard", "--reranker")
    assert "gap" in answer(*call, "mini-cross").split("\n")[0]

    def too_late(*_: object, **__: object) -> None:
        raise AssertionError("encoded already")

    monkeypatch.setattr("kosim.experiments.cli.mine.build_index", too_late)
    assert "is not calibrated" in refusal(*call, tiny_encoders["cross"])


@pytest.mark.slow
def test_a_student_is_taught_reported_and_resumed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    call = [
        *("teach", "bi", "--teacher", "mini-cross", "--corpus", DATA / "sentences.txt"),
        *("--train", DATA / "pairs.csv", "--test", DATA / "test.csv", "--backbone", "mini-cross"),
        *("--pairs", "60", *SHORT, "--baseline", "--out", out),
    ]
    results = json.loads(answer(*call, "--json"))
    assert list(results["steps"]) == ["mini-cross", "bi-baseline", "bi-silver", "bi"]
    assert [(entry["first"], entry["second"]) for entry in results["gains"]] == [
        ("bi-silver", "bi-baseline"),
        ("bi", "bi-silver"),
        ("bi", "bi-baseline"),
    ]
    assert sum(results["silver"][0]["bins"]) == 60
    record = (read_manifest(out / "bi" / "seed-1").training or {})["teaching"]
    teacher = read_manifest(ROOT / "encoders" / "bundled" / "mini-cross").fingerprint
    assert [each["fingerprint"] for each in record["teachers"]] == [teacher]
    assert (record["mix"], record["stage"]) == ([1.0] * 5, "gold")
    assert "What each step gained" in (out / "report.md").read_text("utf-8")
    assert answer("score", out / "bi" / "seed-1", "불 꺼 줘", "불을 꺼 줘")

    whole = read_manifest(out / "bi" / "seed-1").fingerprint
    silver = pd.read_parquet(out / "silver.parquet")
    shutil.rmtree(out / "bi")  # as if killed before the last stage, and while labelling
    next(out.glob("mining/labels/*/000000.npy")).unlink()
    (out / "results.json").unlink()
    assert "exists already" in refusal(*call)
    answer(*call, "--resume")
    pd.testing.assert_frame_equal(pd.read_parquet(out / "silver.parquet"), silver)
    assert read_manifest(out / "bi" / "seed-1").fingerprint == whole
    assert "other settings" in refusal(*call, "--resume", "--mix", "0:1,1:1")
    assert TEACHING.read(out).kept == {"bi": "bi"}


@pytest.mark.slow
def test_both_kinds_teach_each_other_in_turns(tmp_path: Path) -> None:
    out = tmp_path / "run"
    results = json.loads(
        answer(
            *("teach", "both", "--teacher", "mini-bi", "--corpus", DATA / "sentences.txt"),
            *("--train", DATA / "pairs.csv", "--backbone", "mini", "--pairs", "40", *SHORT),
            *("--rounds", "2", "--out", out, "--json"),
        )
    )
    steps = [name for name, step in results["steps"].items() if not step["teacher"]]
    assert steps[:2] == ["cross, round 1", "bi, round 1"]
    assert len(steps) in (2, 4)  # a third round would be too many; the second may not gain
    for kind, other in (("cross", "bi"), ("bi", "cross")):
        values = {
            f"{kind}, round {number}": validation_pearson(out / f"round-{number}" / kind / "seed-1")
            for number in range(1, len(steps) // 2 + 1)
        }
        assert results["kept"][kind] == max(values, key=lambda name: values[name])
        record = (read_manifest(out / kind / "seed-1").training or {})["teaching"]
        assert record["teachers"][0]["kind"] == other


def test_settings_of_labelling_do_not_go_with_pairs_that_are_labelled(tmp_path: Path) -> None:
    for told in ({"candidates": 50}, {"sources": ["random"]}, {"symmetric": True}):
        with pytest.raises(ConfigError, match=f"leave out {next(iter(told))}, or the file"):
            settings_of(tmp_path, teachers=[], silver="labelled.parquet", corpus=None, **told)
    with pytest.raises(ConfigError, match="one teacher disagrees with none"):
        settings_of(tmp_path, max_disagreement=1.0)
    with pytest.raises(ConfigError, match="leave out silver_epochs"):
        settings_of(tmp_path, order="mixed", silver_epochs=2)
