"""Tiny encoders that the tests of this room share; made once, never changed by a test."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import pytest
import torch

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.loading import KINDS
from tests.encoders.tiny import HUB_ID, tiny_encoder, write_hub_cache


@pytest.fixture(scope="session", autouse=True)
def quick(exported_once: None) -> None:
    """One thread: tiny networks spend most of their time on them."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def hub_folder(koelectra: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub cache that holds the backbone under KoELECTRA's id."""
    return write_hub_cache(tmp_path_factory.mktemp("hub"), koelectra)


@pytest.fixture
def hub_cache(hub_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub cache, in force for one test."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(hub_folder))
    return hub_folder


@pytest.fixture(scope="session")
def untrained(hub_folder: Path) -> dict[str, PairEncoder]:
    """An untrained encoder of each kind, loaded by KoELECTRA's hub id."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(hub_folder))
        return {
            kind: encoder.from_backbone(HUB_ID, device="cpu") for kind, encoder in KINDS.items()
        }


@pytest.fixture(scope="session")
def artifacts(
    untrained: dict[str, PairEncoder], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The saved artifact of each untrained encoder."""
    folder = tmp_path_factory.mktemp("artifacts")
    for kind, encoder in untrained.items():
        encoder.save(folder / kind)
    return {kind: folder / kind for kind in untrained}


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind in turn."""
    return str(request.param)


@pytest.fixture
def encoder(kind: str, untrained: dict[str, PairEncoder]) -> PairEncoder:
    """The shared encoder of each kind; leave it as it is."""
    return untrained[kind]


@pytest.fixture
def fresh(kind: str, koelectra: Path) -> PairEncoder:
    """An encoder of each kind that the test may change."""
    return tiny_encoder(kind, koelectra)


@pytest.fixture
def saved(kind: str, artifacts: dict[str, Path]) -> Path:
    """The shared artifact of each kind; copy it before damaging it."""
    return artifacts[kind]


@pytest.fixture(scope="session")
def bi(koelectra: Path) -> BiEncoder:
    """An untrained bi-encoder."""
    return BiEncoder.from_backbone(str(koelectra), device="cpu")
