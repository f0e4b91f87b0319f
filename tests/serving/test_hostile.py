"""Malformed and hostile requests against a running server: never a 5xx, memory flat."""

from __future__ import annotations

import random

import httpx
import pytest

from tests.serving.hostile import BODIES, ENDPOINTS, large_body, random_body
from tests.serving.running import Running

ALLOWED = 60_000_000
"""Bytes by which the server may grow once it has seen everything: pools and fragments."""


def storm(server: Running, count: int, *, large: int) -> list[int]:
    """Send ``count`` bodies, of which ``large`` have 10 MB; return the statuses."""
    chance = random.Random(count)
    kinds = list(BODIES.values())
    statuses = []
    with httpx.Client(base_url=server.url, timeout=120) as client:
        for number in range(count):
            if number % max(1, count // large) == 0:
                body = large_body(chance, 10_000_000)
            elif number % 4 == 0:
                body = chance.choice(kinds)
            else:
                body = random_body(chance)
            kind = chance.choice(["application/json"] * 9 + ["text/plain"])
            path = chance.choice(ENDPOINTS)
            response = client.post(path, content=body, headers={"content-type": kind})
            assert response.status_code < 500, (path, body[:300], response.text)
            statuses.append(response.status_code)
    return statuses


def check(server: Running, count: int, *, large: int) -> None:
    storm(server, min(count, 300), large=3)
    before = server.memory
    statuses = storm(server, count, large=large)
    assert {400, 413, 422} <= set(statuses)
    assert server.memory - before < ALLOWED
    assert httpx.get(f"{server.url}/readyz", timeout=30).status_code == 200


def test_hundreds_of_hostile_requests(server: Running) -> None:
    check(server, 400, large=4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_thousands_of_hostile_requests(server: Running) -> None:
    check(server, 5_000, large=50)
