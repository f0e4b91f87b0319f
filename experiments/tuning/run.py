"""A tuning end to end: plan, search on the validation pairs, and one look at the test."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from transformers import TrainerCallback

from kosim.encoders.artifact import library_versions
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.comparison.run import compare
from kosim.experiments.settings import CompareSettings
from kosim.experiments.study.environment import describe_environment
from kosim.experiments.tuning.outcome import best_settings, describe_study
from kosim.experiments.tuning.report import write_report
from kosim.experiments.tuning.settings import TuneSettings
from kosim.experiments.tuning.study import settings_of

BEST_CONFIG = "best.toml"
BASE, BEST = "base", "best"


def report_study(
    study: optuna.Study,
    folder: Path,
    *,
    test: bool = True,
    callbacks: Sequence[TrainerCallback] = (),
    announce: Callable[[str], object] = lambda stage: None,
) -> dict[str, Any]:
    """Write what a study found into ``folder``, and return the content of ``results.json``.

    The best configuration is written as a config that ``kosim compare`` takes. Where ``test`` is
    true, base and best are trained once more and compared on the test pairs, which nothing
    before has seen; the whole comparison lies in ``folder/test``.

    Raises:
        DataError: no trial has ended with a value.
        KosimError: of the kind that fits, where the comparison fails.
    """
    settings = settings_of(study)
    results: dict[str, Any] = {
        "name": f"tuning {study.study_name}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "kosim_version": library_versions()["kosim"],
        **describe_study(study),
        "settings": settings.model_dump(mode="json"),
        "environment": describe_environment(),
        "test": None,
    }
    write_text(folder / BEST_CONFIG, _best_config(study, settings).to_toml())
    if test and best_settings(study) != settings.base:
        announce("training base and best for the test")
        compared = compare(
            _final(study, settings),
            folder / "test",
            resume=(folder / "test").exists(),
            callbacks=callbacks,
            announce=announce,
        )
        results["test"] = {
            "difference": compared["difference"],
            "encoders": {name: encoder["test"] for name, encoder in compared["encoders"].items()},
        }
    write_report(results, folder)
    write_json(folder / "results.json", results)
    return results


def _best_config(study: optuna.Study, settings: TuneSettings) -> CompareSettings:
    encoders = {**settings.comparison.encoders, settings.name: best_settings(study)}
    return settings.comparison.model_copy(update={"encoders": encoders})


def _final(study: optuna.Study, settings: TuneSettings) -> CompareSettings:
    return settings.comparison.model_copy(
        update={
            "name": f"{study.study_name}: base and best",
            "encoders": {BEST: best_settings(study), BASE: settings.base},
        }
    )
