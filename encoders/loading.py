"""Opening a saved encoder, whichever kind it is."""

from __future__ import annotations

from pathlib import Path

from encoders.artifact import read_manifest
from encoders.base import Precision
from encoders.bi import BiEncoder
from encoders.cross import CrossEncoder
from encoders.errors import ArtifactError, BackboneError
from encoders.opening import opening

KINDS: dict[str, type[BiEncoder] | type[CrossEncoder]] = {"bi": BiEncoder, "cross": CrossEncoder}


def load(
    folder: str | Path, *, device: str | None = None, precision: Precision = "fp32"
) -> BiEncoder | CrossEncoder:
    """Open a saved encoder after checking every file of it.

    Args:
        folder: what :meth:`encoders.base.PairEncoder.save` wrote.
        device: torch device; the best there is when None.
        precision: arithmetic of the network; bf16 halves its memory, and its speed pays only
            where the processor has instructions for it.

    Raises:
        ArtifactError: the folder is no artifact, is of a newer format, or is damaged.
        ConfigError: the precision is unknown.
    """
    place = Path(folder)
    manifest = read_manifest(place)
    try:
        with opening(str(place)):
            encoder = KINDS[manifest.kind].open(place, manifest, device=device)
    except BackboneError as error:
        raise ArtifactError(str(error)) from error
    encoder.lower(precision)
    return encoder
