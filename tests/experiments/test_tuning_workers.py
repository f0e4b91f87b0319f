"""Workers of ``kosim tune`` that are killed: nothing that was finished is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from kosim.experiments.tuning.plan import plan_trials
from kosim.experiments.tuning.settings import TuneSettings
from kosim.experiments.tuning.storage import open_storage
from kosim.experiments.tuning.study import PURPOSE
from kosim.experiments.tuning.worker import work
from tests.experiments.databases import Database
from tests.experiments.tiny_studies import GO_ON, small_study
from tests.forked import Program

WORKER = "tests.experiments.impatient_worker"


def start_worker(address: str, number: int, log: Path) -> Program:
    command = ("tune", "worker", "--storage", address, "--study", "small", "--number", number)
    with log.open("wb") as file:
        return Program(WORKER, *command, stdout=subprocess.DEVNULL, stderr=file)


def check_that_all_ran_once(study: optuna.Study) -> None:
    """Check that every planned trial was completed once, and that one was killed before that."""
    trials = [trial for trial in study.get_trials() if PURPOSE in trial.user_attrs]
    assert all(trial.state.is_finished() for trial in trials)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    planned = plan_trials(TuneSettings.from_json(study.user_attrs["kosim_settings"]))
    assert sorted(trial.params["learning_rate"] for trial in complete) == sorted(
        trial.values["learning_rate"] for trial in planned
    )
    assert sum(trial.state == TrialState.FAIL for trial in trials) == 1


def met(study: optuna.Study, count: int) -> bool:
    """Say whether so many trials have ended an epoch and wait to be told to go on."""
    running = study.get_trials(states=(TrialState.RUNNING,))
    return sum(bool(trial.intermediate_values) for trial in running) == count


def survive_a_kill(address: str, folder: Path, *, count: int) -> None:
    """Run a study on so many workers, of which one is killed in the middle of a trial."""
    space = {
        "epochs": {"values": [3]},
        "learning_rate": {"values": np.geomspace(1e-4, 1e-3, 2 * count).tolist()},
    }
    study = small_study(address, space=space)
    logs = [folder / f"worker-{number}.log" for number in range(count)]
    workers = [start_worker(address, number, log) for number, log in enumerate(logs)]
    try:
        deadline = time.monotonic() + 240
        while not met(study, count):
            assert time.monotonic() < deadline, [log.read_text() for log in logs]
            time.sleep(0.2)
        os.kill(workers[1].pid, signal.SIGKILL)
        study.set_user_attr(GO_ON, True)
        deadline = time.monotonic() + 240
        for worker in workers:
            worker.wait(timeout=max(1.0, deadline - time.monotonic()))
    finally:
        for worker in workers:
            worker.kill()
    codes = [worker.returncode for worker in workers]
    assert codes == [0, -signal.SIGKILL, 0][:count], [log.read_text() for log in logs]
    check_that_all_ran_once(study)


def test_a_worker_killed_before_its_first_sign_of_life_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between taking a trial and its first heartbeat, of which Optuna never learns."""
    monkeypatch.setattr("kosim.experiments.tuning.heartbeat.INTERVAL", 1)
    monkeypatch.setattr("kosim.experiments.tuning.heartbeat.GRACE", 2)
    address = str(tmp_path / "study.db")
    space = {"epochs": {"values": [1]}, "learning_rate": {"values": [1e-4, 5e-4]}}
    study = small_study(address, space=space)
    taken = study.ask()
    assert work(open_storage(address), "small") == 2
    assert study.trials[taken.number].state == TrialState.FAIL
    check_that_all_ran_once(study)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    survive_a_kill(f"sqlite:///{tmp_path / 'study.db'}", tmp_path, count=3)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_in_postgresql(database: Database, tmp_path: Path) -> None:
    survive_a_kill(database.address, tmp_path, count=2)
