"""One way to train either kind, on sentence-transformers' trainers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from safetensors import SafetensorError
from transformers import TrainerCallback
from transformers.integrations import get_reporting_integration_callbacks

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.dimensions import fit_shortened
from kosim.encoders.errors import ConfigError, TrainingError
from kosim.encoders.metrics import best_f1_threshold
from kosim.encoders.records import LabelledPairs, check_labels, check_validation
from kosim.encoders.sole_writer import sole_writer
from kosim.encoders.training import ranks
from kosim.encoders.training.checkpoints import file_problem, verify_best
from kosim.encoders.training.claim import Claim
from kosim.encoders.training.config import COMPARING_LOSSES, CRITERIA, TrainingConfig
from kosim.encoders.training.defaults import default_training, multiplies_in_bf16
from kosim.encoders.training.elapsed import Elapsed
from kosim.encoders.training.losses import TRAINING_BY_KIND
from kosim.encoders.training.result import TrainingResult, best_epoch, history_of
from kosim.encoders.training.trainers import make_patience, make_trainer
from kosim.encoders.unknown_tokens import UnknownShare, check_readable, unknown_share


def train(
    encoder: PairEncoder,
    train_pairs: LabelledPairs,
    validation_pairs: LabelledPairs,
    config: TrainingConfig | None = None,
    *,
    folder: str | Path | None = None,
    resume: bool = False,
    discard: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
) -> TrainingResult:
    """Train an encoder in place; keep the best epoch, calibrate it and choose its threshold.

    Everything is chosen on the validation pairs. After each epoch a checkpoint is written,
    from which a killed run goes on to the same result. Started by torchrun, the processes train
    one encoder together, each on its share of every batch, and all return the same.

    Args:
        encoder: a bi- or cross-encoder, changed in place.
        train_pairs: what is learnt from.
        validation_pairs: what the epoch, the calibration and the threshold are chosen on.
        config: the settings; when None, those of
            `default_training` for the kind and the width
            of its network.
        folder: where checkpoints go, shared by all nodes; a temporary folder, removed
            afterwards, when None.
        resume: go on from the last whole checkpoint in ``folder`` if there is one; refused where
            it is of other settings, pairs or weights.
        discard: remove checkpoints of another training instead of refusing them.
        callbacks: transformers' own hooks, for progress or pruning.

    Raises:
        ConfigError: the loss does not belong to the encoder's kind, or the encoder was opened
            in another precision or with another backend, or the batch cannot be shared evenly
            by the processes.
        DataError: there are too few pairs, or the validation labels are all on one side.
        BackboneError: the tokenizer cannot read the training pairs.
        StorageError: another process trains in ``folder``.
        TrainingError: the best checkpoint could not be restored, training diverged, or ``folder``
            holds the checkpoints of another training.
    """
    ranks.join()
    config = resolve(encoder, config)
    unknown = ranks.on_main(lambda: check(encoder, train_pairs, validation_pairs, config))
    with ExitStack() as held:
        checkpoints = held.enter_context(_temporary_folder()) if folder is None else Path(folder)
        ranks.on_main(lambda: _claim(held, checkpoints))
        claim = Claim.of(encoder, train_pairs, validation_pairs, config)
        last = ranks.on_main(lambda: claim.start(checkpoints, resume=resume, discard=discard))
        ranks.check_shared(checkpoints)
        return _train(
            encoder,
            train_pairs,
            validation_pairs,
            config,
            claim,
            last,
            checkpoints,
            callbacks,
            unknown,
        )


def _train(
    encoder: PairEncoder,
    train_pairs: LabelledPairs,
    validation_pairs: LabelledPairs,
    config: TrainingConfig,
    claim: Claim,
    last: Path | None,
    checkpoints: Path,
    callbacks: Sequence[TrainerCallback],
    unknown: tuple[UnknownShare, str | None],
) -> TrainingResult:
    """Train from the checkpoint ``last``, or from the start, in a folder that is claimed."""
    elapsed = Elapsed()
    patience = make_patience(config)
    trainer = make_trainer(
        encoder,
        train_pairs,
        validation_pairs,
        config,
        checkpoints,
        [elapsed, *callbacks, *([patience] if patience else [])],
    )
    if last and patience and (epoch := patience.stopped_at(last)):
        trainer.args.num_train_epochs = epoch  # nothing is left to train
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except (OSError, SafetensorError, RuntimeError) as error:
        if (problem := file_problem(error)) is None:
            raise
        raise TrainingError(
            f"training stopped, a checkpoint in {checkpoints} could not be written or read: "
            f"{problem}; free some space, or remove the damaged checkpoint, and resume"
        ) from error
    trainer.accelerator.unwrap_model(encoder.model, keep_fp32_wrapper=False)  # bf16's autocast
    verify_best(encoder.model, trainer.state.best_model_checkpoint)
    ranks.barrier()  # from here on nobody reads the checkpoints
    history = history_of(trainer.state.log_history)

    def choose() -> tuple[MonotoneCalibration, TrainingResult]:
        share, notice = unknown
        raw = encoder.score(validation_pairs.pairs, raw=True)
        calibration = MonotoneCalibration.fit(raw, validation_pairs.labels)
        best: dict[str, int] = {name: best_epoch(history, name) for name in CRITERIA}
        return calibration, TrainingResult(
            config=config,
            history=history,
            best_epoch=best[config.select],
            best_epochs=best,
            threshold=best_f1_threshold(validation_pairs.labels, calibration(raw)),
            seconds=elapsed.seconds,
            steps=trainer.state.global_step,
            train_pairs=len(train_pairs),
            validation_pairs=len(validation_pairs),
            train_digest=claim.train_pairs,
            validation_digest=claim.validation_pairs,
            processes=ranks.world_size(),
            unknown_share=share.share,
            shortened=fit_shortened(encoder, validation_pairs, config.matryoshka or ())
            if isinstance(encoder, BiEncoder)
            else {},
            notices=[*_notices(encoder, config), *([notice] if notice else [])],
        )

    encoder.calibration, result = ranks.on_main(choose)
    encoder.composed = True  # no index knows new weights by an older fingerprint
    encoder.threshold = result.threshold
    encoder.training = result.model_dump(mode="json")
    return result


def resolve(encoder: PairEncoder, config: TrainingConfig | None) -> TrainingConfig:
    """Return the settings, chosen where none are given, with a precision that is not auto."""
    config = config or default_training(encoder.kind, encoder.hidden_size)
    if config.precision != "auto":
        return config
    device = encoder.model.device
    precision = ranks.on_main(lambda: "bf16" if multiplies_in_bf16(device) else "fp32")
    return config.model_copy(update={"precision": precision})


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Yield a folder that is the same for all ranks, and removed afterwards."""
    name = ranks.on_main(lambda: tempfile.mkdtemp(prefix="kosim-"))
    try:
        yield Path(name)
    finally:
        if ranks.is_main():
            shutil.rmtree(name, ignore_errors=True)


def _claim(held: ExitStack, folder: Path) -> None:
    """Make the folder of the checkpoints and hold it against other processes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"checkpoints cannot be written to {folder}: {error.strerror or error}; "
            "choose another folder"
        ) from error
    held.enter_context(sole_writer(folder))


def check(
    encoder: PairEncoder,
    train_pairs: LabelledPairs,
    validation_pairs: LabelledPairs,
    config: TrainingConfig,
) -> tuple[UnknownShare, str | None]:
    """Refuse what cannot be trained, before anything is written; return `unreadable`'s finding.

    Raises:
        KosimError: what `train` would raise before its first step.
    """
    check_labels("training", train_pairs)
    check_validation(validation_pairs)
    if not encoder.has_full_weights:
        raise ConfigError(
            f"an encoder in {encoder.precision} by {encoder.backend} cannot be trained; load it "
            "with backend torch in fp32"
        )
    encoder.compute_with(ComputeChoice())
    of_kind, name = TRAINING_BY_KIND[encoder.kind], _loss(encoder, config)
    if name not in of_kind.losses:
        raise ConfigError(
            f"loss {name!r} is not one of a {encoder.kind}-encoder; choose from "
            f"{', '.join(of_kind.losses)}"
        )
    if config.swap_augmentation and not encoder.order_matters:
        raise ConfigError(
            f"swap_augmentation has no effect on a {encoder.kind}-encoder, whose score does "
            "not depend on the order; leave it out"
        )
    if config.matryoshka is not None:
        whole = int(getattr(encoder, "dimension", 0))
        if config.matryoshka[0] > whole:
            raise ConfigError(
                f"matryoshka asks for {config.matryoshka[0]:,} dimensions, but the vectors of a "
                f"bi-encoder of {encoder.backbone.name} have {whole:,}; give fewer"
                if whole
                else "matryoshka cuts the vectors of a bi-encoder; a cross-encoder has none"
            )
    if config.batch_size % ranks.world_size():
        raise ConfigError(
            f"batch_size is {config.batch_size}, which {ranks.world_size()} processes cannot "
            "share evenly; it counts the pairs of all processes together: give a multiple of "
            f"{ranks.world_size()}"
        )
    _check_tracker(config.report_to)
    return unreadable(encoder, train_pairs)


def _check_tracker(name: str) -> None:
    """Refuse an experiment tracker that transformers does not know, or that is not installed."""
    try:
        for tracker in get_reporting_integration_callbacks(name):
            tracker()
    except (ValueError, ImportError, RuntimeError) as error:
        raise ConfigError(
            f"report_to is {name!r}: {str(error).rstrip('.')}; give an installed tracker, or none"
        ) from error


def unreadable(encoder: PairEncoder, pairs: LabelledPairs) -> tuple[UnknownShare, str | None]:
    """Return how much of the pairs the encoder's tokenizer cannot read, and a notice about it.

    Raises:
        BackboneError: it is so much that hardly anything can be learnt.
    """
    found = unknown_share(encoder.tokenizer, [*pairs.sentence1, *pairs.sentence2])
    return found, check_readable(found, encoder.tokenizer, encoder.backbone.name)


def _loss(encoder: PairEncoder, config: TrainingConfig) -> str:
    return config.loss or TRAINING_BY_KIND[encoder.kind].default_loss


def _notices(encoder: PairEncoder, config: TrainingConfig) -> list[str]:
    name, processes = _loss(encoder, config), ranks.world_size()
    if processes == 1 or name not in COMPARING_LOSSES:
        return []
    return [
        f"loss {name} compares the pairs of a batch with each other; on {processes} processes it "
        f"compared only those within one, {config.batch_size // processes} of "
        f"{config.batch_size}, so the result is not that of one process"
    ]
