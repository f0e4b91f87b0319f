"""Small versions of the sweeps; `make faults` runs them for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.sweep import sweep
from tests.faults.trials import Trials, compiled_shim, temporary_folder

LIGHT = ["create", "overwrite", "add", "long add", "remove", "compact", "words", "policy", "split"]
HEAVY = ["build", "extend", "save", "save again"]


@pytest.mark.slow
@pytest.mark.parametrize("operations", [LIGHT, HEAVY], ids=["stores", "with encoders"])
def test_errors_and_kills_leave_the_old_or_the_new(operations: list[str]) -> None:
    with temporary_folder() as name:
        shim = compiled_shim(Path(name))
        if shim is None:
            pytest.skip("needs a C compiler")
        with Trials(Path(name), shim) as trials:
            sweep(trials, operations, errors=60, kills=20, seconds=60)
    assert trials.report.failures == []
    assert trials.report.errors and trials.report.kills
