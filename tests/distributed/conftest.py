"""A cluster of two nodes on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'kosim[scale]'")

import ray
from ray.cluster_utils import Cluster

from benchmarks.local_cluster import two_nodes


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one CPU each, to which this process is connected."""
    with two_nodes(cpus=1) as made:
        ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
        yield made
        ray.shutdown()
