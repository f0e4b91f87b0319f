"""How soon a whole process answers, in how much processor time and memory.

Each command is a process of its own, started several times after one start that is not counted;
the median is stated. Wall time means something on a quiet machine only; processor time, of user and
system together, and the largest resident memory do on any. The search is over sentences that are
drawn from words of the bundled sample; its index is built before.

    python -m benchmarks.startup.measure --out benchmarks/results/startup
"""

from __future__ import annotations

import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from kosim.encoders.storage import write_json, write_text
from kosim.experiments.speed.processes import peak_memory
from kosim.experiments.study.environment import describe_environment

_SENTENCE, _OTHER = "거실 불 좀 꺼 줘", "거실 조명을 꺼 줄래?"
_PAUSE = 0.02
_KOSIM = (sys.executable, "-m", "kosim")
_LOAD = f"import kosim; kosim.load('mini-bi').encode(['{_SENTENCE}'])"


@dataclass(frozen=True)
class Start:
    """Seconds until the answer, those of the processor, and the most memory in bytes."""

    seconds: float
    cpu_seconds: float
    memory: int


def run(command: list[str]) -> Start:
    """Run a command to its end.

    A small process starts it: the memory that the system states for a process is at least that of
    the one that started it, and this one has the libraries of its own.
    """
    starter = [sys.executable, "-I", "-S", "-c", _STARTER, *command]
    done = subprocess.run(starter, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{shlex.join(command)} failed: {done.stderr}")
    seconds, cpu_seconds, kibibytes = map(float, done.stdout.split())
    return Start(seconds, cpu_seconds, int(kibibytes) * 1024)


_STARTER = """
import os, sys, time
quiet = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
began = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[quiet])
_, status, usage = os.wait4(process, 0)
print(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def ready(command: list[str]) -> Start:
    """Start a server, and end it when it is ready."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = process.stderr.readline() if process.stderr else ""
    if not said.startswith("http"):
        raise click.ClickException(f"{shlex.join(command)} did not start: {said}")
    address = said.split()[0]
    while not _answers(f"{address}/readyz"):
        if process.poll() is not None:
            raise click.ClickException(f"{shlex.join(command)} did not get ready")
        time.sleep(_PAUSE)
    seconds = time.perf_counter() - started
    memory = peak_memory(process.pid)
    process.send_signal(signal.SIGTERM)
    usage = os.wait4(process.pid, 0)[2]
    return Start(seconds, usage.ru_utime + usage.ru_stime, memory)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def measured(work: Callable[[list[str]], Start], command: list[str], times: int) -> dict[str, Any]:
    """Return the medians of a command that is started ``times`` times after a first one."""
    work(command)
    rows = [work(command) for _ in range(times)]
    return {
        "command": shlex.join(["kosim", *command[3:]] if command[:3] == [*_KOSIM] else command),
        "seconds": statistics.median(one.seconds for one in rows),
        "slowest": max(one.seconds for one in rows),
        "cpu_seconds": statistics.median(one.cpu_seconds for one in rows),
        "mib": statistics.median(one.memory / 2**20 for one in rows),
        "times": times,
    }


def write_corpus(path: Path, sentences: int) -> None:
    """Write sentences of words of the bundled sample, the same ones on every machine."""
    from kosim.experiments.data.datasets import load_sample

    frame = load_sample("train").frame
    words = sorted({word for text in frame.sentence1 for word in text.split()})
    random = np.random.default_rng(0)
    lines = (" ".join(random.choice(words, size=random.integers(3, 12))) for _ in range(sentences))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| | seconds | slowest | processor seconds | MiB |",
        "|---|---|---|---|---|",
        *(
            f"| `{row['command']}` | {row['seconds']:.2f} | {row['slowest']:.2f} "
            f"| {row['cpu_seconds']:.2f} | {row['mib']:.0f} |"
            for row in results["rows"]
        ),
    ]
    return (
        "# Start-up\n\n"
        f"Median of {results['rows'][0]['times']} starts of a whole process after a first one, "
        f"on {results['environment']['processor']}; load before: {results['load']:.1f}.\n\n"
        + "\n".join(lines)
        + "\n"
    )


@click.command()
@click.option("--times", default=10, show_default=True, help="Starts of each command.")
@click.option("--sentences", default=100_000, show_default=True, help="Sentences of the index.")
@click.option("--backend", type=click.Choice(["torch", "onnx"]), help="As of kosim score.")
@click.option("--index", type=click.Path(path_type=Path), help="An index that is built already.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Without a suffix.")
def main(times: int, sentences: int, backend: str | None, index: Path | None, out: Path) -> None:
    """Measure the start of score, search, serve and load."""
    # Modules are compiled at the first start, as on a user's machine.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    load = os.getloadavg()[0]
    option = ["--backend", backend] if backend else []
    with tempfile.TemporaryDirectory(prefix="kosim-") as folder:
        if index is None:
            corpus, index = Path(folder) / "corpus.txt", Path(folder) / "corpus.index"
            write_corpus(corpus, sentences)
            build = ["index", "build", str(corpus), "--encoder", "mini-bi", "--out", str(index)]
            run([*_KOSIM, *build])
        search = ["search", str(index), _SENTENCE, "--reranker", "mini-cross"]
        commands: list[tuple[Callable[[list[str]], Start], list[str]]] = [
            (run, [*_KOSIM, "score", "mini-cross", _SENTENCE, _OTHER, *option]),
            (run, [*_KOSIM, *search, *option]),
            (ready, [*_KOSIM, "serve", "--port", "0", *option]),
        ]
        if backend is None:
            commands.append((run, [sys.executable, "-c", _LOAD]))
        rows = [measured(work, command, times) for work, command in commands]
    results = {
        "rows": rows,
        "sentences": sentences,
        "load": load,
        "environment": describe_environment(),
    }
    write_json(out.with_suffix(".json"), results)
    write_text(out.with_suffix(".md"), table(results))
    click.echo(table(results))


if __name__ == "__main__":
    main()
