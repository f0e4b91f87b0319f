"""Every type of vector index against brute force in numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from kosim.encoders.errors import ConfigError, CorpusIndexError, DataError, StorageError
from kosim.index.vectors.inverted_lists import Visits
from kosim.index.vectors.vector_index import IndexType, VectorIndex, choose_type, search_threads
from tests.encoders.test_fork import in_a_fork

ROWS, DIMENSION, QUERIES = 12_000, 32, 200
TYPES: tuple[IndexType, ...] = ("flat", "hnsw", "ivfpq", "rabitq")
UNTRAINED: tuple[IndexType, ...] = ("flat", "hnsw")
RECALL = {"flat": 1.0, "hnsw": 0.97, "ivfpq": 0.9, "rabitq": 0.95}


def clustered(rows: int, *, seed: int = 0, dimension: int = DIMENSION) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(100, dimension))
    points = centres[random.integers(0, 100, rows)] + 0.5 * random.normal(size=(rows, dimension))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32)


VECTORS, ASKED = clustered(ROWS), clustered(QUERIES, seed=1)


def best(queries: np.ndarray, vectors: np.ndarray, k: int, alive: Any = None) -> np.ndarray:
    """Rows of the k highest inner products in double precision, equal ones by the smaller row."""
    scores = queries.astype(float) @ vectors.T.astype(float)
    if alive is not None:
        scores[:, ~alive] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def make(folder: Path, vectors: np.ndarray, type: IndexType) -> VectorIndex:
    folder.mkdir()
    settings = json.loads(json.dumps(VectorIndex.write(folder, vectors, type)))
    rows, dimension = vectors.shape
    return VectorIndex.open(folder, type=type, rows=rows, dimension=dimension, settings=settings)


def shared_rows(found: np.ndarray, truth: np.ndarray) -> float:
    return float(
        np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, truth, strict=True)])
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vectors")


@pytest.fixture(scope="module")
def settings(folder: Path) -> dict[str, Any]:
    with search_threads(1):
        return {type: VectorIndex.write(folder, VECTORS, type) for type in TYPES}


def reopen(folder: Path, settings: dict[str, Any], type: IndexType) -> VectorIndex:
    return VectorIndex.open(
        folder, type=type, rows=ROWS, dimension=DIMENSION, settings=settings[type]
    )


@pytest.fixture(scope="module", params=TYPES)
def index(request: pytest.FixtureRequest, folder: Path, settings: dict[str, Any]) -> VectorIndex:
    return reopen(folder, settings, request.param)


def test_scores_are_the_inner_products_of_the_rows_best_first(index: VectorIndex) -> None:
    scores, rows = index.search(ASKED, 10)
    assert scores.dtype == np.float32 and rows.dtype == np.int64
    expected = np.einsum("qd,qkd->qk", ASKED.astype(float), VECTORS[rows].astype(float))
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_recall_against_brute_force(index: VectorIndex) -> None:
    rows = index.search(ASKED, 10)[1]
    assert shared_rows(rows, best(ASKED, VECTORS, 10)) >= RECALL[index.type]


@pytest.mark.parametrize("share", [0.9, 0.3, 0.01])
def test_removed_rows_are_never_found_and_hide_no_others(index: VectorIndex, share: float) -> None:
    alive = np.random.default_rng(3).random(ROWS) < share
    scores, rows = index.search(ASKED, 10, alive=alive)
    assert alive[rows].all()
    assert np.isfinite(scores).all()
    assert shared_rows(rows, best(ASKED, VECTORS, 10, alive)) >= RECALL[index.type]


def test_all_neighbours_of_a_query_removed_still_gives_k_rows(index: VectorIndex) -> None:
    alive = np.ones(ROWS, dtype=bool)
    alive[best(ASKED[:1], VECTORS, ROWS // 2)[0]] = False
    rows = index.search(ASKED[:1], 50, alive=alive)[1][0]
    assert len(set(rows.tolist())) == 50
    assert alive[rows].all()


def test_flat_with_the_neighbours_of_a_query_removed_is_exact(
    folder: Path, settings: dict[str, Any]
) -> None:
    alive = np.ones(ROWS, dtype=bool)
    alive[best(ASKED[:1], VECTORS, 5000)[0]] = False
    rows = reopen(folder, settings, "flat").search(ASKED, 10, alive=alive)[1]
    np.testing.assert_array_equal(rows, best(ASKED, VECTORS, 10, alive))


def test_no_row_alive_gives_no_rows(index: VectorIndex) -> None:
    scores, rows = index.search(ASKED[:3], 4, alive=np.zeros(ROWS, dtype=bool))
    assert (rows == -1).all() and (scores == -np.inf).all()


def test_fewer_alive_than_k_fills_up_with_none(index: VectorIndex) -> None:
    alive = np.zeros(ROWS, dtype=bool)
    alive[[5, 700, 11_999]] = True
    scores, rows = index.search(ASKED[:3], 5, alive=alive)
    assert all(set(line[:3]) == {5, 700, 11_999} for line in rows.tolist())
    assert (rows[:, 3:] == -1).all() and (scores[:, 3:] == -np.inf).all()


def test_no_queries_give_no_lines(index: VectorIndex) -> None:
    scores, rows = index.search(ASKED[:0], 7)
    assert scores.shape == rows.shape == (0, 7)


def test_a_query_scores_the_same_alone_and_in_a_batch(index: VectorIndex) -> None:
    scores, rows = index.search(ASKED, 10)
    alone = index.search(ASKED[17:18], 10)
    np.testing.assert_array_equal(alone[0][0], scores[17])
    np.testing.assert_array_equal(alone[1][0], rows[17])


def test_stored_vectors_come_back_unchanged(index: VectorIndex) -> None:
    rows = np.array([11_999, 0, 0, 4])
    np.testing.assert_array_equal(index.vectors(rows), VECTORS[rows])


def test_a_changed_writeable_mask_is_seen(index: VectorIndex) -> None:
    alive = np.ones(ROWS, dtype=bool)
    first = index.search(ASKED[:1], 1, alive=alive)[1][0, 0]
    alive[first] = False
    assert index.search(ASKED[:1], 1, alive=alive)[1][0, 0] != first


def test_a_read_only_mask_gives_the_same_rows_each_time(index: VectorIndex) -> None:
    alive = np.random.default_rng(4).random(ROWS) < 0.5
    expected = index.search(ASKED, 5, alive=alive)[1]
    alive.flags.writeable = False
    for _ in range(2):
        np.testing.assert_array_equal(index.search(ASKED, 5, alive=alive)[1], expected)


def test_two_indexes_of_a_folder_are_independent(folder: Path, settings: dict[str, Any]) -> None:
    first = reopen(folder, settings, "hnsw")
    second = reopen(folder, settings, "hnsw")
    expected = second.search(ASKED, 10)[1]
    del first
    np.testing.assert_array_equal(second.search(ASKED, 10)[1], expected)


def test_measured_recall_is_kept(settings: dict[str, Any]) -> None:
    assert settings["flat"]["recall@10"] == 1.0
    assert settings["hnsw"]["recall@10"] >= 0.975
    assert settings["ivfpq"]["recall@10"] >= 0.93


def test_all_rows_can_be_asked_for(index: VectorIndex) -> None:
    rows = index.search(ASKED[:1], ROWS + 3)[1][0]
    np.testing.assert_array_equal(np.sort(rows[:ROWS]), np.arange(ROWS))
    assert (rows[ROWS:] == -1).all()


@pytest.mark.parametrize("type", UNTRAINED)
@pytest.mark.parametrize("rows", [0, 1, 2, 7])
def test_few_rows(tmp_path: Path, type: IndexType, rows: int) -> None:
    vectors = clustered(rows, seed=5)
    found = make(tmp_path / "few", vectors, type).search(ASKED[:4], 9)[1]
    np.testing.assert_array_equal(found[:, :rows], best(ASKED[:4], vectors, rows))
    assert (found[:, rows:] == -1).all()


def test_equal_vectors_are_ordered_by_row_and_cut_at_the_smallest(tmp_path: Path) -> None:
    vectors = clustered(3000, seed=6)
    same = np.arange(2, 3000, 3)
    vectors[same] = ASKED[0]
    index = make(tmp_path / "ties", vectors, "flat")
    for queries in (ASKED[:1], ASKED[:64]):  # FAISS computes few and many queries differently
        scores, rows = index.search(queries, 20)
        np.testing.assert_array_equal(rows[0], same[:20])
        assert len(set(scores[0].tolist())) == 1


def test_k_rows_among_many_equal_vectors_of_a_graph(tmp_path: Path) -> None:
    vectors = clustered(2000, seed=7)
    vectors[500:] = vectors[500]
    index = make(tmp_path / "equal", vectors, "hnsw")
    rows = index.search(ASKED, 600)[1]
    assert all(len(set(line)) == 600 and min(line) >= 0 for line in rows.tolist())


def test_rows_that_no_link_leads_to_are_still_returned(tmp_path: Path) -> None:
    """A graph without any link: only reading all vectors finds k rows."""
    vectors = clustered(300, seed=8)
    make(tmp_path / "graph", vectors, "hnsw")
    path = tmp_path / "graph" / VectorIndex.files("hnsw")[0]
    graph = faiss.read_index(str(path))
    links = faiss.rev_swig_ptr(graph.hnsw.neighbors.data(), graph.hnsw.neighbors.size())
    links[:] = -1
    faiss.write_index(graph, str(path))
    index = VectorIndex.open(
        tmp_path / "graph", type="hnsw", rows=300, dimension=DIMENSION, settings={"efSearch": 16}
    )
    np.testing.assert_array_equal(index.search(ASKED, 10)[1], best(ASKED, vectors, 10))


def test_vectors_may_be_mapped_and_progress_counts_their_rows(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "mapped", dtype=np.float32, mode="w+", shape=(9000, 8))
    mapped[:] = clustered(9000, dimension=8)
    for type in UNTRAINED:
        seen: list[int] = []
        VectorIndex.write(tmp_path, mapped, type, progress=seen.append)
        assert seen == [8192, 9000]


def test_flat_file_is_byte_for_byte_what_faiss_writes(tmp_path: Path) -> None:
    VectorIndex.write(tmp_path, VECTORS, "flat")
    expected = faiss.IndexFlatIP(DIMENSION)
    expected.add(VECTORS)
    written = (tmp_path / VectorIndex.files("flat")[0]).read_bytes()
    assert written == faiss.serialize_index(expected).tobytes()


def test_too_few_rows_to_train_says_how_many_are_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 9,984 vectors"):
        VectorIndex.write(tmp_path, VECTORS[:9983], "ivfpq")
    assert VectorIndex.minimum_rows("ivfpq") == 9984


def test_choice_of_a_type_by_rows() -> None:
    chosen = [choose_type(rows)[0] for rows in (0, 20_000, 20_001, 2_000_000, 2_000_001)]
    assert chosen == ["flat", "flat", "hnsw", "hnsw", "ivfpq"]
    assert "799,000" in choose_type(799_000)[1]


def test_threads_are_set_inside_the_block_only() -> None:
    before = faiss.omp_get_max_threads()
    with search_threads(before + 1):
        assert faiss.omp_get_max_threads() == before + 1
    assert faiss.omp_get_max_threads() == before


@pytest.mark.parametrize(
    ("queries", "k", "error", "message"),
    [
        (ASKED[:, :31], 5, DataError, r"\(200, 31\)"),
        (ASKED[0], 5, DataError, r"\(32,\)"),
        (ASKED.astype(np.float64), 5, DataError, "float64"),
        (np.full((1, DIMENSION), np.nan, dtype=np.float32), 5, DataError, "NaN"),
        (ASKED, 0, ConfigError, "k is 0"),
        (ASKED, -1, ConfigError, "k is -1"),
    ],
)
def test_impossible_queries(
    index: VectorIndex, queries: np.ndarray, k: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        index.search(queries, k)


@pytest.mark.parametrize("alive", [np.ones(ROWS - 1, dtype=bool), np.ones(ROWS)])
def test_impossible_masks(index: VectorIndex, alive: Any) -> None:
    with pytest.raises(DataError, match="mask of alive rows"):
        index.search(ASKED, 5, alive=alive)


@pytest.mark.parametrize("row", [-1, ROWS])
def test_vector_of_no_row(index: VectorIndex, row: int) -> None:
    with pytest.raises(CorpusIndexError, match=f"no row {row} "):
        index.vectors(np.array([0, row]))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (VECTORS.astype(np.float64), "float64"),
        (VECTORS[0], r"shape \(32,\)"),
        (np.array([[0, 1], [np.inf, 0]], dtype=np.float32), "vector 1 holds"),
    ],
)
def test_impossible_vectors(tmp_path: Path, vectors: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        VectorIndex.write(tmp_path, vectors, "flat")


def test_unknown_type(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'annoy'"):
        VectorIndex.write(tmp_path, VECTORS, "annoy")  # type: ignore[arg-type]


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / VectorIndex.files("hnsw")[0]).mkdir()
    with pytest.raises(StorageError, match=VectorIndex.files("hnsw")[0]):
        VectorIndex.write(tmp_path, VECTORS[:50], "hnsw")


ANY_FILE = [(type, name) for type in TYPES for name in VectorIndex.files(type)]


@pytest.fixture
def copied(tmp_path: Path, folder: Path, settings: dict[str, Any]) -> Path:
    for _, name in ANY_FILE:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize(("type", "name"), ANY_FILE)
@pytest.mark.parametrize("kept", [0, 3, 60, 0.5, -8])
def test_truncated_file_is_named(
    copied: Path, settings: dict[str, Any], type: IndexType, name: str, kept: float
) -> None:
    whole = (copied / name).read_bytes()
    length = int(len(whole) * kept) if isinstance(kept, float) else kept
    (copied / name).write_bytes(whole[:length])
    with pytest.raises(CorpusIndexError, match=name):
        reopen(copied, settings, type)


@pytest.mark.parametrize(("type", "name"), ANY_FILE)
def test_missing_file_is_named(
    copied: Path, settings: dict[str, Any], type: IndexType, name: str
) -> None:
    (copied / name).unlink()
    with pytest.raises(CorpusIndexError, match=name):
        reopen(copied, settings, type)


@pytest.mark.parametrize("type", TYPES)
def test_file_of_other_vectors_is_refused(
    folder: Path, settings: dict[str, Any], type: IndexType
) -> None:
    with pytest.raises(CorpusIndexError, match=rf"{ROWS} vectors of dimension {DIMENSION}"):
        VectorIndex.open(
            folder, type=type, rows=ROWS - 1, dimension=DIMENSION, settings=settings[type]
        )


def test_file_of_another_kind_is_refused(copied: Path, settings: dict[str, Any]) -> None:
    flat, graph = VectorIndex.files("flat")[0], VectorIndex.files("hnsw")[0]
    (copied / graph).write_bytes((copied / flat).read_bytes())
    with pytest.raises(CorpusIndexError, match="IndexFlatIP, not a IndexHNSWFlat"):
        reopen(copied, settings, "hnsw")


@pytest.mark.parametrize("value", [None, 0, "32", True])
def test_impossible_setting_is_named(folder: Path, settings: dict[str, Any], value: Any) -> None:
    with pytest.raises(CorpusIndexError, match="efSearch"):
        VectorIndex.open(
            folder, type="hnsw", rows=ROWS, dimension=DIMENSION, settings={"efSearch": value}
        )


@pytest.mark.filterwarnings("ignore:.*fork")
def test_an_index_searched_before_a_fork_is_searched_in_the_new_process(
    folder: Path, settings: dict[str, Any]
) -> None:
    index = reopen(folder, settings, "flat")
    with search_threads(2):
        _, expected = index.search(VECTORS[:50], 10)
        code = in_a_fork(lambda: np.array_equal(index.search(VECTORS[:50], 10)[1], expected))
    assert code == 0


def test_a_query_visits_the_lists_within_reach(tmp_path: Path) -> None:
    settings = VectorIndex.write(tmp_path, VECTORS, "rabitq")
    rows, dimension = VECTORS.shape
    products = np.array([[0.9, 0.8, 0.5, 0.1], [0.4, 0.4, 0.4, 0.1]], dtype=np.float32)
    units = np.array([[0.6, 0.8], [1, 0]], dtype=np.float32)
    visits = Visits.of({"nprobe": 4, "refine": 2, "reach": 0.2}, tmp_path)
    assert visits.counts(units, products).tolist() == [2, 3]
    assert visits.counts(3 * units, 3 * products).tolist() == [2, 3]
    assert visits.deeper(10, 0.4).counts(units, products).tolist() == [5, 8]
    assert visits.deeper(100, 1.0).reach == pytest.approx(0.2 * 10**0.1)
    older = Visits.of({"nprobe": 4, "refine": 2}, tmp_path)
    assert older.counts(units, products).tolist() == [4, 4]
    assert older.counts(0 * units, 0 * products).tolist() == [4, 4]
    assert settings["nprobe"] <= settings["lists"]
    for wrong in (-0.1, "far", None, True, float("nan")):
        with pytest.raises(CorpusIndexError, match=r"the setting reach is .*; build the index"):
            VectorIndex.open(
                tmp_path,
                type="rabitq",
                rows=rows,
                dimension=dimension,
                settings={**settings, "reach": wrong},
            )
