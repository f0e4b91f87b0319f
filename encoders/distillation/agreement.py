"""How far a student agrees with its teacher on held-out sentences."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import spearmanr

from kosim.encoders.distillation.lessons import Lessons
from kosim.encoders.distillation.student import Student
from kosim.encoders.errors import TrainingError

_EPOCH = 1 << 31
"""The epoch under whose number held-out pairs are drawn, the same at every evaluation."""

Inputs = dict[str, torch.Tensor]


class Agreement:
    """Measures a student on held-out sentences and on pairs of them."""

    def __init__(self, lessons: Lessons) -> None:
        self._lessons = [lessons.make(batch) for batch in lessons.batches(_EPOCH)]

    def __call__(self, student: Student) -> dict[str, float]:
        """Return the figures of the student as it stands.

        Returns:
            ``cosine``, the mean cosine of its vectors with their targets; ``vector_spearman``,
            the rank correlation of its cosines with those of the targets, over all pairs of
            neighbours in a batch; ``pair_spearman``, that of its judgements of pairs with their
            similarity, where there are pairs.

        Raises:
            TrainingError: a value is not a number.
        """
        cosines, own, true, judged, wanted = [], [], [], [], []
        student.eval()
        with torch.no_grad():
            for lesson in self._lessons:
                inputs = {
                    name: tensor
                    for name, tensor in lesson.items()
                    if name not in ("target", "similarity")
                }
                if "similarity" in lesson:
                    judged.append(student.judge(**inputs).numpy())
                    wanted.append(lesson["similarity"].numpy())
                    continue
                vectors, target = student.encode(**inputs), lesson["target"]
                cosines.append((vectors * target).sum(dim=1).numpy())
                upper = torch.triu_indices(len(vectors), len(vectors), offset=1)
                own.append((vectors @ vectors.T)[upper[0], upper[1]].numpy())
                true.append((target @ target.T)[upper[0], upper[1]].numpy())
        cosine = np.concatenate(cosines)
        if not np.isfinite(cosine).all():
            raise TrainingError(
                "distillation diverged: the student's vectors are no longer numbers; lower the "
                "learning rate"
            )
        figures = {
            "cosine": float(cosine.mean()),
            "vector_spearman": _agree(np.concatenate(own), np.concatenate(true)),
        }
        if judged:
            figures["pair_spearman"] = _agree(np.concatenate(judged), np.concatenate(wanted))
        return figures


def _agree(first: np.ndarray, second: np.ndarray) -> float:
    """Return the rank correlation, 0 where one of the two does not vary."""
    if len(first) < 3 or not np.ptp(first) or not np.ptp(second):
        return 0.0
    return float(spearmanr(first, second).statistic)
