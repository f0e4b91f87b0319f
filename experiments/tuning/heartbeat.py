"""The signs of life of running trials, by which a killed worker's trial is found and run again."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

INTERVAL = 10
"""Seconds between the signs of life of a running trial."""
GRACE = 40
"""Seconds without one after which a trial counts as killed and is run again."""
RETRIES = 3


@contextmanager
def heartbeat_options() -> Iterator[dict[str, Any]]:
    """Yield how Optuna's storage is opened so that trials whose worker is killed are retried."""
    with _knowing_that_it_is_experimental():
        yield {
            "heartbeat_interval": INTERVAL,
            "grace_period": GRACE,
            "heartbeat_stale_trial_callback": RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
        }


def is_retry(trial: FrozenTrial) -> bool:
    """Return whether a trial is run again for one whose worker was killed."""
    with _knowing_that_it_is_experimental():
        return RetryHeartbeatStaleTrialCallback.retried_trial_number(trial) is not None


class Watch:
    """Finds the trials of a study whose worker was killed, and has them run again."""

    def __init__(self, study: optuna.Study, storage: RDBStorage) -> None:
        self._study = study
        self._storage = storage
        self._seen: set[int] = set()

    def look(self) -> None:
        """Fail the trials that gave no sign of life for too long; each is planned once more.

        To Optuna a trial that never gave one is alive for ever, and a worker takes its trial a
        moment before it gives the first: killed in between, it would keep all others waiting. So
        whoever first sees a trial running gives a sign for it.
        """
        with _knowing_that_it_is_experimental():
            fail_stale_trials(self._study)
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if trial.number not in self._seen:
                self._seen.add(trial.number)
                study = self._storage.get_study_id_from_name(self._study.study_name)
                self._storage.record_heartbeat(
                    self._storage.get_trial_id_from_study_id_trial_number(study, trial.number)
                )


@contextmanager
def _knowing_that_it_is_experimental() -> Iterator[None]:
    """Keep back Optuna's remark that its heartbeat may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
        yield
