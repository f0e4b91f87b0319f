"""``kosim distill``: a small encoder learns a larger one's sentence geometry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.distillation.run import CURVE, DistillationConfig, distill
from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.storage import check_output
from kosim.experiments.cli.console import notes, output
from kosim.experiments.cli.group import keep_work
from kosim.experiments.cli.options import (
    budget_options,
    given,
    option,
    out_option,
    overwrite_option,
    setting,
    settings_options,
)
from kosim.experiments.cli.progress import steps_progress
from kosim.experiments.settings import parse_settings
from kosim.experiments.study.notation import decimal


@click.command("distill")
@click.argument("corpus")
@option(
    "--teacher",
    required=True,
    metavar="MODEL",
    help="Encoder to learn from: a saved bi-encoder, a folder, or a hub id.",
)
@option(
    "--student",
    required=True,
    metavar="MODEL",
    help="Backbone that is taught: a folder, a hub id, or mini.",
)
@settings_options(
    DistillationConfig, "teacher_prompt", "teacher_precision", "objective", "embeddings"
)
@budget_options
@setting(DistillationConfig, "pairs", "--pairs-per-sentence", type=float, aliases=("--pairs",))
@settings_options(
    DistillationConfig,
    ("tokens", "--batch-tokens"),
    ("longest", "--max-length"),
    *("learning_rate", "warmup", "sentences", "held_out", "evaluations", "seed", "precision"),
)
@option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Folder that keeps the teacher's vectors for further students.",
)
@out_option(required=True)
@overwrite_option("an earlier backbone or an interrupted run")
def distill_command(
    corpus: str,
    teacher: str,
    student: str,
    cache: Path | None,
    out: Path,
    overwrite: bool,
    **options: Any,
) -> None:
    """Teach --student the sentence geometry of --teacher on the sentences of CORPUS.

    CORPUS is text, one sentence per line, also .gz. A killed run continues when the same command
    is given again. --minutes counts the student's training only; the teacher's vectors take
    additional time.

    \b
    Example:
      kosim distill corpus.txt --teacher models/large --student mini --out models/student
    """
    config = parse_settings(
        DistillationConfig,
        {**given(options, DistillationConfig), "budget": given(options, Budget)},
    )
    check_output(out, overwrite=overwrite)
    keep_work(out)
    with steps_progress("agreement", "vector_spearman") as (callbacks, progress):
        result = distill(
            corpus,
            teacher,
            student,
            out,
            config,
            cache=cache,
            overwrite=overwrite,
            callbacks=callbacks,
            announce=lambda stage: notes.print(stage, style="dim"),
            progress=progress,
        )
    last = result["curve"][-1]
    output.print(
        f"After {result['steps']:,} steps: cosine with the teacher {decimal(last['cosine'])}, "
        f"rank correlation of cosines {decimal(last['vector_spearman'])}, of judged pairs "
        f"{decimal(last.get('pair_spearman'))}",
    )
    output.print(f"Saved: {out} (curve in {CURVE})", soft_wrap=True)
