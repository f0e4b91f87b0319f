"""``kosim export``: prepare a saved encoder for another backend, and check what it loses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.export_store import ExportStore
from kosim.encoders.errors import QualityError
from kosim.encoders.loading import export_store, load
from kosim.encoders.records import LabelledPairs
from kosim.experiments.cli.console import notes, output, print_json, table, working
from kosim.experiments.cli.encoder_options import SAVED_ENCODER
from kosim.experiments.cli.options import file_option, json_option, option, pair_file_options
from kosim.experiments.data.cleaning import read_whole
from kosim.experiments.speed.export_check import check_export, require_quality
from kosim.experiments.study.notation import amount, decimal, many, signed


@click.command("export")
@click.argument("model", type=SAVED_ENCODER)
@option("--backend", type=click.Choice(["onnx"]), default="onnx", help="Backend to export for.")
@option(
    "--precision",
    type=click.Choice(["fp32", "int8"]),
    default="int8",
    help="Arithmetic of the exported encoder.",
)
@file_option("--validation", help="Labelled pairs on which the export is checked.")
@pair_file_options
@option(
    "--accept-loss", is_flag=True, help="Keep the export even if Pearson falls by over 0.5 points."
)
@json_option
def export_command(
    model: Path,
    backend: Any,
    precision: Any,
    validation: str | None,
    columns: str | None,
    encoding: str | None,
    label_scale: str | None,
    accept_loss: bool,
    as_json: bool,
) -> None:
    """Export MODEL into its folder, where every command then finds it.

    A bundled encoder, a third-party model, and one whose folder cannot be written are exported to
    the user's cache.

    With --validation, reports its speed and how Pearson and F1 change against the full weights.

    \b
    Example:
      kosim export models/cross --precision int8 --validation validation.csv
    """
    pairs = None
    if validation:
        pairs = read_whole(validation, columns=columns, encoding=encoding, label_scale=label_scale)
    choice = ComputeChoice.of(backend, precision)
    exports = export_store(model)
    if pairs is not None or accept_loss:
        exports.allow(precision)
    with working(f"exporting {model}"):
        load(model, backend=backend, precision=precision)
    export = exports.keep(precision)
    result: dict[str, Any] = {
        "model": str(model),
        "backend": backend,
        "precision": precision,
        "export": None if export is None else str(export.folder),
    }
    if pairs is not None:
        with working(f"scoring {many(len(pairs), 'pair')}"):
            result["check"] = _checked(model, choice, pairs, exports, accept_loss=accept_loss)
    if as_json:
        print_json(result)
        return
    output.print(f"Exported to {result['export']}", soft_wrap=True)
    if pairs is None:
        notes.print("its scores were not checked; give --validation FILE", style="dim")
    else:
        _print_check(result["check"], str(choice))


def _checked(
    model: Path,
    choice: ComputeChoice,
    pairs: LabelledPairs,
    exports: ExportStore,
    *,
    accept_loss: bool,
) -> dict[str, Any]:
    figures = check_export(model, choice, pairs)
    try:
        require_quality(figures)
    except QualityError as error:
        if not accept_loss:
            exports.refuse(choice.precision, str(error))
            raise
    return figures


def _print_check(figures: dict[str, Any], name: str) -> None:
    shown = table(f"on {many(figures['n'], 'pair')}", "torch fp32", name, "change")
    full, exported = figures["full"], figures["exported"]
    for metric, label in (("pearson", "Pearson"), ("f1", "F1 at 3.0")):
        shown.add_row(
            label,
            decimal(full[metric], 4),
            decimal(exported[metric], 4),
            signed(figures[f"{metric}_change"], 4),
        )
    speeds = [amount(side["pairs_per_second"]) for side in (full, exported)]
    shown.add_row("pairs a second", *speeds, f"{figures['times_faster']:.2f} times")
    output.print(shown)
