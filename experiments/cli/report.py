"""``kosim report``: the report of a finished run, rendered again."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click
from pydantic import ConfigDict

from kosim.encoders.errors import StorageError
from kosim.encoders.storage import read_versioned_json
from kosim.experiments.cli.console import chosen_language
from kosim.experiments.cli.options import json_option, language_option
from kosim.experiments.cli.summary import show
from kosim.experiments.study.results import FORMAT, RESULTS, Results

_EXPERIMENTS = {
    "difference": ("comparison.report", "COMPARISON"),
    "study": ("tuning.report", "TUNING"),
    "tokenizers": ("tokenizers.report", "TOKENIZERS"),
    "primary": ("retrieval.report", "RETRIEVAL"),
    "curve": ("retrieval.depth.report", "DEPTH"),
    "peak_gflops": ("speed.report", "SPEED"),
    "differences": ("probe.report", "PROBE"),
    "gains": ("teaching.report", "TEACHING"),
}
"""A key that only the results of one experiment have: where that experiment is."""


class _AnyResults(Results):
    """The results of an experiment that is not known yet."""

    model_config = ConfigDict(extra="allow")


@click.command("report")
@click.argument("folder", type=click.Path(path_type=Path))
@language_option
@json_option
def report_command(folder: Path, as_json: bool) -> None:
    """Render the report of a finished run again, and print what it found.

    No figure changes: report.html, report.md and the finding in results.json are rewritten in the
    words of this version.

    \b
    Example:
      kosim report runs/quickstart --lang ko
    """
    content = read_versioned_json(
        folder / RESULTS,
        _AnyResults,
        newest=FORMAT,
        error=StorageError,
        remedy="give the folder of a finished run",
    )
    keys = content.model_extra or {}
    found = next((experiment for key, experiment in _EXPERIMENTS.items() if key in keys), None)
    if found is None:
        raise StorageError(
            f"{folder / RESULTS} holds the results of no experiment that has a report; give the "
            "folder of a finished compare, tune, bench, depth or evaluate-retrieval"
        )
    module, name = found
    experiment = getattr(import_module(f"kosim.experiments.{module}"), name)
    results = experiment.write_again(folder, language=chosen_language())
    show(experiment, results, folder, as_json=as_json)
