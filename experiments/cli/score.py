"""``kosim score``: how similar two sentences are."""

from __future__ import annotations

from pathlib import Path

import click

from kosim.encoders.errors import DataError
from kosim.experiments.cli.console import output, print_json
from kosim.experiments.cli.encoder_options import SAVED_ENCODER, ComputeOptions, compute_options
from kosim.experiments.cli.options import json_option


@click.command("score")
@click.argument("model", type=SAVED_ENCODER)
@click.argument("sentence1")
@click.argument("sentence2")
@compute_options
@json_option
def score_command(
    model: Path, sentence1: str, sentence2: str, compute: ComputeOptions, as_json: bool
) -> None:
    """Score how similar two sentences are, from 0 to 5."""
    for name, sentence in (("first", sentence1), ("second", sentence2)):
        if not sentence.strip():
            raise DataError(f"the {name} sentence is empty; give a sentence")
    encoder = compute.load(model)
    score = float(encoder.score([(sentence1, sentence2)])[0])
    similar = score >= encoder.threshold
    if as_json:
        print_json({"score": score, "similar": similar, "threshold": encoder.threshold})
    else:
        verdict = "similar (유사함)" if similar else "not similar (유사하지 않음)"
        output.print(f"{score:.2f} of 5: {verdict}")
