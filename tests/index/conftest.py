"""Tiny encoders that the tests of this room share; made once, never changed by a test."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch

from encoders.bi import BiEncoder
from encoders.cross import CrossEncoder
from tests.encoders.tiny import write_koelectra


@pytest.fixture(scope="session", autouse=True)
def quick() -> None:
    """One thread, and no garbage collection through the imported libraries."""
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def koelectra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backbone folder of both encoders."""
    return write_koelectra(tmp_path_factory.mktemp("backbone") / "koelectra")


@pytest.fixture(scope="session")
def bi(koelectra: Path) -> BiEncoder:
    """An untrained bi-encoder; its random weights are large, so that cosines differ clearly."""
    return BiEncoder.from_backbone(str(koelectra), device="cpu")


@pytest.fixture(scope="session")
def cross(koelectra: Path) -> CrossEncoder:
    """An untrained cross-encoder whose scores differ clearly and depend on a pair's order."""
    return CrossEncoder.from_backbone(str(koelectra), device="cpu")
