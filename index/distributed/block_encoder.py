"""What a worker of the cluster does: encode a block and put it where the driver will find it."""

from __future__ import annotations

from typing import Any

import numpy as np

from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import ClusterError, KosimError
from kosim.encoders.loading import load
from kosim.index.build import encoded
from kosim.index.distributed.encoding_job import EncodingJob, packed_error, unpack
from kosim.index.store.block import Columns
from kosim.index.store.spool import Spool


class BlockEncoder:
    """Ray makes one a worker, and a new one where a worker died.

    A block that is there already, from a killed run or a worker that died after it wrote it, is
    compared with its documents instead of encoded again.
    """

    def __init__(self, job: EncodingJob) -> None:
        encoder = load(job.encoder, backend=job.backend, precision=job.precision, device=job.device)
        if not isinstance(encoder, BiEncoder) or encoder.fingerprint() != job.settings.fingerprint:
            raise ClusterError(f"{job.encoder} changed while the cluster was at work; start again")
        self._encoder = encoder
        self._job = job
        self._parts: dict[int, Spool] = {}

    def __call__(self, rows: dict[str, np.ndarray]) -> dict[str, Any]:
        """Encode the one block in ``rows`` and return what the driver counts."""
        file, number, packed, skipped, error = (
            rows[name][0] for name in ("file", "number", "documents", "skipped", "error")
        )
        columns = unpack(packed) if packed else None
        resumed = False
        cut = self._encoder.truncated
        try:
            resumed = columns is not None and self._put(int(file), int(number), columns)
        except KosimError as raised:
            error = packed_error(raised)
        return {
            "file": [file],
            "number": [number],
            "count": [0 if columns is None else len(columns)],
            "resumed": [resumed],
            "truncated": [self._encoder.truncated - cut],
            "skipped": [skipped],
            "error": [error],
        }

    def _put(self, file: int, number: int, columns: Columns) -> bool:
        """Have a block on the disk; tell whether it was there already."""
        if file not in self._parts:
            self._parts[file] = self._job.part(file)
        part = self._parts[file]
        if part.holds(number, columns):
            return True
        part.write(number, encoded(columns, self._encoder, self._job.settings.dimension))
        return False
