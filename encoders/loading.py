"""Opening a saved encoder, whichever kind it is."""

from __future__ import annotations

from pathlib import Path

from encoders.artifact import read_manifest
from encoders.bi import BiEncoder
from encoders.cross import CrossEncoder
from encoders.errors import ArtifactError, BackboneError
from encoders.opening import opening

KINDS: dict[str, type[BiEncoder] | type[CrossEncoder]] = {"bi": BiEncoder, "cross": CrossEncoder}


def load(folder: str | Path, *, device: str | None = None) -> BiEncoder | CrossEncoder:
    """Open a saved encoder after checking every file of it.

    Args:
        folder: what :meth:`encoders.base.PairEncoder.save` wrote.
        device: torch device; the best there is when None.

    Raises:
        ArtifactError: the folder is no artifact, is of a newer format, or is damaged.
    """
    place = Path(folder)
    manifest = read_manifest(place)
    try:
        with opening(str(place)):
            return KINDS[manifest.kind].open(place, manifest, device=device)
    except BackboneError as error:
        raise ArtifactError(str(error)) from error
