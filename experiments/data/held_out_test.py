"""A test set that is split off from one file of pairs and shares no sentence with the rest."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kosim.encoders.errors import DataError
from kosim.experiments.data.cleaning import clean_training, comparable_texts
from kosim.experiments.data.pairs import RawPairs
from kosim.experiments.data.splits import Rows

SMALLEST_TEST = 10
"""Fewer test pairs than this compare nothing."""


def split_off_test(
    raw: RawPairs, *, share: float, seed: int
) -> tuple[RawPairs, RawPairs, dict[str, Any]]:
    """Split the pairs of one file into pairs to train on and a test set.

    Pairs that share a sentence, directly or over others, stand on the same side. The test set has
    about the same mix of labels as all pairs and holds only pairs that cleaning would keep: no
    missing value, no repeated pair, no contradicting labels.

    Args:
        raw: the pairs of the file.
        share: of the usable pairs that goes into the test set, at most.
        seed: of the drawing.

    Returns:
        The pairs to train on, unusable ones included, as cleaning reports them; the test pairs;
        and how the split was made: ``share``, ``seed``, ``usable`` pairs, ``groups`` of pairs that
        share sentences, pairs in the ``largest_group``, and ``test`` pairs.

    Raises:
        DataError: no test set of at least `SMALLEST_TEST` pairs can be split off.
    """
    _, removed = clean_training(raw)
    unusable = {row for rows in removed.values() for row in rows}
    usable = raw.frame[~raw.frame["row"].isin(unusable)]
    group_of_pair = _groups(usable)
    chosen = _draw(group_of_pair, usable["label"].to_numpy(), share, seed)
    sizes = np.bincount(group_of_pair)
    if len(chosen) < SMALLEST_TEST:
        why = f"the largest group that shares sentences has {sizes.max():,} pairs; give"
        if sizes.max() <= len(usable) * share:
            why = "give more pairs, or"
        raise DataError(
            f"{raw.origin}: of {len(usable):,} usable pairs, {len(chosen)} could be split off as a "
            f"test set, and it needs {SMALLEST_TEST}: {why} test pairs of their own (--test FILE)"
        )
    in_test = raw.frame["row"].isin(usable["row"].to_numpy()[chosen])
    facts = {
        "share": share,
        "seed": seed,
        "usable": len(usable),
        "groups": len(sizes),
        "largest_group": int(sizes.max()),
        "test": len(chosen),
    }
    return (
        replace(raw, frame=raw.frame[~in_test].reset_index(drop=True)),
        replace(
            raw,
            name=f"{raw.name} (test)",
            frame=raw.frame[in_test].reset_index(drop=True),
            origin=f"{raw.origin} (split off)",
            notices=(),
        ),
        facts,
    )


def _groups(usable: pd.DataFrame) -> Rows:
    """Return for each of n pairs the number of its group: pairs that hang together by sentences."""
    texts = comparable_texts(usable)
    nodes, _ = pd.factorize(np.concatenate([texts["first"].to_numpy(), texts["second"].to_numpy()]))
    first, second = np.split(nodes, 2)
    size = int(nodes.max()) + 1
    graph = coo_matrix((np.ones(len(first), dtype=bool), (first, second)), shape=(size, size))
    _, of_node = connected_components(graph, directed=False)
    _, groups = np.unique(of_node[first], return_inverse=True)
    return groups.ravel().astype(np.int64)


def _draw(groups: Rows, labels: npt.NDArray[np.float64], share: float, seed: int) -> Rows:
    """Return the positions of the pairs of some groups, ascending, with the mix of all labels.

    Groups are looked at in random order; one is taken if the counts of labels, rounded halves up,
    come nearer to their share by it and do not exceed it in all.
    """
    strata = np.unique(np.floor(labels + 0.5), return_inverse=True)[1].ravel()
    wanted = np.bincount(strata) * share
    largest = math.ceil(round(len(labels) * share, 9))
    by_group = np.argsort(groups, kind="stable")
    members = np.split(by_group, np.cumsum(np.bincount(groups))[:-1])
    taken = np.zeros(len(wanted))
    chosen: list[Rows] = []
    count = 0
    for number in np.random.default_rng(seed).permutation(len(members)):
        more = members[number]
        counts = np.bincount(strata[more], minlength=len(wanted))
        nearer = ((wanted - taken - counts) ** 2).sum() < ((wanted - taken) ** 2).sum()
        if nearer and count + len(more) <= largest:
            chosen.append(more)
            taken += counts
            count += len(more)
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)
