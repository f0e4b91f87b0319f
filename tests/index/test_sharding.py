"""Shards find what one index of all documents finds, and say so when one of them cannot answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import (
    ClusterError,
    ConfigError,
    CorpusIndexError,
    DataError,
    ShardMissingError,
    StorageError,
)
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.ranking import Ranking, merge_rankings
from kosim.index.searcher import Mode, Searcher, SearchResult
from kosim.index.sharding.folder import Shards
from kosim.index.sharding.shard import LocalShard, ShardAnswer, ShardCall
from kosim.index.sharding.sharded_index import ShardedIndex
from kosim.index.sharding.split import assemble_shards, split_index
from kosim.index.store.manifest import SHARDS
from tests.encoders.tiny import WORDS
from tests.index.lexical_stand_ins import Words
from tests.index.vectors import DIMENSION, ENCODER, some_documents, unit_vectors

OTHER = EncoderIdentity(fingerprint="0" * 64, name="runs/other", dimension=DIMENSION)


def tied_vectors(rows: int, *, seed: int) -> np.ndarray:
    """Random directions, of which every one stands there about four times."""
    some = unit_vectors(max(1, rows // 4), seed=seed)
    return some[np.random.default_rng(seed).integers(0, len(some), rows)]


def make(folder: Path, ids: list[str], *, encoder: EncoderIdentity = ENCODER) -> CorpusIndex:
    vectors = tied_vectors(len(ids), seed=len(ids))
    return CorpusIndex.create(folder, encoder, [(some_documents(ids), vectors)])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> CorpusIndex:
    """400 documents with many ties, some of them added later and some removed."""
    index = make(tmp_path_factory.mktemp("whole") / "index", [f"a{n}" for n in range(350)])
    more = some_documents([f"b{n}" for n in range(60)])
    index.add(more, tied_vectors(60, seed=350))
    index.remove([f"a{n}" for n in range(0, 100, 10)])
    return index


@pytest.fixture(scope="module")
def shards(whole: CorpusIndex, tmp_path_factory: pytest.TempPathFactory) -> Shards:
    return split_index(whole, tmp_path_factory.mktemp("shards") / "index", shards=5)


@pytest.fixture
def folder(shards: Shards, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(shards.folder, tmp_path / "index")


@pytest.mark.parametrize("seed", range(20))
def test_the_merge_is_what_brute_force_over_all_parts_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    queries, k = int(random.integers(1, 6)), int(random.integers(1, 30))
    sizes = random.integers(0, 25, size=random.integers(1, 7))
    scores = random.integers(-3, 3, size=(queries, sizes.sum())).astype(np.float32)
    parts, start = [], 0
    for size in sizes.tolist():
        part = scores[:, start : start + size]
        order = np.argsort(-part, axis=1, kind="stable")[:, :k]
        places = np.full((queries, k), -1)
        values = np.full((queries, k), -np.inf, dtype=np.float32)
        places[:, : order.shape[1]] = order + start
        values[:, : order.shape[1]] = np.take_along_axis(part, order, axis=1)
        parts.append(Ranking(values, places))
        start += size
    found = merge_rankings(queries, k, parts)
    for row in range(queries):
        best = sorted(range(start), key=lambda place: (-scores[row, place], place))[:k]
        assert found.rows[row].tolist() == best + [-1] * (k - len(best))
        np.testing.assert_array_equal(found.scores[row, : len(best)], scores[row, best])
        assert (found.scores[row, len(best) :] == -np.inf).all()


def test_nothing_merged_is_nothing_found() -> None:
    found = merge_rankings(2, 3, [])
    assert found.rows.tolist() == [[-1] * 3] * 2
    assert (found.scores == -np.inf).all()


def test_shards_find_what_the_whole_index_finds(whole: CorpusIndex, shards: Shards) -> None:
    sharded = ShardedIndex(shards)
    assert len(sharded) == len(whole) == 400
    random = np.random.default_rng(5)
    for start in range(300):
        queries = unit_vectors(1, seed=1000 + start)
        if start % 3 == 0:  # a query that ties with itself
            queries = whole.vectors([random.choice(whole.rows())])
        k = int(random.integers(1, 60)) if start else 500
        scores, places = whole.search(queries, k)
        found = sharded.retrieve([], queries, k, "dense")
        np.testing.assert_array_equal(found.scores, scores)
        kept = places[0][places[0] >= 0]
        assert found.reader.documents(found.rows[found.rows >= 0]) == whole.documents(kept)
        cosines = found.reader.cosines(queries, found.rows)
        np.testing.assert_allclose(cosines[0, : len(kept)], scores[0, : len(kept)], atol=1e-6)
        assert found.missing == ()


def test_the_shards_of_a_split_are_normal_indexes(whole: CorpusIndex, shards: Shards) -> None:
    assert list(shards.indexes) == [f"shard-{n}" for n in range(1, 6)]
    ids: list[str] = []
    for name in shards.indexes:
        index = CorpusIndex.open(shards.folder / name)
        assert index.verify() == []
        assert len(index) == 80
        ids += index.ids(index.rows())
    assert ids == whole.ids(whole.rows())


# -- by words, and with encoders -----------------------------------------------------------------

LINES = [" ".join(np.random.default_rng(row).choice(WORDS[:12], row % 7 + 2)) for row in range(120)]
QUERIES = [" ".join(np.random.default_rng(900 + row).choice(WORDS[:12], 3)) for row in range(40)]
DOCUMENTS = [Document(f"d{row}", line, {"row": row}) for row, line in enumerate(LINES)]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory, bi: BiEncoder) -> CorpusIndex:
    identity = EncoderIdentity(bi.fingerprint(), "tiny-bi", bi.dimension)
    folder = tmp_path_factory.mktemp("encoded") / "index"
    index = CorpusIndex.create(folder, identity, [(DOCUMENTS, bi.encode(LINES))])
    index.lexical = LexicalIndex(index.folder, analyzer=Words())
    return index


@pytest.fixture(scope="module")
def cut(encoded: CorpusIndex, tmp_path_factory: pytest.TempPathFactory) -> Shards:
    made = split_index(encoded, tmp_path_factory.mktemp("cut") / "index", shards=4)
    for index in made.indexes.values():
        index.lexical = LexicalIndex(index.folder, analyzer=Words())
    return made


def same(found: SearchResult, expected: SearchResult) -> None:
    assert [hit.id for hit in found.hits] == [hit.id for hit in expected.hits]
    assert [dict(hit.extra) for hit in found.hits] == [dict(hit.extra) for hit in expected.hits]
    for name in ("score", "retrieval_score"):
        np.testing.assert_allclose(
            [getattr(hit, name) for hit in found.hits],
            [getattr(hit, name) for hit in expected.hits],
            atol=1e-5,
        )
    assert (found.candidates, found.reranked) == (expected.candidates, expected.reranked)


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
@pytest.mark.parametrize("reranked", [False, True])
def test_a_searcher_answers_alike_over_index_and_shards(
    encoded: CorpusIndex,
    cut: Shards,
    bi: BiEncoder,
    cross: CrossEncoder,
    mode: Mode,
    reranked: bool,
) -> None:
    reranker = cross if reranked else None
    for k in (1, 7, 200):
        expected = Searcher(encoded, bi, reranker).search(QUERIES, k=k, candidates=20, mode=mode)
        searcher = Searcher(ShardedIndex(cut), bi, reranker)
        found = searcher.search(QUERIES, k=k, candidates=20, mode=mode)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
            assert one.missing == ()


class Silent(LocalShard):
    """A shard that does not answer: neither at all, nor after it has counted its words."""

    def __init__(self, name: str, index: CorpusIndex, *, counts: bool) -> None:
        super().__init__(name, index)
        self._counts = counts

    def count(self, queries: Sequence[str]) -> Callable[[], WordStatistics]:
        return super().count(queries) if self._counts else self._nobody

    def search(self, call: ShardCall) -> Callable[[], ShardAnswer]:
        return self._nobody

    def _nobody(self) -> ShardAnswer:
        raise ShardMissingError(self.name)


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
@pytest.mark.parametrize("counts", [False, True])
def test_without_a_shard_the_rest_is_right_and_the_shard_is_named(
    cut: Shards, bi: BiEncoder, tmp_path: Path, mode: Mode, counts: bool
) -> None:
    clients = [
        Silent(name, index, counts=counts) if name == "shard-2" else LocalShard(name, index)
        for name, index in cut.indexes.items()
    ]
    lost = set(cut.indexes["shard-2"].ids(cut.indexes["shard-2"].rows()))
    rest = [document for document in DOCUMENTS if document.id not in lost]
    vectors = bi.encode([document.text for document in rest])
    index = CorpusIndex.create(tmp_path / "rest", cut.encoder, [(rest, vectors)])
    index.lexical = LexicalIndex(index.folder, analyzer=Words())
    expected = Searcher(index, bi).search(QUERIES, k=10, mode=mode)
    found = Searcher(ShardedIndex(cut, clients), bi).search(QUERIES, k=10, mode=mode)
    for one, other in zip(found, expected, strict=True):
        same(one, other)
        assert one.missing == ("shard-2",)


def test_without_any_shard_there_is_no_answer(cut: Shards, bi: BiEncoder) -> None:
    clients = [Silent(name, index, counts=False) for name, index in cut.indexes.items()]
    for mode in ("dense", "lexical"):
        with pytest.raises(ClusterError, match="none of the 4 shards"):
            Searcher(ShardedIndex(cut, clients), bi).search(QUERIES[:1], mode=mode)


def test_what_is_added_to_a_shard_is_found(cut: Shards, bi: BiEncoder, tmp_path: Path) -> None:
    copy = Shards.open(shutil.copytree(cut.folder, tmp_path / "copy"))
    searcher = Searcher(ShardedIndex(copy), bi)
    text = " ".join(WORDS[20:26])
    CorpusIndex.open(copy.folder / "shard-3").add([Document("new", text)], bi.encode([text]))
    assert searcher.search([text], k=1)[0].hits[0].id == "new"
    assert len(searcher.index) == 121


def test_a_policy_goes_along_with_the_split(encoded: CorpusIndex, tmp_path: Path) -> None:
    policy = encoded.folder / "policies" / "one"
    policy.mkdir(parents=True)
    (policy / "policy.json").write_text("{}")
    try:
        made = split_index(encoded, tmp_path / "cut", shards=2)
        assert (made.folder / "policies" / "one" / "policy.json").is_file()
        assert made.first_generation == encoded.first_generation
    finally:
        shutil.rmtree(policy.parent)


# -- assembling ----------------------------------------------------------------------------------


def test_indexes_that_were_built_apart_become_shards(tmp_path: Path) -> None:
    parts = [make(tmp_path / name, [f"{name}{n}" for n in range(30)]) for name in ("x", "y", "z")]
    parts[1].add(some_documents(["later"]), unit_vectors(1, seed=3))
    made = assemble_shards(parts, tmp_path / "out")
    assert [len(index) for index in made.indexes.values()] == [30, 31, 30]
    query = parts[1].vectors(parts[1].locate(["later"]))
    found = ShardedIndex(made).retrieve([], query, 1, "dense")
    assert found.reader.documents(found.rows[0])[0].id == "later"
    parts[1].remove(["later"])  # the shards are copies
    assert CorpusIndex.open(made.folder / "shard-2").locate(["later"])[0] >= 0


def test_an_id_in_two_indexes_is_refused(tmp_path: Path) -> None:
    x, y = make(tmp_path / "x", ["a", "b", "c"]), make(tmp_path / "y", ["d", "b"])
    with pytest.raises(DataError, match=r"id 'b' is in .*x and in .*y"):
        assemble_shards([x, y], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_indexes_of_two_encoders_are_refused(tmp_path: Path) -> None:
    x, y = make(tmp_path / "x", ["a"]), make(tmp_path / "y", ["b"], encoder=OTHER)
    with pytest.raises(CorpusIndexError, match=r"y was made with .*runs/other .*x with .*runs/bi"):
        assemble_shards([x, y], tmp_path / "out")
    assert not (tmp_path / "out").exists()


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, -1, 401])
def test_a_count_that_is_impossible_is_refused(
    whole: CorpusIndex, tmp_path: Path, count: int
) -> None:
    with pytest.raises(ConfigError, match="400 documents cannot be cut"):
        split_index(whole, tmp_path / "out", shards=count)
    assert not (tmp_path / "out").exists()


def test_only_shards_are_overwritten(whole: CorpusIndex, tmp_path: Path) -> None:
    out = tmp_path / "out"
    split_index(whole, out, shards=2)
    with pytest.raises(StorageError, match="exists already"):
        split_index(whole, out, shards=3)
    assert len(split_index(whole, out, shards=3, overwrite=True).indexes) == 3
    with pytest.raises(StorageError, match="not a folder of shards"):
        split_index(whole, whole.folder, shards=3, overwrite=True)


def test_a_missing_shard_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "shard-3")
    with pytest.raises(CorpusIndexError, match=r"shard shard-3 of .* is missing"):
        Shards.open(folder)


def test_a_damaged_shard_is_named(folder: Path) -> None:
    (folder / "shard-3" / "manifest.json").write_text("{")
    with pytest.raises(CorpusIndexError, match=r"shard shard-3 of .* is damaged"):
        Shards.open(folder)


def test_a_shard_of_another_encoder_is_named_with_both(folder: Path) -> None:
    shutil.rmtree(folder / "shard-2")
    make(folder / "shard-2", ["q"], encoder=OTHER)
    with pytest.raises(CorpusIndexError, match=r"shard-2 .*runs/other .*runs/bi"):
        Shards.open(folder)


def change(folder: Path, **values: object) -> None:
    content = json.loads((folder / SHARDS).read_text())
    (folder / SHARDS).write_text(json.dumps({**content, **values}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / SHARDS).write_text("[1"), "damaged"),
        (lambda folder: change(folder, format=9), "newer than 1"),
        (lambda folder: change(folder, shards=[]), "shards"),
        (
            lambda folder: change(folder, shards=[{"name": "../out", "documents": 1}]),
            "shards.0.name",
        ),
        (
            lambda folder: change(folder, shards=[{"name": "shard-1", "documents": 1}] * 2),
            "names a shard twice",
        ),
        (lambda folder: (folder / SHARDS).unlink(), "not an index"),
    ],
)
def test_a_bad_list_of_shards_is_refused(
    folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder)
    with pytest.raises(CorpusIndexError, match=message):
        Shards.open(folder)


def test_a_folder_of_shards_is_not_taken_for_an_index(folder: Path) -> None:
    with pytest.raises(CorpusIndexError, match="holds the shards of an index"):
        CorpusIndex.open(folder)


def test_an_index_is_its_only_shard(whole: CorpusIndex) -> None:
    shards = Shards.open(whole.folder)
    assert list(shards.indexes) == ["index"]
    assert len(shards) == len(whole)
