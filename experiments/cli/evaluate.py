"""``kosim evaluate``: the figures of one saved encoder on test pairs."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from kosim.experiments.cli.console import output, print_json, table
from kosim.experiments.cli.encoder_options import SAVED_ENCODER, ComputeOptions, compute_options
from kosim.experiments.cli.options import json_option, option, pair_file_options
from kosim.experiments.comparison.evaluation import ScoredContender, evaluate, evaluate_sources
from kosim.experiments.comparison.results import EvaluationResults
from kosim.experiments.data.cleaning import check_test
from kosim.experiments.data.label_scale import AUTO
from kosim.experiments.data.pairs import load_pairs
from kosim.experiments.settings import EvaluationSettings
from kosim.experiments.study.figures import written
from kosim.experiments.study.notation import METRIC_NAMES


@click.command("evaluate")
@click.argument("model", type=SAVED_ENCODER)
@option("--test", required=True, metavar="FILE", help="File of labelled test pairs.")
@pair_file_options
@compute_options
@json_option
def evaluate_command(
    model: Path,
    test: str,
    columns: str | None,
    encoding: str | None,
    label_scale: str | None,
    compute: ComputeOptions,
    as_json: bool,
) -> None:
    """Evaluate a saved encoder on test pairs, with intervals.

    \b
    Example:
      kosim evaluate mini-cross --test test.csv
    """
    raw = load_pairs(test, scale=label_scale or AUTO, columns=columns, encoding=encoding)
    pairs = check_test(raw)
    encoder = compute.load(model)
    contender = ScoredContender(
        name=str(model),
        kind=encoder.kind,
        scores=encoder.score(pairs.pairs).astype(np.float64)[None],
        thresholds=np.array([encoder.threshold]),
    )
    settings = EvaluationSettings()
    results = EvaluationResults(
        model=str(model),
        kind=encoder.kind,
        n=len(pairs),
        threshold=encoder.threshold,
        test=evaluate(contender, pairs.labels, settings),
        by_source=evaluate_sources(contender, pairs, settings),
    )
    if as_json:
        print_json(results.model_dump(mode="json"))
        return
    shown = table("metric", "value")
    for name, figure in results.test.items():
        shown.add_row(METRIC_NAMES[name].en, written(figure))
    for source, found in results.by_source.items():
        shown.add_row(f"Pearson, {source} (n = {found.n})", written(found.pearson))
    output.print(shown)
