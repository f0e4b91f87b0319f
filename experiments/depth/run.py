"""One evaluation of depth from files to a report's folder."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kosim.encoders.errors import DataError, StorageError
from kosim.experiments.data.cleaning import comparable
from kosim.experiments.depth.evaluation import evaluate_depth
from kosim.experiments.depth.finding import compute_finding
from kosim.experiments.depth.plan import DepthSettings
from kosim.experiments.retrieval.evaluation import silent
from kosim.experiments.retrieval.rankings import Progress
from kosim.experiments.retrieval.run import describe_encoders, describe_index
from kosim.experiments.study.environment import describe_environment
from kosim.index.corpus import read_corpus
from kosim.index.searcher import Searcher


def read_queries(path: str, *, limit: int | None = None) -> list[str]:
    """Return the different sentences of a file, the first ``limit`` of them.

    Raises:
        DataError: the file cannot be read or holds no sentence.
    """
    if limit is not None and limit < 1:
        raise DataError(f"--limit-queries is {limit}; ask at least 1 query")
    kept: dict[str, str] = {}
    for document in read_corpus(path):
        kept.setdefault(comparable(document.text), document.text)
        if limit is not None and len(kept) == limit:
            break
    return list(kept.values())


def run_depth(
    searcher: Searcher,
    queries: list[str],
    settings: DepthSettings,
    folder: Path,
    *,
    models: Mapping[str, str] | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Evaluate and return the content of ``results.json``; the scores stay in ``folder``.

    Args:
        searcher: over the index, with the reranker.
        queries: different sentences.
        settings: depths and the like.
        folder: of the scores and the report.
        models: where the encoders came from, by role, for the report.
        overwrite: replace the scores of other settings there.
        progress: told what is being done.

    Raises:
        ConfigError, DataError, StorageError: see :func:`evaluate_depth`.
    """
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is a file; choose another --out")
    found = evaluate_depth(
        searcher, queries, settings, folder, overwrite=overwrite, progress=progress
    )
    results = {
        "name": folder.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "kosim_version": version("kosim"),
        **found,
        "index": describe_index(searcher.index),
        "encoders": describe_encoders(searcher.encoder, searcher.reranker, models or {}),
        "environment": describe_environment(),
    }
    return {**results, "finding": compute_finding(results)}
