"""FAISS files in and out: plain FAISS finds the same, and what does not fit is one clear line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import ConfigError, DataError, KosimError, StorageError
from kosim.index import faiss_files
from kosim.index.build import build_index
from kosim.index.corpus import read_corpus
from kosim.index.documents import Document
from kosim.index.faiss_files import export_faiss, import_faiss
from kosim.index.store.block import FloatArray
from tests.encoders.tiny import WORDS

CORPUS = [
    Document(
        f"d{number}", f"{WORDS[number % 7]} {WORDS[number % 9]} {WORDS[number % 4]}", {"n": number}
    )
    for number in range(30)
]
TEXTS = [document.text for document in CORPUS]


@pytest.fixture(scope="module")
def vectors(bi: BiEncoder) -> FloatArray:
    return bi.encode(TEXTS)


def saved(path: Path, index: Any, vectors: FloatArray) -> Path:
    if not index.is_trained:
        index.train(vectors)
    index.add(vectors)
    faiss.write_index(index, str(path))
    return path


@pytest.fixture
def flat(vectors: FloatArray, tmp_path: Path) -> Path:
    return saved(tmp_path / "flat.faiss", faiss.IndexFlatIP(vectors.shape[1]), vectors)


KINDS: dict[str, Callable[[int], Any]] = {
    "flat": faiss.IndexFlatIP,
    "hnsw": lambda d: faiss.IndexHNSWFlat(d, 8, faiss.METRIC_INNER_PRODUCT),
    "ivf": lambda d: faiss.index_factory(d, "IVF2,Flat", faiss.METRIC_INNER_PRODUCT),
    "half": lambda d: faiss.index_factory(d, "SQfp16", faiss.METRIC_INNER_PRODUCT),
    "id map": lambda d: faiss.index_factory(d, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_imported_index_finds_what_plain_faiss_finds(
    kind: str, bi: BiEncoder, vectors: FloatArray, tmp_path: Path
) -> None:
    made = KINDS[kind](vectors.shape[1])
    if kind == "id map":
        made.add_with_ids(vectors, np.arange(len(vectors)))
        faiss.write_index(made, str(tmp_path / "a.faiss"))
    else:
        saved(tmp_path / "a.faiss", made, vectors)
    index = import_faiss(tmp_path / "a.faiss", CORPUS, bi, tmp_path / "index")
    assert index.documents(index.rows()) == CORPUS
    assert index.encoder.fingerprint == bi.fingerprint()
    plain = faiss.IndexFlatIP(vectors.shape[1])
    plain.add(vectors)
    scores, _ = plain.search(vectors[:5], 5)
    found, rows = index.search(vectors[:5], 5)
    tolerance = 2e-3 if kind == "half" else 1e-6
    np.testing.assert_allclose(found, scores, atol=tolerance)
    cosines = np.einsum("qd,qkd->qk", vectors[:5], vectors[rows])
    np.testing.assert_allclose(cosines, scores, atol=tolerance)


def test_an_exported_index_is_plain_faiss_and_comes_back(
    bi: BiEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_files, "BLOCK", 7)
    index = build_index(iter(CORPUS), bi, tmp_path / "index")
    index.remove(["d3", "d11"])
    out, texts = tmp_path / "v.faiss", tmp_path / "t.jsonl"
    assert export_faiss(index, out, texts) == 28
    plain = faiss.read_index(str(out))
    assert type(plain) is faiss.IndexFlatIP
    documents = list(read_corpus(texts))
    assert documents == [one for one in CORPUS if one.id not in ("d3", "d11")]
    np.testing.assert_array_equal(plain.reconstruct_n(0, 28), index.vectors(index.rows()))
    again = import_faiss(out, read_corpus(texts), bi, tmp_path / "again")
    queries = bi.encode(TEXTS[:6])
    (scores, rows), (expected, places) = again.search(queries, 5), index.search(queries, 5)
    np.testing.assert_array_equal(scores, expected)
    assert [again.ids(row) for row in rows] == [index.ids(row) for row in places]


def refused(folder: Path, path: Path, corpus: list[Document], bi: BiEncoder) -> str:
    with pytest.raises(DataError) as caught:
        import_faiss(path, corpus, bi, folder / "index")
    assert not (folder / "index").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_vectors_that_do_not_fit_are_refused(
    bi: BiEncoder, vectors: FloatArray, tmp_path: Path
) -> None:
    d = vectors.shape[1]
    for name, made, values, message in (
        ("l2", faiss.IndexFlatL2(d), vectors, "compares by the L2 distance"),
        ("l1", faiss.IndexFlat(d, faiss.METRIC_L1), vectors, "by another metric"),
        ("narrow", faiss.IndexFlatIP(d - 1), vectors[:, :-1], f"dimension {d - 1}, not {d};"),
        ("long", faiss.IndexFlatIP(d), vectors * 3, "'d0' has the length 3, not 1"),
        ("other", faiss.IndexFlatIP(d), vectors[::-1].copy(), "give the encoder that made"),
    ):
        path = saved(tmp_path / name, made, np.ascontiguousarray(values))
        assert message in refused(tmp_path, path, CORPUS, bi), name
    mapped = faiss.IndexIDMap2(faiss.IndexFlatIP(d))
    mapped.add_with_ids(vectors, np.arange(100, 130))
    faiss.write_index(mapped, str(tmp_path / "ids"))
    assert "has ids of its own" in refused(tmp_path, tmp_path / "ids", CORPUS, bi)


@pytest.mark.parametrize(("change", "message"), [(-1, "are 29;"), (1, "are more than 30;")])
def test_another_number_of_texts_is_refused(
    change: int, message: str, flat: Path, bi: BiEncoder, tmp_path: Path
) -> None:
    corpus = [*CORPUS, replace(CORPUS[0], id="more")][: len(CORPUS) + change]
    assert message in refused(tmp_path, flat, corpus, bi)


def test_what_is_no_index_of_faiss_is_refused(bi: BiEncoder, tmp_path: Path) -> None:
    assert "there is no file" in refused(tmp_path, tmp_path / "no", CORPUS, bi)
    (tmp_path / "text").write_text("글", encoding="utf-8")
    assert "is not a FAISS index" in refused(tmp_path, tmp_path / "text", CORPUS, bi)


def test_nothing_is_exported_over_another_file(bi: BiEncoder, tmp_path: Path) -> None:
    index = build_index(iter([*CORPUS, Document("x", "글", {"id": 1})]), bi, tmp_path / "index")
    texts = tmp_path / "t.jsonl"
    cases: tuple[tuple[type[KosimError], Path, str], ...] = (
        (ConfigError, tmp_path / "t.csv", "suffix"),
        (DataError, texts, "'x' has a value called 'id'"),
    )
    for error, path, message in cases:
        with pytest.raises(error, match=message):
            export_faiss(index, tmp_path / "v.faiss", path)
        assert sorted(one.name for one in tmp_path.iterdir()) == ["index"]
    texts.write_text("mine", encoding="utf-8")
    with pytest.raises(StorageError, match=r"t\.jsonl exists already"):
        export_faiss(index, tmp_path / "v.faiss", texts)
    assert texts.read_text(encoding="utf-8") == "mine"
