"""The worker processes of one machine: started, watched, and ended with the command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import optuna
from optuna.trial import TrialState

from kosim.encoders.errors import TrainingError

_POLL = 1.0
STORAGE_VARIABLE = "KOSIM_STORAGE"
"""The variable of the environment that says where a study is stored."""


def run_workers(
    study: optuna.Study,
    address: str,
    count: int,
    *,
    minutes: float | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Start ``count`` worker processes and wait until they have ended.

    The cores that this process may use are shared out among them. One that is killed is not
    replaced: the others run its trial again.

    Args:
        study: whose trials are run.
        address: of its storage, which the processes open themselves.
        count: processes.
        minutes: begin no trial after so many.
        report: called with (trials ended, trials planned).

    Raises:
        TrainingError: all of them failed before the study was done.
    """
    threads = str(max(1, len(os.sched_getaffinity(0)) // count))
    # Everybody may read the arguments of a process, and an address may have a password.
    own = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, STORAGE_VARIABLE: address}
    command = [sys.executable, "-m", "kosim", "tune", "worker", "--study", study.study_name]
    if minutes is not None:
        command += ["--minutes", str(minutes)]
    running = [
        subprocess.Popen(
            [*command, "--number", str(number)],
            env={**os.environ, **own},
            stdout=subprocess.DEVNULL,
        )
        for number in range(count)
    ]
    try:
        while any(process.poll() is None for process in running):
            report(*progress(study))
            time.sleep(_POLL)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    report(*progress(study))
    if all(process.returncode for process in running):
        raise TrainingError(
            f"all {count} workers of the study {study.study_name} ended with an error (exit codes "
            f"{', '.join(str(process.returncode) for process in running)}); what they finished is "
            "kept: remove the cause and continue with --resume"
        )


def progress(study: optuna.Study) -> tuple[int, int]:
    """Return how many trials have ended, and how many there are; killed ones do not count."""
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    ended = sum(state in (TrialState.COMPLETE, TrialState.PRUNED) for state in states)
    return ended, len(states) - sum(state == TrialState.FAIL for state in states)
