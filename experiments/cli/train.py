"""``kosim train``: one encoder, from a backbone to a saved artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.storage import check_output
from kosim.encoders.training import ranks
from kosim.encoders.training.config import LOSS_NAMES, TrainingConfig
from kosim.experiments.cli.console import notes, output
from kosim.experiments.cli.encoder_options import device_option
from kosim.experiments.cli.group import keep_on_interrupt
from kosim.experiments.cli.options import (
    BACKBONE,
    data_options,
    given,
    out_option,
    overwrite_option,
    seed_option,
    setting,
    settings_options,
    training_options,
)
from kosim.experiments.cli.progress import training_progress
from kosim.experiments.settings import DataSettings, EncoderSettings, parse_settings

_LOSSES = [loss for losses in LOSS_NAMES.values() for loss in losses]


@click.command("train")
@click.argument("kind", type=click.Choice(["bi", "cross"]))
@data_options
@setting(EncoderSettings, "backbone", type=BACKBONE, metavar="MODEL")
@settings_options(EncoderSettings, "revision", "pooling", "prompt")
@setting(EncoderSettings, "text_step", type=click.Choice(["morphemes"]))
@setting(TrainingConfig, "loss", type=click.Choice(_LOSSES))
@setting(TrainingConfig, "matryoshka", type=str, metavar="N,N,...")
@training_options
@settings_options(TrainingConfig, "swap_augmentation")
@seed_option("the order of the pairs, dropout and new weights", default=1)
@device_option
@out_option(required=True)
@overwrite_option("an earlier encoder")
def train_command(kind: str, out: Path, seed: int, overwrite: bool, **options: Any) -> None:
    """Train a bi-encoder or a cross-encoder and save it.

    A killed run continues from its last checkpoint when the same command is given again. Give
    the test pairs as well, so that they are kept out of training.

    \b
    Examples:
      kosim train bi --train pairs.csv --backbone mini --out models/bi
      kosim train cross --dataset sample --backbone mini --out models/cross
    """
    from kosim.experiments.comparison.contenders import train_and_save
    from kosim.experiments.comparison.learning_warnings import of_training
    from kosim.experiments.comparison.trivial import trivial_pearson
    from kosim.experiments.data.partition import load_training

    ranks.on_main(lambda: check_output(out, overwrite=overwrite))
    data = parse_settings(DataSettings, given(options, DataSettings))
    contender = parse_settings(
        EncoderSettings,
        {
            **given(options, EncoderSettings),
            "kind": kind,
            "training": {**given(options, TrainingConfig), "seed": seed},
        },
    )
    keep_on_interrupt(
        f"The last whole checkpoint is kept beside {out}.",
        out.with_name(f".{out.name}.checkpoints"),
    )
    pairs = ranks.on_main(lambda: load_training(data))
    with training_progress() as callbacks:
        result = train_and_save(
            contender,
            pairs,
            out,
            seed=seed,
            device=options["device"],
            scratch=out.with_name(f"{out.name}-backbone"),
            overwrite=overwrite,
            callbacks=callbacks,
        )
    if not ranks.is_main():
        return
    found = of_training(result, trivial_pearson(pairs.validation))
    for notice in [*result.notices, *found]:
        notes.print(notice, style="yellow")
    notes.print(f"epoch {result.best_epoch} was the best", style="dim")
    output.print(f"Saved: {out}", soft_wrap=True)
