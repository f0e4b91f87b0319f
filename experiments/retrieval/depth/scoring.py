"""Deep scores of queries: computed once in parts, kept on disk without texts, resumed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.errors import DataError, StorageError
from kosim.encoders.interface import Encoder
from kosim.encoders.language import Line
from kosim.encoders.storage import atomic_file, read_json, write_json
from kosim.experiments.retrieval.depth.plan import DOCUMENTS_AT_A_TIME, Band, ScoringPlan, draw
from kosim.experiments.retrieval.depth.results import SCORES_SETTINGS
from kosim.experiments.retrieval.depth.survival import ScoredQuery
from kosim.experiments.retrieval.rankings import ABSENT
from kosim.experiments.study.progress import Progress
from kosim.index.corpus_index import CorpusIndex
from kosim.index.ranking import Rows
from kosim.index.searcher import Searcher

SCORES = "scores.parquet"
_PARTS = "scores.parts"
_PART_PAIRS = 2_000
"""About as many pairs are scored between two parts: what a kill costs, a minute on one core."""
_BLOCK = 1_024

_SCHEMA = pa.schema(
    {
        "query": pa.int32(),
        "document": pa.string(),
        "rank": pa.int32(),
        "cosine": pa.float32(),
        "raw": pa.float32(),
        "weight": pa.float64(),
        "band": pa.int32(),
    }
)
"""``query`` is its number from 0, ``rank`` its place among the retrieved from 1, 0 beyond them;
``weight`` says how many documents the row stands for, ``band`` which band it was drawn from."""


class DeepScores:
    """The scores of a plan, in a folder; a second call with the same plan computes nothing."""

    def __init__(
        self, folder: Path, plan: ScoringPlan, searcher: Searcher, *, overwrite: bool = False
    ) -> None:
        """Take up what the folder holds.

        Raises:
            StorageError: it holds the scores of another plan and ``overwrite`` is false, or
                cannot be written.
        """
        self._folder, self._plan, self._searcher = folder, plan, searcher
        settings = _identify(plan, searcher)
        path = folder / SCORES_SETTINGS
        if overwrite:
            self._discard()
        elif path.is_file() and _read_json(path) != settings:
            raise StorageError(
                f"{folder} holds the scores of other queries, encoders, index or settings; choose "
                "another --out, or --overwrite them"
            )
        write_json(path, settings)

    def compute(self, progress: Progress) -> None:
        """Score what is not scored yet; each part is on disk before the next one begins."""
        if (self._folder / SCORES).is_file():
            return
        queries, pairs = len(self._plan.queries), self._plan.pairs
        size = max(1, _PART_PAIRS // pairs)
        parts = []
        for start in range(0, queries, size):
            rows = range(start, min(start + size, queries))
            # Named by its members, so that parts of another size are never taken for these.
            part = self._folder / _PARTS / f"{rows.start:07d}-{rows.stop:07d}.parquet"
            parts.append(part)
            if not part.is_file():

                def report(done: int, start: int = start) -> None:
                    stage = Line("scoring deep lists", "깊은 목록 채점")
                    progress(stage, start * pairs + done, queries * pairs)

                table = pa.concat_tables(self._score(rows, report))
                with atomic_file(part) as partial:
                    pq.write_table(table, partial, compression="zstd")
        with (
            atomic_file(self._folder / SCORES) as partial,
            pq.ParquetWriter(partial, _SCHEMA, compression="zstd") as writer,
        ):
            for part in parts:
                table = pq.read_table(part)
                # A query's rows stay in one group, so that they can be read one group at a time.
                writer.write_table(table, row_group_size=len(table))
        shutil.rmtree(self._folder / _PARTS, ignore_errors=True)

    def __iter__(self) -> Iterator[ScoredQuery]:
        """Yield the scores of each query, in their order.

        Raises:
            DataError: the file is damaged.
        """
        found = 0
        try:
            with pq.ParquetFile(self._folder / SCORES) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, columns=_NUMBERS)
                    columns = {name: table.column(name).to_numpy() for name in _NUMBERS}
                    for rows in np.split(
                        np.arange(len(columns["query"])),
                        np.flatnonzero(np.diff(columns["query"])) + 1,
                    ):
                        yield _query({name: values[rows] for name, values in columns.items()})
                        found += 1
        except (pa.ArrowException, OSError, KeyError) as error:
            raise DataError(
                f"{self._folder / SCORES} is damaged ({error}); --overwrite it"
            ) from error
        if found != len(self._plan.queries):
            raise DataError(
                f"{self._folder / SCORES} holds {found} of {len(self._plan.queries)} queries; "
                "--overwrite it"
            )

    def _score(self, rows: range, report: Callable[[int], None]) -> list[pa.Table]:
        plan, searcher, index = self._plan, self._searcher, self._searcher.index
        queries = [plan.queries[row] for row in rows]
        vectors = searcher.encode(queries)
        spare = max(len(plan.own[row]) for row in rows)
        near, found = searcher.retrieve(vectors, plan.top + spare, "dense")
        everything = index.rows() if plan.bands else np.zeros(0, np.int64)
        cosines = _all_cosines(index, everything, vectors) if plan.bands else None
        chosen = []
        for at, row in enumerate(rows):
            keep = (found[at] != ABSENT) & ~np.isin(found[at], plan.own[row])
            rows_kept, near_kept = found[at][keep][: plan.top], near[at][keep][: plan.top]
            columns = {
                "row": rows_kept,
                "rank": np.arange(1, len(rows_kept) + 1),
                "cosine": near_kept,
                "weight": np.ones(len(rows_kept)),
                "band": np.full(len(rows_kept), -1),
            }
            if cosines is not None:
                columns = _with_sample(columns, everything, cosines[at], plan, row)
            chosen.append(columns)
        raw = self._rerank(queries, [columns["row"] for columns in chosen], report)
        return [
            pa.table(
                {
                    "query": np.full(len(scores), row),
                    "document": index.ids(columns["row"]),
                    "raw": scores,
                    **{name: columns[name] for name in ("rank", "cosine", "weight", "band")},
                }
            )
            .select(_SCHEMA.names)
            .cast(_SCHEMA)
            for row, columns, scores in zip(rows, chosen, raw, strict=True)
        ]

    def _rerank(
        self, queries: list[str], lists: list[Rows], report: Callable[[int], None]
    ) -> list[FloatArray]:
        """Score lists of rows, many queries at a time, so that batches hold equal lengths."""
        width = max(map(len, lists))
        rows = np.full((len(lists), width), ABSENT, dtype=np.int64)
        for query, members in enumerate(lists):
            rows[query, : len(members)] = members
        blocks = []
        for start in range(0, width, _BLOCK):
            report(start * len(lists))
            blocks.append(self._searcher.rerank(queries, rows[:, start : start + _BLOCK]))
        raw = np.hstack(blocks)
        return [raw[query, : len(members)] for query, members in enumerate(lists)]

    def _discard(self) -> None:
        for name in (SCORES, SCORES_SETTINGS):
            (self._folder / name).unlink(missing_ok=True)
        shutil.rmtree(self._folder / _PARTS, ignore_errors=True)


_NUMBERS = ["query", "rank", "cosine", "raw", "weight", "band"]


def _query(columns: dict[str, npt.NDArray[Any]]) -> ScoredQuery:
    top, rest = columns["rank"] > 0, columns["rank"] == 0
    order = np.argsort(columns["rank"][top], kind="stable")
    return ScoredQuery(
        cosines=columns["cosine"][top][order].astype(np.float64),
        raw=columns["raw"][top][order].astype(np.float64),
        rest_cosines=columns["cosine"][rest].astype(np.float64),
        rest_raw=columns["raw"][rest].astype(np.float64),
        rest_weights=columns["weight"][rest],
        rest_bands=columns["band"][rest].astype(np.int64),
    )


def _with_sample(
    columns: dict[str, npt.NDArray[Any]],
    everything: Rows,
    cosines: FloatArray,
    plan: ScoringPlan,
    row: int,
) -> dict[str, npt.NDArray[Any]]:
    """Add to the retrieved documents of a query those that are drawn from the others."""
    beyond = ~np.isin(everything, columns["row"]) & ~np.isin(everything, plan.own[row])
    rows, near = everything[beyond], cosines[beyond]
    order = np.argsort(-near, kind="stable")
    stop = len(columns["row"]) + len(rows)
    cut = [Band(b.start, min(b.stop, stop), b.drawn) for b in plan.bands if b.start < stop]
    cut = [Band(b.start, b.stop, min(b.drawn, b.stop - b.start)) for b in cut]
    drawn, weights, numbers = draw(order, cut, np.random.default_rng((plan.seed, row)))
    sample = {
        "row": rows[drawn],
        "rank": np.zeros(len(drawn), dtype=np.int64),
        "cosine": near[drawn],
        "weight": weights,
        "band": numbers,
    }
    return {name: np.concatenate([columns[name], sample[name]]) for name in columns}


def _all_cosines(index: CorpusIndex, rows: Rows, vectors: FloatArray) -> FloatArray:
    """Return the cosines of q query vectors with n documents, (q, n)."""
    return np.hstack(
        [
            vectors @ index.vectors(rows[start : start + DOCUMENTS_AT_A_TIME]).T
            for start in range(0, len(rows), DOCUMENTS_AT_A_TIME)
        ]
    )


def _identify(plan: ScoringPlan, searcher: Searcher) -> dict[str, Any]:
    """Return what the scores depend on; of texts only a digest."""
    index = searcher.index
    digest = hashlib.sha256()
    rows = index.rows()
    for start in range(0, len(rows), DOCUMENTS_AT_A_TIME):
        part = rows[start : start + DOCUMENTS_AT_A_TIME]
        for name, text in zip(index.ids(part), index.texts(part), strict=True):
            digest.update(f"{name}\t{text}\n".encode())
    return {
        "documents": len(rows),
        "corpus": digest.hexdigest(),
        "queries": hashlib.sha256("\n".join(plan.queries).encode()).hexdigest(),
        "encoder": _vectors(searcher),
        "reranker": _scorer(searcher.reranker) if searcher.reranker else "",
        "top": plan.top,
        "bands": [asdict(band) for band in plan.bands],
        "seed": plan.seed,
    }


def _vectors(searcher: Searcher) -> str:
    """Name what makes a cosine; whole float32 vectors by the encoder's fingerprint alone."""
    encoder, stored = searcher.index.encoder, searcher.index.snapshot.manifest.vectors
    cut = f" cut to {encoder.dimension}" if encoder.dimension != searcher.encoder.dimension else ""
    return f"{encoder.fingerprint}{cut}" + (f" in {stored}" if stored != "fp32" else "")


def _scorer(reranker: Encoder) -> str:
    """Name what makes a score; that of full weights by their fingerprint alone."""
    lowered = "" if reranker.precision == "fp32" else f" in {reranker.precision}"
    return f"{reranker.fingerprint()}{lowered}"


def _read_json(path: Path) -> dict[str, Any]:
    return read_json(path, error=StorageError, remedy="--overwrite it")
