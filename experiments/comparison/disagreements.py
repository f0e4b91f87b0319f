"""The test pairs that tell most about how two encoders differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from kosim.encoders.base import PairEncoder
from kosim.encoders.explanation import most_important
from kosim.encoders.records import LabelledPairs
from kosim.experiments.comparison.evaluation import ScoredContender
from kosim.experiments.comparison.results import ComparisonResults, Disagreement, WordValue

EXPLAINED, WORDS = 3, 4
"""Pairs of each kind of disagreement that are explained, and words that are named for each."""

LONGEST = 64
"""Words of both sentences that are explained: the work grows with the square of their number."""


def explain_disagreements(
    results: ComparisonResults, load: Callable[[str], PairEncoder]
) -> ComparisonResults:
    """Return the results whose first disagreements of each kind say which words matter most.

    Args:
        results: of a comparison; the contenders of its main difference are explained.
        load: opens a contender by its name.
    """
    if not results.disagreements:
        return results
    main = results.difference
    names = [main.first, main.second] if main is not None else list(results.encoders)[:1]
    encoders = {name: load(name) for name in names}
    explained = []
    of_kind: Counter[str] = Counter()
    for one in results.disagreements:
        of_kind[one.why] += 1
        if of_kind[one.why] <= EXPLAINED and _short(one):
            words = {name: _words(encoder, one) for name, encoder in encoders.items()}
            one = one.model_copy(update={"words": words})
        explained.append(one)
    return results.model_copy(update={"disagreements": explained})


def _short(one: Disagreement) -> bool:
    return len(one.sentence1.split()) + len(one.sentence2.split()) <= LONGEST


def _words(encoder: PairEncoder, one: Disagreement) -> list[WordValue]:
    found = encoder.explain(one.sentence1, one.sentence2)
    words = [
        WordValue(sentence=number, word=word, value=float(value))
        for number, (units, values) in enumerate(
            [(found.units1, found.values1), (found.units2, found.values2)], start=1
        )
        for word, value in zip(units, values, strict=True)
    ]
    return [words[position] for position in most_important(found, WORDS)]


def largest_disagreements(
    pairs: LabelledPairs, contenders: Sequence[ScoredContender], *, rows: int
) -> list[Disagreement]:
    """Return the pairs on which the first two contenders disagree most, and with the label.

    At most ``rows`` of each kind. Each has the pair, its source, its label, every contender's
    score (the mean over its seeds), and ``why``: ``encoders`` where the two scores lie furthest
    apart, ``label`` where both lie furthest from the label. A pair stands in the list once, however
    many copies of it the test set holds.
    """
    means = [contender.scores.mean(axis=0) for contender in contenders]
    rankings = {"label": np.min([np.abs(scores - pairs.labels) for scores in means], axis=0)}
    if len(means) > 1:
        rankings = {"encoders": np.abs(means[0] - means[1]), **rankings}
    copies = contenders[0].copies
    numbers = np.arange(len(pairs)) if copies is None else copies
    found: list[Disagreement] = []
    listed: set[int] = set()
    for why, gap in rankings.items():
        chosen: list[int] = []
        for row in np.argsort(-gap, kind="stable").tolist():
            if len(chosen) < rows and int(numbers[row]) not in listed:
                listed.add(int(numbers[row]))
                chosen.append(row)
        for row in chosen:
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
