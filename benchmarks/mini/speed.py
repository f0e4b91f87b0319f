"""How fast ``mini`` is beside its teacher: the same sentences, in turns, in one process.

Sentences are those of KLUE-STS' official dev split, encoded as a corpus would be; pairs are its
pairs, scored by an untrained cross-encoder of each backbone, which costs what a trained one costs.
Both take turns, so that a drift of the machine's speed hits both; the ratio is the median over
rounds.

    python -m benchmarks.mini.speed --teacher ../shared/models/e5-small-ko
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import MINI
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import KosimError
from kosim.encoders.storage import write_json
from kosim.experiments.data.pairs import load_pairs
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parents[1] / "results" / "mini"
DEV = Path("../shared/data/klue-sts/klue-sts-v1.1_dev.json")
MAX_LENGTH = 128


def seconds(job: Callable[[], object]) -> float:
    """Return the seconds that a job takes."""
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def ratios(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, Any]:
    """Time jobs in turns after a warm-up; the first is compared with the second."""
    for job in jobs.values():
        job()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            times[name].append(seconds(job))
    first, second = times.values()
    found = [slow / fast for fast, slow in zip(first, second, strict=True)]
    return {
        "seconds": {name: statistics.median(values) for name, values in times.items()},
        "times_as_fast": statistics.median(found),
        "lowest": min(found),
        "highest": max(found),
    }


@click.command()
@click.option("--backbone", default=MINI, show_default=True)
@click.option("--teacher", required=True, help="A folder or hub id.")
@click.option("--dev", type=click.Path(path_type=Path), default=DEV, show_default=True)
@click.option("--rounds", type=int, default=7, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS / "speed.json")
def main(backbone: str, teacher: str, dev: Path, rounds: int, out: Path) -> None:
    """Measure and write."""
    try:
        frame = load_pairs(dev).frame
        pairs = list(zip(frame["sentence1"], frame["sentence2"], strict=True))
        texts = [text for pair in pairs for text in pair]
        names = {"mini": backbone, "teacher": teacher}
        bi = {
            name: BiEncoder.from_backbone(path, max_length=MAX_LENGTH)
            for name, path in names.items()
        }
        cross = {
            name: CrossEncoder.from_backbone(path, max_length=MAX_LENGTH)
            for name, path in names.items()
        }
    except KosimError as error:
        raise click.ClickException(str(error)) from error
    results = {
        "sentences": len(set(texts)),
        "pairs": len(pairs),
        "rounds": rounds,
        "encoding": ratios(
            {name: (lambda e=encoder: e.encode(texts)) for name, encoder in bi.items()},  # type: ignore[misc]
            rounds,
        ),
        "pair_scoring": ratios(
            {name: (lambda e=encoder: e.score(pairs, raw=True)) for name, encoder in cross.items()},  # type: ignore[misc]
            rounds,
        ),
        "environment": describe_environment(),
    }
    write_json(out, results)
    for job in ("encoding", "pair_scoring"):
        click.echo(f"{job}: {results[job]['times_as_fast']:.2f} times as fast")  # type: ignore[index]


if __name__ == "__main__":
    main()
