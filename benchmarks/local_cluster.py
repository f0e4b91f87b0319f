"""A Ray cluster of two nodes on one machine, which may be busy with other things."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
from ray.cluster_utils import Cluster

_AGENTS = (
    "metrics_agent_port",
    "metrics_export_port",
    "dashboard_agent_listen_port",
    "runtime_env_agent_port",
)
"""Ports of what belongs to a node. Where they are given, a node begins without waiting for it."""

_WITHOUT = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
"""What a cluster of tests has no use for, and which takes as long to start as the rest."""

_PATIENT = {"RAY_agent_register_timeout_ms": "120000", "RAY_worker_niceness": "0"}
"""Workers are 15 nicer than their node by default: they would get nothing of a busy machine."""

_ATTEMPTS = 4


@contextmanager
def two_nodes(cpus: int) -> Iterator[Cluster]:
    """Start a cluster of two nodes of so many CPUs, and end it."""
    for name, value in _PATIENT.items():
        os.environ.setdefault(name, value)
    cluster = _started(cpus)
    try:
        yield cluster
    finally:
        cluster.shutdown()


def processes(pattern: str) -> list[psutil.Process]:
    """Return the workers of this machine whose title, after Ray's own mark, matches a pattern."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        title = " ".join(process.info["cmdline"] or [])
        if re.match(f"ray::{pattern}", title):
            found.append(process)
    return found


def replicas(part: int) -> list[psutil.Process]:
    """Return those of the part of a service that was deployed as this one; a reranker is first."""
    return processes(rf".*\bkosim-[0-9a-f]{{8}}-{part}\b")


def _started(cpus: int) -> Cluster:
    """Start both nodes, once more where Ray does not find a busy machine fast enough."""
    attempt = 0
    while True:
        attempt += 1
        cluster = Cluster()
        try:
            cluster.add_node(num_cpus=cpus, **_WITHOUT, **_ports())
            cluster.add_node(num_cpus=cpus, **_ports())
            cluster.wait_for_nodes(timeout=120)
            return cluster
        except Exception as error:  # Ray has no class for it
            if cluster.head_node is not None:
                cluster.shutdown()
            if attempt == _ATTEMPTS or "timed out during startup" not in str(error):
                raise


def _ports() -> dict[str, int]:
    """Return a free port for each of a node's agents."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in _AGENTS]
        for each in sockets:
            each.bind(("", 0))
        return {name: each.getsockname()[1] for name, each in zip(_AGENTS, sockets, strict=True)}
