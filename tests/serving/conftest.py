"""Tiny encoders, an index of them, and a service over both; made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("fastapi", reason="needs kosim[serve]")
pytest.importorskip("httpx", reason="needs kosim[test]")

from fastapi.testclient import TestClient

from kosim.encoders.bi import BiEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.loading import load
from kosim.encoders.model_card import CARD
from kosim.index.build import build_index
from kosim.index.documents import Document
from kosim.serving.app import create_app
from kosim.serving.settings import ServingSettings
from tests.conftest import make_once
from tests.encoders.test_model_card import CARD_TEXT
from tests.encoders.tiny import SENTENCES
from tests.experiments.tiny_artifacts import sentences
from tests.serving.running import Running, running

HERE = "http://localhost"
"""What a client of this machine calls the server: one that is bound to loopback knows no other."""

TEXTS = list(dict.fromkeys(sentences(120)))[:60]


@pytest.fixture(scope="session", autouse=True)
def quick(exported_once: None) -> None:
    """One thread: tiny networks spend most of their time on them."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def encoders(
    encoders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The encoders, with a cross-encoder whose scores spread over the scale.

    So both verdicts occur.
    """

    def spread(folder: Path) -> None:
        cross = load(encoders["cross"], device="cpu")
        raw = cross.score([(a, b) for a in SENTENCES for b in SENTENCES], raw=True)
        labels = np.linspace(0.5, 4.5, len(raw))[np.argsort(np.argsort(raw))]
        cross.calibration = MonotoneCalibration.fit(raw, labels)
        cross.threshold = 2.5
        cross.save(folder / "cross")
        (folder / "cross" / CARD).write_text(CARD_TEXT, encoding="utf-8")

    return {**encoders, "cross": make_once(tmp_path_factory, "spread", spread) / "cross"}


@pytest.fixture(scope="session")
def bi(encoders: dict[str, Path]) -> BiEncoder:
    """The bi-encoder itself, for the values that the service must give."""
    encoder = load(encoders["bi"], device="cpu")
    assert isinstance(encoder, BiEncoder)
    return encoder


@pytest.fixture(scope="session")
def cross(encoders: dict[str, Path]) -> CrossEncoder:
    """The cross-encoder itself."""
    encoder = load(encoders["cross"], device="cpu")
    assert isinstance(encoder, CrossEncoder)
    return encoder


def make_index(folder: Path, encoder: BiEncoder) -> Path:
    """Build an index of `TEXTS` with ids d0, d1, ..."""
    documents = [Document(f"d{n}", text, {"n": n}) for n, text in enumerate(TEXTS)]
    build_index(documents, encoder, folder)
    return folder


@pytest.fixture(scope="session")
def index(bi: BiEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that tests may add to and remove from what they added."""
    return make_index(tmp_path_factory.mktemp("index") / "corpus", bi)


@pytest.fixture(scope="session")
def settings(encoders: dict[str, Path], index: Path) -> ServingSettings:
    """Settings of the service in this process."""
    return ServingSettings(
        cross=encoders["cross"], index=index, max_items=50, max_characters=400, max_bytes=100_000
    )


@pytest.fixture(scope="session")
def client(settings: ServingSettings) -> Iterator[TestClient]:
    """The service in this process; an error inside it is a 500, as for real clients."""
    with TestClient(create_app(settings), base_url=HERE, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def server(
    encoders: dict[str, Path], bi: BiEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The service in a process of its own, with an index of its own."""
    index = make_index(tmp_path_factory.mktemp("served") / "corpus", bi)
    with running(
        "--reranker", encoders["cross"], "--index", index, "--max-bytes", 2_000_000
    ) as server:
        yield server
