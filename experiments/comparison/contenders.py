"""From settings to trained encoders: the part of a comparison that takes long."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from transformers import TrainerCallback

from kosim.encoders.artifact import MANIFEST, read_manifest
from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import name_of
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ArtifactError, DataError, StorageError
from kosim.encoders.loading import kind_of, load
from kosim.encoders.scratch import build_scratch_backbone
from kosim.encoders.training import ranks
from kosim.encoders.training.claim import pairs_digest
from kosim.encoders.training.result import TrainingResult
from kosim.encoders.training.run import train
from kosim.experiments.data.partition import TrainingSet
from kosim.experiments.settings import SCRATCH, CompareSettings, EncoderSettings

Encoder = BiEncoder | CrossEncoder


def make_encoder(
    settings: EncoderSettings, *, seed: int, device: str | None, backbone: str
) -> Encoder:
    """Make one untrained encoder from ``backbone``, a folder or hub id."""
    if settings.kind == "bi":
        return BiEncoder.from_backbone(
            backbone,
            revision=settings.revision,
            pooling=settings.pooling,
            prompt=settings.prompt,
            max_length=settings.max_length,
            device=device,
            seed=seed,
            text_step=settings.text_step,
        )
    return CrossEncoder.from_backbone(
        backbone,
        revision=settings.revision,
        max_length=settings.max_length,
        device=device,
        seed=seed,
        text_step=settings.text_step,
    )


def untrained_encoder(
    settings: EncoderSettings, pairs: TrainingSet, *, seed: int, device: str | None, scratch: Path
) -> Encoder:
    """Make the encoder that will be trained; a backbone from scratch is built first, once."""
    backbone = settings.backbone
    if backbone == SCRATCH:
        backbone = str(scratch)
        sentences = [*pairs.train.sentence1, *pairs.train.sentence2]
        ranks.on_main(lambda: build_scratch_backbone(sentences, scratch))
        ranks.check_shared(scratch)
    return make_encoder(settings, seed=seed, device=device, backbone=backbone)


def train_encoder(
    settings: EncoderSettings,
    pairs: TrainingSet,
    *,
    seed: int,
    device: str | None,
    scratch: Path,
    checkpoints: Path | None = None,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
) -> tuple[Encoder, TrainingResult]:
    """Train an encoder and return it with what training did.

    With ``checkpoints`` a killed training goes on from the last whole one there; ``overwrite``
    discards those of another training. A backbone from scratch is built in ``scratch``, once.
    """
    encoder = untrained_encoder(settings, pairs, seed=seed, device=device, scratch=scratch)
    result = train(
        encoder,
        pairs.train,
        pairs.validation,
        settings.training.model_copy(update={"seed": seed}),
        folder=checkpoints,
        resume=checkpoints is not None,
        discard=overwrite,
        callbacks=callbacks,
    )
    return encoder, result


def train_and_save(
    settings: EncoderSettings,
    pairs: TrainingSet,
    folder: Path,
    *,
    seed: int,
    device: str | None,
    scratch: Path,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
) -> TrainingResult:
    """Train an encoder, write its artifact to ``folder`` and return what training did.

    Checkpoints stand beside it while training runs, so that a killed run goes on. Of the
    processes that torchrun started, all train and the main one writes.
    """
    checkpoints = folder.with_name(f".{folder.name}.checkpoints")
    encoder, result = train_encoder(
        settings,
        pairs,
        seed=seed,
        device=device,
        scratch=scratch,
        checkpoints=checkpoints,
        overwrite=overwrite,
        callbacks=callbacks,
    )

    def keep() -> None:
        encoder.save(folder, overwrite=overwrite)
        shutil.rmtree(checkpoints)

    ranks.on_main(keep)
    return result


def train_contender(
    name: str,
    settings: CompareSettings,
    pairs: TrainingSet | None,
    *,
    seed: int,
    out: Path,
    callbacks: Sequence[TrainerCallback] = (),
) -> None:
    """Train the contender ``name`` with one seed and save it under ``out/name/seed-N``.

    One that stands there already, from a killed run, is not trained again, and one that was
    given as an artifact is not trained at all.

    Raises:
        DataError: there are no training pairs.
        StorageError: one that stands there was trained on other pairs.
    """
    contender, folder = settings.encoders[name], contender_folder(out, name, seed)
    if contender.artifact is not None:
        return
    if ranks.on_main((folder / MANIFEST).is_file):
        ranks.on_main(lambda: _check_trained_on(folder, pairs))
        return
    if pairs is None:
        raise DataError(f"{name} cannot be trained: there are no training pairs")
    train_and_save(
        contender,
        pairs,
        folder,
        seed=seed,
        device=settings.device,
        scratch=out / "backbone",
        callbacks=callbacks,
    )


def _check_trained_on(folder: Path, pairs: TrainingSet | None) -> None:
    """Refuse a finished encoder of a killed run whose data file was changed since."""
    training = read_manifest(folder).training or {}
    before = training.get("train_digest"), training.get("validation_digest")
    if pairs is None or None in before:
        return
    if before != (pairs_digest(pairs.train), pairs_digest(pairs.validation)):
        raise StorageError(
            f"{folder} was trained on other pairs than the data gives now; restore the data file "
            "to continue, or start again with --overwrite or another --out"
        )


def load_contender(name: str, settings: CompareSettings, *, seed: int, out: Path) -> Encoder:
    """Return the contender ``name`` of one seed as it was read back from disk.

    So what is evaluated is what was saved.

    Raises:
        ArtifactError: a given artifact cannot be opened, or is of the other kind.
    """
    contender = settings.encoders[name]
    if contender.artifact is None:
        return load(contender_folder(out, name, seed), device=settings.device)
    check_artifact(name, contender)
    return load(contender.artifact, device=settings.device)


def check_artifact(name: str, contender: EncoderSettings) -> None:
    """Refuse a saved encoder that is not there or is of the other kind, by its files alone.

    Raises:
        ArtifactError: so it is.
    """
    if contender.artifact is None:
        return
    if (kind := kind_of(contender.artifact)) != contender.kind:
        raise ArtifactError(
            f"{name_of(contender.artifact)} is a {kind}-encoder, but {name} is to be a "
            f'{contender.kind}-encoder; give it as --{kind} (kind = "{kind}" in a config)'
        )


def contender_folder(out: Path, name: str, seed: int) -> Path:
    """Return where a run keeps the contender ``name`` of one seed."""
    return out / name / f"seed-{seed}"
