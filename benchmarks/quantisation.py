"""Which 8-bit integers: what dynamic and calibrated quantisation gain and lose.

The graphs differ in nothing but how activations get their scale: `dynamic` finds it anew for every
product (kosim's exports do so for every token: see `int8_batches`); the calibrated ones have found
it once, on inputs from the training pairs (those of the commonest length), by the extremes or by
the 99.99th percentile. Weights have one 7-bit scale a column everywhere, and the products of a head
stay in full precision. All of them score the same validation pairs in turns, so that a drift of the
machine's speed hits all; ratios are medians over the rounds.

    python -m benchmarks.quantisation --train ../shared/data/klue-sts/train.csv \\
        --validation ../shared/data/klue-sts/klue-sts-v1.1_dev.json
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from kosim.encoders.base import PairEncoder
from kosim.encoders.compute.onnx_graph import export_graph, products_of_one_vector, quantise_graph
from kosim.encoders.compute.onnx_runtime import OnnxRuntime
from kosim.encoders.compute.runtime import FloatArray, Runtime, TokenBatch
from kosim.encoders.errors import KosimError
from kosim.encoders.loading import load
from kosim.encoders.metrics import f1, pearson
from kosim.encoders.records import DECISION_THRESHOLD, LabelledPairs
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.data.cleaning import check_test
from kosim.experiments.data.pairs import load_pairs
from kosim.experiments.study.environment import describe_environment, processor_of

RESULTS = Path(__file__).parent / "results"
CALIBRATED = {
    "extremes": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"CalibPercentile": 99.99}),
}


class Recorder(Runtime):
    """Computes by another runtime and keeps the batches that it was given."""

    backend = "torch"
    precision = "fp32"
    token_budget = 1_024

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.batches: list[dict[str, Any]] = []

    def run(self, batch: TokenBatch) -> FloatArray:
        """Keep a copy of the batch, whose arrays are overwritten."""
        self.batches.append({name: values.copy() for name, values in batch.items()})
        return self._runtime.run(batch)


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands out batches, each with the inputs of the graph."""

    def __init__(self, batches: Sequence[dict[str, Any]], inputs: Sequence[str]) -> None:
        self._batches: Iterator[dict[str, Any]] = iter(
            [{name: batch[name] for name in inputs} for batch in batches]
        )

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, None after the last."""
        return next(self._batches, None)


def of_one_length(batches: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the inputs of the commonest length, in batches of 8: (8, tokens) each.

    onnxruntime's percentiles are only of batches that all have the same shape.
    """
    rows = [
        {name: values[row, : batch["attention_mask"][row].sum()] for name, values in batch.items()}
        for batch in batches
        for row in range(len(batch["attention_mask"]))
    ]
    length, _ = Counter(len(row["attention_mask"]) for row in rows).most_common(1)[0]
    rows = [row for row in rows if len(row["attention_mask"]) == length]
    return [
        {name: np.stack([row[name] for row in rows[at : at + 8]]) for name in rows[at]}
        for at in range(0, len(rows) - 7, 8)
    ]


def calibrate(graph: Path, quantised: Path, method: str, batches: list[dict[str, Any]]) -> None:
    """Write a graph whose activations have the scales that suit the batches."""
    model = onnx.load(graph)
    add_pre_process_metadata(model)
    how, options = CALIBRATED[method]
    quantize_static(
        model,
        quantised,
        Reader(batches, [one.name for one in model.graph.input]),
        quant_format=QuantFormat.QDQ,
        calibrate_method=how,
        op_types_to_quantize=["MatMul"],
        nodes_to_exclude=products_of_one_vector(model),
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        use_external_data_format=True,
        extra_options={"MatMulConstBOnly": True, **options},
    )


def runtimes(encoder: PairEncoder, calibration: LabelledPairs, folder: Path) -> dict[str, Runtime]:
    """Return each way of computing the encoder's network, torch and fp32 first."""
    recorder = Recorder(encoder.runtime)
    found: dict[str, Runtime] = {"torch fp32": encoder.runtime}
    encoder.runtime = recorder
    encoder.score(calibration.pairs)
    full = folder / "fp32" / "model.onnx"
    full.parent.mkdir()
    export_graph(encoder._network(), full)
    found["onnx fp32"] = OnnxRuntime(full, "fp32")
    batches = of_one_length(recorder.batches)
    makers: dict[str, Callable[[Path], None]] = {
        "dynamic": lambda to: quantise_graph(full, to, by_row=False)
    }
    for method in CALIBRATED:
        makers[method] = lambda to, method=method: calibrate(full, to, method, batches)  # type: ignore[misc]
    for name, make in makers.items():
        graph = folder / name / "model.onnx"
        graph.parent.mkdir()
        make(graph)
        found[f"int8, {name}"] = OnnxRuntime(graph, "int8")
    return found


def measure(
    model: str, calibration: LabelledPairs, validation: LabelledPairs, rounds: int
) -> list[dict[str, Any]]:
    """Return a row for each way: quality, and the ratio of its speed to torch's."""
    encoder = load(model, backend="torch", device="cpu")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        ways = runtimes(encoder, calibration, Path(folder))
        scores: dict[str, Any] = {}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, runtime in ways.items():
                encoder.runtime = runtime
                started = time.perf_counter()
                scores[name] = encoder.score(validation.pairs)
                seconds[name].append(time.perf_counter() - started)
    for name in ways:
        ratios = np.array(seconds["torch fp32"]) / np.array(seconds[name])
        rows.append(
            {
                "model": model,
                "way": name,
                "pearson": pearson(validation.labels, scores[name]),
                "f1": f1(validation.labels, scores[name], threshold=DECISION_THRESHOLD),
                "largest_change": float(np.abs(scores[name] - scores["torch fp32"]).max()),
                "seconds": statistics.median(seconds[name]),
                "times_faster": float(np.median(ratios)),
            }
        )
    return rows


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    environment = results["environment"]
    lines = [
        "# Which 8-bit integers",
        "",
        f"`{results['command']}`: {results['pairs']:,} pairs scored in {results['rounds']} rounds, "
        f"{results['calibration']:,} training pairs to calibrate, {environment['threads']} threads "
        f"({processor_of(environment)}), onnxruntime "
        f"{results['onnxruntime']}, torch {environment['torch']}. Times faster: medians of the "
        "rounds' ratios.",
        "",
        "| model | way | Pearson | F1 | largest change of a score | times faster |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in results["rows"]:
        lines.append(
            f"| {row['model']} | {row['way']} | {row['pearson']:.4f} | {row['f1']:.3f} | "
            f"{row['largest_change']:.2f} | {row['times_faster']:.2f} |"
        )
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--model", "models", multiple=True, default=("mini-bi", "mini-cross"))
@click.option("--train", "train_file", required=True)
@click.option("--validation", "validation_file", required=True)
@click.option("--calibration", default=3_000, show_default=True, help="Pairs to calibrate on.")
@click.option("--rounds", default=7, show_default=True)
def main(
    models: tuple[str, ...], train_file: str, validation_file: str, calibration: int, rounds: int
) -> None:
    """Measure all ways for all models and write the results."""
    try:
        train, validation = (check_test(load_pairs(file)) for file in (train_file, validation_file))
    except KosimError as error:
        raise click.ClickException(str(error)) from error
    chosen = train.take(np.random.default_rng(0).permutation(len(train))[:calibration])
    rows = []
    for model in models:
        for row in measure(model, chosen, validation, rounds):
            print(row, flush=True)
            rows.append(row)
    results = {
        "command": f"python -m benchmarks.quantisation --rounds {rounds}",
        "pairs": len(validation),
        "calibration": calibration,
        "rounds": rounds,
        "rows": rows,
        "onnxruntime": onnxruntime.__version__,
        "environment": describe_environment(),
    }
    write_json(RESULTS / "quantisation.json", results)
    write_text(RESULTS / "quantisation.md", to_markdown(results))


if __name__ == "__main__":
    main()
