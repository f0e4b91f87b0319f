"""How much an int8 score depends on what else is in its batch, and what it costs that it does not.

The graphs differ in nothing but the scale of the activations: one for a whole batch, as
onnxruntime's dynamic quantisation has it, or one for each token, as kosim exports. Every pair is
scored alone and then, several times, in random batches; both graphs are timed in turns in one
process, by the processor time that they take on one thread.

    python -m benchmarks.int8_batches --pairs ../shared/data/klue-sts/klue-sts-v1.1_dev.json \\
        --pairs ../shared/data/korsts/sts-dev.tsv
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
import torch

from kosim.encoders.base import PairEncoder
from kosim.encoders.compute.onnx_graph import export_graph, quantise_graph
from kosim.encoders.compute.onnx_runtime import OnnxRuntime
from kosim.encoders.compute.runtime import FloatArray, Runtime
from kosim.encoders.errors import KosimError
from kosim.encoders.loading import load
from kosim.encoders.records import Pair
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.data.cleaning import check_test
from kosim.experiments.data.pairs import load_pairs
from kosim.experiments.study.environment import describe_environment, processor_of

RESULTS = Path(__file__).parent / "results"
BATCHES = 30
"""Random batches into which the pairs are divided, about equally."""


def runtimes(encoder: PairEncoder, folder: Path) -> dict[str, Runtime]:
    """Return each way of computing the encoder's network."""
    full = folder / "fp32" / "model.onnx"
    full.parent.mkdir()
    export_graph(encoder._network(), full)
    found: dict[str, Runtime] = {"fp32": OnnxRuntime(full, "fp32")}
    for name, by_row in (("int8, one scale a batch", False), ("int8, one scale a token", True)):
        graph = folder / name / "model.onnx"
        graph.parent.mkdir()
        quantise_graph(full, graph, by_row=by_row)
        found[name] = OnnxRuntime(graph, "int8")
    return found


def differences(
    encoder: PairEncoder, alone: FloatArray, pairs: list[Pair], rounds: int
) -> FloatArray:
    """Return how far each score in random batches was from that of the pair alone: (rounds, n)."""
    random = np.random.default_rng(0)
    found = np.empty((rounds, len(pairs)), dtype=np.float32)
    for row in found:
        for part in np.array_split(random.permutation(len(pairs)), BATCHES):
            row[part] = encoder.score([pairs[at] for at in part])
    return np.abs(found - alone)


def measure(model: str, pairs: list[Pair], rounds: int) -> list[dict[str, Any]]:
    """Return a row for each way of computing a model."""
    encoder = load(model, device="cpu")
    full = encoder.score(pairs)
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        ways = runtimes(encoder, Path(folder))
        for name, runtime in ways.items():
            encoder.runtime = runtime
            alone = np.concatenate([encoder.score([pair]) for pair in pairs])
            apart = differences(encoder, alone, pairs, rounds)
            flips = (alone >= encoder.threshold) != (full >= encoder.threshold)
            rows[name] = {
                "model": model,
                "way": name,
                "largest_difference": float(apart.max()),
                "mean_difference": float(apart.mean()),
                "largest_change": float(np.abs(alone - full).max()),
                "verdicts_changed": int(flips.sum()),
            }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, runtime in ways.items():
                encoder.runtime = runtime
                started = time.process_time()
                encoder.score(pairs)
                seconds[name].append(time.process_time() - started)
    before = np.array(seconds["int8, one scale a batch"])
    for name, row in rows.items():
        row["times_the_cost"] = float(np.median(np.array(seconds[name]) / before))
    return list(rows.values())


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    environment = results["environment"]
    lines = [
        "# int8 scores alone and in a batch",
        "",
        f"`{results['command']}`: {results['pairs']:,} pairs, each alone and in {BATCHES} random "
        f"batches, {results['rounds']} times; {processor_of(environment)}, onnxruntime "
        f"{results['onnxruntime']}, torch {environment['torch']}. Differences are points of 5. "
        "Cost: processor time on one thread, medians of the rounds' ratios.",
        "",
        "| model | way | largest difference by the batch | mean | largest change against fp32 | "
        "verdicts changed against fp32 | times the cost of one scale a batch |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in results["rows"]:
        lines.append(
            f"| {row['model']} | {row['way']} | {row['largest_difference']:.5f} | "
            f"{row['mean_difference']:.6f} | {row['largest_change']:.3f} | "
            f"{row['verdicts_changed']} | {row['times_the_cost']:.2f} |"
        )
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--model", "models", multiple=True, default=("mini-bi", "mini-cross"))
@click.option("--pairs", "files", multiple=True, required=True)
@click.option("--most", default=699, show_default=True, help="Pairs to score.")
@click.option("--rounds", default=5, show_default=True)
def main(models: tuple[str, ...], files: tuple[str, ...], most: int, rounds: int) -> None:
    """Measure both ways for all models and write the results."""
    torch.set_num_threads(1)
    try:
        pairs = [pair for file in files for pair in check_test(load_pairs(file)).pairs][:most]
    except KosimError as error:
        raise click.ClickException(str(error)) from error
    rows = []
    for model in models:
        for row in measure(model, pairs, rounds):
            print(row, flush=True)
            rows.append(row)
    results = {
        "command": f"python -m benchmarks.int8_batches --rounds {rounds}",
        "pairs": len(pairs),
        "rounds": rounds,
        "rows": rows,
        "onnxruntime": onnxruntime.__version__,
        "environment": describe_environment(),
    }
    write_json(RESULTS / "int8_batches.json", results)
    write_text(RESULTS / "int8_batches.md", to_markdown(results))


if __name__ == "__main__":
    main()
