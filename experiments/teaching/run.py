"""One run of teaching: silver pairs, students of one kind, and what each step gained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from transformers import TrainerCallback

from kosim.encoders.errors import ConfigError
from kosim.encoders.language import Language, Line, both
from kosim.encoders.records import Kind, LabelledPairs
from kosim.experiments.settings import EncoderSettings
from kosim.experiments.study.notation import KIND_NAMES
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.study.results import header
from kosim.experiments.teaching.evaluation import Step, describe_step, paired_gains, score_step
from kosim.experiments.teaching.lessons import (
    Lessons,
    check_enough,
    plan_stages,
    read_lessons,
    with_minimal_pairs,
)
from kosim.experiments.teaching.report import TEACHING
from kosim.experiments.teaching.results import SilverFacts, TeachResults
from kosim.experiments.teaching.settings import TeachSettings
from kosim.experiments.teaching.silver import (
    LABELLED,
    Corpus,
    Silver,
    make_silver,
    open_miner,
    read_corpus_sentences,
    read_silver,
)
from kosim.experiments.teaching.student import (
    Stage,
    check_student,
    starting_settings,
    teaching_record,
    train_student,
)
from kosim.experiments.teaching.teachers import Teacher, open_teachers
from kosim.experiments.teaching.turns import take_turns

_READ = 1_000
"""Corpus sentences on which a student is tried where there are no labelled pairs yet."""


def teach_students(
    settings: TeachSettings,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    progress: Progress = silent,
    language: Language = "en",
) -> TeachResults:
    """Make silver pairs and train students on them, of one kind or in turns; a killed run goes on.

    Args:
        settings: what is taught, by whom, to whom.
        out: the folder of the run: silver pairs, encoders, report.
        resume: go on with a killed run of the same settings.
        overwrite: replace an earlier run.
        callbacks: transformers' hooks into the trainings.
        progress: told what is being done.
        language: of the reports.

    Raises:
        KosimError: of the kind that fits what was wrong; nothing half-written looks whole.
    """
    students = {kind: starting_settings(student) for kind, student in settings.students.items()}
    teachers = open_all(settings, progress)
    progress(Line("reading the data", "데이터 읽기"))
    lessons = read_lessons(settings)
    corpus = read_corpus_sentences(settings, lessons.kept_out) if settings.corpus else None
    lessons = with_minimal_pairs(lessons, settings, corpus)
    folder = Path(out)
    if len(students) > 1 and (settings.silver or lessons.validation is None):
        raise ConfigError(
            "teaching in turns labels a corpus again in each round, and gold pairs say when to "
            f"stop; give --corpus and --train{'; leave out --silver' if settings.silver else ''}"
        )
    if settings.baseline and lessons.gold is None:
        raise ConfigError("a baseline learns gold pairs alone; give --train FILE")
    if settings.order == "mixed" and lessons.gold is None:
        raise ConfigError(
            "mixed order mixes in gold pairs; give --train FILE, or leave out --order"
        )
    given = read_silver(settings, lessons.kept_out) if settings.silver else None
    check_enough(lessons, settings.pairs if given is None else len(given.table))
    pairs = lessons.gold or (given.pairs if given else _unlabelled(corpus))
    for student in students.values():
        check_student(student, pairs, lessons.validation or pairs, device=settings.device)
    if given is None:
        open_miner(settings)

    def run() -> TeachResults:
        kept: dict[Kind, str]
        if corpus is not None and lessons.validation is not None and len(students) > 1:
            validation = lessons.validation
            turns = take_turns(
                settings,
                students,
                corpus,
                teachers,
                lessons,
                validation,
                folder,
                callbacks=callbacks,
                progress=progress,
            )
            silver, steps, kept = turns.silver, turns.steps, turns.kept
        else:
            (kind,) = students
            # Settings without a file of silver pairs have a corpus.
            one = given or make_silver(
                settings,
                corpus,  # type: ignore[arg-type]
                teachers,
                lessons.kept_out,
                folder,
                progress=progress,
            )
            check_enough(lessons, len(one.table), None if given else folder / LABELLED)
            steps, validation = _teach_one(
                kind, students[kind], settings, one, teachers, lessons, folder, callbacks, progress
            )
            silver, kept = [one], {kind: kind}
        steps = [
            *of_teachers(teachers),
            *_baselines(settings, students, lessons, folder, callbacks, progress),
            *steps,
        ]
        return summarise(settings, silver, steps, kept, validation, lessons, progress)

    return TEACHING.run(
        folder, run, settings, resume=resume, overwrite=overwrite, language=language
    )


def _unlabelled(corpus: Corpus | None) -> LabelledPairs:
    """Return pairs of the first corpus sentences, to see whether a student can read them."""
    texts = corpus.sentences[:_READ] if corpus else []
    rows = list(pairwise(texts))
    return LabelledPairs.from_lists(rows, [5.0 * (number % 2) for number in range(len(rows))])


def _baselines(
    settings: TeachSettings,
    students: Mapping[Kind, EncoderSettings],
    lessons: Lessons,
    folder: Path,
    callbacks: Sequence[TrainerCallback],
    progress: Progress,
) -> list[Step]:
    """Train students on the gold pairs alone, where that is asked for."""
    if not settings.baseline or lessons.gold is None or lessons.validation is None:
        return []
    steps = []
    for kind, student in students.items():
        name = f"{kind}-baseline"
        folders = [folder / name / f"seed-{seed}" for seed in settings.seeds]
        for target, seed in zip(folders, settings.seeds, strict=True):
            progress(
                both(
                    "training the {kind} on gold pairs alone, seed {seed}",
                    "골드 쌍만으로 {kind} 학습, 시드 {seed}",
                    kind=KIND_NAMES[kind],
                    seed=str(seed),
                )
            )
            train_student(
                student,
                [Stage("baseline", lessons.gold, settings.students[kind].training)],
                lessons.validation,
                [target],
                {"teachers": []},
                seed=seed,
                device=settings.device,
                callbacks=callbacks,
            )
        steps.append(Step(name, kind, folders, baseline=True))
    return steps


def _teach_one(
    kind: Kind,
    student: EncoderSettings,
    settings: TeachSettings,
    silver: Silver,
    teachers: Sequence[Teacher],
    lessons: Lessons,
    folder: Path,
    callbacks: Sequence[TrainerCallback],
    progress: Progress,
) -> tuple[list[Step], LabelledPairs]:
    """Train the students of one kind, and return their steps and what they were validated on."""
    stages, validation = plan_stages(kind, settings, silver, lessons)
    names = [*(f"{kind}-{stage.name}" for stage in stages[:-1]), kind]
    steps = [
        Step(name, kind, [folder / name / f"seed-{seed}" for seed in settings.seeds])
        for name in names
    ]
    for position, seed in enumerate(settings.seeds):
        progress(
            both(
                "training the {kind}, seed {seed}",
                "{kind} 학습, 시드 {seed}",
                kind=KIND_NAMES[kind],
                seed=str(seed),
            )
        )
        train_student(
            student,
            stages,
            validation,
            [step.folders[position] for step in steps],
            teaching_record(settings, silver, teachers),
            seed=seed,
            device=settings.device,
            callbacks=callbacks,
        )
    return steps, validation


def open_all(settings: TeachSettings, progress: Progress) -> list[Teacher]:
    """Open the teachers of a run."""
    progress(Line("opening the teachers", "교사 모델 열기"))
    return open_teachers(
        settings.teachers,
        backend=settings.backend,
        precision=settings.teacher_precision,
        device=settings.device,
    )


def of_teachers(teachers: Sequence[Teacher]) -> list[Step]:
    """Return the teachers as steps that nothing was trained for."""
    return [Step(each.name, each.encoder.kind, teacher=each) for each in teachers]


def summarise(
    settings: TeachSettings,
    silver: Sequence[Silver],
    steps: Sequence[Step],
    kept: dict[Kind, str],
    validation: LabelledPairs,
    lessons: Lessons,
    progress: Progress,
) -> TeachResults:
    """Evaluate every step on validation and test pairs, and test what each gained."""
    of_validation, of_test = {}, {}
    for number, step in enumerate(steps):
        progress(Line("evaluating the steps", "단계별 평가"), number, len(steps))
        of_validation[step.name] = score_step(step, validation, settings.device)
        if lessons.test is not None:
            of_test[step.name] = score_step(step, lessons.test, settings.device)
    described = {
        step.name: describe_step(
            step,
            (of_validation[step.name], validation),
            None if lessons.test is None else (of_test[step.name], lessons.test),
            settings.evaluation,
        )
        for step in steps
    }
    measured = validation if lessons.test is None else lessons.test
    facts = [SilverFacts(**each.facts) for each in silver]
    own_labels = lessons.validation is None and lessons.test is None
    compared = [step for step in steps if step.teacher is None] if own_labels else steps
    return TeachResults(
        **header(settings.name),
        config=settings.model_dump(mode="json"),
        silver=facts,
        steps=described,
        gains=paired_gains(compared, of_test or of_validation, measured, settings.evaluation),
        kept=kept,
        validation_pairs=len(validation),
        validation_of="silver" if lessons.validation is None else "gold",
        test_pairs=None if lessons.test is None else len(lessons.test),
    )
