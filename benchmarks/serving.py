"""What micro-batching gives a served model, and what overload does to those who are let in.

One run, on one machine, over loopback. The same server is started twice, with and without
batching, and answers the documented call (``POST /``) with one pair a request. The two take turns,
so that a slower minute of the machine falls on both; what is quoted are medians over the turns, and
of the ratios within a turn:

* closed loop: 1, 8, 32 and 128 clients, each with one request at a time, for some seconds a level
  after a warm-up; throughput, p50, p95, p99;
* overload: requests arrive at random at twice the highest throughput of the closed loop; p99 of
  those that were let in, counted from when they were due, beside the p99 at 32 clients.

The share of the machine's cores that the load generator took itself stands beside every figure.
The server has its queue from ``--queue``; closed-loop clients that get 429 wait and count as such.

    python -m benchmarks.serving --reranker MODEL --out benchmarks/results/serving
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import click
import psutil

from benchmarks.load import Outcome, closed_loop, open_loop
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.data.datasets import load_sample
from kosim.experiments.study.environment import describe_environment

_START_SECONDS = 300
_PERCENTILES = (50, 95, 99)


@contextmanager
def served(options: list[str]) -> Iterator[tuple[int, psutil.Process]]:
    """Start ``kosim serve`` on a free port; yield the port and the process."""
    command = [sys.executable, "-m", "kosim", "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        said = process.stderr.readline() if process.stderr else ""
        if not said.startswith("http"):
            raise click.ClickException(said or f"{shlex.join(command)} did not start")
        address = said.split()[0]
        deadline = time.monotonic() + _START_SECONDS
        while not _is_ready(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise click.ClickException(f"{shlex.join(command)} did not get ready")
            time.sleep(0.1)
        yield int(address.rpartition(":")[2]), psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=10) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def requests_of(pairs: int) -> list[bytes]:
    """Return documented calls over pairs of the bundled sample, as bytes for a socket."""
    frame = load_sample("train").frame.sample(pairs, random_state=0)
    made = []
    for first, second in zip(frame.sentence1, frame.sentence2, strict=True):
        call = {"r1": {"sentence": first}, "r2": {"sentence": second}}
        body = json.dumps(call, ensure_ascii=False).encode()
        head = (
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def measured(load: Coroutine[Any, Any, Outcome], server: psutil.Process) -> dict[str, Any]:
    """Run a load and return its figures, with the shares of all cores that each side took."""
    generator = psutil.Process()
    before, started = (_cpu(generator), _cpu(server)), time.perf_counter()
    outcome = asyncio.run(load)
    capacity = (time.perf_counter() - started) * (os.cpu_count() or 1)
    return {
        "throughput": outcome.throughput,
        **{f"p{percent}_ms": outcome.percentile(percent) for percent in _PERCENTILES},
        "statuses": {str(status): count for status, count in sorted(outcome.statuses.items())},
        "generator_share": (_cpu(generator) - before[0]) / capacity,
        "server_share": (_cpu(server) - before[1]) / capacity,
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def to_markdown(results: dict[str, Any]) -> str:
    """Return the tables that are committed."""
    environment = results["environment"]
    lines = [
        "# Serving",
        "",
        f"`{results['command']}`, on one machine ({environment['processor']}, "
        f"{environment['cores']} cores), {results['turns']} turns of {results['seconds']:g} s a "
        f"level after {results['warm_up']:g} s of warm-up, medians. One pair a request; the last "
        "column is the load generator's own share of all cores.",
        "",
        "| | clients | requests/s | p50, ms | p95, ms | p99, ms | 429 | generator |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, levels in results["closed_loop"].items():
        for clients, figures in levels.items():
            lines.append(f"| {name} | {clients} | {_row(figures)}")
    if overload := results["overload"]:
        lines.append(f"| {overload['rate']:,.0f} requests/s arrive | | {_row(overload)}")
    lines += ["", *(f"- {name}: {value:.2f}" for name, value in results["conclusions"].items())]
    return "\n".join(lines) + "\n"


def _row(figures: dict[str, Any]) -> str:
    times = (figures[f"p{percent}_ms"] for percent in _PERCENTILES)
    cells = [f"{figures['throughput']:,.0f}"]
    cells += ["–" if value is None else f"{value:,.1f}" for value in times]
    cells += [f"{figures['statuses'].get('429', 0):,}", f"{figures['generator_share']:.0%}"]
    return " | ".join(cells) + " |"


def middle(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure of some turns."""
    found: dict[str, Any] = {"statuses": {}}
    for name in turns[0]:
        if name == "statuses":
            codes = {code for turn in turns for code in turn[name]}
            found[name] = {
                code: int(median(turn[name].get(code, 0) for turn in turns)) for code in codes
            }
        else:
            values = [turn[name] for turn in turns if turn[name] is not None]
            found[name] = median(values) if values else None
    return found


def conclude(
    closed: dict[str, dict[str, list[dict[str, Any]]]], overload: list[dict[str, Any]]
) -> dict[str, float]:
    """Return the ratios that the figures are about, as far as they were measured."""
    found = {}
    for level in ("1", "32"):
        together, alone = closed["batching"].get(level), closed["one at a time"].get(level)
        if together and alone:
            name = f"throughput at {level} clients, batching to one at a time"
            found[name.replace("1 clients", "1 client")] = median(
                a["throughput"] / b["throughput"] for a, b in zip(together, alone, strict=True)
            )
    together = closed["batching"].get("32")
    if together and overload and all(turn["p99_ms"] for turn in overload):
        found["p99 of the admitted under overload, to that at 32 clients"] = median(
            a["p99_ms"] / b["p99_ms"] for a, b in zip(overload, together, strict=True)
        )
    return found


@click.command()
@click.option("--reranker", "--cross", "cross", help="Passed to kosim serve.")
@click.option("--encoder", "--bi", "bi", help="Passed to kosim serve.")
@click.option("--precision", default="fp32", show_default=True, help="Passed to kosim serve.")
@click.option("--queue", default=64, show_default=True, help="Passed to kosim serve.")
@click.option("--clients", default="1,8,32,128", show_default=True)
@click.option("--turns", default=3, show_default=True)
@click.option("--seconds", default=6.0, show_default=True, help="Of a level in a turn.")
@click.option("--warm-up", default=1.0, show_default=True, help="Seconds before each level.")
@click.option("--pairs", default=500, show_default=True, help="Different requests.")
@click.option("--out", default="benchmarks/results/serving", show_default=True)
def main(
    cross: str | None,
    bi: str | None,
    precision: str,
    queue: int,
    clients: str,
    turns: int,
    seconds: float,
    warm_up: float,
    pairs: int,
    out: str,
) -> None:
    """Measure a served model, with and without micro-batching."""
    levels = [int(level) for level in clients.split(",")]
    options = ["--queue", str(queue), "--precision", precision]
    options += ["--reranker", cross] if cross else []
    options += ["--encoder", bi] if bi else []
    requests = requests_of(pairs)
    modes = {"one at a time": "--no-batching", "batching": "--batching"}
    closed: dict[str, dict[str, list[dict[str, Any]]]] = {
        name: {str(level): [] for level in levels} for name in modes
    }
    overload: list[dict[str, Any]] = []
    with ExitStack() as held:
        servers = {
            name: held.enter_context(served([*options, flag])) for name, flag in modes.items()
        }
        for turn in range(turns):
            for level in levels:
                for name in sorted(servers, reverse=bool(turn % 2)):
                    port, server = servers[name]
                    load = closed_loop(
                        port, requests, clients=level, seconds=seconds, warm_up=warm_up
                    )
                    figures = measured(load, server)
                    closed[name][str(level)].append(figures)
                    print(turn, name, level, figures, flush=True)
            port, server = servers["batching"]
            rate = 2 * max(one[turn]["throughput"] for one in closed["batching"].values())
            load = open_loop(port, requests, rate=rate, seconds=seconds)
            overload.append({"rate": rate, **measured(load, server)})
            print(turn, "overload", overload[-1], flush=True)
    results = {
        "command": f"python -m benchmarks.serving {shlex.join(sys.argv[1:])}",
        "seconds": seconds,
        "warm_up": warm_up,
        "queue": queue,
        "turns": turns,
        "closed_loop": {
            name: {level: middle(found) for level, found in one.items()}
            for name, one in closed.items()
        },
        "overload": middle(overload),
        "conclusions": conclude(closed, overload),
        "environment": describe_environment(),
    }
    write_json(Path(f"{out}.json"), results)
    write_text(Path(f"{out}.md"), to_markdown(results))
    print(to_markdown(results))


if __name__ == "__main__":
    main()
