"""Teaching in turns: each kind labels for the other, as long as one of them gains.

After Liu et al. 2022 (ICLR), "Trans-Encoder: Unsupervised Sentence-Pair Modelling through Self- and
Mutual-Distillations".
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from transformers import TrainerCallback

from kosim.encoders.artifact import MANIFEST, read_manifest
from kosim.encoders.language import both
from kosim.encoders.records import Kind, LabelledPairs
from kosim.encoders.storage import atomic_folder
from kosim.experiments.settings import EncoderSettings
from kosim.experiments.study.notation import KIND_NAMES
from kosim.experiments.study.progress import Progress
from kosim.experiments.teaching.evaluation import Step
from kosim.experiments.teaching.lessons import Lessons, plan_stages
from kosim.experiments.teaching.settings import TeachSettings
from kosim.experiments.teaching.silver import Corpus, Silver, make_silver
from kosim.experiments.teaching.student import teaching_record, train_student
from kosim.experiments.teaching.teachers import Teacher, open_teachers

TURNS: tuple[Kind, ...] = ("cross", "bi")
"""Who learns first in a round: the first teacher is most often a bi-encoder."""


@dataclass
class Turns:
    """What the rounds made: a step for each kind and round, and the best step of each kind."""

    steps: list[Step] = field(default_factory=list)
    silver: list[Silver] = field(default_factory=list)
    kept: dict[Kind, str] = field(default_factory=dict)
    best: dict[Kind, float] = field(default_factory=dict)
    latest: dict[Kind, Step] = field(default_factory=dict)


def take_turns(
    settings: TeachSettings,
    students: dict[Kind, EncoderSettings],
    corpus: Corpus,
    teachers: Sequence[Teacher],
    lessons: Lessons,
    validation: LabelledPairs,
    folder: Path,
    *,
    callbacks: Sequence[TrainerCallback],
    progress: Progress,
) -> Turns:
    """Train both kinds round by round; end when a round raises the validation Pearson of neither.

    In the first round the given teachers label for the cross-encoder, and that one for the
    bi-encoder; later each kind labels for the other, seed by seed, and a student starts from what
    it was a round before. All rounds label the same candidates.
    """
    turns = Turns()
    for number in range(1, settings.rounds + 1):
        gained = False
        for kind in TURNS:
            name = f"{kind}, round {number}"
            earlier: list[Path] = []
            step = Step(
                name,
                kind,
                [folder / f"round-{number}" / kind / f"seed-{seed}" for seed in settings.seeds],
                earlier=earlier,
            )
            other: Kind = "bi" if kind == "cross" else "cross"
            for position, seed in enumerate(settings.seeds):
                progress(
                    both(
                        "round {number}: teaching the {kind}, seed {seed}",
                        "{number}회차: {kind} 학습, 시드 {seed}",
                        number=str(number),
                        kind=KIND_NAMES[kind],
                        seed=str(seed),
                    )
                )
                taught_by = teachers
                if other in turns.latest:
                    latest = turns.latest[other]
                    source = f"{latest.name.replace(', ', '-').replace(' ', '-')}-seed-{seed}"
                    taught_by = _opened(settings, latest.folders[position], source)
                silver = make_silver(
                    settings,
                    corpus,
                    taught_by,
                    lessons.kept_out,
                    folder,
                    output=folder / f"round-{number}" / f"silver-{kind}" / f"seed-{seed}",
                    progress=progress,
                )
                facts = {**silver.facts, "name": f"{name}, seed {seed}"}
                turns.silver.append(Silver(silver.table, facts))
                stages, _ = plan_stages(kind, settings, silver, lessons)
                ours = step.folders[position]
                between = [
                    ours.parent.with_name(f"{kind}-{stage.name}") / ours.name
                    for stage in stages[:-1]
                ]
                earlier += between
                before = turns.latest.get(kind)
                train_student(
                    students[kind],
                    stages,
                    validation,
                    [*between, ours],
                    teaching_record(settings, silver, taught_by),
                    seed=seed,
                    start=before.folders[position] if before else None,
                    device=settings.device,
                    callbacks=callbacks,
                )
            turns.steps.append(step)
            turns.latest[kind] = step
            value = float(np.mean([validation_pearson(each) for each in step.folders]))
            if value > turns.best.get(kind, -np.inf):
                turns.best[kind], turns.kept[kind], gained = value, name, True
        if not gained:
            break
    for kind, name in turns.kept.items():
        _keep(next(step for step in turns.steps if step.name == name), folder / kind)
    return turns


def validation_pearson(folder: Path) -> float:
    """Return what a saved encoder reached on its validation pairs, in the epoch that was kept."""
    training = read_manifest(folder).training or {}
    best = next(row for row in training["history"] if row["epoch"] == training["best_epoch"])
    return float(best["pearson"])


def _opened(settings: TeachSettings, folder: Path, name: str) -> list[Teacher]:
    (teacher,) = open_teachers(
        [str(folder)],
        backend=settings.backend,
        precision=settings.teacher_precision,
        device=settings.device,
    )
    return [Teacher(name, teacher.encoder)]


def _keep(step: Step, target: Path) -> None:
    """Copy the encoders of the best step, one for each seed, to where users look for them."""
    for source in step.folders:
        saved = target / source.name
        if not (saved / MANIFEST).is_file():
            with atomic_folder(saved) as staging:
                shutil.copytree(source, staging, dirs_exist_ok=True)
