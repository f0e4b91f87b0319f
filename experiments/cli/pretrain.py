"""``kosim pretrain``: a small ELECTRA from a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from kosim.encoders.compute.runtime import TrainingPrecision
from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.pretraining.run import CURVE, PretrainingConfig, pretrain
from kosim.encoders.pretraining.sizes import Size
from kosim.encoders.pretraining.start import Embeddings
from kosim.encoders.storage import check_output
from kosim.experiments.cli.console import notes, output
from kosim.experiments.cli.group import keep_on_interrupt
from kosim.experiments.cli.options import (
    budget_options,
    given,
    option,
    out_option,
    overwrite_option,
    setting,
)
from kosim.experiments.cli.progress import steps_progress
from kosim.experiments.settings import parse_settings
from kosim.experiments.study.notation import decimal


@click.command("pretrain")
@click.argument("corpus")
@option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Tokenizer of a new network (see kosim tokenizer train).",
)
@setting(PretrainingConfig, "backbone", "--backbone")
@setting(PretrainingConfig, "size", "--size", type=click.Choice(get_args(Size)))
@setting(PretrainingConfig, "embeddings", "--embeddings", type=click.Choice(get_args(Embeddings)))
@budget_options
@setting(PretrainingConfig, "tokens", "--batch-tokens", type=int)
@setting(PretrainingConfig, "longest", "--max-length", type=int)
@setting(PretrainingConfig, "pair_share", "--pair-share", type=float)
@setting(PretrainingConfig, "masking", "--masking", type=float)
@setting(PretrainingConfig, "discriminator_weight", "--discriminator-weight", type=float)
@setting(PretrainingConfig, "learning_rate", "--learning-rate", type=float)
@setting(PretrainingConfig, "warmup", "--warmup", type=float)
@setting(PretrainingConfig, "dropout", "--dropout", type=float)
@setting(PretrainingConfig, "sentences", "--sentences", type=int)
@setting(PretrainingConfig, "held_out", "--held-out", type=int)
@setting(PretrainingConfig, "evaluations", "--evaluations", type=int)
@setting(PretrainingConfig, "seed", "--seed", type=int)
@setting(
    PretrainingConfig, "precision", "--precision", type=click.Choice(get_args(TrainingPrecision))
)
@out_option(required=True)
@overwrite_option("an earlier backbone or an interrupted run")
def pretrain_command(
    corpus: str, tokenizer: Path | None, out: Path, overwrite: bool, **options: Any
) -> None:
    """Pretrain an ELECTRA on CORPUS by replaced token detection, and write its discriminator.

    CORPUS is text, a sentence a line, also .gz. With --backbone an ELECTRA that is there goes on,
    to learn the language of a field for example. A killed run goes on when the same command is
    given again. --minutes is turned into steps by a trial at the start: evaluations come on top.

    \b
    Example:
      kosim pretrain corpus.txt --tokenizer models/tokenizer --minutes 30 --out models/electra
    """
    config = parse_settings(
        PretrainingConfig,
        {**given(options, PretrainingConfig), "budget": given(options, Budget)},
    )
    check_output(out, overwrite=overwrite)
    keep_on_interrupt(
        f"The last whole checkpoint is kept beside {out}.", out.with_name(f".{out.name}.work")
    )
    with steps_progress("replaced tokens", "average_precision") as (callbacks, _):
        result = pretrain(
            corpus,
            tokenizer,
            out,
            config,
            overwrite=overwrite,
            callbacks=callbacks,
            announce=lambda stage: notes.print(stage, style="dim"),
        )
    last = result["curve"][-1]
    output.print(
        f"After {result['steps']:,} steps: generator loss {decimal(last['generator_loss'])}, "
        f"discriminator loss {decimal(last['discriminator_loss'])}; replaced tokens: precision "
        f"{decimal(last['precision'])}, recall {decimal(last['recall'])}, area under the "
        f"precision-recall curve {decimal(last['average_precision'])} "
        f"(by chance {decimal(last['replaced_share'])})",
    )
    output.print(f"Saved: {out} (curve in {CURVE})", soft_wrap=True)
