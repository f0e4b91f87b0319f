"""Training a student: from the weights it starts with, over its stages, to a saved artifact."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from kosim.encoders.artifact import MANIFEST, read_manifest
from kosim.encoders.backbone import find_backbone
from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import ConfigError, StorageError
from kosim.encoders.loading import load
from kosim.encoders.provenance import read_provenance
from kosim.encoders.records import LabelledPairs
from kosim.encoders.storage import sha256
from kosim.encoders.training.claim import pairs_digest
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.run import check, train
from kosim.experiments.comparison.contenders import make_encoder
from kosim.experiments.settings import SCRATCH, EncoderSettings
from kosim.experiments.teaching.results import SilverFacts
from kosim.experiments.teaching.settings import TeachSettings
from kosim.experiments.teaching.silver import Silver
from kosim.experiments.teaching.teachers import Teacher


@dataclass(frozen=True)
class Stage:
    """Pairs that a student learns, how, and what to call the encoder that comes of it."""

    name: str
    pairs: LabelledPairs
    training: TrainingConfig


def starting_settings(settings: EncoderSettings) -> EncoderSettings:
    """Return the settings of a student that can start from what its backbone is.

    A saved encoder is checked file by file. A bi-encoder that starts from a cross-encoder gets
    mean pooling, since there is none to take over.

    Raises:
        ArtifactError: the backbone is a saved encoder and damaged, such as by another tokenizer.
        BackboneError: there is no such backbone.
        ConfigError: the backbone is to be made from scratch.
    """
    if settings.backbone == SCRATCH:
        raise ConfigError(
            "a student cannot start from scratch; give --backbone mini, a folder or a hub id"
        )
    path = find_backbone(settings.backbone, revision=settings.revision).path
    if not (path / MANIFEST).is_file() or read_provenance(path).steps:
        return settings
    kind = read_manifest(path).kind
    if settings.kind == "bi" and kind == "cross" and settings.pooling is None:
        return settings.model_copy(update={"pooling": "mean"})
    return settings


def check_student(
    settings: EncoderSettings,
    pairs: LabelledPairs,
    validation: LabelledPairs,
    *,
    device: str | None = None,
) -> None:
    """Refuse a student that cannot be trained, before pairs are labelled for it.

    Args:
        settings: the student.
        pairs: some that it will learn, or such as it will.
        validation: what will choose its epoch, or such pairs.
        device: torch device; the best there is when None.

    Raises:
        KosimError: what training would raise before its first step.
    """
    encoder = make_encoder(settings, seed=0, device=device, backbone=settings.backbone)
    check(encoder, pairs, validation, settings.training)


def train_student(
    settings: EncoderSettings,
    stages: Sequence[Stage],
    validation: LabelledPairs,
    folders: Sequence[Path],
    record: dict[str, Any],
    *,
    seed: int,
    start: Path | None = None,
    device: str | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> None:
    """Train a student stage by stage, and save what comes of each into its folder.

    A stage whose encoder is there is not trained again, and a killed one goes on from its last
    whole checkpoint.

    Args:
        settings: the student; its own training is that of gold pairs.
        stages: what it learns, one after the other.
        validation: what each stage chooses its epoch, calibration and threshold on.
        folders: of the encoders, one for each stage.
        record: kept in the artifacts under ``teaching``.
        seed: of the training.
        start: saved encoder of the same kind to start from; the student's backbone when None.
        device: torch device; the best there is when None.
        callbacks: transformers' hooks.

    Raises:
        KosimError: of the kind that fits what was wrong.
    """
    before = start
    for stage, folder in zip(stages, folders, strict=True):
        checkpoints = folder.with_name(f".{folder.name}.checkpoints")
        if (folder / MANIFEST).is_file():
            _check_learnt(folder, stage, validation)
            shutil.rmtree(checkpoints, ignore_errors=True)  # of a run killed just before that
        else:
            encoder: PairEncoder = (
                make_encoder(settings, seed=seed, device=device, backbone=settings.backbone)
                if before is None
                else load(before, device=device, backend="torch")
            )
            train(
                encoder,
                stage.pairs,
                validation,
                stage.training.model_copy(update={"seed": seed}),
                folder=checkpoints,
                resume=True,
                callbacks=callbacks,
            )
            learnt = {"stage": stage.name, "start": _start(settings, before)}
            encoder.training = {**(encoder.training or {}), "teaching": {**record, **learnt}}
            encoder.save(folder)
            shutil.rmtree(checkpoints)
        before = folder


def teaching_record(
    settings: TeachSettings, silver: Silver, teachers: Sequence[Teacher]
) -> dict[str, Any]:
    """Return what an artifact keeps of how it was taught."""
    facts = SilverFacts(**silver.facts)
    return {
        "teachers": [teacher.record() for teacher in teachers] or silver.facts.get("teachers", []),
        "silver": {"pairs": facts.pairs, "bins": facts.bins, "sources": facts.sources},
        "corpus": silver.facts.get("corpus"),
        "mix": silver.facts.get("mix"),
        "order": settings.order,
        "max_disagreement": settings.max_disagreement,
        "file": settings.silver and Path(settings.silver).name,
        "file_sha256": settings.silver and sha256(Path(settings.silver)),
        "extra": [Path(path).name for path in settings.extra],
        "minimal_pairs": settings.minimal_pairs,
    }


def joined(*parts: LabelledPairs) -> LabelledPairs:
    """Return the pairs of all parts, one part after the other."""
    return LabelledPairs(
        sentence1=tuple(text for part in parts for text in part.sentence1),
        sentence2=tuple(text for part in parts for text in part.sentence2),
        labels=np.concatenate([part.labels for part in parts]),
        sources=tuple(source for part in parts for source in part.sources),
    )


def _start(settings: EncoderSettings, before: Path | None) -> str:
    return settings.backbone if before is None else "/".join(before.parts[-3:])


def _check_learnt(folder: Path, stage: Stage, validation: LabelledPairs) -> None:
    """Refuse a finished encoder of a killed run whose pairs were changed since."""
    training = read_manifest(folder).training or {}
    before = training.get("train_digest"), training.get("validation_digest")
    if before != (pairs_digest(stage.pairs), pairs_digest(validation)):
        raise StorageError(
            f"{folder} was trained on other pairs than there are now; restore the data files to "
            "continue, or start again with --overwrite or another --out"
        )
