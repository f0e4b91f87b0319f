"""The encoders that label, opened and checked, and their labels of pairs on the disk."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kosim.encoders.base import PairEncoder
from kosim.encoders.bundle import saved_encoder
from kosim.encoders.column_names import KNOWN, comparable_name
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.distillation.teacher import keep_about
from kosim.encoders.durable_file import read_array, write_array
from kosim.encoders.errors import ConfigError, StorageError
from kosim.encoders.language import both
from kosim.encoders.loading import load
from kosim.encoders.records import Pair
from kosim.encoders.storage import atomic_file, read_json, write_json
from kosim.experiments.study.progress import Progress, silent

BLOCK = 2_048
"""Pairs that are labelled between two files; a killed run loses one block at most."""

_COST = "cost.json"

CHANGED = "restore what was changed, start again with --overwrite, or choose another --out"
"""What to do where a run's folder was made with something else."""

_COLUMNS = {*KNOWN, "mined"}
"""Columns that are no teacher's, in comparable form: a reader of pairs takes them for its own."""

_STEP = re.compile(r"(bi|cross)(-silver|-baseline|, round \d+)?")
"""What steps of a run are called."""


@dataclass(frozen=True)
class Teacher:
    """An encoder that labels pairs on 0-5; ``name`` tells it from the others of a run."""

    name: str
    encoder: PairEncoder

    def record(self) -> dict[str, str]:
        """Return what an artifact keeps of its teacher."""
        return {
            "name": self.name,
            "kind": self.encoder.kind,
            "fingerprint": self.encoder.fingerprint(),
            "precision": self.encoder.precision,
        }


@dataclass(frozen=True)
class Labels:
    """A teacher's scores of n pairs, (n,) float32 on 0-5; how many it labelled in how long.

    Both are of all calls together, without the block in which one was killed.
    """

    scores: npt.NDArray[np.float32]
    labelled: int
    seconds: float


def open_teachers(
    models: Sequence[str],
    *,
    backend: Backend | None = None,
    precision: Precision = "fp32",
    device: str | None = None,
) -> list[Teacher]:
    """Open saved encoders that are to label pairs.

    Raises:
        ArtifactError: one is not there, no encoder, or damaged.
        ConfigError: one is not calibrated, so that its scores are not on 0-5, or is given twice.
    """
    opened: dict[str, Teacher] = {}
    names = [saved_encoder(model).name for model in models]
    for model, name in zip(models, names, strict=True):
        encoder = load(model, backend=backend, precision=precision, device=device)
        if not encoder.calibrated:
            raise ConfigError(
                f"teacher {model} is not calibrated: its scores are its own values and no labels "
                f"on 0-5; calibrate it with `kosim adopt {model} --validation FILE --out DIR`"
            )
        fingerprint = encoder.fingerprint()
        if fingerprint in opened:
            raise ConfigError(f"teacher {model} is given twice; name each teacher once")
        taken = comparable_name(name) in _COLUMNS or _STEP.fullmatch(name)
        unclear = names.count(name) > 1 or taken
        opened[fingerprint] = Teacher(f"teacher {model}" if unclear else name, encoder)
    return list(opened.values())


def label(
    teacher: Teacher,
    pairs: Sequence[Pair],
    folder: Path,
    *,
    symmetric: bool = False,
    progress: Progress = silent,
) -> Labels:
    """Return a teacher's scores of pairs, labelling only the blocks that are not there yet.

    Args:
        teacher: what labels.
        pairs: n pairs of sentences.
        folder: keeps the labels of this teacher and these pairs, a file for each block.
        symmetric: average both orders of each pair.
        progress: told how many are done.

    Raises:
        StorageError: the folder holds labels of other pairs or of another encoder, or cannot be
            written.
    """
    encoder = teacher.encoder
    digest = hashlib.sha256(json.dumps(list(pairs)).encode()).hexdigest()
    about = {
        "fingerprint": encoder.fingerprint(),
        "calibration": encoder.calibration.model_dump(mode="json"),
        "precision": encoder.precision,
        "symmetric": symmetric,
        "pairs": digest,
    }
    keep_about(folder, json.loads(json.dumps(about)), remedy=CHANGED)
    stage = both("labels by {name}", "{name} 채점", name=teacher.name)
    blocks: list[npt.NDArray[np.float32]] = [np.zeros(0, dtype=np.float32)]
    cost = {"pairs": 0, "seconds": 0.0}
    if (folder / _COST).is_file():
        cost = read_json(folder / _COST, error=StorageError, remedy="remove it and resume")
    for start in range(0, len(pairs), BLOCK):
        block = list(pairs[start : start + BLOCK])
        path = folder / f"{start // BLOCK:06d}.npy"
        if not path.is_file():
            began = time.monotonic()
            scores = encoder.score(block, symmetric=symmetric)
            cost["pairs"] += len(block)
            cost["seconds"] += time.monotonic() - began
            with atomic_file(path) as partial:
                write_array(partial, scores)
            write_json(folder / _COST, cost)
        blocks.append(_read_block(path, len(block)))
        progress(stage, start + len(block), len(pairs))
    return Labels(np.concatenate(blocks), int(cost["pairs"]), float(cost["seconds"]))


def labels_folder(folder: Path, teacher: Teacher) -> Path:
    """Return where a teacher's labels stand below ``folder``."""
    plain = re.sub(r"[^\w.-]+", "-", teacher.name).strip("-.")[-40:]
    return folder / f"{plain}-{teacher.encoder.fingerprint()[:12]}"


def _read_block(path: Path, size: int) -> npt.NDArray[np.float32]:
    try:
        scores = read_array(path, mapped=False)
        if scores.shape != (size,) or scores.dtype != np.float32:
            raise ValueError(f"{scores.dtype} of shape {scores.shape}")
    except (OSError, ValueError, EOFError) as error:
        raise StorageError(f"{path} is damaged ({error}); remove it and resume") from error
    return np.asarray(scores, dtype=np.float32)
