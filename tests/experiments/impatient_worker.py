"""``kosim`` in a process whose workers of a study count as killed after seconds without a sign.

What they train is as small as in the process of the tests. Each stays in the middle of a trial
until the study has the attribute `GO_ON`, so that a test meets all of them there.
"""

from __future__ import annotations

import time
from unittest import mock

import optuna
import pytest

from kosim.experiments.cli import main
from tests.experiments.conftest import build_less
from tests.experiments.tiny_studies import GO_ON

INTERVAL, GRACE = 1, 8

_report = optuna.Trial.report


def report_and_wait(trial: optuna.Trial, value: float, step: int) -> None:
    """Report the value of an epoch, and wait until the study says to go on."""
    _report(trial, value, step)
    while not trial.study.user_attrs.get(GO_ON):
        time.sleep(0.2)


if __name__ == "__main__":
    heartbeat = "kosim.experiments.tuning.heartbeat"
    with (
        mock.patch.multiple(heartbeat, INTERVAL=INTERVAL, GRACE=GRACE),
        pytest.MonkeyPatch.context() as patch,
    ):
        build_less(patch)
        patch.setattr(optuna.Trial, "report", report_and_wait)
        main(prog_name="kosim")
