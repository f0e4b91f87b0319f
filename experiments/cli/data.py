"""``kosim data``: look at a file of pairs before anything is trained on it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pandas as pd
from click.core import ParameterSource

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.records import LabelledPairs
from kosim.encoders.storage import check_output
from kosim.encoders.training.config import TrainingConfig
from kosim.experiments.cli.console import output, print_json, table
from kosim.experiments.cli.options import (
    backbone_option,
    corrections_option,
    file_option,
    given,
    json_option,
    option,
    overwrite_option,
    pair_files_options,
)
from kosim.experiments.cli.progress import training_progress
from kosim.experiments.cli.summary import say_stages
from kosim.experiments.data.cleaning import check_test, clean_training
from kosim.experiments.data.corrections import filled_in
from kosim.experiments.data.data_report import data_report
from kosim.experiments.data.pairs import RawPairs
from kosim.experiments.data.partition import load_raw
from kosim.experiments.settings import DataSettings, EncoderSettings, parse_settings

_SHOWN = 10
"""Suspicious pairs that are printed."""


@click.command("data")
@click.argument("file", type=click.Path())
@file_option("--test", help="Test pairs, to look for leakage.")
@pair_files_options
@corrections_option
@option(
    "--find-noise",
    is_flag=True,
    help="Train both encoders on K folds and rank the labels that they contradict.",
)
@option("--folds", type=int, default=5, help="Folds of --find-noise.")
@backbone_option(
    "--backbone",
    help="Model whose tokenizer reads the sentences, to count what is unknown to it; --find-noise "
    "trains it.",
    shown_default="mini, for --find-noise",
)
@option(
    "--epochs",
    type=int,
    default=3,
    help="Passes over the training pairs of --find-noise; with more of them, encoders also learn "
    "the wrong labels.",
)
@option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default="noise.csv",
    help="Table of all pairs by suspicion, to be corrected and given back as --corrections.",
)
@overwrite_option("the table of --out")
@json_option
def data_command(
    file: str,
    test: str | None,
    find_noise: bool,
    folds: int,
    backbone: str | None,
    out: Path,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Report what FILE holds, what cleaning would remove, and what leaks into the test.

    With --find-noise, rank its labels by how far encoders that never learnt from them disagree.

    \b
    Examples:
      kosim data pairs.csv
      kosim data train.csv --test test.csv --columns 문장1,문장2,유사도
      kosim data train.csv --find-noise --out noise.csv
      kosim data pairs.csv --backbone mini
    """
    settings = {"train": file, "test": test, **given(options, DataSettings)}
    corrections = options.get("corrections")
    if find_noise:
        _check_out(out, corrections, overwrite=overwrite)
    else:
        _check_unused("out", "folds", "epochs", "overwrite")
    raw, raw_test = load_raw(parse_settings(DataSettings, settings))
    if raw is None:
        raise DataError("no file of pairs was named; give FILE")
    if raw_test is not None:
        check_test(raw_test)
    pairs, removed = clean_training(raw, raw_test)
    if find_noise:
        left_out = {row for rows in removed.values() for row in rows}
        rows = [row for row in raw.frame["row"].tolist() if row not in left_out]
        training = given(options, TrainingConfig)
        _find_noise(pairs, rows, folds, backbone or "mini", training, out, raw.corrections, as_json)
        return
    report = data_report(raw, raw_test, removed=removed)
    if backbone is not None:
        report["unknown_tokens"] = _unknown_tokens(backbone, raw)
    if as_json:
        print_json(report)
        return
    splits = [report[split] for split in ("train", "test") if split in report]
    for split in splits:
        _print_split(split)
    mixes = table("share of labels", *(split["name"] for split in splits))
    for band in splits[0]["labels"]["mix"]:
        mixes.add_row(band, *(f"{split['labels']['mix'][band]:.1%}" for split in splits))
    output.print(mixes)
    output.print()
    if backbone is not None:
        unknown = report["unknown_tokens"]
        example = f", such as in {unknown['example']!r}" if unknown["example"] else ""
        output.print(
            f"  {unknown['share']:.1%} of the {unknown['tokens']:,} tokens are unknown to "
            f"{backbone}{example}"
        )
        output.print()
    if "leakage" in report:
        leakage = table("training rows that share with the test", "rows")
        leakage.add_row("a pair", str(report["leakage"]["pairs"]["n"]))
        leakage.add_row("a sentence", str(report["leakage"]["sentences"]["n"]))
        output.print(leakage)


def _check_unused(*names: str) -> None:
    """Refuse options of --find-noise where it is not given.

    Raises:
        ConfigError: one of them is given.
    """
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise ConfigError(f"--{name} belongs to --find-noise; give both, or leave it out")


def _check_out(out: Path, corrections: str | None, *, overwrite: bool) -> None:
    """Refuse a table that cannot be written, or in whose place corrections by hand would be lost.

    Raises:
        ConfigError: it is no CSV file, a folder, or holds corrections that are not given.
        StorageError: it cannot be written, or exists and is not to be replaced.
    """
    if out.suffix != ".csv":
        raise ConfigError(f"the table of --out is a CSV file, not {out.name}; end its name in .csv")
    check_output(out, overwrite=overwrite)
    if out.is_dir():
        raise ConfigError(f"{out} is a folder; name a file in it as --out")
    if not out.exists() or (corrections is not None and out.samefile(corrections)):
        return
    try:
        held = len(filled_in(out))
    except DataError:
        return  # no table of corrections
    if held:
        raise ConfigError(
            f"{out} holds {held:,} corrections; give it as --corrections too, which keeps them, or "
            "choose another --out"
        )


def _find_noise(
    pairs: LabelledPairs,
    rows: list[int],
    folds: int,
    backbone: str,
    training: dict[str, Any],
    out: Path,
    earlier: pd.DataFrame | None,
    as_json: bool,
) -> None:
    from kosim.experiments.noise.find import find_noise, write_ranking

    kinds = ("bi", "cross")
    contenders = {
        kind: parse_settings(
            EncoderSettings, {"kind": kind, "backbone": backbone, "training": training}
        )
        for kind in kinds
    }
    with training_progress(quiet=as_json) as callbacks:
        ranking = find_noise(
            pairs,
            contenders,
            folds=folds,
            callbacks=callbacks,
            progress=say_stages(quiet=as_json),
        )
    write_ranking(ranking, rows, out, earlier)
    first = ranking.table(rows).head(_SHOWN)
    if as_json:
        print_json({"pairs": len(pairs), "out": str(out), "first": first.to_dict("records")})
        return
    shown = table("pair", "row", "label", "suggested")
    for record in first.to_dict("records"):
        shown.add_row(
            f"{record['sentence1']}\n{record['sentence2']}",
            str(record["row"]),
            f"{record['label']:.1f}",
            f"{record['suggested']:.1f}",
        )
    output.print(shown)
    output.print(
        f"\nAll {len(pairs):,} pairs by suspicion: {out}. Fill in its column corrected where a "
        "label is wrong, and train with --corrections.",
        soft_wrap=True,
    )


def _unknown_tokens(backbone: str, raw: RawPairs) -> dict[str, Any]:
    from kosim.encoders.bi import BiEncoder  # heavy, and not needed without a backbone
    from kosim.encoders.unknown_tokens import unknown_share

    tokenizer = BiEncoder.from_backbone(backbone, device="cpu").tokenizer
    texts = pd.concat([raw.frame["sentence1"], raw.frame["sentence2"]]).dropna()
    found = unknown_share(tokenizer, texts)
    return {"backbone": backbone, **asdict(found), "share": found.share}


def _print_split(split: dict[str, Any]) -> None:
    facts = table(split["name"], "rows", "examples")
    facts.add_row("read", str(split["read"]))
    for verb in ("removed", "noted"):
        for reason, found in split[verb].items():
            if found["n"]:
                examples = ", ".join(map(str, found["rows"]))
                facts.add_row(f"{verb}: {reason.replace('_', ' ')}", str(found["n"]), examples)
    facts.add_row("kept", str(split["kept"]))
    if split["distinct_pairs"] < split["kept"]:
        facts.add_row("distinct pairs", str(split["distinct_pairs"]))
    output.print(facts)
    labels, characters = split["labels"], split["characters"]
    output.print(
        f"  labels: mean {labels['mean']:.2f}, {labels['positive_share']:.1%} at 3 or more; "
        f"sentences: {characters['mean']:.0f} characters on average, "
        f"95% at most {characters['p95']:.0f}",
    )
    by_source = split["by_source"]
    if by_source:
        sources = table("source", "pairs", "mean label", "at 3 or more")
        for source, figures in by_source.items():
            sources.add_row(
                source,
                str(figures["n"]),
                f"{figures['mean_label']:.2f}",
                f"{figures['positive_share']:.1%}",
            )
        output.print(sources)
    output.print()
