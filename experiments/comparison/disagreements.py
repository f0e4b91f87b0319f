"""The test pairs that tell most about how two encoders differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kosim.encoders.records import LabelledPairs
from kosim.experiments.comparison.evaluation import ScoredContender
from kosim.experiments.comparison.results import Disagreement


def largest_disagreements(
    pairs: LabelledPairs, contenders: Sequence[ScoredContender], *, rows: int
) -> list[Disagreement]:
    """Return the pairs on which the first two contenders disagree most, and with the label.

    At most ``rows`` of each kind. Each has the pair, its source, its label, every contender's
    score (the mean over its seeds), and ``why``: ``encoders`` where the two scores lie furthest
    apart, ``label`` where both lie furthest from the label. A pair stands in the list once.
    """
    means = [contender.scores.mean(axis=0) for contender in contenders]
    rankings = {"label": np.min([np.abs(scores - pairs.labels) for scores in means], axis=0)}
    if len(means) > 1:
        rankings = {"encoders": np.abs(means[0] - means[1]), **rankings}
    found: list[Disagreement] = []
    listed: set[int] = set()
    for why, gap in rankings.items():
        chosen = [row for row in np.argsort(-gap, kind="stable").tolist() if row not in listed]
        for row in chosen[:rows]:
            listed.add(row)
            found.append(
                Disagreement(
                    why=why,
                    sentence1=pairs.sentence1[row],
                    sentence2=pairs.sentence2[row],
                    source=pairs.sources[row],
                    label=float(pairs.labels[row]),
                    **{
                        contender.name: float(scores[row])
                        for contender, scores in zip(contenders, means, strict=True)
                    },
                )
            )
    return found
