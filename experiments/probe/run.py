"""Probe encoders with minimal pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.language import both
from kosim.encoders.records import LABEL_HIGH, LABEL_LOW
from kosim.encoders.scoring import PairScorer
from kosim.experiments.probe.items import Item, read_items
from kosim.experiments.probe.results import (
    FailedItem,
    PhenomenonResults,
    ProbedEncoder,
    ProbeResults,
    ShareDifference,
)
from kosim.experiments.statistics.significance import FEWEST, Mean, difference, estimate, holm
from kosim.experiments.study.figures import Difference, Estimate, Undefined
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.study.results import header

FAILURES = 10
"""Items that are listed for each encoder."""

ROUNDING = 1e-5
"""Share of two values by which those of the same tokens differ, where their batches are others."""


@dataclass(frozen=True)
class ProbeScores:
    """The scores (n,) of each item's sentence with the same and with the different one.

    ``ordered`` (n,) is 1 where the pair that means the same scores higher, 0 where not or where
    both tie.
    """

    same: npt.NDArray[np.float64]
    different: npt.NDArray[np.float64]
    ordered: npt.NDArray[np.float64]

    @property
    def margin(self) -> npt.NDArray[np.float64]:
        """By how many points the pair that means the same scores higher."""
        return self.same - self.different


def score_items(encoder: PairEncoder, items: Sequence[Item]) -> ProbeScores:
    """Score both pairs of every item.

    Scores that are equal up to rounding are compared by the raw values behind them: those of a
    cross-encoder without calibration crowd at the ends of 0-5.
    """
    pairs = [(item.sentence, item.same) for item in items]
    pairs += [(item.sentence, item.different) for item in items]
    same, different = np.split(encoder.score(pairs).astype(np.float64), 2)
    ordered = _above(same, different)
    tied = np.flatnonzero((ordered == 0) & (_above(different, same) == 0))
    if len(tied) and isinstance(encoder, PairScorer):
        of_tied = [pairs[row] for row in [*tied, *(tied + len(items))]]
        ordered[tied] = _above(*np.split(encoder.score(of_tied, raw=True).astype(np.float64), 2))
    return ProbeScores(same, different, ordered)


def _above(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return 1 where a value is above the other by more than rounding, else 0: (n,)."""
    size = np.maximum(np.abs(one), np.abs(other))
    return (one - other > ROUNDING * size).astype(np.float64)


def probe(
    encoders: Mapping[str, PairEncoder],
    items: Sequence[Item] | None = None,
    *,
    file: str | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    progress: Progress = silent,
) -> ProbeResults:
    """Probe encoders of either kind with minimal pairs.

    Args:
        encoders: by name.
        items: minimal pairs; those that ship with kosim when None.
        file: where the items come from, for the report.
        resamples: of the intervals.
        seed: of the resamples.
        progress: told what is being done.

    Raises:
        ConfigError: no encoder was given.
        DataError: there are no items.
    """
    if not encoders:
        raise ConfigError("there is no encoder to probe; give at least one")
    items = read_items() if items is None else list(items)
    if not items:
        raise DataError("there are no items; give at least one")
    rows = {
        name: np.flatnonzero([item.phenomenon == name for item in items])
        for name in dict.fromkeys(item.phenomenon for item in items)
    }
    scored = {}
    for name, encoder in encoders.items():
        progress(
            both(
                "{name}: scoring {n} items",
                "{name}: {n}문항 채점",
                name=name,
                n=f"{len(items):,}",
            )
        )
        scored[name] = score_items(encoder, items)
    options: dict[str, Any] = {"resamples": resamples, "seed": seed}
    return ProbeResults(
        **header("probe"),
        items=len(items),
        file=file,
        encoders={
            name: ProbedEncoder(
                kind=encoders[name].kind,
                overall=_figures(scores, np.arange(len(items)), options),
                phenomena={each: _figures(scores, own, options) for each, own in rows.items()},
                failures=_failures(items, scores),
            )
            for name, scores in scored.items()
        },
        differences=_differences(scored, rows, options),
    )


def _figures(
    scores: ProbeScores, rows: npt.NDArray[np.intp], options: Mapping[str, Any]
) -> PhenomenonResults:
    ordered = scores.ordered[rows]
    share = binomtest(int(ordered.sum()), len(rows))
    interval = share.proportion_ci(method="wilson")
    margin = scores.margin[rows]
    return PhenomenonResults(
        n=len(rows),
        share=Estimate(float(ordered.mean()), float(interval.low), float(interval.high)),
        # One item says nothing of how far others lie from it.
        margin=estimate(np.zeros(len(rows)), margin, Mean(), **options)
        if len(rows) > 1
        else Estimate(float(margin[0]), LABEL_LOW - LABEL_HIGH, LABEL_HIGH - LABEL_LOW),
    )


def _failures(items: Sequence[Item], scores: ProbeScores) -> list[FailedItem]:
    """Return the items with the most negative margins, at most one in five of a phenomenon."""
    margin = scores.margin
    found: list[FailedItem] = []
    of_phenomenon: dict[str, int] = {}
    for row in np.argsort(margin, kind="stable"):
        item = items[int(row)]
        of_phenomenon[item.phenomenon] = of_phenomenon.get(item.phenomenon, 0) + 1
        if len(found) == FAILURES:
            break
        if scores.ordered[row] or of_phenomenon[item.phenomenon] > FAILURES // 5:
            continue
        found.append(
            FailedItem(
                phenomenon=item.phenomenon,
                sentence=item.sentence,
                same=item.same,
                different=item.different,
                score_same=float(scores.same[row]),
                score_different=float(scores.different[row]),
            )
        )
    return found


def _differences(
    scored: Mapping[str, ProbeScores],
    rows: Mapping[str, npt.NDArray[np.intp]],
    options: Mapping[str, Any],
) -> list[ShareDifference]:
    """Test the shares of the first two encoders, phenomenon by phenomenon."""
    if len(scored) < 2:
        return []
    first, second = list(scored)[:2]
    found: dict[str, Difference] = {}
    for name, own in rows.items():
        if len(own) >= FEWEST:
            one, other = (scored[each].ordered[own] for each in (first, second))
            found[name] = difference(np.zeros(len(own)), one, other, Mean(), **options)
    adjusted = dict(zip(found, holm([each.p_value for each in found.values()]), strict=True))
    return [
        ShareDifference(
            phenomenon=name,
            first=first,
            second=second,
            share=replace(found[name], p_adjusted=adjusted[name])
            if name in found
            else Undefined(f"fewer than {FEWEST} items"),
        )
        for name in rows
    ]
