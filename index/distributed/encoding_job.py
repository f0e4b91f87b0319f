"""What driver and workers of a build have in common."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kosim.encoders import errors
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import KosimError
from kosim.index.store.block import Columns
from kosim.index.store.spool import Spool, SpoolSettings


@dataclass(frozen=True)
class EncodingJob:
    """What all workers of a build are told; ``folder`` is what they share."""

    encoder: Path
    backend: Backend | None
    precision: Precision
    device: str | None
    folder: Path
    settings: SpoolSettings

    def part(self, file: int) -> Spool:
        """Return the blocks of one file of the corpus; the driver has locked all parts."""
        part = self.folder / f"part-{file:06d}"
        part.mkdir(exist_ok=True)
        return Spool(part, self.settings)


def packed_error(error: KosimError) -> str:
    """Return an error as text: Ray would bring it back as one of its own."""
    return json.dumps([type(error).__name__, str(error)])


def unpacked_error(packed: str) -> KosimError:
    """Return the error that `packed_error` was given."""
    name, message = json.loads(packed)
    kind: type[KosimError] = getattr(errors, name, KosimError)
    return kind(message)


def pack(columns: Columns) -> bytes:
    """Return documents as bytes."""
    return json.dumps([columns.ids, columns.texts, columns.extras]).encode()


def unpack(packed: bytes) -> Columns:
    """Return the documents that `pack` was given."""
    return Columns(*json.loads(packed))
