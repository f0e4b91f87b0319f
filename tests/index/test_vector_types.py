"""Indexes whose vectors are stored as fp16 or int8, against brute force on what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
import scipy.fft
from scipy.stats import norm
from sentence_transformers.util import semantic_search

from kosim.encoders.adoption import calibrate
from kosim.encoders.bi import BiEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.dimensions import calibration_at, shortened
from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import ConfigError, CorpusIndexError, DataError, StorageError
from kosim.encoders.loading import load
from kosim.encoders.training.run import train
from kosim.index.build import build_index, extend_index
from kosim.index.corpus_index import CorpusIndex
from kosim.index.faiss_files import export_faiss, import_faiss
from kosim.index.measured_recall import measured_recall
from kosim.index.mining import mine
from kosim.index.searcher import Searcher
from kosim.index.sharding.split import assemble_shards, split_index
from kosim.index.store.commit import merge
from kosim.index.vectors.rotation import rotation, turned, turned_alone, turned_back
from kosim.index.vectors.stored import (
    COMPONENT_BYTES,
    FILE,
    Storage,
    StoredVectors,
    VectorType,
    in_blocks,
    open_stored,
    ranges_of,
    write_stored,
)
from kosim.index.vectors.vector_index import IndexType, VectorIndex
from tests.encoders.tiny import TRAIN, VALIDATION, config
from tests.index.builds import CORPUS, Watched, build
from tests.index.test_vector_index import ASKED, DIMENSION, VECTORS, best, shared_rows
from tests.index.vectors import some_documents

ROWS = 2_000
HELD = VECTORS[:ROWS]
CODED: tuple[VectorType, ...] = ("fp16", "int8")
TYPES: tuple[IndexType, ...] = ("flat", "hnsw", "rabitq")
ROTATION = rotation(DIMENSION)
INNER = faiss.METRIC_INNER_PRODUCT
ENCODER = EncoderIdentity(fingerprint="f" * 64, name="runs/bi", dimension=DIMENSION)


def opened(folder: Path, type: IndexType, stored: VectorType, rows: int = ROWS) -> VectorIndex:
    return written(folder, type, stored, VECTORS[:rows])


def written(folder: Path, type: IndexType, stored: VectorType, vectors: np.ndarray) -> VectorIndex:
    settings = VectorIndex.write(folder, vectors, type, stored=stored)
    return VectorIndex.open(
        folder,
        type=type,
        rows=len(vectors),
        dimension=DIMENSION,
        settings=settings,
        stored=stored,
    )


@pytest.fixture(scope="module", params=[(type, stored) for stored in CODED for type in TYPES])
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    return opened(tmp_path_factory.mktemp("coded"), *request.param)


@pytest.fixture(params=CODED)
def stored(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_scores_are_the_products_with_what_is_stored(index: VectorIndex) -> None:
    scores, rows = index.search(ASKED, 10)
    kept = index.vectors(rows.ravel()).reshape(*rows.shape, -1)
    np.testing.assert_allclose(scores, np.einsum("qd,qkd->qk", ASKED, kept), atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()
    alone = index.search(ASKED[17:18], 10)
    np.testing.assert_array_equal(alone[0][0], scores[17])


@pytest.mark.parametrize("share", [1.0, 0.3, 0.01])
def test_what_is_found_is_what_brute_force_finds(index: VectorIndex, share: float) -> None:
    alive = np.random.default_rng(3).random(ROWS) < share
    rows = index.search(ASKED, 10, alive=alive)[1]
    assert alive[rows].all()
    exact = best(ASKED, index.vectors(np.arange(ROWS)), 10, alive)
    assert shared_rows(rows, exact) >= {"flat": 0.9999, "hnsw": 0.97, "rabitq": 0.95}[index.type]
    assert shared_rows(rows, best(ASKED, HELD, 10, alive)) >= 0.94


def test_a_component_is_rounded_by_half_a_step_at_most(tmp_path: Path, stored: VectorType) -> None:
    index = opened(tmp_path, "flat", stored)
    kept = index.decoded(np.arange(ROWS))
    if stored == "fp16":
        assert (np.abs(kept - HELD) <= 0.5001 * 2.0**-11).all()
    else:
        spread = np.sqrt(np.square(HELD - HELD.mean(axis=0)).sum(axis=1).mean() / DIMENSION)
        low = (HELD.mean(axis=0) @ ROTATION.T) - 4 * spread
        inside = (HELD @ ROTATION.T).clip(low, low + 8 * spread)
        assert (np.abs(kept @ ROTATION.T - inside) <= 0.501 * 8 * spread / 255).all()
        assert (inside == HELD @ ROTATION.T).mean() > 0.999
    units = kept / np.linalg.norm(kept, axis=1, keepdims=True)
    np.testing.assert_allclose(index.vectors(np.arange(ROWS)), units, atol=1e-6)


def test_companding_costs_what_its_formula_says(tmp_path: Path) -> None:
    """Panter & Dite 1951: pi sqrt(3) / 2 times the variance over the square of the levels."""
    drawn = np.random.default_rng(0).normal(size=(4_000, 256)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    ranges = ranges_of("int8", drawn, None)
    squares = {}
    for companded in (False, True):
        storage = Storage("int8", ranges, companded)
        write_stored(tmp_path / FILE, drawn.shape, in_blocks(drawn), storage)
        stored = StoredVectors.of(open_stored(tmp_path / FILE, *drawn.shape, "int8"))
        kept = stored.decoded(np.arange(len(drawn)))
        squares[companded] = np.square(kept - drawn).sum(axis=1).mean()
    assert squares[True] == pytest.approx(np.pi * 3**0.5 / 2 / 256**2, rel=0.03)
    beyond = 2 * (17 * norm.sf(4) - 4 * norm.pdf(4))  # of what lies outside the range
    assert squares[False] == pytest.approx((8 / 255) ** 2 / 12 + beyond, rel=0.03)


@pytest.mark.parametrize("type", TYPES)
def test_vectors_far_from_all_others_are_stored_as_well(tmp_path: Path, type: IndexType) -> None:
    close = HELD[0] + 0.02 * HELD
    close /= np.linalg.norm(close, axis=1, keepdims=True)
    vectors = np.concatenate([close, -HELD[:3]])
    index = written(tmp_path, type, "int8", vectors)
    kept = index.vectors(np.arange(len(vectors)))
    assert ((kept * vectors).sum(axis=1) > 0.9995).all()
    if type != "hnsw":  # whose links hardly lead to vectors that are near no other
        np.testing.assert_array_equal(index.search(-HELD[:3], 1)[1][:, 0], ROWS + np.arange(3))


@pytest.mark.parametrize("type", ["flat", "hnsw", "rabitq"])
def test_int8_vectors_of_an_older_version_are_read(tmp_path: Path, type: IndexType) -> None:
    """They were not rotated, and each component had the range of its smallest to largest value."""
    settings = VectorIndex.write(tmp_path, HELD, type, stored="int8")
    if type == "hnsw":
        graph = faiss.IndexHNSWSQ(DIMENSION, faiss.ScalarQuantizer.QT_8bit, 32, INNER)
        old, file = graph, tmp_path / "graph.faiss"
    else:
        old = faiss.index_factory(DIMENSION, "SQ8", INNER)
        file = tmp_path / FILE
    old.train(HELD)
    old.add(HELD)
    faiss.write_index(old, str(file))
    settings.pop("reach", None)
    codes = faiss.downcast_index(old.storage) if type == "hnsw" else old
    kept = codes.reconstruct_n(0, ROWS)
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    index = VectorIndex.open(
        tmp_path, type=type, rows=ROWS, dimension=DIMENSION, settings=settings, stored="int8"
    )
    assert index.ranges is None
    np.testing.assert_allclose(index.vectors(np.arange(ROWS)), kept, atol=1e-6)
    scores, rows = index.search(ASKED, 10)
    np.testing.assert_allclose(scores, np.einsum("qd,qkd->qk", ASKED, kept[rows]), atol=1e-6)
    assert shared_rows(rows, best(ASKED, kept, 10)) >= 0.95


@pytest.mark.parametrize("rows", [0, 1, 7])
@pytest.mark.parametrize("type", ["flat", "hnsw"])
def test_few_rows(tmp_path: Path, type: IndexType, stored: VectorType, rows: int) -> None:
    found = opened(tmp_path, type, stored, rows).search(ASKED[:4], 9)[1]
    assert ((found >= 0).sum(axis=1) == rows).all()


def test_faiss_reads_the_file(tmp_path: Path, stored: VectorType) -> None:
    index = opened(tmp_path, "flat", stored)
    written = faiss.read_index(str(tmp_path / FILE))
    kept = index.decoded(np.arange(ROWS))
    if stored == "int8":
        kept = kept @ ROTATION.T
    np.testing.assert_allclose(written.reconstruct_n(0, ROWS), kept, atol=1e-6)
    size = (tmp_path / FILE).stat().st_size
    assert size == pytest.approx(ROWS * DIMENSION * COMPONENT_BYTES[stored], rel=0.01)


def test_the_rotation_is_a_cosine_transform_of_random_signs() -> None:
    for dimension in (1, 2, 7, 32, 384):
        matrix = rotation(dimension)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(dimension), atol=1e-5)
        signs = np.sign(matrix[0])
        cosines = scipy.fft.dct(np.eye(dimension), axis=0, norm="ortho")
        np.testing.assert_allclose(matrix, cosines * signs, atol=1e-6)
        drawn = VECTORS[:9, :1].repeat(dimension, axis=1)
        np.testing.assert_allclose(turned(drawn), drawn @ matrix.T, atol=1e-5)
        np.testing.assert_allclose(turned_alone(drawn), drawn @ matrix.T, atol=1e-5)
        np.testing.assert_array_equal(turned_alone(drawn)[3:4], turned_alone(drawn[3:4]))
        np.testing.assert_allclose(turned_back(turned(drawn)), drawn, atol=1e-5)
    assert 0.4 < (np.sign(rotation(384)[0]) > 0).mean() < 0.6


def test_lost_recall_is_measured_against_the_vectors_as_given(tmp_path: Path) -> None:
    settings = VectorIndex.write(tmp_path, shortened(HELD, 4), "flat", stored="int8")
    assert 0.5 < settings["recall@10"] < 1


@pytest.mark.parametrize(
    "type", ["flat", "hnsw", "rabitq", pytest.param("ivfpq", marks=pytest.mark.slow)]
)
def test_vectors_of_another_type_than_promised_are_refused(tmp_path: Path, type: Any) -> None:
    settings = VectorIndex.write(tmp_path, VECTORS, type, stored="fp16")
    with pytest.raises(CorpusIndexError, match="holds fp16 vectors, not int8; build the index"):
        VectorIndex.open(
            tmp_path,
            type=type,
            rows=len(VECTORS),
            dimension=DIMENSION,
            settings=settings,
            stored="int8",
        )


def made(folder: Path, stored: VectorType, **options: Any) -> CorpusIndex:
    documents = some_documents([f"d{n}" for n in range(ROWS)])
    return CorpusIndex.create(folder, ENCODER, [(documents, HELD)], vectors=stored, **options)


@pytest.mark.parametrize("type", TYPES)
def test_an_index_is_added_to_removed_from_and_merged_without_further_loss(
    tmp_path: Path, stored: VectorType, type: IndexType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kosim.index.store.commit.LOG_DOCUMENTS", 5)
    index = made(tmp_path / "index", stored, type=type)
    before = index.vectors(index.rows())
    more = VECTORS[ROWS : ROWS + 50]
    index.add(some_documents([f"m{n}" for n in range(50)]), more)
    index.remove(["d0", "m1"])
    assert [segment.entry.vectors for segment in index.snapshot.segments] == [stored, stored]
    index.compact()
    once = index.vectors(index.locate(["d7", "m7"]))
    with index._writing(1) as snapshot:
        merge(snapshot, type, stored, None)
    np.testing.assert_array_equal(index.vectors(index.locate(["d7", "m7"])), once)
    # What the new documents widened is rounded once more, by half a step at most.
    np.testing.assert_allclose(once[0], before[7], atol=1.6 / 255)
    assert index.snapshot.manifest.vectors == index.info()["vectors"] == stored
    assert index.verify() == []
    assert len(index) == ROWS + 48
    assert (measured_recall(index) or 0) > 0.95


def test_merging_alone_changes_no_byte(tmp_path: Path, stored: VectorType) -> None:
    index = made(tmp_path / "index", stored, segment_rows=ROWS // 3)
    index.remove(["d0"])
    index.compact()
    rows = index.vectors(index.rows())
    index.remove(["d1"])
    index.compact()
    np.testing.assert_array_equal(index.vectors(index.rows()), rows[1:])


def test_compacting_makes_vectors_smaller_and_never_larger(tmp_path: Path) -> None:
    index = made(tmp_path / "index", "fp32")
    size = index.info()["bytes"]
    index.compact(vectors="int8")
    assert index.info()["bytes"] < size - 2.9 * ROWS * DIMENSION
    with pytest.raises(ConfigError, match="has int8 vectors, which cannot become fp16 again"):
        index.compact(vectors="fp16")
    assert index.verify() == []


def test_shards_store_vectors_as_their_index(tmp_path: Path, stored: VectorType) -> None:
    index = made(tmp_path / "index", stored)
    shards = split_index(index, tmp_path / "shards", shards=3)
    kept = np.concatenate([one.vectors(one.rows()) for one in shards.indexes.values()])
    np.testing.assert_array_equal(kept, index.vectors(index.rows()))
    assert {one.snapshot.manifest.vectors for one in shards.indexes.values()} == {stored}


def test_an_index_goes_into_faiss_and_back(
    bi: BiEncoder, tmp_path: Path, stored: VectorType
) -> None:
    index = build_index(CORPUS[:20], bi, tmp_path / "index", vectors=stored)
    extend_index(index, CORPUS[20:], bi)
    files = tmp_path / "vectors.faiss", tmp_path / "texts.jsonl"
    assert export_faiss(index, *files) == len(CORPUS)
    vectors = faiss.read_index(str(files[0])).reconstruct_n(0, len(CORPUS))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    again = import_faiss(files[0], CORPUS, bi, tmp_path / "again", vectors=stored)
    np.testing.assert_allclose(again.vectors(again.rows()), index.vectors(index.rows()), atol=0.01)


def test_an_index_of_fewer_dimensions_is_searched_and_extended(
    bi: BiEncoder, tmp_path: Path
) -> None:
    index = build_index(CORPUS[:20], bi, tmp_path / "index", dimensions=4)
    extend_index(index, CORPUS[20:], bi)
    texts = [document.text for document in CORPUS]
    cut = shortened(bi.encode(texts), 4)
    np.testing.assert_allclose(index.vectors(index.rows()), cut, atol=1e-5)
    hits = Searcher(index, bi).search(texts[:5], k=1)
    scores = [hit.retrieval_score for result in hits for hit in result.hits]
    np.testing.assert_allclose(scores, 1, atol=1e-5)
    theirs = bi.model.encode(texts, truncate_dim=4)
    ranked = semantic_search(theirs[:5], theirs, top_k=len(texts))
    for result, expected in zip(Searcher(index, bi).search(texts[:5], k=30), ranked, strict=True):
        assert [hit.id for hit in result.hits] == [CORPUS[one["corpus_id"]].id for one in expected]
    assert index.info()["dimensions"] == index.encoder.dimension == 4
    assert measured_recall(index, encoder=bi) == 1.0
    other = build_index(CORPUS[:2], bi, tmp_path / "other")
    with pytest.raises(CorpusIndexError, match="4 dimensions"):
        assemble_shards([index, other], tmp_path / "shards")
    files = tmp_path / "vectors.faiss", tmp_path / "texts.jsonl"
    export_faiss(index, *files)
    with pytest.raises(DataError, match="vectors of dimension 4"):
        import_faiss(files[0], CORPUS, bi, tmp_path / "again")
    assert len(import_faiss(files[0], CORPUS, bi, tmp_path / "again", dimensions=4)) == len(CORPUS)


def test_scores_of_cut_vectors_have_the_calibration_of_their_dimensions(
    koelectra: Path, tmp_path: Path
) -> None:
    encoder = BiEncoder.from_backbone(str(koelectra), device="cpu")
    train(encoder, TRAIN, VALIDATION, config(epochs=1, matryoshka=(4,)))
    encoder.save(tmp_path / "bi")
    again = load(tmp_path / "bi", device="cpu")
    assert isinstance(again, BiEncoder)
    first, second = (
        shortened(again.encode(texts), 4) for texts in (VALIDATION.sentence1, VALIDATION.sentence2)
    )
    expected = MonotoneCalibration.fit((first * second).sum(axis=1), VALIDATION.labels)
    for dimensions, calibration in ((4, expected), (3, again.calibration)):
        index = build_index(CORPUS, again, tmp_path / str(dimensions), dimensions=dimensions)
        [result] = Searcher(index, again).search(["불 꺼"], k=5)
        mined = mine(index, encoder=again, top=5)
        for found in (result.hits, mined):
            cosines = [one.retrieval_score for one in found]
            np.testing.assert_allclose([one.score for one in found], calibration(cosines), 1e-4)
    calibrate(again, VALIDATION.take(range(20)))
    assert calibration_at(again, 4) != expected
    assert calibration_at(again, again.dimension) == again.calibration


def test_an_unfinished_build_of_other_dimensions_is_refused(bi: BiEncoder, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "index", Watched(bi, fails_at=2))
    with pytest.raises(StorageError, match=r"unfinished build .* not .* 4 dimensions"):
        build(tmp_path / "index", bi, dimensions=4)


def test_an_unknown_vector_type_is_named(bi: BiEncoder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'int4'; choose from fp32, fp16, int8"):
        build_index(CORPUS, bi, tmp_path / "index", vectors="int4")  # type: ignore[arg-type]
