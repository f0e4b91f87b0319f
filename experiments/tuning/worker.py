"""A worker: one process that takes waiting trials until none is left."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from kosim.encoders.errors import KosimError
from kosim.experiments.data.partition import load_training
from kosim.experiments.tuning.heartbeat import Watch
from kosim.experiments.tuning.settings import data_fingerprint
from kosim.experiments.tuning.study import PURPOSE, check_data, load_study, settings_of
from kosim.experiments.tuning.trial import OUTCOME, run_trial

_POLL = 2.0
"""Seconds between two looks at the trials of other workers."""


class _SurplusError(KosimError):
    """Optuna made a trial that was not planned, because the last waiting one was just taken."""


def work(
    storage: RDBStorage,
    name: str,
    *,
    worker: int = 0,
    minutes: float | None = None,
    report: Callable[[optuna.trial.FrozenTrial], None] = lambda trial: None,
) -> int:
    """Run trials of a study until none is waiting or running.

    A worker waits for the trials of others: one of them may be killed, and its trial is run
    again by whoever notices. A trial that fails is recorded with the reason, and the study goes
    on.

    Args:
        storage: of the study.
        name: of the study.
        worker: number of this process.
        minutes: begin no trial after so many.
        report: called with every trial that this worker ended.

    Returns:
        How many trials it ran.

    Raises:
        ConfigError: there is no such study, or its data are other ones here.
    """
    study = load_study(storage, name, worker=worker)
    settings = settings_of(study)
    pairs = load_training(settings.comparison.data)
    check_data(study, data_fingerprint(pairs))
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    count = 0

    def ended(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        nonlocal count
        if PURPOSE in trial.user_attrs:
            count += 1
            report(trial)

    with tempfile.TemporaryDirectory(prefix="kosim-") as scratch:

        def objective(trial: optuna.Trial) -> float:
            try:
                if PURPOSE not in trial.user_attrs:
                    raise _SurplusError("another worker took the last waiting trial")
                return run_trial(trial, settings, pairs, Path(scratch) / "backbone")
            except KosimError as error:
                trial.set_user_attr(OUTCOME, str(error))
                raise

        watch = Watch(study, storage)
        while deadline is None or time.monotonic() < deadline:
            watch.look()
            if _any(study, TrialState.WAITING):
                study.optimize(objective, n_trials=1, catch=(KosimError,), callbacks=[ended])
            elif _any(study, TrialState.RUNNING):
                time.sleep(_POLL)
            else:
                break
    return count


def _any(study: optuna.Study, state: TrialState) -> bool:
    return bool(study.get_trials(deepcopy=False, states=(state,)))
