"""How well a network detects replaced tokens of held-out text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from kosim.encoders.errors import TrainingError
from kosim.encoders.pretraining.masking import HELD_OUT_EPOCH, MaskedCorpus
from kosim.encoders.pretraining.network import ReplacedTokenDetection


class DetectionQuality:
    """Measures a network on held-out inputs, masked the same way at every evaluation."""

    def __init__(self, corpus: MaskedCorpus) -> None:
        self._batches = [corpus.make(batch) for batch in corpus.batches(HELD_OUT_EPOCH)]

    def __call__(self, network: ReplacedTokenDetection) -> dict[str, float]:
        """Return the figures of the network as it stands.

        Returns:
            ``generator_loss`` (nats a masked token), ``discriminator_loss`` (nats a token),
            ``generator_accuracy``; of the replaced tokens ``precision`` and ``recall`` at a
            probability of one half, ``average_precision`` (the area under the precision-recall
            curve) and ``replaced_share``, which is what that area is by chance.

        Raises:
            TrainingError: a loss is not a number.
        """
        logits: list[np.ndarray] = []
        replaced: list[np.ndarray] = []
        guesses: list[tuple[float, float, int]] = []
        network.eval()
        with torch.no_grad():
            for batch in self._batches:
                found = network(**batch)
                mask = batch.get("attention_mask")
                real = torch.ones_like(found.replaced) if mask is None else mask.bool()
                logits.append(found.logits[real].numpy())
                replaced.append(found.replaced[real].numpy())
                guesses.append(
                    (float(found.generator_loss), float(found.correct), len(batch["masked"]))
                )
        return {**_generator(guesses), **_discriminator(logits, replaced)}


def _generator(guesses: Sequence[tuple[float, float, int]]) -> dict[str, float]:
    losses, correct, counts = (np.array(column) for column in zip(*guesses, strict=True))
    return {
        "generator_loss": float(np.average(losses, weights=counts)),
        "generator_accuracy": float(np.average(correct, weights=counts)),
    }


def _discriminator(
    logits: Sequence[np.ndarray], replaced: Sequence[np.ndarray]
) -> dict[str, float]:
    score, truth = np.concatenate(logits).astype(np.float64), np.concatenate(replaced)
    if not np.isfinite(score).all():
        raise TrainingError(
            "pretraining diverged: the discriminator's values are no longer numbers; lower the "
            "learning rate"
        )
    said = score > 0
    hits = int(np.sum(said & truth))
    # log(1 + e^s) - s y, without overflow.
    losses = np.logaddexp(0, score) - score * truth
    return {
        "discriminator_loss": float(losses.mean()),
        "precision": hits / max(1, int(said.sum())),
        "recall": hits / max(1, int(truth.sum())),
        "average_precision": float(average_precision_score(truth, score)) if truth.any() else 0.0,
        "replaced_share": float(truth.mean()),
    }
