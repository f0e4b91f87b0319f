"""``kosim compare-tokenizers``: compare tokenizers by what they are good for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.errors import ConfigError
from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.pretraining.run import PretrainingConfig
from kosim.encoders.training.config import TrainingConfig
from kosim.experiments.cli.console import chosen_language
from kosim.experiments.cli.encoder_options import device_option
from kosim.experiments.cli.group import keep_run
from kosim.experiments.cli.options import (
    data_options,
    given,
    option,
    resamples_option,
    run_options,
    setting,
    settings_options,
    training_options,
    whole_numbers,
)
from kosim.experiments.cli.progress import training_progress
from kosim.experiments.cli.summary import say_stages, show
from kosim.experiments.settings import DataSettings
from kosim.experiments.study.run_folder import choose_folder
from kosim.experiments.tokenizers.report import TOKENIZERS
from kosim.experiments.tokenizers.run import compare_tokenizers
from kosim.experiments.tokenizers.settings import VOCABULARIES, TokenizerSettings


@click.command("compare-tokenizers")
@click.argument("corpus")
@option(
    "--tokenizers",
    metavar="KIND:SIZE,...",
    help="Tokenizers to train, each with the size of its vocabulary.",
    default=",".join(f"{kind}:{size}" for kind, size in VOCABULARIES.items()),
)
@settings_options(PretrainingConfig, "size")
@option("--pretraining-steps", type=int, help="Batches that each network is pretrained on.")
@option("--pretraining-epochs", type=float, help="Passes over the corpus of each pretraining.")
@option(
    "--pretraining-minutes",
    type=float,
    help="Minutes of each pretraining, turned into steps by a short trial.",
)
@settings_options(PretrainingConfig, "sentences", "held_out")
@data_options
@training_options
@option(
    "--cross-epochs",
    type=int,
    help="Epochs of the cross-encoders.",
    shown_default="those of the bi-encoders",
)
@option("--seeds", default="1,2,3", help="Seeds of the fine-tuning runs, one run for each.")
@setting(TokenizerSettings, "ready", "--ready-made")
@device_option
@resamples_option
@run_options("runs/tokenizers", resumed=True)
def compare_tokenizers_command(
    corpus: str,
    tokenizers: str,
    seeds: str,
    cross_epochs: int | None,
    device: str | None,
    out: Path | None,
    resume: bool,
    overwrite: bool,
    resamples: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train tokenizers and a network for each, fine-tune both encoders, and compare them.

    CORPUS is text, one sentence per line, also .gz. Finished parts are kept for --resume.

    \b
    Example:
      kosim compare-tokenizers corpus.txt --dataset sample --pretraining-minutes 5
    """
    training = given(options, TrainingConfig)
    pretraining = {
        name: options[name] for name in ("size", "sentences", "held_out") if options[name]
    }
    budget = {
        name: options[f"pretraining_{name}"]
        for name in Budget.model_fields
        if options[f"pretraining_{name}"] is not None
    }
    settings = TokenizerSettings.parse(
        {
            "name": (out or Path("tokenizers")).name,
            "corpus": corpus,
            "tokenizers": _sizes(tokenizers),
            "seeds": whole_numbers("--seeds", seeds),
            "data": given(options, DataSettings),
            "pretraining": {**pretraining, "budget": budget},
            "bi": training,
            "cross": {**training, **({"epochs": cross_epochs} if cross_epochs else {})},
            "evaluation": {"resamples": resamples} if resamples else {},
            "device": device,
            **given(options, TokenizerSettings),
        }
    )
    folder = choose_folder("tokenizers", out, resume=resume, overwrite=overwrite)
    keep_run(folder)
    with training_progress(quiet=as_json) as callbacks:
        results = compare_tokenizers(
            settings,
            folder,
            resume=resume,
            overwrite=overwrite,
            callbacks=callbacks,
            progress=say_stages(quiet=as_json),
            language=chosen_language(),
        )
    show(TOKENIZERS, results, folder, as_json=as_json)


def _sizes(given_tokenizers: str) -> dict[str, str]:
    sizes = {}
    for entry in given_tokenizers.split(","):
        kind, separator, size = entry.partition(":")
        if not separator:
            raise ConfigError(f"--tokenizers has {entry!r}; give KIND:SIZE, such as wordpiece:8000")
        sizes[kind.strip()] = size.strip()
    return sizes
