"""Models that others made, opened as they stand: sentence-transformers and cross-encoders.

They keep their own maximum length, prompt, pooling, further modules and activation, so that their
raw scores are those of sentence-transformers. Having no calibration, they score on 0-5 by the
identity, and say so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kosim.encoders.artifact import MANIFEST
from kosim.encoders.backbone import FULL_PRECISION, Backbone, find_backbone, opening
from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.backends import is_installed
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ArtifactError, MissingExtraError
from kosim.encoders.language import both
from kosim.encoders.network_files import check_finite
from kosim.encoders.records import Kind
from kosim.encoders.storage import read_json
from kosim.encoders.suitability import (
    check_scoring,
    fit_inputs,
    label_count,
    own_length,
    read_config,
)

_LOG = logging.getLogger(__name__)


def is_foreign(path: Path) -> bool:
    """Say whether a name stands for a model without ``kosim.json``: a folder, or a hub id."""
    try:
        if path.is_dir():
            files = (MANIFEST, "config.json", "modules.json")
            ours, *models = ((path / file).is_file() for file in files)
            return not ours and any(models)
        # A missing folder inside one that is there is a slip of the pen, and none of the hub.
        owner = path.parts[0] if len(path.parts) == 2 else "/"
        return not path.exists() and not Path(owner).exists()
    except OSError:
        return False  # It cannot be read, as opening it will say.


def find_foreign(path: Path) -> Backbone:
    """Return where a foreign model is; one of the hub is fetched once.

    Raises:
        ArtifactError: it is neither a folder nor on the hub, or a file is missing.
    """
    with opening(str(path), as_error=ArtifactError):
        return find_backbone(str(path))


def foreign_kind(found: Backbone) -> Kind:
    """Return the kind of a foreign model, by its files alone.

    Raises:
        ArtifactError: it is neither; what it is good for is said.
    """
    modules, config = found.path / "modules.json", read_config(found.path)
    settings = found.path / "config_sentence_transformers.json"
    said = read_json(settings, error=ArtifactError) if settings.is_file() else {}
    labels = label_count(config)
    if said.get("model_type", "SentenceTransformer") == "SentenceTransformer" and modules.is_file():
        return "bi"
    if labels == 1:
        return "cross"
    if labels is not None:
        raise ArtifactError(
            f"{found.name} is a classifier of {labels} labels, not of similarity; train a "
            f"cross-encoder from it with `kosim train cross --backbone {found.name}`"
        )
    what = said.get("model_type") or "backbone"
    raise ArtifactError(
        f"{found.name} is a {what}, neither a sentence-transformers bi-encoder nor a cross-encoder "
        f"with one label; train an encoder from it with --backbone {found.name}"
    )


def check_openable(path: Path) -> None:
    """Check that this installation can open a foreign model, whatever then computes it.

    Raises:
        MissingExtraError: torch is not installed.
    """
    if not is_installed("torch"):
        raise MissingExtraError(
            f"{path} is a third-party model, and opening one needs torch, which this installation "
            "leaves out: pip install kosim, or run kosim adopt and kosim export elsewhere, and "
            "copy the encoder that they write"
        )


def open_foreign(found: Backbone, *, device: str | None) -> BiEncoder | CrossEncoder:
    """Open a foreign model as an encoder without calibration.

    Raises:
        ArtifactError: it is neither kind, damaged, or cannot score.
        MissingExtraError: torch is not installed.
    """
    kind = foreign_kind(found)
    check_openable(found.path)
    with opening(found.name, as_error=ArtifactError):
        encoder = _OPEN[kind](found, device)
        check_scoring(encoder, found.name)
    return encoder


def warn_uncalibrated(found: Backbone) -> None:
    """Say that the scores of a foreign model are its own, and what calibrates them."""
    said = both(
        "{name} has no calibration: its scores are its own values spread over 0 to 5; "
        "`kosim adopt {name} --validation FILE --out DIR` calibrates it",
        "{name}: 보정되지 않아 고유한 값을 0~5로 펼친 점수입니다. "
        "`kosim adopt {name} --validation FILE --out DIR`로 보정할 수 있습니다",
        name=found.name,
    )
    _LOG.warning("%s", said)


def _open_bi(found: Backbone, device: str | None) -> BiEncoder:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize, Transformer

    model = SentenceTransformer(
        str(found.path),
        device=device,
        model_kwargs=dict(FULL_PRECISION),
        local_files_only=True,
    )
    modules = list(model)
    if not isinstance(modules[0], Transformer):
        raise ArtifactError(
            f"{found.name} begins with the module {type(modules[0]).__name__}; only models with a "
            "transformer can be opened"
        )
    if not isinstance(modules[-1], Normalize):
        modules.append(Normalize())
    complete = SentenceTransformer(
        modules=modules,
        device=device,
        prompts=model.prompts,
        default_prompt_name=model.default_prompt_name,
    )
    _fit(complete, found)
    return BiEncoder(complete, backbone=found)


def _open_cross(found: Backbone, device: str | None) -> CrossEncoder:
    from sentence_transformers import CrossEncoder as PairClassifier

    model = PairClassifier(
        str(found.path),
        device=device,
        model_kwargs=dict(FULL_PRECISION),
        local_files_only=True,
    )
    modules = [type(module).__name__ for module in model]
    if modules != ["Transformer"] or model.num_labels != 1 or model.default_prompt_name:
        raise ArtifactError(
            f"{found.name} is a cross-encoder of the modules {', '.join(modules)} with "
            f"{model.num_labels} labels and the prompt {model.default_prompt_name}; only a "
            "transformer with a classifier of one label and without a prompt can be opened"
        )
    _fit(model, found)
    return CrossEncoder(model, backbone=found)


def _fit(model: Any, found: Backbone) -> None:
    check_finite(model, found.name, error=ArtifactError)
    fit_inputs(model, found.name)
    model.max_seq_length = own_length(model)


_OPEN: dict[Kind, Callable[[Backbone, str | None], BiEncoder | CrossEncoder]] = {
    "bi": _open_bi,
    "cross": _open_cross,
}
