"""Whose deployments are whose: Serve keeps them when the driver that made them is killed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import serve

_NAMESPACE = "kosim"
_NAME = re.compile(r"kosim-([0-9a-f]{8})-[0-9]+")


class _Claim:
    """An actor that Ray ends with its driver."""


@contextmanager
def claimed(count: int) -> Iterator[list[str]]:
    """Yield ``count`` names for applications; what a killed driver left is removed before."""
    token = secrets.token_hex(4)
    claim: Any = ray.remote(num_cpus=0)(_Claim).options(name=token, namespace=_NAMESPACE).remote()
    for name in serve.status().applications:
        match = _NAME.fullmatch(name)
        if match and not _is_claimed(match[1]):
            serve.delete(name, _blocking=False)
    try:
        yield [f"kosim-{token}-{number}" for number in range(count)]
    finally:
        ray.kill(claim)


def _is_claimed(token: str) -> bool:
    try:
        ray.get_actor(token, namespace=_NAMESPACE)
    except ValueError:
        return False
    return True
