"""What cheaper reranking could gain at most: a shallower first pass, and stored tokens.

A first pass by a student of fewer layers leaves ``--kept`` of the candidates to the whole
cross-encoder; tokens that are stored with the index need not be made again. The students here are
the first layers of the cross-encoder as they are: their scores mean nothing, their time is that of
a student that agrees perfectly, so that no other is faster. Each round scores the candidates of
every query with each network in turn; what is quoted is the median of the rounds' ratios.

    python -m benchmarks.rerank_bounds ../shared/data/corpus/ko-sentences.txt.gz
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
from torch import nn

from kosim.encoders.loading import load
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.cli.encoder_options import SAVED_ENCODER
from kosim.experiments.speed.workload import Workload, WorkloadSizes
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parent / "results"
PRECISIONS = ("int8", "fp32")


def shallow(model: Path, layers: int, folder: Path) -> Path:
    """Write the first layers of a cross-encoder, exported in both precisions; return its folder."""
    encoder: Any = load(model, backend="torch")
    stack = next(
        module
        for name, module in encoder.model.named_modules()
        if name.endswith("encoder.layer") and isinstance(module, nn.ModuleList)
    )
    del stack[layers:]
    encoder.model[0].model.config.num_hidden_layers = layers
    out = folder / f"layers-{layers}"
    encoder.save(out)
    for precision in PRECISIONS:
        subprocess.run(
            [sys.executable, "-m", "kosim", "export", str(out), "--precision", precision],
            check=True,
            capture_output=True,
        )
    return out


def run(
    folders: dict[int, Path], corpus: str, queries: int, candidates: int, kept: int, rounds: int
) -> dict[str, Any]:
    """Return for each precision the milliseconds of a query and how much faster each idea is."""
    texts = Workload.of(corpus, WorkloadSizes(), seed=2).texts
    asked = texts[:queries]
    others = texts[queries : queries + candidates]
    found: dict[str, Any] = {}
    for precision in PRECISIONS:
        encoders = {
            layers: load(folder, backend="onnx", precision=precision)  # type: ignore[arg-type]
            for layers, folder in folders.items()
        }
        whole = max(encoders)
        spent: list[dict[str, float]] = []
        for _ in range(rounds + 1):  # the first warms up
            one: dict[str, float] = {}
            for layers, encoder in encoders.items():
                began = time.perf_counter()
                for query in asked:
                    encoder.score([(query, other) for other in others])
                one[f"{layers} layers"] = time.perf_counter() - began
            began = time.perf_counter()
            for query in asked:
                encoders[whole].score([(query, other) for other in others[:kept]])
            one["kept"] = time.perf_counter() - began
            began = time.perf_counter()
            for query in asked:
                encoders[whole].token_lengths([(query, other) for other in others])
            one["tokens"] = time.perf_counter() - began
            spent.append(one)
        del spent[0]
        base = f"{whole} layers"
        ideas = {
            f"first pass by {layers} layers": median(
                one[base] / (one[f"{layers} layers"] + one["kept"]) for one in spent
            )
            for layers in encoders
            if layers != whole
        }
        ideas["stored tokens"] = median(one[base] / (one[base] - one["tokens"]) for one in spent)
        found[precision] = {
            "milliseconds": {
                name: 1000 * median(one[name] for one in spent) / queries for name in spent[0]
            },
            "faster": ideas,
        }
    return found


def to_markdown(results: dict[str, Any]) -> str:
    """Return the page that is committed."""
    environment = results["environment"]
    lines = [
        "# What cheaper reranking could gain at most",
        "",
        f"`{results['command']}` on {environment['processor']}, one thread: "
        f"{results['queries']} queries with {results['candidates']} candidates each, "
        f"{results['rounds']} rounds in turn. Times faster than the whole cross-encoder on all "
        f"candidates, medians over the rounds; a first pass leaves {results['kept']} candidates "
        "to the whole one, and is that of a student which would agree with it perfectly.",
        "",
        "| precision | idea | times faster at most |",
        "|---|---|---:|",
    ]
    for precision, one in results["precisions"].items():
        lines += [f"| {precision} | {name} | {gain:.2f} |" for name, gain in one["faster"].items()]
    lines += ["", "| precision | scored or made | ms a query |", "|---|---|---:|"]
    for precision, one in results["precisions"].items():
        for name, spent in one["milliseconds"].items():
            what = {"kept": f"{results['kept']} by the whole one", "tokens": "tokens alone"}
            lines.append(f"| {precision} | {what.get(name, name)} | {spent:.2f} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.argument("corpus")
@click.option("--reranker", type=SAVED_ENCODER, default="mini-cross", show_default=True)
@click.option("--layers", default="1,2", show_default=True, help="Depths of the students.")
@click.option("--queries", default=20, show_default=True)
@click.option("--candidates", default=100, show_default=True)
@click.option("--kept", default=30, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    corpus: str,
    reranker: Path,
    layers: str,
    queries: int,
    candidates: int,
    kept: int,
    rounds: int,
    out: Path,
) -> None:
    """Measure and write the page."""
    with tempfile.TemporaryDirectory() as scratch:
        whole: Any = load(reranker, backend="torch")
        depth = int(whole.model[0].model.config.num_hidden_layers)
        wanted = [*(int(one) for one in layers.split(",")), depth]
        folders = {count: shallow(reranker, count, Path(scratch)) for count in wanted}
        precisions = run(folders, corpus, queries, candidates, kept, rounds)
    results = {
        "command": f"python -m benchmarks.rerank_bounds {shlex.join(sys.argv[1:])}",
        "queries": queries,
        "candidates": candidates,
        "kept": kept,
        "rounds": rounds,
        "precisions": precisions,
        "environment": describe_environment(),
    }
    write_json(out / "rerank_bounds.json", results)
    write_text(out / "rerank_bounds.md", to_markdown(results))


if __name__ == "__main__":
    main()
