"""Drawing pairs so that their scores cover the scale as wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kosim.experiments.teaching.settings import BINS

Rows = npt.NDArray[np.int64]


def score_bins(scores: npt.ArrayLike) -> Rows:
    """Return the bin of each score on 0-5, (n,): its whole points, 5 with those from 4 on."""
    return np.clip(np.floor(np.asarray(scores)), 0, BINS - 1).astype(np.int64)


def quotas(available: Sequence[int], weights: Sequence[float], count: int) -> list[int]:
    """Divide ``count`` among groups by weight; what a group lacks is shared by the others.

    Args:
        available: members of each of b groups, which it cannot exceed.
        weights: (b,) not negative; a group of weight 0 gets nothing.
        count: to divide.

    Returns:
        (b,) numbers whose sum is ``count``, or all that is available with a weight if that is
        less. Fractions go to the largest remainders, ties to the first group.
    """
    share = np.zeros(len(available))
    room = np.where(np.asarray(weights) > 0, np.asarray(available, dtype=np.float64), 0.0)
    weight = np.asarray(weights, dtype=np.float64)
    count = min(count, int(room.sum()))
    open_ = room > 0
    while open_.any():
        left = count - share[~open_].sum()
        fair = np.where(open_, left * weight / weight[open_].sum(), share)
        full = open_ & (fair >= room)
        share = np.where(full, room, fair)
        if not full.any():
            break
        open_ &= ~full
    whole = np.floor(share + 1e-9).astype(np.int64)
    for group in np.argsort(-(share - whole), kind="stable")[: count - int(whole.sum())]:
        whole[group] += 1
    return [int(number) for number in whole]


def draw(
    scores: npt.ArrayLike,
    sources: Sequence[str],
    count: int,
    *,
    mix: Sequence[float],
    random: np.random.Generator,
) -> Rows:
    """Draw pairs by the bins of their scores, and in each bin equally many of every source.

    Args:
        scores: (n,) on 0-5.
        sources: (n,) names of where each pair was found.
        count: pairs wanted.
        mix: weight of each bin.
        random: draws within a bin and source.

    Returns:
        The drawn rows, ascending: ``count`` of them, or fewer where the bins with a weight hold
        fewer.
    """
    bins, names = score_bins(scores), np.asarray(sources, dtype=object)
    wanted = quotas(np.bincount(bins, minlength=BINS).tolist(), mix, count)
    drawn: list[Rows] = [np.zeros(0, dtype=np.int64)]
    for bin_, number in enumerate(wanted):
        inside = np.flatnonzero(bins == bin_)
        groups = [inside[names[inside] == name] for name in sorted(set(names[inside]))]
        shares = quotas([len(group) for group in groups], [1.0] * len(groups), number)
        drawn += [
            random.permutation(group)[:share] for group, share in zip(groups, shares, strict=True)
        ]
    return np.sort(np.concatenate(drawn))
