"""One retrieval evaluation, from files to results."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kosim.encoders.base import PairEncoder
from kosim.encoders.beir import BeirFolder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import ConfigError, CorpusIndexError
from kosim.encoders.interface import Encoder, SentenceEncoder
from kosim.encoders.language import Line
from kosim.experiments.data.sentence_groups import SentenceGroups, load_groups
from kosim.experiments.retrieval.evaluation import RetrievalSettings, evaluate_retrieval
from kosim.experiments.retrieval.queries import (
    RetrievalTask,
    choose_groups,
    grouped_task,
    judged_task,
)
from kosim.experiments.retrieval.results import RetrievalResults
from kosim.experiments.retrieval.significance import GroupedQueries
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.study.results import header
from kosim.index.build import build_index
from kosim.index.corpus import read_corpus
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.ranking import Rows
from kosim.index.searcher import Searcher


@dataclass(frozen=True)
class RetrievalSource:
    """Where queries, documents and relevance come from.

    Either ``groups``, a file of grouped sentences, of which ``held_out`` groups drawn by ``seed``
    are asked (all when None), ``per_group`` sentences each (all when None); or ``queries`` and
    ``relevance`` files. The documents are those of ``index`` where it is given, else of
    ``corpus``, else the grouped sentences themselves. A ``corpus`` that is a folder in BEIR's
    layout has queries and judgments of its own: those of its test split, unless others are given.
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
        self._complete_beir()
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

    def _complete_beir(self) -> None:
        """Take what is not given from a corpus that is a folder in BEIR's layout."""
        beir = None if self.corpus is None else BeirFolder.find(self.corpus)
        if beir is None:
            return
        found = {"corpus": beir.corpus}
        if self.groups is None:
            found["queries"] = Path(self.queries) if self.queries else beir.queries
            found["relevance"] = Path(self.relevance) if self.relevance else beir.split()
        for name, path in found.items():
            object.__setattr__(self, name, str(path))


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
) -> RetrievalResults:
    """Evaluate every way to search.

    Args:
        source: queries, documents and relevance.
        encoder: the bi-encoder, which made the index where one is given.
        reranker: the cross-encoder; with None nothing is reranked.
        settings: candidates and the like.
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

    def ask(ids: Sequence[str], texts: Sequence[str]) -> RetrievalTask:
        if groups is None:
            return judged_task(source.queries or "", source.relevance or "", ids, texts)
        return grouped_task(groups, texts, chosen, per_group=source.per_group, seed=source.seed)

    with _documents(source, groups, encoder, ask, progress) as (index, rows, task):
        found = evaluate_retrieval(
            task, Searcher(index, encoder, reranker), rows, settings, progress=progress
        )
        info = describe_index(index)
    return RetrievalResults(
        **header(name),
        **found,
        source={key: value for key, value in vars(source).items() if value is not None},
        index=info,
        encoders=describe_encoders(encoder, reranker, models or {}),
    )


@contextmanager
def _documents(
    source: RetrievalSource,
    groups: SentenceGroups | None,
    encoder: BiEncoder,
    ask: Callable[[Sequence[str], Sequence[str]], RetrievalTask],
    progress: Progress,
) -> Iterator[tuple[CorpusIndex, Rows, RetrievalTask]]:
    """Yield an index, the row of each of its n documents, and what is asked of them."""
    if source.index is not None:
        index = CorpusIndex.open(source.index)
        rows = index.rows()
        yield index, rows, ask(index.ids(rows), index.texts(rows))
        return
    if source.corpus is not None:
        documents = list(
            read_corpus(source.corpus, text_column=source.text_column, id_column=source.id_column)
        )
    elif groups is not None:
        documents = [Document(str(row), text) for row, text in enumerate(groups.texts, 1)]
    ids, texts = [each.id for each in documents], [each.text for each in documents]
    # Before encoding, which takes long: what is wrong with the questions is known already.
    task = ask(ids, texts)
    GroupedQueries(task.groups)  # refuses too few of them
    stage = Line("encoding the corpus", "말뭉치 인코딩")
    progress(stage, 0, len(documents))
    with tempfile.TemporaryDirectory(prefix="kosim-") as folder:
        index = build_index(
            documents,
            encoder,
            Path(folder) / "index",
            progress=lambda at: progress(stage, at.documents, len(documents)),
        )
        rows = index.locate(ids)
        if (rows < 0).any():
            raise CorpusIndexError("the index that was just built lacks documents of its corpus")
        yield index, rows, task


def describe_encoders(
    encoder: SentenceEncoder, reranker: Encoder | None, models: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a report says of the encoders; ``models`` says where they came from, by role."""
    roles: dict[str, Encoder | None] = {"encoder": encoder, "reranker": reranker}
    return {
        role: {
            "name": models.get(role),
            "kind": used.kind,
            "backbone": used.backbone.name,
            "parameters": used.parameters if isinstance(used, PairEncoder) else None,
            "max_length": used.max_length,
            "fingerprint": used.fingerprint(),
        }
        for role, used in roles.items()
        if used is not None
    }


def describe_index(index: CorpusIndex) -> dict[str, Any]:
    """Return what a report says of an index: not where it lay, which may be gone."""
    return {key: value for key, value in index.info().items() if key not in ("folder", "path")}
