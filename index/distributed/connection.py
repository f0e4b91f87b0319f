"""The way to a Ray cluster."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from kosim.encoders.errors import ClusterError, MissingExtraError

AUTO = "auto"
"""The cluster that RAY_ADDRESS names or that runs on this machine, else one of this machine."""

_SECONDS = 10
"""In which a machine that is there takes a connection."""

_HEALTH_SECONDS = 30
"""In which a cluster answers: most of it is for Ray's program to start on a busy machine."""


def check_ray() -> None:
    """Check that Ray is installed.

    Raises:
        MissingExtraError: it is not.
    """
    if find_spec("ray") is None:
        raise MissingExtraError(
            "a cluster needs Ray, which is not installed; install it with: "
            "pip install 'kosim[scale]' -c constraints.txt"
        )


@contextmanager
def connected(address: str = AUTO) -> Iterator[None]:
    """Be connected to a cluster, and leave it as it was; one that is begun here ends here.

    A connection that this process has already is used and left open.

    Args:
        address: ``host:port`` of its head, or `AUTO`.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster, or it runs other versions of Ray or Python.
    """
    check_ray()
    import ray

    if ray.is_initialized():
        yield
        return
    if address != AUTO:
        _check_reachable(address)
    try:
        ray.init(
            address=None if address == AUTO else address,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except Exception as error:  # Ray has no class of its own for all that can go wrong here
        raise ClusterError(f"cannot join the cluster at {address}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Check that a cluster answers; Ray itself would wait for many minutes.

    Raises:
        ClusterError: it does not.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or address.startswith("ray://"):
        raise ClusterError(
            f"the cluster's address is {address!r}; give host:port of its head, such as "
            "10.0.0.1:6379, or none for the one that runs here"
        )
    try:
        socket.create_connection((host, int(port)), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"nothing answers at {address} ({error}); start a cluster with "
            f"`ray start --head --port={port}`, or correct the address"
        ) from error
    asked = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        healthy = subprocess.run(asked, capture_output=True, timeout=_HEALTH_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ClusterError(
            f"what listens at {address} did not answer as a cluster within {_HEALTH_SECONDS} s; "
            "give the address of a head, as `ray start --head` prints it"
        ) from error
    if healthy.returncode:
        raise ClusterError(
            f"what listens at {address} is not a cluster of this version of Ray, or it asks for a "
            "token; give the address that `ray start --head` prints, and set RAY_AUTH_MODE=token "
            "where the cluster has one"
        )
