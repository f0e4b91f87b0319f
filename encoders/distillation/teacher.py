"""The teacher, and its vectors of a corpus on the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from kosim.encoders.artifact import MANIFEST
from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import saved_encoder
from kosim.encoders.compute.runtime import Precision
from kosim.encoders.errors import BackboneError, StorageError
from kosim.encoders.loading import load
from kosim.encoders.provenance import read_provenance
from kosim.encoders.sole_writer import sole_writer
from kosim.encoders.storage import read_json, read_versioned_json, write_json

_BLOCK = 4_096
"""Sentences encoded between two notes of how far it got."""

_VECTORS, _ABOUT, _DONE = "vectors.f16", "about.json", "done.json"
Progress = Callable[[int, int], object]


class _Done(BaseModel):
    sentences: int = Field(ge=0)


def open_teacher(
    name: str,
    *,
    revision: str | None = None,
    prompt: str = "",
    device: str | None = None,
    precision: Precision = "fp32",
) -> BiEncoder:
    """Open what is learnt from: a saved bi-encoder, or a backbone with its own pooling.

    Args:
        name: a folder, hub id, or the name of a bundled encoder.
        revision: commit, tag or branch of a hub id.
        prompt: text put before every sentence; a saved bi-encoder has its own.
        device: torch device; the best there is when None.
        precision: arithmetic of the network, as in `load`.

    Raises:
        BackboneError: nothing is there under that name, or it is no encoder of sentences.
        ArtifactError: it is a saved encoder and damaged.
    """
    folder = saved_encoder(name).expanduser()
    if (folder / MANIFEST).is_file() and not read_provenance(folder).steps:
        encoder = load(folder, device=device, precision=precision)
        if not isinstance(encoder, BiEncoder):
            raise BackboneError(
                f"teacher {name} is a {encoder.kind}-encoder, which has no sentence vectors; give "
                "a bi-encoder"
            )
        return encoder
    return BiEncoder.from_backbone(
        name, revision=revision, prompt=prompt or None, device=device, precision=precision
    )


def teacher_vectors(
    teacher: BiEncoder,
    sentences: Sequence[str],
    texts: str,
    folder: Path,
    *,
    progress: Progress = lambda done, total: None,
) -> npt.NDArray[np.float16]:
    """Return the teacher's vectors, mapped from ``folder``, encoding only what is not there yet.

    Args:
        teacher: the encoder.
        sentences: n texts.
        texts: their fingerprint.
        folder: of the cache; a killed run leaves whole blocks, and the next one goes on.
        progress: told how many are done of how many.

    Returns:
        (n, dimension) float16, rows of about unit length.

    Raises:
        StorageError: the folder holds vectors of another teacher or corpus, another process writes
            to it, or the disk is full.
    """
    about = {
        "teacher": teacher.fingerprint(),
        "precision": teacher.precision,
        "texts": texts,
        "sentences": len(sentences),
        "dimension": teacher.dimension,
    }
    shape = (len(sentences), teacher.dimension)
    path = folder / _VECTORS
    with sole_writer(folder):
        keep_about(folder, about, remedy="give another folder, or remove it")
        try:
            done = _done(folder, 2 * shape[0] * shape[1])
            vectors = np.memmap(path, dtype=np.float16, mode="r+", shape=shape)
            while done < len(sentences):
                block = list(sentences[done : done + _BLOCK])
                vectors[done : done + len(block)] = teacher.encode(block)
                vectors.flush()
                done += len(block)
                write_json(folder / _DONE, {"sentences": done})
                progress(done, len(sentences))
        except OSError as error:
            raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
    return np.memmap(path, dtype=np.float16, mode="r", shape=shape)


def keep_about(folder: Path, about: dict[str, Any], *, remedy: str) -> None:
    """Note what a folder of a run holds, or check that it holds the same.

    ``about`` is as JSON has it; ``remedy`` says what to do where it holds something else.

    Raises:
        StorageError: it holds something else, or cannot be written.
    """
    path = folder / _ABOUT
    if not path.is_file():
        write_json(path, about)
        return
    before = read_json(path, error=StorageError, remedy=f"remove the folder {folder}")
    changed = [name for name in about if before.get(name) != about[name]]
    if changed:
        raise StorageError(
            f"{folder} was made with another {' and another '.join(changed)} than now; {remedy}"
        )


def _done(folder: Path, size: int) -> int:
    """Return how many vectors are there; where there are none, room is made for all.

    A file of another size was cut, and a map of it would be filled up with zeros. One without room
    on the disk would end the process when it is written.
    """
    path, vectors = folder / _DONE, folder / _VECTORS
    if path.is_file() and vectors.is_file() and vectors.stat().st_size == size:
        remedy = f"remove the folder {folder}"
        return read_versioned_json(
            path, _Done, newest=1, error=StorageError, remedy=remedy
        ).sentences
    path.unlink(missing_ok=True)
    with vectors.open("wb") as file:
        if hasattr(os, "posix_fallocate"):  # macOS has none
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
    return 0
