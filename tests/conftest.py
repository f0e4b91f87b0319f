"""What every room's tests share: markers, the order of files, the shared data."""

from __future__ import annotations

import os
from pathlib import Path

# Before any Hugging Face library is imported: the suite never asks a hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest

from tests.checkout import ROOT

SHARED = ROOT.parent / "shared"

STARTS_PROCESSES = ("cluster", "browser", "torchrun")
"""Markers of tests that start what takes long; such a test is slow too."""

LONGEST = (
    "cluster",
    "tests/distributed/test_torchrun.py",
    "tests/experiments/test_tuning_workers.py",
    "tests/serving/test_hostile.py",
    "tests/serving/test_browser.py",
    "tests/experiments/test_tokenizer_comparison.py",
    "tests/experiments/test_peers.py",
    "tests/index/test_index_faults.py",
    "tests/index/test_index_machine.py",
    "tests/experiments/test_comparison.py",
    "tests/encoders/test_pretraining.py",
    "tests/encoders/test_distillation.py",
    "tests/encoders/test_backends.py",
    "tests/encoders/test_interface.py",
    "tests/encoders/test_resuming.py",
)
"""Groups that begin first, so that no process is left alone with a long one at the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark and group the tests: one group is run by one process, in order.

    A group is a file, whose tests share fixtures. All tests of a cluster are one group, so that
    no two clusters share the cores.
    """
    groups = {}
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker("cluster")
        if any(item.get_closest_marker(name) for name in STARTS_PROCESSES):
            item.add_marker("slow")
        groups[item] = item.path.relative_to(ROOT).as_posix()
        if item.get_closest_marker("cluster"):
            groups[item] = "cluster"
        item.add_marker(pytest.mark.xdist_group(groups[item]))
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(groups[item], len(order)))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real data and models, where there is one."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the shared data beside the checkout")
    return SHARED
