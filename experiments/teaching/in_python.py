"""Teaching from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from transformers import TrainerCallback

from kosim.encoders.language import Language
from kosim.encoders.records import Kind
from kosim.experiments.study.progress import Progress, notebook_progress
from kosim.experiments.study.run_folder import choose_folder
from kosim.experiments.teaching.results import TeachResults
from kosim.experiments.teaching.run import teach_students
from kosim.experiments.teaching.settings import TeachSettings, students_of


def teach(
    kind: Kind | Literal["both"],
    *,
    teachers: str | Sequence[str] = (),
    corpus: str | Path | None = None,
    train: str | Path | None = None,
    test: str | Path | None = None,
    student: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    progress: Progress | None = None,
    language: Language = "en",
    **settings: Any,
) -> TeachResults:
    """Teach an encoder what others say of pairs of a corpus, and what people say of gold pairs.

    Args:
        kind: of the student: bi, cross, or both in turns (then give ``rounds`` too).
        teachers: saved encoders that label the pairs, one or several; their mean is the label.
        corpus: text with one sentence per line.
        train: file of gold pairs; a tenth of them chooses the epoch.
        test: file of test pairs, on which the gains are measured.
        student: fields of ``EncoderSettings``, such as ``{"backbone": "mini"}``.
        out: the folder of the run; ``runs/teach-KIND`` when None.
        resume: go on with a killed run of the same settings, the newest when ``out`` is None.
        overwrite: replace an earlier run.
        callbacks: transformers' hooks into the trainings.
        progress: told what is being done; shown below the cell of a notebook when None.
        language: of the reports.
        settings: further fields of ``TeachSettings``, such as ``pairs=5_000``.

    Raises:
        KosimError: of the kind that fits what was wrong; nothing half-written looks whole.
    """
    folder = choose_folder(f"teach-{kind}", out, resume=resume, overwrite=overwrite)
    files = {"train": train, "test": test}
    given = {name: str(path) for name, path in files.items() if path is not None}
    content = {
        "name": folder.name,
        "teachers": [teachers] if isinstance(teachers, str) else list(teachers),
        "corpus": None if corpus is None else str(corpus),
        "data": given or None,
        "students": students_of(kind, student or {}),
        **settings,
    }
    return teach_students(
        TeachSettings.parse(content),
        folder,
        resume=resume,
        overwrite=overwrite,
        callbacks=callbacks,
        progress=progress or notebook_progress(),
        language=language,
    )
