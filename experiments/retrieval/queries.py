"""What is asked of a corpus and what should be found: from grouped sentences or judged queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kosim.encoders.beir import read_judgments
from kosim.encoders.column_names import GROUPS, QUERIES, QUERY_IDS, find_column, listed
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.tables import id_text, read_table, source_name
from kosim.encoders.texts import comparable
from kosim.experiments.data.sentence_groups import SentenceGroups


@dataclass(frozen=True)
class RetrievalTask:
    """q queries to a corpus of n documents, known here by their positions 0 to n - 1.

    ``groups`` (q,) int64 says which queries belong together. ``relevant`` maps the positions of
    each query's relevant documents to their gains, all above 0. ``own`` holds the positions that
    are left out of a query's results, because they are the query itself. ``facts`` says in
    numbers how the task was made.
    """

    query_ids: tuple[str, ...]
    queries: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    relevant: tuple[Mapping[int, float], ...]
    own: tuple[frozenset[int], ...]
    facts: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.queries)


def choose_groups(groups: SentenceGroups, held_out: int | None, *, seed: int) -> list[int]:
    """Return the numbers of the groups to ask: ``held_out`` drawn by ``seed``, or all.

    Raises:
        ConfigError: there are not so many groups.
    """
    if held_out is None:
        return list(range(groups.count))
    return [int(number) for number in groups.held_out(held_out, seed=seed)]


def grouped_task(
    groups: SentenceGroups,
    corpus: Sequence[str],
    chosen: Sequence[int],
    *,
    per_group: int | None = None,
    seed: int = 0,
) -> RetrievalTask:
    """Ask the sentences of the ``chosen`` groups; the others of its group answer a sentence.

    Sentences are the same when their comparable forms are (see
    `cleaning`). A sentence that stands in a group twice is asked once,
    and every document that equals the query is left out of its results.

    Args:
        groups: the grouped sentences.
        corpus: the texts of the n documents, which hold all sentences of the chosen groups.
        chosen: numbers of groups.
        per_group: how many sentences of a group are asked, drawn by ``seed``; all when None.
        seed: of the drawing.

    Raises:
        ConfigError: ``per_group`` is below 1.
        DataError: a sentence is not in the corpus, or no sentence has another in its group.
    """
    if per_group is not None and per_group < 1:
        raise ConfigError(f"{per_group} queries per group cannot be asked; give at least 1")
    rows_of: dict[str, list[int]] = {}
    for position, text in enumerate(corpus):
        rows_of.setdefault(comparable(text), []).append(position)
    members: dict[int, dict[str, str]] = {number: {} for number in chosen}
    for text, group in zip(groups.texts, groups.groups.tolist(), strict=True):
        if group in members:
            members[group].setdefault(comparable(text), text)
    random = np.random.default_rng(seed)
    ids, queries, of_group, relevant, own = [], [], [], [], []
    alone = 0
    for group, sentences in members.items():
        for key, text in sentences.items():
            if key not in rows_of:
                raise DataError(
                    f"the sentence {text[:60]!r} of the groups is not in the corpus; give a corpus "
                    "or index that holds all sentences of the groups"
                )
        if len(sentences) < 2:
            alone += 1
            continue
        keys = list(sentences)
        if per_group is not None and per_group < len(keys):
            keys = [keys[i] for i in np.sort(random.permutation(len(keys))[:per_group])]
        for key in keys:
            ids.append(f"{group}-{rows_of[key][0]}")
            queries.append(sentences[key])
            of_group.append(group)
            own.append(frozenset(rows_of[key]))
            others = (row for other in sentences if other != key for row in rows_of[other])
            relevant.append(dict.fromkeys(others, 1.0))
    if not queries:
        raise DataError(
            "no group that was chosen has two different sentences; nothing can be found"
        )
    facts = {
        "source": "groups",
        "documents": len(corpus),
        "queries": len(queries),
        "groups": len(set(of_group)),
        "groups_in_file": groups.count,
        "groups_without_a_second_sentence": alone,
        "relevant_per_query": float(np.mean([len(found) for found in relevant])),
        "own_documents_left_out": sum(map(len, own)),
    }
    return RetrievalTask(
        tuple(ids), tuple(queries), np.array(of_group), tuple(relevant), tuple(own), facts
    )


def judged_task(
    queries: str | Path, relevance: str | Path, ids: Sequence[str], corpus: Sequence[str]
) -> RetrievalTask:
    """Ask the queries of a file, answered as a relevance file says.

    Args:
        queries: a table with a query's id (``query_id``, ``id`` or ``_id``), its ``text``, and
            optionally a ``group``; without one, every query is a group of its own.
        relevance: a file of judgments as `read_judgments` takes them: a table, BEIR's or TREC's.
            A gain of 0 or less is not relevant.
        ids: the ids of the n documents.
        corpus: their texts. A document with both the id and the text of a query is the query
            itself and left out of its results.

    Raises:
        DataError: a file cannot be read or lacks a column, a cell is empty, an id appears twice,
            an id of the relevance file is not there, a gain is not a number, or no query has a
            relevant document.
    """
    asked = _queries(queries)
    gains = _relevance(relevance, asked, ids)
    row_of = {name: position for position, name in enumerate(ids)}
    kept, relevant, own = [], [], []
    for name, (text, _) in asked.items():
        row = row_of.get(name)
        itself = row is not None and comparable(corpus[row]) == comparable(text)
        left_out = frozenset([row] if itself and row is not None else [])
        answers = {p: gain for p, gain in gains.get(name, {}).items() if p not in left_out}
        if answers:
            kept.append(name)
            relevant.append(answers)
            own.append(left_out)
    if not kept:
        raise DataError(f"{relevance}: no query of {queries} has a relevant document there")
    names = {group: number for number, group in enumerate(dict.fromkeys(asked[n][1] for n in kept))}
    facts = {
        "source": "judged",
        "documents": len(ids),
        "queries": len(kept),
        "groups": len(names),
        "queries_without_relevant_documents": len(asked) - len(kept),
        "relevant_per_query": float(np.mean([len(found) for found in relevant])),
        "own_documents_left_out": sum(map(len, own)),
        "graded": len({gain for found in relevant for gain in found.values()}) > 1,
    }
    return RetrievalTask(
        tuple(kept),
        tuple(asked[name][0] for name in kept),
        np.array([names[asked[name][1]] for name in kept], dtype=np.int64),
        tuple(relevant),
        tuple(own),
        facts,
    )


def _queries(path: str | Path) -> dict[str, tuple[str, str]]:
    """Return the text and the group of each query by its id, in the order of the file."""
    frame = read_table(path)
    names = _column(path, frame, (*QUERY_IDS, "id"))
    texts = _column(path, frame, QUERIES)
    grouped = find_column(frame.columns, GROUPS) is not None
    groups = _column(path, frame, GROUPS) if grouped else names
    asked: dict[str, tuple[str, str]] = {}
    for row, (name, text, group) in enumerate(zip(names, texts, groups, strict=True), 1):
        if name in asked:
            raise DataError(f"{path}: row {row}: query {name!r} appears twice; ids must be unique")
        asked[name] = (text, group)
    return asked


def _relevance(
    path: str | Path, asked: Mapping[str, Any], ids: Sequence[str]
) -> dict[str, dict[int, float]]:
    positions = {name: position for position, name in enumerate(ids)}
    found: dict[str, dict[int, float]] = {}
    for where, query, document, gain in read_judgments(path):
        if query not in asked:
            raise DataError(f"{where}: query {query!r} is not among the queries")
        if document not in positions:
            raise DataError(f"{where}: document {document!r} is not in the corpus")
        if gain > 0:
            found.setdefault(query, {})[positions[document]] = gain
    return found


def _column(path: str | Path, frame: pd.DataFrame, names: tuple[str, ...]) -> list[str]:
    name = find_column(frame.columns, names)
    if name is None:
        raise DataError(
            f"{source_name(path)} has no column {names[0]!r} (it has {listed(frame.columns)})"
        )
    texts = [id_text(value) for value in frame[name]]
    if None in texts:
        row = texts.index(None)
        value = frame[name].iloc[row]
        empty = value is None or isinstance(value, str) or value != value  # NaN is not itself
        problem = "is empty" if empty else f"{str(value)[:40]!r} is not text"
        raise DataError(f"{source_name(path)}: row {row + 1}: the {name} {problem}")
    return [str(text) for text in texts]
