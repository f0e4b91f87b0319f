"""Storages of studies that are damaged, edited, or restarted: waited for, or one line."""

from __future__ import annotations

import random
import shutil
import sqlite3
import stat
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, OperationalError

from kosim.encoders.errors import KosimError, StorageError
from kosim.experiments.tuning import storage as module
from kosim.experiments.tuning.outcome import describe_study
from kosim.experiments.tuning.run import report_study
from kosim.experiments.tuning.settings import TuneSettings
from kosim.experiments.tuning.storage import open_storage
from kosim.experiments.tuning.study import SETTINGS, load_study, settings_of
from kosim.experiments.tuning.trial import CURVES, EPOCHS, PER_SEED, SECONDS
from kosim.experiments.tuning.workers import run_workers
from tests.experiments.databases import Database
from tests.experiments.tiny_studies import small_study

LOST = OperationalError("select 1", {}, Exception("server closed the connection"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose trials have ended, though nothing was trained."""
    path = tmp_path_factory.mktemp("study") / "study.db"
    study = small_study(str(path))
    for _ in range(4):
        trial = study.ask()
        value = 0.5 + 0.01 * trial.number
        settings_of(study).space["epochs"].suggest(trial, "epochs")
        settings_of(study).space["learning_rate"].suggest(trial, "learning_rate")
        for name, attribute in {
            PER_SEED: [value],
            EPOCHS: 1,
            SECONDS: 1.0,
            CURVES: {},
        }.items():
            trial.set_user_attr(name, attribute)
        study.tell(trial, value)
    return path


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    """A copy of the study to damage."""
    return Path(shutil.copy(whole, tmp_path / "study.db"))


def report(path: Path) -> dict[str, Any]:
    """Return what is reported of the study."""
    study = load_study(open_storage(str(path)), "small")
    return describe_study(study, settings_of(study))


def edit(path: Path, statement: str, *values: object) -> None:
    """Change a row behind Optuna's back."""
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute(statement, values).rowcount > 0


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        (f"UPDATE study_user_attributes SET value_json = ? WHERE key = '{SETTINGS}'", "{"),
        (f"UPDATE study_user_attributes SET value_json = ? WHERE key = '{SETTINGS}'", '"["'),
        (f"UPDATE study_user_attributes SET value_json = ? WHERE key = '{SETTINGS}'", '"[]"'),
        (f"UPDATE study_user_attributes SET value_json = ? WHERE key = '{SETTINGS}'", "7"),
        (f"UPDATE trial_user_attributes SET value_json = ? WHERE key = '{PER_SEED}'", '"x"'),
        (f"UPDATE trial_user_attributes SET value_json = ? WHERE key = '{CURVES}'", "{"),
        (f"UPDATE trial_user_attributes SET value_json = ? WHERE key = '{EPOCHS}'", "[]"),
        ("UPDATE trials SET state = ?", "NOTHING"),
        ("UPDATE trial_params SET distribution_json = ?", "{}"),
        ("UPDATE trial_params SET distribution_json = ?", "["),
        ("UPDATE trial_params SET param_name = ? WHERE param_name = 'epochs'", "other"),
        ("UPDATE trial_values SET value = ?", "text"),
        ("UPDATE study_directions SET direction = ?", "SIDEWAYS"),
    ],
)
def test_an_edited_study_is_one_line(
    copied: Path, tmp_path: Path, statement: str, value: object
) -> None:
    edit(copied, statement, value)
    with pytest.raises(KosimError) as caught:
        report_study(load_study(open_storage(str(copied)), "small"), tmp_path / "out", test=False)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_one_line_or_does_not_matter(whole: Path, tmp_path: Path) -> None:
    draw, content = random.Random(5), whole.read_bytes()
    refused = 0
    for number in range(24):
        damaged = bytearray(content)
        start = draw.randrange(len(content))
        damaged[start : start + 200] = draw.randbytes(min(200, len(content) - start))
        path = tmp_path / f"{number}.db"
        path.write_bytes(damaged if number % 2 else damaged[: max(1, start)])
        try:
            report(path)
        except KosimError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 6


def stand_in(patience: float) -> Any:
    return SimpleNamespace(
        patience=patience,
        shown="postgresql://host/base",
        engine=SimpleNamespace(dialect=SimpleNamespace(name="postgresql")),
    )


def test_a_lost_connection_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0)
    ends: list[Any] = [LOST, StorageInternalError("during the commit"), "done"]
    ends[1].__cause__ = LOST

    def call() -> str:
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return str(end)

    assert module._patiently(stand_in(60), "get_trial", call) == "done"
    assert ends == []


def test_an_end_that_was_stored_unconfirmed_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0)
    ends: list[Exception] = [LOST, UpdateFinishedTrialError()]

    def call() -> None:
        raise ends.pop(0)

    assert module._patiently(stand_in(60), "set_trial_state_values", call) is True
    with pytest.raises(UpdateFinishedTrialError):
        ends.append(UpdateFinishedTrialError())
        module._patiently(stand_in(60), "set_trial_state_values", call)


@pytest.mark.parametrize(
    ("error", "patience"), [(LOST, 0.0), (DatabaseError("insert", {}, Exception("no\nroom")), 60.0)]
)
def test_what_waiting_does_not_mend_is_one_line(error: Exception, patience: float) -> None:
    def call() -> None:
        raise error

    storage = stand_in(patience)
    with pytest.raises(StorageError, match="postgresql://host/base does not work") as caught:
        module._patiently(storage, "get_trial", call)
    assert "\n" not in str(caught.value)
    assert storage.patience == 0
    assert module._patiently(storage, "record_heartbeat", call) is None


def test_a_password_is_no_argument_of_a_worker(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, said = tmp_path / "python", tmp_path / "said"
    program.write_text(f'#!/bin/sh\necho "$@" > {said}\necho "$KOSIM_STORAGE" > {said}.env\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr("kosim.experiments.tuning.workers._POLL", 0.01)
    study = load_study(open_storage(str(whole)), "small")
    run_workers(study, "postgresql://me:secret@host/base", 1)
    assert "tune worker --study small --number 0" in said.read_text()
    assert "secret" not in said.read_text()
    assert (tmp_path / "said.env").read_text() == "postgresql://me:secret@host/base\n"


@pytest.mark.slow
def test_a_restarted_database_is_waited_for_and_a_dead_one_is_one_line(database: Database) -> None:
    study = small_study(database.address)
    database.kill()
    with pytest.raises(StorageError, match="cannot be opened"):
        open_storage(database.address)
    threading.Timer(3, database.start).start()
    assert len(study.get_trials()) == 4
    trial = study.ask()
    database.kill()
    threading.Timer(3, database.start).start()
    study.tell(trial, 0.5)
    assert study.trials[trial.number].value == 0.5
    database.kill()
    study._storage._backend.patience = 1.0  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match="does not work") as caught:
        study.ask()
    assert "\n" not in str(caught.value)
    database.start()


def change(path: Path, trial: int, state: TrialState) -> bool:
    """Change the state of a trial from a storage of its own, as another worker does."""
    try:
        return open_storage(str(path)).set_trial_state_values(trial, state)
    except UpdateFinishedTrialError:
        return False


@pytest.mark.parametrize("state", [TrialState.RUNNING, TrialState.FAIL])
def test_one_of_two_workers_changes_a_trial(tmp_path: Path, state: TrialState) -> None:
    """Both take it, or fail it because its worker was killed, and the second reads in between."""
    path = tmp_path / "study.db"
    study = small_study(str(path))
    study.enqueue_trial({})
    waiting = study.trials[-1]
    first = open_storage(str(path))
    with ThreadPoolExecutor(1) as pool:
        second: list[Future[bool]] = []

        def meet(*_: object) -> None:
            if not second:
                second.append(pool.submit(change, path, waiting._trial_id, state))
                wait(second, timeout=1)

        event.listen(first.scoped_session, "before_flush", meet)
        assert first.set_trial_state_values(waiting._trial_id, state)
        assert not second[0].result()
    assert study.trials[-1].state == state


def test_settings_survive_being_stored(whole: Path) -> None:
    settings = settings_of(load_study(open_storage(str(whole)), "small"))
    assert TuneSettings.from_json(settings.to_json()) == settings
