"""The storage of studies: Optuna's, which outlives a database that is restarted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from inspect import ismethod
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from kosim.encoders.errors import StorageError
from kosim.experiments.tuning.heartbeat import heartbeat_options

PATIENCE = 120.0
"""Seconds for which a database that does not answer any more is asked again."""
_PAUSE = 1.0
_HEARTBEAT = "record_heartbeat"
_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, AssertionError)
"""What Optuna and SQLAlchemy raise on rows that neither of them wrote."""


class PatientStorage(RDBStorage):
    """Optuna's storage in a database; whatever goes wrong there is one `StorageError`.

    A call that loses its connection is made again for ``patience`` seconds: Optuna's calls can be
    repeated. A trial whose start was not confirmed is found by its missing signs of life.
    """

    patience = 0.0
    """None while it is opened: a wrong address is to be said at once."""
    shown = "the storage"
    """Its address without a password, for messages."""

    def __getattribute__(self, name: str) -> Any:
        """Return an attribute; a method as one that is patient, also for Optuna's own cache."""
        value = super().__getattribute__(name)
        if name.startswith("__") or not ismethod(value):
            return value
        return partial(_patiently, self, name, value)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Change the state of a trial as Optuna does, and for one worker alone also in SQLite.

        Optuna reads the row "for update", which SQLite does not know: two workers would take the
        same trial, or both have a killed one run again. There the file is locked before the row is
        read.
        """
        if self.engine.dialect.name == "sqlite":
            self.scoped_session().execute(text("BEGIN IMMEDIATE"))
        return super().set_trial_state_values(trial_id, state, values)


_within = threading.local()


def _patiently(
    storage: PatientStorage, name: str, call: Callable[..., Any], *a: Any, **k: Any
) -> Any:
    if getattr(_within, "call", False):
        return call(*a, **k)
    _within.call = True
    began, repeated = time.monotonic(), False
    try:
        while True:
            try:
                return call(*a, **k)
            except (SQLAlchemyError, StorageInternalError) as error:
                reason = _cause(error)
                lost = isinstance(reason, OperationalError | InterfaceError)
                is_file = storage.engine.dialect.name == "sqlite"
                if not lost or is_file or time.monotonic() - began > storage.patience:
                    storage.patience = 0.0  # what follows, such as noting the failure, fails too
                    if name == _HEARTBEAT:
                        return None  # in a thread of its own; the trial's next call says it
                    raise StorageError(
                        f"the storage {storage.shown} does not work: {first_line(reason)}; repair "
                        "it, and continue with --resume"
                    ) from error
                repeated = True
                time.sleep(_PAUSE)
            except UpdateFinishedTrialError:
                if not repeated:
                    raise
                return True  # the call before was carried out, though nothing confirmed it
            except KeyError:
                raise  # Optuna's way to say that a study or trial is not there
            except _DAMAGED as error:
                raise StorageError(
                    f"the storage {storage.shown} is damaged or was edited: {first_line(error)}; "
                    "restore it, or begin another study"
                ) from error
    finally:
        _within.call = False


def _cause(error: BaseException) -> BaseException:
    """Return the error of the database behind that of Optuna."""
    while isinstance(error, StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def open_storage(address: str) -> RDBStorage:
    """Open a storage: a SQLite file, or the address of a database.

    Raises:
        StorageError: it cannot be reached, written or understood.
    """
    url = address if "://" in address else f"sqlite:///{Path(address).absolute()}"
    is_file = url.startswith("sqlite")
    options: dict[str, Any] = {"pool_pre_ping": True}
    if is_file:
        options = {"connect_args": {"timeout": 60}}
    try:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with heartbeat_options() as heartbeat:
            storage = PatientStorage(url, engine_kwargs=options, **heartbeat)
    except ModuleNotFoundError as error:
        raise StorageError(
            f"the storage {_hidden(url)} needs the package {error.name}; "
            f"pip install {error.name}, or pip install 'kosim[tune]'"
        ) from error
    except (StorageError, SQLAlchemyError, OSError, RuntimeError, ImportError, *_DAMAGED) as error:
        reason = first_line(error.__cause__ if isinstance(error, StorageError) else error)
        raise StorageError(
            f"the storage {_hidden(url)} cannot be opened: {reason}; give a SQLite "
            "file or the address of a database that is running"
        ) from error
    storage.patience, storage.shown = PATIENCE, _hidden(url)
    return storage


def _hidden(url: str) -> str:
    """Return an address without its password."""
    scheme, found, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if found and "@" in rest else url


def first_line(error: BaseException | None) -> str:
    """Return the first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
