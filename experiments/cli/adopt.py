"""``kosim adopt``: a saved, calibrated encoder of a model that others trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.storage import check_output
from kosim.experiments.cli.console import notes, output, print_json, working
from kosim.experiments.cli.encoder_options import SAVED_ENCODER, device_option
from kosim.experiments.cli.options import (
    json_option,
    option,
    out_option,
    overwrite_option,
    pair_file_options,
)


@click.command("adopt")
@click.argument("model", type=SAVED_ENCODER)
@option(
    "--validation",
    type=click.Path(),
    metavar="FILE",
    help="Labelled pairs on which its scores are calibrated and its threshold is chosen.",
)
@pair_file_options
@option(
    "--pooling",
    type=click.Choice(["mean", "cls", "max"]),
    help="Make a bi-encoder of a plain transformers model, with this pooling.",
)
@option("--prompt", help="Text put before every sentence of a bi-encoder.", shown_default="its own")
@option("--max-length", type=int, help="Maximum number of tokens.", shown_default="its own")
@device_option
@out_option(required=True)
@overwrite_option("an earlier encoder")
@json_option
def adopt_command(
    model: Path,
    validation: str | None,
    columns: str | None,
    encoding: str | None,
    label_scale: str | None,
    pooling: Any,
    prompt: str | None,
    max_length: int | None,
    device: str | None,
    out: Path,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Calibrate a model that others trained and save it as an encoder of kosim.

    MODEL is a sentence-transformers model or a cross-encoder with one label, by folder or hub id;
    it is not trained further. Every command also takes such a model as it is, and then says that
    its scores are not calibrated.

    \b
    Example:
      kosim adopt intfloat/multilingual-e5-small --prompt "query: " --validation pairs.csv --out e5
    """
    from kosim.encoders.adoption import adopt
    from kosim.encoders.records import check_validation
    from kosim.experiments.data.cleaning import read_whole

    check_output(out, overwrite=overwrite)
    pairs = None
    if validation:
        pairs = read_whole(validation, columns=columns, encoding=encoding, label_scale=label_scale)
        check_validation(pairs, file=validation)
    with working(f"opening {model}"):
        encoder = adopt(
            model, pairs, pooling=pooling, prompt=prompt, max_length=max_length, device=device
        )
        encoder.save(out, overwrite=overwrite)
    if as_json:
        print_json(
            {
                "out": str(out),
                "kind": encoder.kind,
                "max_length": encoder.max_length,
                "calibrated": encoder.calibrated,
                "threshold": encoder.threshold,
                "pairs": 0 if pairs is None else len(pairs),
            }
        )
        return
    if not encoder.calibrated:
        notes.print("its scores are not calibrated; give --validation FILE", style="yellow")
    output.print(f"Saved: {out}", soft_wrap=True)
