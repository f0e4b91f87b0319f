"""Making a saved, calibrated encoder of a model that others trained."""

from __future__ import annotations

from pathlib import Path

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder, set_prompt
from kosim.encoders.bundle import saved_encoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.dimensions import fit_shortened
from kosim.encoders.errors import ConfigError
from kosim.encoders.foreign import find_foreign, is_foreign, open_foreign
from kosim.encoders.loading import load
from kosim.encoders.metrics import best_f1_threshold
from kosim.encoders.records import LabelledPairs, PoolingMode, check_validation


def calibrate(encoder: PairEncoder, validation: LabelledPairs) -> None:
    """Choose an encoder's calibration and threshold on labelled pairs, as training does.

    Args:
        encoder: changed in place.
        validation: pairs that it was not trained on and will not be tested on.

    Raises:
        DataError: there are too few pairs, or their labels are all on one side.
    """
    check_validation(validation)
    raw = encoder.score(validation.pairs, raw=True)
    encoder.calibration = MonotoneCalibration.fit(raw, validation.labels)
    encoder.threshold = best_f1_threshold(validation.labels, encoder.calibration(raw))
    if isinstance(encoder, BiEncoder) and (own := (encoder.training or {}).get("shortened")):
        again = fit_shortened(encoder, validation, map(int, own))
        fitted = {str(number): one.model_dump(mode="json") for number, one in again.items()}
        encoder.training = {**(encoder.training or {}), "shortened": fitted}


def adopt(
    model: str | Path,
    validation: LabelledPairs | None = None,
    *,
    pooling: PoolingMode | None = None,
    prompt: str | None = None,
    max_length: int | None = None,
    device: str | None = None,
) -> PairEncoder:
    """Open a model that others trained and calibrate it, to be saved.

    Args:
        model: what `load` opens; or, with ``pooling``, a plain transformers model.
        validation: labelled pairs for `calibrate`; without them it stays uncalibrated.
        pooling: makes a bi-encoder of a plain transformers model: mean, cls or max.
        prompt: text put before every sentence of a bi-encoder, instead of the model's own.
        max_length: tokens after which an input is cut; by default as the model says.
        device: torch device; the best there is when None.

    Raises:
        ArtifactError: the model is neither a bi-encoder nor a cross-encoder.
        BackboneError: with ``pooling``, it is no backbone.
        ConfigError: a prompt is given for a cross-encoder, or the length is not possible.
        DataError: the validation pairs cannot be used.
    """
    encoder: PairEncoder
    if pooling is not None:
        encoder = BiEncoder.from_backbone(str(model), pooling=pooling, device=device)
    elif is_foreign(path := saved_encoder(model)):
        encoder = open_foreign(find_foreign(path), device=device)
    else:
        encoder = load(path, device=device, backend="torch")  # to be saved again
    if prompt is not None:
        if not isinstance(encoder, BiEncoder):
            raise ConfigError(f"{model} is a cross-encoder, which has no prompt; leave it out")
        encoder = set_prompt(encoder, prompt)
    if max_length is not None:
        encoder.limit_length(max_length)
    if validation is not None:
        calibrate(encoder, validation)
    return encoder
