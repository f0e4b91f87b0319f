"""Tiny encoders that the tests of this room share; made once, never changed by a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch

from encoders.base import PairEncoder
from encoders.bi import BiEncoder
from encoders.loading import KINDS
from tests.encoders.tiny import HUB_ID, write_hub_cache, write_koelectra


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny networks lose time to threads, and sums keep their order with one."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def koelectra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone folder in KoELECTRA's layout, its embeddings narrower than its layers."""
    return write_koelectra(tmp_path_factory.mktemp("backbone") / "koelectra")


@pytest.fixture(scope="session")
def hub_folder(koelectra: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub cache that holds the backbone under KoELECTRA's id."""
    return write_hub_cache(tmp_path_factory.mktemp("hub"), koelectra)


@pytest.fixture
def hub_cache(hub_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub cache, in force for one test."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(hub_folder))
    return hub_folder


@pytest.fixture(scope="session", params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def encoder(kind: str, hub_folder: Path) -> Iterator[PairEncoder]:
    """An untrained encoder of each kind, loaded by KoELECTRA's hub id."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(hub_folder))
        yield KINDS[kind].from_backbone(HUB_ID, device="cpu")


@pytest.fixture(scope="session")
def saved(encoder: PairEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of ``encoder``; copy it before damaging it."""
    folder = tmp_path_factory.mktemp("artifact") / encoder.kind
    encoder.save(folder)
    return folder


@pytest.fixture(scope="session")
def bi(koelectra: Path) -> BiEncoder:
    """An untrained bi-encoder."""
    return BiEncoder.from_backbone(str(koelectra), device="cpu")
