"""One trial: a configuration trained with every seed and judged on the validation pairs."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from kosim.encoders.training.config import TrainingConfig
from kosim.experiments.comparison.contenders import train_encoder
from kosim.experiments.data.partition import TrainingSet
from kosim.experiments.tuning.settings import TuneSettings
from kosim.experiments.tuning.space import with_values

EPOCHS, SECONDS, CURVES, PER_SEED, OUTCOME = "epochs", "seconds", "curves", "per_seed", "outcome"
OUT_OF_MEMORY = "out of memory"

_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)


def run_trial(
    trial: optuna.Trial, settings: TuneSettings, pairs: TrainingSet, scratch: Path
) -> float:
    """Train the trial's configuration and return the mean of the metric over the seeds.

    What it did stands in the trial's attributes: epochs, seconds, learning curves, the value of
    each seed.

    Args:
        trial: says which values; told the metric after each epoch of the first seed.
        settings: of the study.
        pairs: what is learnt from and judged on.
        scratch: folder of a backbone that is made on the spot.

    Raises:
        optuna.TrialPruned: it is hopeless, or the memory does not suffice.
        KosimError: it cannot be trained or judged.
    """
    values = {name: domain.suggest(trial, name) for name, domain in settings.space.items()}
    encoder = with_values(settings.base, values)
    started = time.monotonic()
    progress = _Epochs()
    scores: list[float] = []
    try:
        for seed in settings.seeds:
            report = None if scores else trial
            callbacks = [progress, _Reporting(settings.metric, report)]
            _, result = train_encoder(
                encoder,
                pairs,
                seed=seed,
                device=settings.comparison.device,
                scratch=scratch,
                callbacks=callbacks,
            )
            scores.append(max(getattr(row, settings.metric) for row in result.history))
            curves = trial.user_attrs.get(CURVES, {})
            curves[str(seed)] = [row.model_dump() for row in result.history]
            trial.set_user_attr(CURVES, curves)
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError) or _MEMORY.search(str(error))):
            raise
        outcome = _too_large(encoder.training)
        trial.set_user_attr(OUTCOME, outcome)
        raise optuna.TrialPruned(outcome) from error
    finally:
        trial.set_user_attr(EPOCHS, progress.count)
        trial.set_user_attr(SECONDS, time.monotonic() - started)
        trial.set_user_attr(PER_SEED, scores)
    return float(np.mean(scores))


def _too_large(training: TrainingConfig) -> str:
    """Say which batch did not fit, and which settings need less memory."""
    size, steps = training.batch_size, training.gradient_accumulation
    said = f"{OUT_OF_MEMORY} with batch_size {size}"
    if size > 1:
        said += f"; batch_size {-(-size // 2)} with gradient_accumulation {2 * steps} needs less"
    return said


class _Epochs(TrainerCallback):
    """Counts the epochs that were trained."""

    def __init__(self) -> None:
        self.count = 0

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **rest: Any,
    ) -> None:
        """Count one more."""
        self.count += 1


class _Reporting(TrainerCallback):
    """Tells a trial the metric after each epoch and ends it when the pruner says so."""

    def __init__(self, metric: str, trial: optuna.Trial | None) -> None:
        self._metric = f"eval_{metric}"
        self._trial = trial

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **rest: Any,
    ) -> None:
        """Report, and raise where the trial is to be pruned."""
        if self._trial is None or self._metric not in metrics:
            return
        epoch = round(state.epoch or 0)
        self._trial.report(metrics[self._metric], epoch)
        if epoch < state.num_train_epochs and self._trial.should_prune():
            raise optuna.TrialPruned(f"behind other trials after epoch {epoch}")
