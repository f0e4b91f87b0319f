"""A tuning end to end: plan, search on the validation pairs, and one look at the test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import optuna
from transformers import TrainerCallback

from kosim.encoders.errors import StorageError
from kosim.encoders.language import Language, Line
from kosim.encoders.storage import write_text
from kosim.experiments.comparison.run import compare
from kosim.experiments.settings import CompareSettings, EncoderSettings
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.study.results import header
from kosim.experiments.tuning.outcome import best_settings, describe_study
from kosim.experiments.tuning.results import TestResults, TuneResults
from kosim.experiments.tuning.storage import first_line
from kosim.experiments.tuning.study import settings_of

BEST_CONFIG = "best.toml"
BASE, BEST = "base", "best"


def report_study(
    study: optuna.Study,
    folder: Path,
    *,
    test: bool = True,
    callbacks: Sequence[TrainerCallback] = (),
    progress: Progress = silent,
    language: Language = "en",
) -> TuneResults:
    """Return what a study found, and write the best configuration for ``kosim compare``.

    Where ``test`` is true, base and best are trained once more and compared on the test pairs,
    which nothing before has seen; the whole comparison lies in ``folder/test``.

    Raises:
        DataError: no trial has ended with a value.
        StorageError: the study was edited.
        KosimError: of the kind that fits, where the comparison fails.
    """
    settings = settings_of(study)
    try:
        found, best = describe_study(study, settings), best_settings(study, settings)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise StorageError(
            f"the study {study.study_name} holds what no worker wrote "
            f"({type(error).__name__}: {first_line(error)}); restore its storage, or begin another"
        ) from error
    comparison, tested = settings.comparison, None

    def among(**encoders: EncoderSettings) -> CompareSettings:
        return comparison.model_copy(update={"encoders": encoders})

    write_text(
        folder / BEST_CONFIG, among(**{**comparison.encoders, settings.name: best}).to_toml()
    )
    if test and best != settings.base:
        progress(Line("training base and best for the test", "평가를 위해 기본과 최고 설정을 학습"))
        final = among(**{BEST: best, BASE: settings.base})
        compared = compare(
            final.model_copy(update={"name": f"{study.study_name}: base and best"}),
            folder / "test",
            resume=(folder / "test").exists(),
            callbacks=callbacks,
            progress=progress,
            language=language,
        )
        if compared.difference is not None:
            tests = {name: encoder.test for name, encoder in compared.encoders.items()}
            tested = TestResults(difference=compared.difference, encoders=tests)
    return TuneResults(**header(f"tuning {study.study_name}"), **found, test=tested)
