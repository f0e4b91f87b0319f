"""Cleaning: what training pairs are dropped and why, and what a test set must satisfy.

Two texts are the same when they are equal after Unicode NFC and squeezing of white space. That
is only for comparing: the texts that the encoders see are left as they are. Two pairs are the same
when they hold the same two texts, in either order.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kosim.encoders.errors import DataError
from kosim.encoders.pair_columns import ColumnChoice
from kosim.encoders.records import LabelledPairs
from kosim.encoders.texts import comparable
from kosim.experiments.data.label_scale import AUTO
from kosim.experiments.data.pairs import RawPairs, load_pairs

CONFLICT_TOLERANCE = 1.0
"""Labels of one pair that lie further apart than this, in points of 0-5, contradict each other."""

Removed = dict[str, list[int]]
"""Why rows were removed: reason -> row numbers, every reason present, in the order of checking."""

Mask = npt.NDArray[np.bool_]


def clean_training(
    train: RawPairs,
    test: RawPairs | None = None,
    *,
    remove_sentence_leakage: bool = False,
    exclude: Collection[str] = (),
) -> tuple[LabelledPairs, Removed]:
    """Return the training pairs that are fit for use, and the row numbers of the others.

    A row is removed for the first of these reasons that holds:

    * ``missing_sentence``: a sentence is missing, empty or only white space;
    * ``missing_label``;
    * ``label_out_of_scale``: the label is outside the stated scale;
    * ``pair_in_test``: the pair stands in the test set, in either order;
    * ``sentence_in_test``: one of its sentences does (only with ``remove_sentence_leakage``);
    * ``excluded_sentence``: one of its sentences is in ``exclude`` (only where that is given);
    * ``conflicting_labels``: the pair stands here more than once with labels more than
      ``CONFLICT_TOLERANCE`` apart. Which one is right is unknown, so no copy is kept;
    * ``duplicate``, ``swapped_duplicate``: an earlier row holds the pair in the same or in the
      other order. The first row is kept with its label.

    Pairs of two identical sentences are kept.

    Raises:
        DataError: no pair is left.
    """
    frame = train.frame
    texts = comparable_texts(frame)
    checks = {
        "missing_sentence": missing_sentences(texts),
        "missing_label": frame["given"].isna().to_numpy(),
        "label_out_of_scale": ~train.scale.contains(frame["given"].to_numpy()),
    }
    if test is not None:
        test_texts = comparable_texts(test.frame)
        checks["pair_in_test"] = pairs_in(texts, test_texts)
        if remove_sentence_leakage:
            checks["sentence_in_test"] = sentences_in(texts, sentences(test_texts))
    if exclude:
        checks["excluded_sentence"] = sentences_in(texts, {comparable(text) for text in exclude})
    left = np.ones(len(frame), dtype=bool)
    removed: Removed = {}

    def remove(reason: str, found: Mask) -> None:
        removed[reason] = frame["row"][left & found].tolist()
        left[found] = False

    for reason, found in checks.items():
        remove(reason, found)
    # Only rows that are usable so far can conflict with, or repeat, one another.
    spread = label_spread(texts[left], frame["label"][left])
    remove("conflicting_labels", _widened(spread > CONFLICT_TOLERANCE, left))
    same_order, other_order = repeats(texts[left])
    usable = left.copy()
    remove("duplicate", _widened(same_order, usable))
    remove("swapped_duplicate", _widened(other_order, usable))
    if not left.any():
        reasons = ", ".join(
            f"{len(rows)} for {reason.replace('_', ' ')}"
            for reason, rows in removed.items()
            if rows
        )
        raise DataError(
            f"{train.origin}: no training pair is left after cleaning, which removed {reasons}; "
            "give other pairs"
        )
    return labelled(frame[left]), removed


def read_whole(
    path: str | Path,
    *,
    columns: ColumnChoice | None = None,
    encoding: str | None = None,
    label_scale: str | None = None,
) -> LabelledPairs:
    """Return all pairs of a file that is the only one of a command, as `load_pairs` reads it.

    Raises:
        DataError: it cannot be read, or a row is unusable.
    """
    raw = load_pairs(path, scale=label_scale or AUTO, columns=columns, encoding=encoding)
    return check_test(raw, option="--label-scale")


def check_test(test: RawPairs, *, option: str = "--test-label-scale") -> LabelledPairs:
    """Return all test pairs: a test set is never thinned, so nothing in it may be unusable.

    ``option`` is where a user states the scale of their labels.

    Raises:
        DataError: a sentence or label is missing, or a label is outside the stated scale; the
            first such row is named.
    """
    frame = test.frame
    given = frame["given"].to_numpy()
    blank = missing_sentences(comparable_texts(frame))
    unusable = blank | ~test.scale.contains(given)
    if unusable.any():
        position = int(np.argmax(unusable))
        if blank[position]:
            problem = "a sentence is missing"
        elif np.isnan(given[position]):
            problem = "the label is missing"
        else:
            problem = f"label {given[position]:g} is outside the scale {test.scale}"
        others = int(unusable.sum()) - 1
        more = f" ({others} more such rows)" if others else ""
        remedy = "correct the file"
        if not blank[position] and not np.isnan(given[position]):
            remedy += f" or state its label scale ({option})"
        raise DataError(
            f"{test.origin}: row {frame['row'].iloc[position]}: {problem}{more}; test pairs are "
            f"never dropped: {remedy}"
        )
    return labelled(frame)


def labelled(frame: pd.DataFrame) -> LabelledPairs:
    """Return the rows of a raw frame, all of them usable, as labelled pairs."""
    return LabelledPairs(
        sentence1=tuple(frame["sentence1"]),
        sentence2=tuple(frame["sentence2"]),
        labels=frame["label"].to_numpy(dtype=np.float64),
        sources=tuple(frame["source"]),
    )


def comparable_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what decides whether texts and pairs are the same, for each of n rows.

    Columns: ``first`` and ``second``, the texts in comparable form ("" where missing), and
    ``pair``, the same for both orders.
    """
    first = [comparable(text) for text in frame["sentence1"]]
    second = [comparable(text) for text in frame["sentence2"]]
    # A comparable text holds no line end, so that the joined key is unambiguous.
    pair = ["\n".join(sorted(both)) for both in zip(first, second, strict=True)]
    return pd.DataFrame(
        {"first": first, "second": second, "pair": pair}, index=frame.index, dtype=object
    )


def distinct_numbers(pairs: LabelledPairs) -> npt.NDArray[np.int64]:
    """Return for n pairs the number of their distinct pair, (n,) from 0 on; copies share it."""
    frame = pd.DataFrame({"sentence1": pairs.sentence1, "sentence2": pairs.sentence2}, dtype=object)
    return pd.factorize(comparable_texts(frame)["pair"])[0].astype(np.int64)


def missing_sentences(texts: pd.DataFrame) -> Mask:
    """Tell for each of n rows whether a sentence of it is missing or blank."""
    return ((texts["first"] == "") | (texts["second"] == "")).to_numpy(dtype=bool)


def repeats(texts: pd.DataFrame) -> tuple[Mask, Mask]:
    """Tell for each of n rows whether an earlier one holds its pair: in its order, in the other.

    The order is compared with the first row of the pair; a row is in one mask at most.
    """
    repeated = texts.duplicated("pair").to_numpy()
    first_of_pair = texts.groupby("pair")["first"].transform("first")
    same = (texts["first"] == first_of_pair).to_numpy(dtype=bool)
    return repeated & same, repeated & ~same


def label_spread(texts: pd.DataFrame, labels: pd.Series[float]) -> npt.NDArray[np.float64]:
    """Return for each of n rows the range of the labels that its pair has, in either order."""
    by_pair = labels.groupby(texts["pair"])
    return (by_pair.transform("max") - by_pair.transform("min")).to_numpy()


def pairs_in(texts: pd.DataFrame, other: pd.DataFrame) -> Mask:
    """Tell for each of n rows whether its pair stands in ``other``, in either order."""
    return texts["pair"].isin(set(other["pair"])).to_numpy()


def sentences_in(texts: pd.DataFrame, known: Collection[str]) -> Mask:
    """Tell for each of n rows whether one of its sentences is one of the comparable ``known``."""
    return (texts["first"].isin(known) | texts["second"].isin(known)).to_numpy()


def sentences(texts: pd.DataFrame) -> set[str]:
    """Return the distinct sentences, missing ones left out."""
    return (set(texts["first"]) | set(texts["second"])) - {""}


def _widened(found: Mask, among: Mask) -> Mask:
    """Return the mask over all rows of a mask over the rows in ``among``."""
    wide = np.zeros(len(among), dtype=bool)
    wide[among] = found
    return wide
