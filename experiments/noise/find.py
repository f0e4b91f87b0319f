"""Rank labelled pairs by how far encoders of both kinds, trained without them, contradict them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.neighbors import NearestNeighbors
from transformers import TrainerCallback

from kosim.encoders.errors import ConfigError, StorageError
from kosim.encoders.language import both
from kosim.encoders.metrics import Floats
from kosim.encoders.records import LabelledPairs
from kosim.encoders.scratch import build_scratch_backbone
from kosim.encoders.storage import content_checksum, read_json, write_json, write_text
from kosim.encoders.training.run import train
from kosim.experiments.comparison.contenders import make_encoder
from kosim.experiments.data.splits import stratified_split
from kosim.experiments.settings import SCRATCH, EncoderSettings
from kosim.experiments.study.progress import Progress, silent

NEIGHBOURS = 100
"""Pairs with the most alike scores, among whose labels a label is looked at."""

FLOOR = 0.2
"""Points added to the spread of those labels: where they all agree, a small difference is none."""


@dataclass(frozen=True)
class NoiseRanking:
    """n pairs with the scores of encoders that never learnt from them.

    ``scores`` are (n,) on 0-5 by contender, ``suggested`` is their mean, and ``disagreement`` how
    many points it lies from the label. ``order`` are the positions of the pairs, the most
    surprising label first.
    """

    pairs: LabelledPairs
    scores: Mapping[str, Floats]

    @property
    def suggested(self) -> Floats:
        """The label that each pair would get."""
        return np.mean(list(self.scores.values()), axis=0)

    @property
    def disagreement(self) -> Floats:
        """Points between each label and the suggested one."""
        return np.abs(self.suggested - self.pairs.labels)

    @property
    def surprise(self) -> Floats:
        """How far each label lies from those of pairs with alike scores, in their spread.

        Encoders err more on some pairs than on others. Where pairs with such scores have labels
        from 1 to 5, a distance of two points says little; where all are 0, it says much.
        """
        points = np.column_stack(list(self.scores.values()))
        count = min(len(points), NEIGHBOURS, max(20, len(points) // 20))
        nearest = NearestNeighbors(n_neighbors=count).fit(points)
        labels = self.pairs.labels[nearest.kneighbors(points, return_distance=False)]
        distance = np.abs(self.pairs.labels - labels.mean(axis=1))
        return np.asarray(distance / (labels.std(axis=1) + FLOOR), dtype=np.float64)

    @property
    def order(self) -> npt.NDArray[np.intp]:
        """Positions of the pairs, the most surprising label first."""
        return np.argsort(-self.surprise, kind="stable")

    def table(self, rows: Sequence[int]) -> pd.DataFrame:
        """Return the ranking as a table to correct; ``rows`` are the pairs' rows in their file."""
        frame = pd.DataFrame(
            {
                "row": list(rows),
                "sentence1": self.pairs.sentence1,
                "sentence2": self.pairs.sentence2,
                "label": np.round(self.pairs.labels, 3),
                "suggested": np.round(self.suggested, 2),
                **{name: np.round(scores, 2) for name, scores in self.scores.items()},
                "corrected": "",
            }
        )
        return frame.iloc[self.order]


def find_noise(
    pairs: LabelledPairs,
    contenders: Mapping[str, EncoderSettings],
    *,
    folds: int = 5,
    seed: int = 0,
    device: str | None = None,
    keep: Path | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    progress: Progress = silent,
) -> NoiseRanking:
    """Score every pair by encoders that were trained on the other folds.

    Args:
        pairs: n cleaned pairs.
        contenders: how each encoder is trained, by name.
        folds: parts of the pairs; each is scored by encoders trained on the others.
        seed: of the folds and of the trainings.
        device: torch device; the best available when None.
        keep: folder for the scores of each training, which a killed run goes on from; scores of
            other pairs or settings in it are left alone.
        callbacks: transformers' hooks into every training.
        progress: told what is being done.

    Raises:
        ConfigError: fewer than two folds, or more than pairs.
        DataError: there are too few pairs to train on.
    """
    if not 2 <= folds <= max(2, len(pairs)):
        raise ConfigError(
            f"folds is {folds} for {len(pairs):,} pairs; give at least 2, and no more than pairs"
        )
    part = np.random.default_rng(seed).permutation(len(pairs)) % folds
    scores = {name: np.zeros(len(pairs)) for name in contenders}
    asked = _digest(pairs, contenders, folds, seed)
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "backbone"
        if any(settings.backbone == SCRATCH for settings in contenders.values()):
            build_scratch_backbone([*pairs.sentence1, *pairs.sentence2], own)
        for fold in range(folds):
            outside = np.flatnonzero(part == fold)
            learnt = pairs.take(np.flatnonzero(part != fold))
            rows, validation = stratified_split(learnt, seed=seed)
            for name, settings in contenders.items():
                kept = None if keep is None else keep / f"{asked}-{fold}-{name}.json"
                if kept is not None and kept.exists():
                    scores[name][outside] = read_json(kept, error=StorageError)["scores"]
                    continue
                progress(
                    both(
                        "fold {at} of {all}: training {name}",
                        "{all}개 묶음 중 {at}번째: {name} 학습",
                        at=fold + 1,
                        all=folds,
                        name=name,
                    )
                )
                backbone = str(own) if settings.backbone == SCRATCH else settings.backbone
                encoder = make_encoder(settings, seed=seed, device=device, backbone=backbone)
                config = settings.training.model_copy(update={"seed": seed})
                train(
                    encoder,
                    learnt.take(rows),
                    learnt.take(validation),
                    config,
                    callbacks=callbacks,
                )
                scores[name][outside] = encoder.score(pairs.take(outside).pairs)
                if kept is not None:
                    write_json(kept, {"scores": scores[name][outside].tolist()})
    return NoiseRanking(pairs, scores)


def _digest(
    pairs: LabelledPairs, contenders: Mapping[str, EncoderSettings], folds: int, seed: int
) -> str:
    """Return what tells apart scores that answer different questions."""
    settings = {name: each.model_dump(mode="json") for name, each in contenders.items()}
    asked = {"pairs": pairs.pairs, "labels": pairs.labels.tolist(), "settings": settings}
    return content_checksum({**asked, "folds": folds, "seed": seed})[:12]


def write_ranking(
    ranking: NoiseRanking,
    rows: Sequence[int],
    path: Path,
    corrections: pd.DataFrame | None = None,
) -> None:
    """Write the table to correct, whole or not.

    Args:
        ranking: of n pairs.
        rows: of the pairs in their file, n.
        path: of a CSV file.
        corrections: rows of an earlier table that have a correction, which stands in the new one
            too; those of rows that are not ranked come last.

    Raises:
        StorageError: it cannot be written.
    """
    table = ranking.table(rows)
    if corrections is not None:
        known = corrections.assign(row=corrections["row"].astype(float).astype(int))
        known = known.drop_duplicates("row").set_index("row", drop=False)
        table["corrected"] = table["row"].map(known["corrected"]).fillna("")
        others = known[~known["row"].isin(table["row"])]
        table = pd.concat([table, others]) if len(others) else table
    # The mark at the beginning lets a spreadsheet read Hangul.
    write_text(path, "\ufeff" + table.to_csv(index=False))
