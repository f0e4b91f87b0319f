"""The data report: what stands in the splits, what was removed, and what leaks between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kosim.encoders.records import DECISION_THRESHOLD, LABEL_HIGH, LABEL_LOW, LabelledPairs
from kosim.experiments.data.cleaning import (
    CONFLICT_TOLERANCE,
    Mask,
    Removed,
    comparable_texts,
    distinct_numbers,
    label_spread,
    labelled,
    missing_sentences,
    pairs_in,
    repeats,
    sentences,
    sentences_in,
)
from kosim.experiments.data.pairs import RawPairs

EXAMPLES = 5
"""At most so many row numbers are given as examples."""

HISTOGRAM_EDGES = np.arange(LABEL_LOW, LABEL_HIGH + 0.5, 0.5)

MIX_EDGES = np.arange(LABEL_LOW, LABEL_HIGH + 1)
"""Ends of the bands of labels whose shares are the mix of a split; the last holds its upper end."""

CountTokens = Callable[[Sequence[str], Sequence[str]], npt.NDArray[np.integer]]

Report = dict[str, Any]


def data_report(train: RawPairs, test: RawPairs | None = None, *, removed: Removed) -> Report:
    """Describe the splits as a dict of plain values, ready for JSON.

    Args:
        train: the training pairs as read.
        test: the test pairs as read, all of them usable (``check_test``).
        removed: the rows of ``train`` that ``clean_training`` removed.

    Returns:
        ``train`` and, with test pairs, ``test``, each as ``describe_split`` gives it, and
        ``leakage``: of the training rows as read, how many hold a pair or a sentence of the test
        set, and how many distinct sentences they share.

        A count of rows is ``{"n", "rows"}``: their number and up to ``EXAMPLES`` row numbers.
    """
    report: Report = {"train": describe_split(train, removed)}
    if test is not None:
        report["test"] = describe_split(test, {})
        report["leakage"] = _describe_leakage(train, test)
    return report


def describe_split(raw: RawPairs, removed: Removed) -> Report:
    """Describe one split, of which cleaning removed the rows ``removed``.

    Returns:
        ``name``, ``origin``, ``scale``, ``notices`` (what was recognised, where anything was, as
        ``en`` and ``ko``), ``read``, ``removed`` by reason and ``noted``; and of the rows that are
        left ``kept``, ``distinct_pairs`` (copies and swapped ones counted once), ``labels``,
        ``characters`` (length of the sentences) and ``by_source``. ``labels`` holds ``mix``, the
        shares of five bands of labels.

        ``noted`` counts, among the rows as read that miss nothing, ``identical_sentences``,
        ``repeated_rows`` (pair and label as in an earlier row), ``repeated_pairs``,
        ``swapped_pairs`` and ``conflicting_labels`` (more than ``CONFLICT_TOLERANCE`` apart).
    """
    frame = raw.frame
    kept = labelled(frame[~frame["row"].isin(set(chain.from_iterable(removed.values())))])
    return {
        "origin": raw.origin,
        "scale": str(raw.scale),
        **(
            {"notices": [{"en": said.en, "ko": said.ko} for said in raw.notices]}
            if raw.notices
            else {}
        ),
        "read": len(frame),
        "removed": {reason: _rows(rows) for reason, rows in removed.items()},
        "noted": _describe_oddities(raw),
        **describe_part(kept, raw.name),
    }


def describe_part(pairs: LabelledPairs, name: str) -> Report:
    """Describe clean pairs that are a part of a split, such as those to validate on.

    Returns:
        ``name``, ``kept``, ``distinct_pairs``, ``labels``, ``characters`` and ``by_source``, as
        ``describe_split`` gives them.
    """
    return {
        "name": name,
        "kept": len(pairs),
        "distinct_pairs": len(set(distinct_numbers(pairs).tolist())),
        "labels": _describe_labels(pairs.labels),
        "characters": _describe_characters(pairs),
        "by_source": {
            source: {
                "n": len(rows),
                "mean_label": float(pairs.labels[rows].mean()),
                "positive_share": _positive_share(pairs.labels[rows]),
            }
            for source, rows in _sources(pairs)
        },
    }


def token_lengths(pairs: LabelledPairs, count_tokens: CountTokens, maximum: int) -> Report:
    """Describe the token lengths of n pairs and how many are cut, over all and by source.

    Args:
        pairs: the pairs to measure.
        count_tokens: maps n first and n second sentences to (n,) token counts, as the encoder
            counts them against its limit and before anything is cut.
        maximum: the greatest number of tokens that the encoder reads.

    Returns:
        ``limit`` (that is ``maximum``), ``mean``, ``p95``, ``maximum`` in tokens a pair,
        ``cut_share``, and ``by_source`` with the same figures for each source.
    """
    counts = np.asarray(count_tokens(pairs.sentence1, pairs.sentence2))

    def describe(chosen: npt.NDArray[np.integer]) -> Report:
        return {
            "n": len(chosen),
            "mean": float(chosen.mean()),
            "p95": float(np.percentile(chosen, 95)),
            "maximum": int(chosen.max()),
            "cut_share": float((chosen > maximum).mean()),
        }

    return {
        "limit": maximum,
        **describe(counts),
        "by_source": {source: describe(counts[rows]) for source, rows in _sources(pairs)},
    }


def _describe_oddities(raw: RawPairs) -> Report:
    texts = comparable_texts(raw.frame)
    complete = ~missing_sentences(texts) & raw.frame["given"].notna().to_numpy()
    frame, texts = raw.frame[complete], texts[complete]
    same_order, other_order = repeats(texts)
    again = texts.assign(label=frame["label"]).duplicated(["first", "second", "label"])
    found = {
        "identical_sentences": texts["first"] == texts["second"],
        "repeated_rows": again,
        "repeated_pairs": same_order,
        "swapped_pairs": other_order,
        "conflicting_labels": label_spread(texts, frame["label"]) > CONFLICT_TOLERANCE,
    }
    return {name: _rows(_found_rows(frame, np.asarray(mask))) for name, mask in found.items()}


def _describe_labels(labels: npt.NDArray[np.float64]) -> Report:
    counts, edges = np.histogram(labels, HISTOGRAM_EDGES)
    return {
        "mean": float(labels.mean()),
        "minimum": float(labels.min()),
        "maximum": float(labels.max()),
        "positive_share": _positive_share(labels),
        "mix": {
            f"{low:g} to {low + 1:g}": float(share)
            for low, share in zip(MIX_EDGES, _mix(labels), strict=False)
        },
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }


def _mix(labels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    counts, _ = np.histogram(labels, MIX_EDGES)
    shares: npt.NDArray[np.float64] = counts / len(labels)
    return shares


def _describe_characters(pairs: LabelledPairs) -> Report:
    lengths = [len(text) for text in chain(pairs.sentence1, pairs.sentence2)]
    return {
        "mean": float(np.mean(lengths)),
        "p50": float(np.percentile(lengths, 50)),
        "p95": float(np.percentile(lengths, 95)),
        "maximum": max(lengths),
    }


def _describe_leakage(train: RawPairs, test: RawPairs) -> Report:
    texts, others = comparable_texts(train.frame), comparable_texts(test.frame)
    return {
        "pairs": _rows(_found_rows(train.frame, pairs_in(texts, others))),
        "sentences": {
            "distinct": len(sentences(texts) & sentences(others)),
            **_rows(_found_rows(train.frame, sentences_in(texts, sentences(others)))),
        },
    }


def _positive_share(labels: npt.NDArray[np.float64]) -> float:
    return float((labels >= DECISION_THRESHOLD).mean())


def _found_rows(frame: pd.DataFrame, found: Mask) -> list[int]:
    rows: list[int] = frame["row"][found].tolist()
    return rows


def _rows(rows: list[int]) -> Report:
    return {"n": len(rows), "rows": rows[:EXAMPLES]}


def _sources(pairs: LabelledPairs) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Yield each source by name with the positions of its pairs; nothing where none is known."""
    sources = np.array(pairs.sources, dtype=object)
    for source in sorted(set(pairs.sources) - {""}):
        yield source, np.flatnonzero(sources == source)
