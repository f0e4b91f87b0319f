"""``kosim distill``: a small encoder learns a larger one's sentence geometry."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from kosim.encoders.compute.runtime import Precision, TrainingPrecision
from kosim.encoders.distillation.run import CURVE, DistillationConfig, Embeddings, distill
from kosim.encoders.distillation.student import Objective
from kosim.encoders.pretraining.budget import Budget
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
@setting(DistillationConfig, "teacher_prompt", "--teacher-prompt")
@setting(
    DistillationConfig,
    "teacher_precision",
    "--teacher-precision",
    type=click.Choice(get_args(Precision)),
)
@setting(DistillationConfig, "objective", "--objective", type=click.Choice(get_args(Objective)))
@setting(DistillationConfig, "embeddings", "--embeddings", type=click.Choice(get_args(Embeddings)))
@budget_options
@setting(DistillationConfig, "pairs", "--pairs-per-sentence", type=float, aliases=("--pairs",))
@setting(DistillationConfig, "tokens", "--batch-tokens", type=int)
@setting(DistillationConfig, "longest", "--max-length", type=int)
@setting(DistillationConfig, "learning_rate", "--learning-rate", type=float)
@setting(DistillationConfig, "warmup", "--warmup", type=float)
@setting(DistillationConfig, "sentences", "--sentences", type=int)
@setting(DistillationConfig, "held_out", "--held-out", type=int)
@setting(DistillationConfig, "evaluations", "--evaluations", type=int)
@setting(DistillationConfig, "seed", "--seed", type=int)
@setting(
    DistillationConfig, "precision", "--precision", type=click.Choice(get_args(TrainingPrecision))
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

    CORPUS is text, a sentence a line, also .gz. A killed run goes on when the same command is
    given again. --minutes are those of the student: the teacher's vectors come on top.

    \b
    Example:
      kosim distill corpus.txt --teacher models/large --student mini --out models/student
    """
    config = parse_settings(
        DistillationConfig,
        {**given(options, DistillationConfig), "budget": given(options, Budget)},
    )
    check_output(out, overwrite=overwrite)
    keep_on_interrupt(
        f"The last whole checkpoint is kept beside {out}.", out.with_name(f".{out.name}.work")
    )
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
