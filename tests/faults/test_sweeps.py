"""Small versions of the sweeps; `make faults` runs them for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import damage, full_disk
from tests.faults.operations import load_encoders
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
            sweep(trials, operations, errors=40, kills=15, seconds=40)
    assert trials.report.failures == []
    assert trials.report.errors and trials.report.kills


def test_damaged_stores_are_refused_named_or_unaffected(tmp_path: Path) -> None:
    stores = ["index", "hnsw index", "shards", "policy"]
    report = damage.sweep(tmp_path, stores, trials=60, seconds=60)
    assert report.failures == []
    assert report.ends["refused"] and report.ends["named by verify"]


@pytest.mark.slow
def test_damaged_encoders_and_builds_are_refused_or_unaffected(tmp_path: Path) -> None:
    load_encoders(tmp_path)
    names = ["unfinished build", "encoder", "export"]
    report = damage.sweep(tmp_path, names, trials=18, seconds=150, seed=1)
    assert report.failures == []
    assert report.ends["refused"] and report.ends["without effect"]


@pytest.mark.slow
def test_a_disk_that_is_full_now_and_then_loses_nothing() -> None:
    with full_disk.small_disk() as disk:
        if disk is None:
            pytest.skip("a file system cannot be mounted here")
        with Trials(disk.folder, None) as trials:
            full_disk.sweep(trials, disk, LIGHT, count=2 * len(LIGHT), seconds=60)
    assert trials.report.failures == []
    assert trials.report.full
