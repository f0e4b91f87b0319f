"""The claim of a training on its folder of checkpoints: what they are of, and who writes them.

A checkpoint does not say what it was trained from. The claim does, so that a run goes on only with
the checkpoints of the same settings, pairs and weights: any others could hold what this run must
not see, such as test pairs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import TrainingError
from kosim.encoders.records import LabelledPairs
from kosim.encoders.storage import read_versioned_json, write_json
from kosim.encoders.training.checkpoints import last_whole_checkpoint
from kosim.encoders.training.config import TrainingConfig

FORMAT = 1
_RECORD = "training.json"
_WITHOUT_EFFECT = ("report_to",)
"""Settings that change nothing of the result."""


def pairs_digest(pairs: LabelledPairs) -> str:
    """Return a SHA-256 over the sentences and labels of pairs, in their order."""
    digest = hashlib.sha256()
    for texts in (pairs.sentence1, pairs.sentence2):
        digest.update(json.dumps(texts, ensure_ascii=True).encode())
    digest.update(pairs.labels.astype("<f8").tobytes())
    return digest.hexdigest()


class Claim(BaseModel):
    """What a training is of: everything that decides its result."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    kind: str
    backbone: str
    weights: str
    settings: dict[str, Any]
    train_pairs: str
    validation_pairs: str

    @classmethod
    def of(
        cls,
        encoder: PairEncoder,
        train_pairs: LabelledPairs,
        validation_pairs: LabelledPairs,
        config: TrainingConfig,
    ) -> Self:
        """Return the claim of a training that has not begun."""
        settings = config.model_dump(mode="json")
        return cls(
            kind=encoder.kind,
            backbone=encoder.backbone.name,
            weights=encoder.fingerprint(),
            settings={name: settings[name] for name in settings if name not in _WITHOUT_EFFECT},
            train_pairs=pairs_digest(train_pairs),
            validation_pairs=pairs_digest(validation_pairs),
        )

    def differences(self, other: Claim) -> list[str]:
        """Return what another claim says otherwise, in words: ``epochs 3, not 5``."""
        found = [
            f"{name} {getattr(other, name)}, not {getattr(self, name)}"
            for name in ("kind", "backbone")
            if getattr(self, name) != getattr(other, name)
        ]
        for name in sorted({*self.settings, *other.settings}):
            before, now = other.settings.get(name), self.settings.get(name)
            if before != now:
                found.append(f"{name} {before}, not {now}")
        if self.train_pairs != other.train_pairs:
            found.append("other training pairs")
        if self.validation_pairs != other.validation_pairs:
            found.append("other validation pairs")
        if not found and self.weights != other.weights:
            found.append("other weights to start from")
        return found

    def start(self, folder: Path, *, resume: bool, discard: bool) -> Path | None:
        """Claim the folder; return the checkpoint to go on from, if there is one.

        Args:
            folder: where the checkpoints go; held by `sole_writer`.
            resume: go on from a checkpoint of this same training.
            discard: remove the checkpoints of another training instead of refusing them.

        Raises:
            TrainingError: there are checkpoints of another training, or of one that is unknown.
        """
        last = last_whole_checkpoint(folder) if resume else None
        if last is not None and (problem := self._problem(folder)) is not None:
            if not discard:
                raise TrainingError(
                    f"{folder} holds the checkpoints of another training ({problem}); train with "
                    "the same settings and data to continue it, choose another folder, or "
                    "overwrite it"
                )
            for checkpoint in folder.glob("checkpoint-*"):
                shutil.rmtree(checkpoint)
            last = None
        write_json(folder / _RECORD, self.model_dump(mode="json"))
        return last

    def _problem(self, folder: Path) -> str | None:
        if not (folder / _RECORD).is_file():
            return f"of an unknown one: they have no {_RECORD}"
        before = read_versioned_json(folder / _RECORD, Claim, newest=FORMAT, error=TrainingError)
        return "; ".join(self.differences(before)) or None
