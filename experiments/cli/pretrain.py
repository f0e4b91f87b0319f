"""``kosim pretrain``: a small ELECTRA from a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.pretraining.run import CURVE, PretrainingConfig, pretrain
from kosim.encoders.storage import check_output
from kosim.experiments.cli.console import notes, output
from kosim.experiments.cli.group import keep_work
from kosim.experiments.cli.options import (
    budget_options,
    given,
    option,
    out_option,
    overwrite_option,
    settings_options,
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
@settings_options(PretrainingConfig, "backbone", "size", "embeddings")
@budget_options
@settings_options(
    PretrainingConfig,
    ("tokens", "--batch-tokens"),
    ("longest", "--max-length"),
    *("pair_share", "masking", "discriminator_weight", "learning_rate", "warmup", "dropout"),
    *("sentences", "held_out", "evaluations", "seed", "precision"),
)
@out_option(required=True)
@overwrite_option("an earlier backbone or an interrupted run")
def pretrain_command(
    corpus: str, tokenizer: Path | None, out: Path, overwrite: bool, **options: Any
) -> None:
    """Pretrain an ELECTRA on CORPUS by replaced token detection, and write its discriminator.

    CORPUS is text, one sentence per line, also .gz. With --backbone, training continues from an
    existing ELECTRA, for example to learn the language of a field. A killed run continues when the
    same command is given again. --minutes counts training only; evaluations take additional time.

    \b
    Example:
      kosim pretrain corpus.txt --tokenizer models/tokenizer --minutes 30 --out models/electra
    """
    config = parse_settings(
        PretrainingConfig,
        {**given(options, PretrainingConfig), "budget": given(options, Budget)},
    )
    check_output(out, overwrite=overwrite)
    keep_work(out)
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
