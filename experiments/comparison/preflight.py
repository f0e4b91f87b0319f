"""What is checked of a whole run before its first training, which may take hours."""

from __future__ import annotations

from pathlib import Path

from kosim.encoders.artifact import MANIFEST
from kosim.encoders.errors import ConfigError
from kosim.encoders.training.run import check
from kosim.experiments.comparison.contenders import (
    check_artifact,
    contender_folder,
    make_encoder,
)
from kosim.experiments.data.partition import TrainingSet
from kosim.experiments.settings import SCRATCH, CompareSettings
from kosim.experiments.slices.grouping import read_columns


def check_trials(settings: CompareSettings, trials: int) -> None:
    """Refuse a search before a comparison that cannot be.

    Args:
        settings: of the comparison.
        trials: configurations that are tried of each encoder.

    Raises:
        ConfigError: there are fewer than 2, or an encoder is a saved one.
    """
    if trials < 2:
        raise ConfigError(f"--tune is {trials}; ask for at least 2 trials of each encoder")
    saved = [name for name, encoder in settings.encoders.items() if encoder.artifact is not None]
    if saved:
        raise ConfigError(f"{saved[0]} is a saved encoder, which cannot be tuned; give a backbone")


def check_run(
    settings: CompareSettings, training: TrainingSet | None, out: Path | None = None
) -> None:
    """Refuse what would stop a run after some of its encoders were trained.

    Each encoder is made once without being trained, so that a missing backbone, damaged weights,
    a tokenizer that cannot read the pairs or a loss of the other kind is named at once. One that
    stands finished in the run's folder, or begins from scratch, is not made.

    Args:
        settings: of the comparison.
        training: the pairs to train on, None where nothing is trained.
        out: folder of the run, whose finished encoders are not checked.

    Raises:
        KosimError: what training, opening or slicing would raise later.
    """
    read_columns(settings.evaluation.slices, settings.data, rows=())
    for name, contender in settings.encoders.items():
        if contender.artifact is not None:
            check_artifact(name, contender)
            continue
        finished = out is not None and all(
            (contender_folder(out, name, seed) / MANIFEST).is_file() for seed in settings.seeds
        )
        if training is None or contender.backbone == SCRATCH or finished:
            continue
        encoder = make_encoder(
            contender,
            seed=settings.seeds[0],
            device=settings.device,
            backbone=contender.backbone,
        )
        check(encoder, training.train, training.validation, contender.training)
