"""``kosim probe``: which differences between sentences an encoder notices."""

from __future__ import annotations

from pathlib import Path

import click

from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.console import chosen_language
from kosim.experiments.cli.encoder_options import SAVED_ENCODER, ComputeOptions, compute_options
from kosim.experiments.cli.options import encoding_option, option, run_options
from kosim.experiments.cli.summary import say_stages, show
from kosim.experiments.study.run_folder import choose_folder


@click.command("probe")
@click.argument("models", type=SAVED_ENCODER, nargs=-1, required=True, metavar="MODEL...")
@option(
    "--items",
    type=click.Path(),
    metavar="FILE",
    help="Table of items of your own: sentence, same, different, and optionally phenomenon.",
    shown_default="2,550 items in 17 phenomena",
)
@encoding_option
@compute_options
@run_options("runs/probe")
def probe_command(
    models: tuple[Path, ...],
    items: str | None,
    encoding: str | None,
    compute: ComputeOptions,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Probe saved encoders with minimal pairs: negation, numbers, roles, typos and more.

    An item is ordered rightly when the sentence that means the same scores higher than the one
    that means something else.

    \b
    Examples:
      kosim probe mini-bi mini-cross
      kosim probe my-encoder --items items.csv
    """
    from kosim.experiments.probe.items import read_items
    from kosim.experiments.probe.report import PROBE
    from kosim.experiments.probe.run import probe

    chosen = read_items(items, encoding=encoding) if items is not None else None
    if repeated := next((model for model in models if models.count(model) > 1), None):
        raise ConfigError(f"{repeated} is given twice; give each encoder once")
    distinct = len({model.name for model in models}) == len(set(models))
    encoders = {model.name if distinct else str(model): compute.load(model) for model in models}
    folder = choose_folder("probe", out, overwrite=overwrite)
    results = PROBE.run(
        folder,
        lambda: probe(encoders, chosen, file=items, progress=say_stages(quiet=as_json)),
        overwrite=overwrite,
        language=chosen_language(),
    )
    show(PROBE, results, folder, as_json=as_json)
