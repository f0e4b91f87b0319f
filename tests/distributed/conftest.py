"""A cluster of two nodes on this machine, and encoders that its workers can open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'kosim[scale]'")

import ray
from ray.cluster_utils import Cluster

from benchmarks.local_cluster import two_nodes
from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from tests.encoders.tiny import write_koelectra


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one CPU each, to which this process is connected."""
    with two_nodes(cpus=1) as made:
        ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
        yield made
        ray.shutdown()


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bi-encoder, ``bi``, and a cross-encoder, ``cross``, both untrained."""
    folder = tmp_path_factory.mktemp("encoders")
    backbone = str(write_koelectra(folder / "koelectra"))
    BiEncoder.from_backbone(backbone, device="cpu").save(folder / "bi")
    CrossEncoder.from_backbone(backbone, device="cpu").save(folder / "cross")
    return folder
