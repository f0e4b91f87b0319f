"""Tune every contender of a comparison alike, before the test pairs are looked at."""

from __future__ import annotations

from pathlib import Path

from kosim.encoders.language import both
from kosim.experiments.comparison.preflight import check_run, check_trials
from kosim.experiments.data.partition import load_training
from kosim.experiments.settings import CompareSettings
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.tuning.outcome import best_settings
from kosim.experiments.tuning.settings import TuneSettings, data_fingerprint
from kosim.experiments.tuning.space import space_around
from kosim.experiments.tuning.storage import open_storage
from kosim.experiments.tuning.study import begin_study, load_study
from kosim.experiments.tuning.worker import work


def tune_alike(
    settings: CompareSettings,
    folder: Path,
    trials: int,
    *,
    resume: bool = False,
    progress: Progress = silent,
) -> CompareSettings:
    """Return the comparison with each contender's best of ``trials`` configurations.

    The first configuration of each is its own. All are judged by Pearson on the validation
    pairs, with the comparison's seeds; the test pairs are only kept out of what is learnt from.

    Args:
        settings: the comparison.
        folder: where the studies are kept, so that a killed search goes on.
        trials: how many configurations each contender gets.
        resume: go on with studies that are there.
        progress: told which study begins.

    Raises:
        ConfigError: a contender is a saved encoder, ``trials`` is below 2, or studies are there
            and ``resume`` is false.
        DataError: no trial of a contender ended with a value.
    """
    check_trials(settings, trials)
    training = load_training(settings.data)
    check_run(settings, training, folder)
    data = data_fingerprint(training)
    storage = open_storage(str(folder / "study.db"))
    chosen = {}
    for name, encoder in settings.encoders.items():
        progress(
            both(
                "{name}: {n} trials on the validation pairs",
                "{name}: 검증 데이터로 {n}번 시도",
                name=name,
                n=trials,
            )
        )
        alone = settings.model_copy(update={"encoders": {name: encoder}})
        tuned = TuneSettings(
            kind=encoder.kind,
            comparison=alone,
            space=space_around(encoder),
            sampler="tpe",
            trials=trials,
            metric="pearson",
            prune=None,
            seed=0,
        )
        study = begin_study(storage, name, tuned, data, resume=resume)
        work(storage, name)
        best = best_settings(load_study(storage, study.study_name), tuned)
        chosen[name] = best.model_copy(update={"trials": trials})
    return settings.model_copy(update={"encoders": chosen})
