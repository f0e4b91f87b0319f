"""transformers' trainer over a schedule of batches that are made whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field
from safetensors import SafetensorError
from torch import nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from kosim.encoders.compute.runtime import TrainingPrecision
from kosim.encoders.errors import TrainingError
from kosim.encoders.pretraining.batches import EpochBatches, Schedule
from kosim.encoders.settings import Settings
from kosim.encoders.storage import write_json
from kosim.encoders.training.checkpoints import file_problem, last_whole_checkpoint
from kosim.encoders.training.dropout import QuickDropoutTrainerMixin

Quality = Callable[[Any], dict[str, float]]


class ScheduleConfig(Settings):
    """What pretraining and distillation say of their steps."""

    learning_rate: float = Field(
        1e-3, gt=0, lt=1, description="Highest learning rate of the linear schedule."
    )
    warmup: float = Field(
        0.05, ge=0, lt=1, description="Share of the steps in which the learning rate rises."
    )
    weight_decay: float = Field(
        0.01, ge=0, lt=1, description="Weight decay of the AdamW optimiser."
    )
    evaluations: int = Field(20, ge=1, description="Number of evaluations, each with a checkpoint.")
    seed: int = Field(1, ge=0, description="Seed for all random draws.")
    precision: TrainingPrecision = Field(
        "fp32",
        description="Arithmetic of training; bf16 is faster where the processor supports it.",
    )


class ScheduledTrainer(QuickDropoutTrainerMixin, Trainer):
    """Trains on ``source`` for ``args.max_steps`` steps and measures with ``quality``.

    The whole run is one epoch to transformers, whose epochs all have equally many batches; it goes
    through those of a resumed run that were seen without making them.
    """

    control: Any

    def __init__(self, *, source: EpochBatches[Any], quality: Quality, **options: Any) -> None:
        super().__init__(train_dataset=source, eval_dataset=[], **options)
        self.quality = quality

    def get_train_dataloader(self) -> Any:
        """Return the loader of all steps' batches."""
        return DataLoader(
            self.train_dataset,
            batch_sampler=Schedule(self.train_dataset, self.args.max_steps),
            collate_fn=_whole,
        )

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Measure the network and log the figures with the prefix ``eval_``."""
        figures = {f"eval_{name}": value for name, value in self.quality(self.model).items()}
        self.model.train()
        self.log(figures)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, figures
        )
        return figures


def _whole(batch: Any) -> Any:
    return batch


class CurveFile(TrainerCallback):
    """Keeps the curve of a run in a JSON file, written anew at each evaluation."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_evaluate(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Write all of the run's figures so far."""
        write_json(self.path, curve(state.log_history))


def curve(log: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Return the evaluations in a trainer's log, a row a step, with the training loss there."""
    losses = {row["step"]: row["loss"] for row in log if "loss" in row}
    rows: dict[int, dict[str, float]] = {}
    for row in log:
        figures = {
            name.removeprefix("eval_"): value
            for name, value in row.items()
            if name.startswith("eval_")
        }
        if figures:
            step = int(row["step"])
            trained = {"train_loss": losses[step]} if step in losses else {}
            rows[step] = {"step": step, **trained, **figures}
    return list(rows.values())


def train_schedule(
    network: nn.Module,
    source: EpochBatches[Any],
    quality: Quality,
    *,
    folder: Path,
    steps: int,
    config: ScheduleConfig,
    callbacks: Sequence[TrainerCallback] = (),
) -> list[dict[str, float]]:
    """Train a network in place, from the last whole checkpoint in ``folder`` if there is one.

    The learning rate rises for the share ``warmup`` of the steps and falls linearly to 0. At each
    of the ``evaluations`` the network is measured and a checkpoint written, from which a killed
    run goes on to the same weights; ``folder`` keeps the last two, and ``curve.json``.

    Returns:
        The rows of the curve, the first of the network as it was before the first step.

    Raises:
        TrainingError: a checkpoint cannot be written or read, or training diverged.
    """
    start = {"step": 0, **quality(network)}
    if not steps:
        return [start]
    every = max(1, -(-steps // config.evaluations))
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        adam_epsilon=1e-6,
        seed=config.seed,
        use_cpu=True,
        bf16=config.precision == "bf16",
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        logging_strategy="steps",
        logging_steps=every,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    trainer = ScheduledTrainer(
        model=network,
        args=arguments,
        source=source,
        quality=quality,
        callbacks=[*callbacks, CurveFile(folder / "curve.json")],
    )
    trainer.remove_callback(PrinterCallback)  # a library never prints
    last = last_whole_checkpoint(folder)
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except (OSError, SafetensorError, RuntimeError) as error:
        if (problem := file_problem(error)) is None:
            raise
        raise TrainingError(
            f"training stopped, a checkpoint in {folder} could not be written or read: {problem}; "
            "free some space, or remove the damaged checkpoint, and start it again"
        ) from error
    rows = curve(trainer.state.log_history)
    if not rows or rows[-1]["step"] != steps:
        figures = {name.removeprefix("eval_"): v for name, v in trainer.evaluate().items()}
        rows.append({"step": steps, **figures})
    return [start, *rows]
