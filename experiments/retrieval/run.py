"""One retrieval evaluation from files to a report's folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import ConfigError, CorpusIndexError, StorageError
from kosim.experiments.data.sentence_groups import SentenceGroups, load_groups
from kosim.experiments.retrieval.evaluation import RetrievalSettings, evaluate_retrieval, silent
from kosim.experiments.retrieval.finding import compute_finding
from kosim.experiments.retrieval.queries import (
    RetrievalTask,
    choose_groups,
    grouped_task,
    judged_task,
)
from kosim.experiments.retrieval.rankings import Places, Progress
from kosim.experiments.study.environment import describe_environment
from kosim.index.build import build_index
from kosim.index.corpus import read_corpus
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.searcher import Searcher

RESULTS = "results.json"


@dataclass(frozen=True)
class RetrievalSource:
    """Where queries, documents and relevance come from.

    Either ``groups``, a file of grouped sentences, of which ``held_out`` groups drawn by ``seed``
    are asked (all when None), ``per_group`` sentences each (all when None); or ``queries`` and
    ``relevance`` files. The documents are those of ``index`` where it is given, else of
    ``corpus``, else the grouped sentences themselves.
    """

    groups: str | None = None
    held_out: int | None = None
    per_group: int | None = None
    seed: int = 0
    corpus: str | None = None
    queries: str | None = None
    relevance: str | None = None
    index: str | None = None
    text_column: str | None = None
    id_column: str | None = None

    def __post_init__(self) -> None:
        judged = self.queries is not None or self.relevance is not None
        if (self.groups is None) != judged:
            raise ConfigError(
                "say what to ask in one way: --groups FILE, or --queries FILE with --relevance FILE"
            )
        if judged and (self.queries is None or self.relevance is None):
            raise ConfigError("--queries and --relevance go together; give both")
        if judged and self.corpus is None and self.index is None:
            raise ConfigError("--queries need documents to search: give --corpus FILE or --index")
        if judged and (self.held_out is not None or self.per_group is not None):
            raise ConfigError("--held-out and --queries-per-group go with --groups")
        if self.corpus is not None and self.index is not None:
            raise ConfigError("--corpus and --index both name the documents; give one of them")


def held_out_sentences(source: RetrievalSource) -> list[str]:
    """Return the distinct sentences of the groups that would be asked, for ``train --exclude``.

    Raises:
        ConfigError: the source is not grouped sentences.
    """
    if source.groups is None:
        raise ConfigError("--list-held-out goes with --groups FILE")
    groups = load_groups(source.groups)
    return groups.sentences(np.array(choose_groups(groups, source.held_out, seed=source.seed)))


def run_retrieval(
    source: RetrievalSource,
    encoder: BiEncoder,
    reranker: PairEncoder | None,
    settings: RetrievalSettings,
    *,
    name: str = "retrieval",
    models: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Evaluate and return the content of ``results.json``.

    Args:
        source: queries, documents and relevance.
        encoder: the bi-encoder, which made the index where one is given.
        reranker: the cross-encoder; None leaves the reranked rows out.
        settings: depths and the like.
        name: of the report.
        models: where the encoders came from, by role, for the report.
        progress: told what is being done.

    Raises:
        DataError: a file is wrong, or too little is asked.
        CorpusIndexError: the index cannot be used.
        ConfigError: a number is impossible.
    """
    groups = load_groups(source.groups) if source.groups else None
    chosen = choose_groups(groups, source.held_out, seed=source.seed) if groups else []
    with _documents(source, groups, encoder, progress) as (index, places, ids, texts):
        task = _task(source, groups, chosen, ids, texts)
        results = evaluate_retrieval(
            task, Searcher(index, encoder, reranker), places, settings, progress=progress
        )
        info = describe_index(index)
    results = {
        "name": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "kosim_version": version("kosim"),
        **results,
        "source": {key: value for key, value in vars(source).items() if value is not None},
        "index": info,
        "encoders": describe_encoders(encoder, reranker, models or {}),
        "environment": describe_environment(),
    }
    return {**results, "finding": compute_finding(results)}


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check that a report may be written to ``folder``, before the work that fills it.

    Raises:
        StorageError: it holds something and ``overwrite`` is false, or it holds no results.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StorageError(f"{folder} is a file; choose another --out")
    if any(folder.iterdir()):
        if not overwrite:
            raise StorageError(f"{folder} exists already; choose another --out or --overwrite it")
        if not (folder / RESULTS).is_file():
            raise StorageError(
                f"{folder} holds no {RESULTS}, so it is not overwritten; choose another --out"
            )


@contextmanager
def _documents(
    source: RetrievalSource,
    groups: SentenceGroups | None,
    encoder: BiEncoder,
    progress: Progress,
) -> Iterator[tuple[CorpusIndex, Places, list[str], list[str]]]:
    """Yield an index and the place, id and text of each of its n documents."""
    if source.index is not None:
        index = CorpusIndex.open(source.index)
        places = index.rows()
        yield index, places, index.ids(places), index.texts(places)
        return
    if source.corpus is not None:
        documents = list(
            read_corpus(source.corpus, text_column=source.text_column, id_column=source.id_column)
        )
    elif groups is not None:
        documents = [Document(str(row), text) for row, text in enumerate(groups.texts, 1)]
    ids, texts = [each.id for each in documents], [each.text for each in documents]
    # Before encoding, which takes long: what is wrong with the questions is known already.
    _task(
        source,
        groups,
        choose_groups(groups, source.held_out, seed=source.seed) if groups else [],
        ids,
        texts,
    )
    progress("encoding the corpus", 0, len(documents))
    with tempfile.TemporaryDirectory(prefix="kosim-") as folder:
        index = build_index(
            documents,
            encoder,
            Path(folder) / "index",
            progress=lambda at: progress("encoding the corpus", at.documents, len(documents)),
        )
        places = index.locate(ids)
        if (places < 0).any():
            raise CorpusIndexError("the index that was just built lacks documents of its corpus")
        yield index, places, ids, texts


def _task(
    source: RetrievalSource,
    groups: SentenceGroups | None,
    chosen: Sequence[int],
    ids: Sequence[str],
    texts: Sequence[str],
) -> RetrievalTask:
    if groups is not None:
        return grouped_task(groups, texts, chosen, per_group=source.per_group, seed=source.seed)
    return judged_task(source.queries or "", source.relevance or "", ids, texts)


def describe_encoders(
    encoder: BiEncoder, reranker: PairEncoder | None, models: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a report says of the encoders; ``models`` says where they came from, by role."""
    roles = {"encoder": encoder, "reranker": reranker}
    return {
        role: {
            "name": models.get(role),
            "kind": used.kind,
            "backbone": used.backbone.name,
            "parameters": used.parameters,
            "max_length": used.max_length,
            "fingerprint": used.fingerprint(),
        }
        for role, used in roles.items()
        if used is not None
    }


def describe_index(index: CorpusIndex) -> dict[str, Any]:
    """Return what a report says of an index: not where it lay, which may be gone."""
    return {key: value for key, value in index.info().items() if key not in ("folder", "path")}
