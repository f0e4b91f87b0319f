"""``kosim score``: how similar two sentences are, or the pairs of a file."""

from __future__ import annotations

from pathlib import Path

import click

from kosim.encoders.errors import ConfigError, DataError
from kosim.experiments.cli.console import output, print_json
from kosim.experiments.cli.encoder_options import SAVED_ENCODER, ComputeOptions, compute_options
from kosim.experiments.cli.options import (
    columns_option,
    encoding_option,
    file_option,
    json_option,
    out_option,
    overwrite_option,
    symmetric_option,
)
from kosim.experiments.cli.progress import stage_progress
from kosim.experiments.study.notation import many


@click.command("score")
@click.argument("model", type=SAVED_ENCODER)
@click.argument("sentences", metavar="[SENTENCE1 SENTENCE2]", nargs=-1)
@file_option("--pairs", help="Table of pairs to score, instead of two sentences.")
@out_option(metavar="FILE", help="File for the scored pairs: .csv, .tsv, .jsonl or .parquet.")
@columns_option
@encoding_option
@overwrite_option("the file of --out")
@symmetric_option
@compute_options
@json_option
def score_command(
    model: Path,
    sentences: tuple[str, ...],
    pairs: str | None,
    out: Path | None,
    columns: str | None,
    encoding: str | None,
    overwrite: bool,
    symmetric: bool,
    compute: ComputeOptions,
    as_json: bool,
) -> None:
    """Score how similar two sentences are, from 0 to 5, or each pair of a file.

    A file is read and written row by row: it can be larger than the memory.

    \b
    Examples:
      kosim score mini-cross "불 꺼 줘" "조명을 꺼 줄래?"
      kosim score mini-cross --pairs pairs.csv --out scored.csv
    """
    if pairs is not None:
        if sentences or out is None:
            raise ConfigError("--pairs FILE goes with --out FILE, and without sentences")
        _score_file(model, pairs, out, columns, encoding, overwrite, symmetric, compute, as_json)
        return
    if len(sentences) != 2 or out is not None:
        raise ConfigError("give two sentences, or --pairs FILE with --out FILE")
    for name, sentence in zip(("first", "second"), sentences, strict=True):
        if not sentence.strip():
            raise DataError(f"the {name} sentence is empty; give a sentence")
    encoder = compute.load(model)
    score = float(encoder.score([(sentences[0], sentences[1])], symmetric=symmetric)[0])
    similar = score >= encoder.threshold
    if as_json:
        print_json(
            {
                "score": score,
                "similar": similar,
                "threshold": encoder.threshold,
                "calibrated": encoder.calibrated,
            }
        )
    else:
        verdict = "similar (유사함)" if similar else "not similar (유사하지 않음)"
        calibrated = "" if encoder.calibrated else " (not calibrated)"
        output.print(f"{score:.2f} of 5{calibrated}: {verdict}")


def _score_file(
    model: Path,
    pairs: str,
    out: Path,
    columns: str | None,
    encoding: str | None,
    overwrite: bool,
    symmetric: bool,
    compute: ComputeOptions,
    as_json: bool,
) -> None:
    from kosim.experiments.data.scored_pairs import score_file

    encoder = compute.load(model)
    with stage_progress() as progress:
        count = score_file(
            encoder,
            pairs,
            out,
            columns=columns,
            encoding=encoding,
            symmetric=symmetric,
            overwrite=overwrite,
            progress=lambda done: progress("pairs", done),
        )
    if as_json:
        print_json(
            {
                "pairs": count,
                "out": str(out),
                "threshold": encoder.threshold,
                "calibrated": encoder.calibrated,
            }
        )
    else:
        calibrated = "" if encoder.calibrated else " (not calibrated)"
        output.print(f"Scored {many(count, 'pair')}{calibrated}: {out}", soft_wrap=True)
