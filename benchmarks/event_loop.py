"""How long one large request keeps the server from answering others.

A server with the bundled cross-encoder gets ``POST /v1/rerank`` with a body of 3.4 MB (2,048
Korean documents) while another client asks ``/healthz`` without a pause. The longest answer of
``/healthz`` is the time for which the event loop stood still; beside it stands the longest answer
of as many seconds without the large request. The client of the large one leaves after some
seconds: what comes then is the network's work, in threads of its own.

    python -m benchmarks.event_loop --out benchmarks/results/event_loop
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from benchmarks.serving import served
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.data.datasets import load_sample
from kosim.experiments.study.environment import describe_environment

_DOCUMENTS = 2_048
_BYTES = 3_400_000
_AIM = 50.0
"""Milliseconds."""


def large_body() -> bytes:
    """Return a call of ``/v1/rerank`` with 2,048 different documents, of about 3.4 MB."""
    sentences = load_sample("train").frame.sentence1.tolist()
    letters = " ".join(sentences * 60)
    size = _BYTES // _DOCUMENTS
    documents, start = [], 0
    for number in range(_DOCUMENTS):
        text = letters[start : start + size // 2]
        while len(text.encode()) > size - 12:
            text = text[:-1]
        documents.append(f"{number} {text}")
        start += len(text)
    call = {"query": sentences[0], "documents": documents, "top_n": 10}
    return json.dumps(call, ensure_ascii=False).encode()


def longest_answers(port: int, seconds: float) -> list[float]:
    """Ask ``/healthz`` without a pause; return the milliseconds of each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    end, taken = time.perf_counter() + seconds, []
    while time.perf_counter() < end:
        began = time.perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        taken.append(1000 * (time.perf_counter() - began))
    connection.close()
    return taken


def ask_and_leave(port: int, body: bytes, seconds: float) -> None:
    """Send the large request, and leave after some seconds if it is not answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("POST", "/v1/rerank", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise click.ClickException(f"the large request got {answer.status}")
    except TimeoutError:
        pass
    finally:
        connection.close()


@click.command()
@click.option("--seconds", default=4.0, help="Seconds of a round.")
@click.option("--rounds", default=5, help="Rounds with and without the large request, in turn.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Results, no suffix.")
def main(seconds: float, rounds: int, out: Path) -> None:
    """Measure, and write OUT.json and OUT.md."""
    body = large_body()
    found: dict[str, list[list[float]]] = {"alone": [], "beside": []}
    load = os.getloadavg()[0]
    with served(["--reranker", "mini-cross"]) as (port, _):
        longest_answers(port, 1.0)
        for _ in range(rounds):
            found["alone"].append(longest_answers(port, seconds))
            with ThreadPoolExecutor(1) as pool:
                asking = pool.submit(ask_and_leave, port, body, seconds)
                found["beside"].append(longest_answers(port, seconds))
                asking.result()
            time.sleep(1.0)
    results: dict[str, Any] = {
        "environment": describe_environment(),
        "load_average_before": load,
        "niceness": os.nice(0),
        "bytes": len(body),
        "documents": _DOCUMENTS,
        "rounds": rounds,
        "seconds": seconds,
        "aim_ms": _AIM,
        "answers_ms": {
            name: {
                "count": sum(map(len, each)),
                "median": statistics.median(value for one in each for value in one),
                "longest": [max(one) for one in each],
            }
            for name, each in found.items()
        },
    }
    write_json(out.with_suffix(".json"), results)
    write_text(out.with_suffix(".md"), to_markdown(results))


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    environment = results["environment"]
    lines = [
        "# The event loop beside a large request",
        "",
        f"`python -m benchmarks.event_loop` ({environment['processor']}, {environment['cores']} "
        f"cores; load average {results['load_average_before']:.1f} before it began, run with the "
        f"niceness {results['niceness']}): `/healthz` asked without a pause, {results['rounds']} "
        f"rounds of {results['seconds']:g} s each, alone and beside a `POST /v1/rerank` of "
        f"{results['bytes']:,} bytes with {results['documents']:,} documents. The aim is "
        f"{results['aim_ms']:g} ms at most.",
        "",
        "| `/healthz` | answers | median, ms | longest of each round, ms |",
        "|---|---:|---:|---|",
    ]
    for name, label in (("alone", "alone"), ("beside", "beside the large request")):
        one = results["answers_ms"][name]
        longest = ", ".join(f"{value:.0f}" for value in one["longest"])
        lines.append(f"| {label} | {one['count']:,} | {one['median']:.1f} | {longest} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
