"""``kosim data``: look at a file of pairs before anything is trained on it."""

from __future__ import annotations

from typing import Any

import click

from kosim.encoders.errors import DataError
from kosim.experiments.cli.console import output, print_json, table
from kosim.experiments.cli.options import given, json_option, option, pair_files_options
from kosim.experiments.data.cleaning import check_test, clean_training
from kosim.experiments.data.data_report import data_report
from kosim.experiments.data.partition import load_raw
from kosim.experiments.settings import DataSettings, parse_settings


@click.command("data")
@click.argument("file", type=click.Path())
@option("--test", type=click.Path(), metavar="FILE", help="Test pairs, to look for leakage.")
@pair_files_options
@json_option
def data_command(file: str, test: str | None, as_json: bool, **options: Any) -> None:
    """Report what FILE holds, what cleaning would remove, and what leaks into the test.

    \b
    Examples:
      kosim data pairs.csv
      kosim data train.csv --test test.csv --columns 문장1,문장2,유사도
    """
    settings = {"train": file, "test": test, **given(options, DataSettings)}
    raw, raw_test = load_raw(parse_settings(DataSettings, settings))
    if raw is None:
        raise DataError("no file of pairs was named; give FILE")
    if raw_test is not None:
        check_test(raw_test)
    _, removed = clean_training(raw, raw_test)
    report = data_report(raw, raw_test, removed=removed)
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
    if "leakage" in report:
        leakage = table("training rows that share with the test", "rows")
        leakage.add_row("a pair", str(report["leakage"]["pairs"]["n"]))
        leakage.add_row("a sentence", str(report["leakage"]["sentences"]["n"]))
        output.print(leakage)


def _print_split(split: dict[str, Any]) -> None:
    facts = table(split["name"], "rows", "examples")
    facts.add_row("read", str(split["read"]))
    for reason, found in [*split["removed"].items(), *split["noted"].items()]:
        if found["n"]:
            verb = "removed" if reason in split["removed"] else "noted"
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
