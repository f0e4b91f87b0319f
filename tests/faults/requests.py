"""Hostile requests against a service: ``python -m tests.faults.requests --requests 10000``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from tests.faults.commands import CORPUS
from tests.forked import open_nursery
from tests.serving.hostile import BODIES, ENDPOINTS, large_body, random_body
from tests.serving.running import Running, running

_LARGE = 10_000_000


def body(draw: random.Random, number: int) -> bytes:
    """Return one of the bodies: one in a hundred is large."""
    if number % 100 == 0:
        return large_body(draw, _LARGE)
    return draw.choice(list(BODIES.values())) if number % 4 == 0 else random_body(draw)


def storm(server: Running, *, count: int, seconds: float, seed: int = 0) -> Counter[int]:
    """Send requests and count the answers by status."""
    draw, statuses = random.Random(seed), Counter[int]()
    deadline = time.monotonic() + seconds
    with httpx.Client(base_url=server.url, timeout=120) as client:
        for number in range(count):
            if time.monotonic() > deadline:
                break
            kind = draw.choice(["application/json"] * 9 + ["text/plain"])
            answer = client.post(
                draw.choice(ENDPOINTS), content=body(draw, number), headers={"content-type": kind}
            )
            statuses[answer.status_code] += 1
    return statuses


def main() -> int:
    """Serve the bundled encoders and an index, and ask."""
    from click.testing import CliRunner

    from kosim.experiments.cli import main as kosim

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="Requests to send.")
    parser.add_argument("--minutes", type=float, default=20, help="Time limit.")
    options = parser.parse_args()
    open_nursery()
    with tempfile.TemporaryDirectory(prefix="kosim-requests-") as name:
        corpus, index = Path(name) / "corpus.txt", Path(name) / "index"
        corpus.write_text(CORPUS)
        build = ["index", "build", str(corpus), "--encoder", "mini-bi", "--out", str(index)]
        CliRunner().invoke(kosim, build, catch_exceptions=False)
        with running("--index", index, "--reranker", "mini-cross") as server:
            statuses = storm(server, count=options.requests, seconds=60 * options.minutes)
            alive = httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200
            traced = "Traceback" in server.log
    said = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
    failures = sum(count for status, count in statuses.items() if status >= 500)
    sys.stdout.write(f"{statuses.total():,} requests ({said}); {failures} answers of 5xx")
    sys.stdout.write(f", {'a' if traced else 'no'} traceback in the log\n")
    return 1 if failures or traced or not alive else 0


if __name__ == "__main__":
    sys.exit(main())
