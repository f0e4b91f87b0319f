"""Encoders, indexes, runs and studies that version 0.1 wrote still open and say the same.

``write_files.py`` made them with the old code, and ``values.json`` with what that read from them;
``write_format_2.py`` made indexes with the code between that version and the present format.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kosim import (
    CorpusIndex,
    LabelledPairs,
    Searcher,
    TrainingConfig,
    build_index,
    load,
    train,
)
from kosim.encoders.artifact import read_manifest
from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import StorageError
from kosim.index.build import extend_index
from kosim.index.corpus import read_corpus
from kosim.index.sharding.folder import Shards
from kosim.index.sharding.sharded_index import ShardedIndex
from kosim.index.store.manifest import FORMAT
from tests.experiments.tiny_artifacts import answer, checksum

OLD = Path(__file__).parent
VALUES: dict[str, Any] = json.loads((OLD / "values.json").read_text(encoding="utf-8"))
INDEXES = ("flat.index", "hnsw.index")
KINDS = ("bi", "cross")


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old files; no test changes them."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(OLD / "files.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def files(unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, which is the working directory: settings name their data by relative path."""
    folder = shutil.copytree(unpacked, tmp_path / "old")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def format_2(files: Path) -> Path:
    """The files with the indexes of format 2 in place of those of version 0.1."""
    for name in ("hnsw.index", "half.index.building"):
        shutil.rmtree(files / name)
    with tarfile.open(OLD / "format-2.tar.xz") as archive:
        archive.extractall(files, filter="data")
    return files


@pytest.fixture(scope="session")
def bi(unpacked: Path) -> BiEncoder:
    encoder = load(unpacked / "run/bi/seed-1", device="cpu")
    assert isinstance(encoder, BiEncoder)
    return encoder


@pytest.fixture(scope="session")
def cross(unpacked: Path) -> CrossEncoder:
    encoder = load(unpacked / "run/cross/seed-1", device="cpu")
    assert isinstance(encoder, CrossEncoder)
    return encoder


def pairs(folder: Path) -> list[tuple[str, str]]:
    table = pd.read_csv(folder / "test.tsv", sep="\t", quoting=3)[:10]
    return list(zip(table.sentence1, table.sentence2, strict=True))


def queries(folder: Path) -> list[str]:
    return (folder / "queries.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_scores_as_before(
    kind: str, unpacked: Path, bi: BiEncoder, cross: CrossEncoder
) -> None:
    encoder, recorded = {"bi": bi, "cross": cross}[kind], VALUES["encoders"][kind]
    assert encoder.fingerprint() == recorded["fingerprint"]
    assert encoder.threshold == pytest.approx(recorded["threshold"])
    raw = encoder.score(pairs(unpacked), raw=True)
    np.testing.assert_allclose(raw, recorded["raw"], atol=1e-5)
    np.testing.assert_allclose(encoder.score(pairs(unpacked)), recorded["scores"], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_that_does_not_compose_texts_is_given_composed_ones(
    kind: str, bi: BiEncoder, cross: CrossEncoder, unpacked: Path, tmp_path: Path
) -> None:
    encoder = {"bi": bi, "cross": cross}[kind]
    apart = [
        (unicodedata.normalize("NFD", first), unicodedata.normalize("NFD", second))
        for first, second in pairs(unpacked)
    ]
    assert apart != pairs(unpacked)
    np.testing.assert_array_equal(encoder.score(apart), encoder.score(pairs(unpacked)))
    encoder.save(tmp_path / "again")
    assert read_manifest(tmp_path / "again").composed is None


def test_vectors_are_as_before(unpacked: Path, bi: BiEncoder) -> None:
    vectors = bi.encode([first for first, _ in pairs(unpacked)[:3]])
    np.testing.assert_allclose(vectors, VALUES["vectors"], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_is_saved_again_and_trained_further(
    kind: str, files: Path, tmp_path: Path
) -> None:
    encoder = load(files / f"run/{kind}/seed-1", device="cpu")
    encoder.save(tmp_path / "again")
    again = load(tmp_path / "again", device="cpu")
    assert again.fingerprint() == VALUES["encoders"][kind]["fingerprint"]
    np.testing.assert_allclose(
        again.score(pairs(files)), VALUES["encoders"][kind]["scores"], atol=1e-4
    )
    some = LabelledPairs.from_lists(pairs(files), [float(n % 6) for n in range(10)])
    train(again, some, some, TrainingConfig(epochs=1, batch_size=5, learning_rate=0.05))
    assert again.fingerprint() != VALUES["encoders"][kind]["fingerprint"]


def opened(folder: Path) -> CorpusIndex | ShardedIndex:
    if folder.name == "shards.index":
        return ShardedIndex(Shards.open(folder))
    return CorpusIndex.open(folder)


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
@pytest.mark.parametrize("name", [*INDEXES, "shards.index"])
def test_a_search_finds_what_it_found(
    name: str, mode: Any, unpacked: Path, bi: BiEncoder, cross: CrossEncoder
) -> None:
    for way, reranker in (("retrieved", None), ("reranked", cross)):
        searcher = Searcher(opened(unpacked / name), bi, reranker)  # type: ignore[type-var]
        results = searcher.search(queries(unpacked), k=5, candidates=20, mode=mode)
        expected = VALUES["searches"][name][f"{mode} {way}"]
        for result, hits in zip(results, expected, strict=True):
            assert [hit.id for hit in result.hits] == [id for id, _ in hits]
            scores = [hit.score for hit in result.hits]
            np.testing.assert_allclose(scores, [score for _, score in hits], atol=1e-4)


def test_postings_of_the_old_code_are_read_rather_than_built_again(files: Path) -> None:
    """They are derived data: what cannot be read would be replaced without a word."""
    before = {path: path.stat().st_mtime_ns for path in (files / "flat.index/lexical").rglob("*.*")}
    answer(
        "search", "flat.index", *("--encoder", "run/bi/seed-1", "--mode", "lexical"), "비가 와요"
    )
    after = {path: path.stat().st_mtime_ns for path in (files / "flat.index/lexical").rglob("*.*")}
    assert len(before) > 3
    assert after == before


def test_the_candidate_policy_is_applied_as_before(
    unpacked: Path, bi: BiEncoder, cross: CrossEncoder
) -> None:
    searcher = Searcher(CorpusIndex.open(unpacked / "flat.index"), bi, cross)
    results = searcher.search(queries(unpacked), k=3, candidates="auto", chance=0.5)
    assert [result.reranked for result in results] == [
        recorded["reranked"] for recorded in VALUES["automatic"]
    ]
    for result, recorded in zip(results, VALUES["automatic"], strict=True):
        assert [hit.id for hit in result.hits] == [id for id, _ in recorded["hits"]]


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_is_added_to_and_compacted(name: str, files: Path, bi: BiEncoder) -> None:
    index = CorpusIndex.open(name)
    before = VALUES["documents"][name]
    assert sorted(index.ids(index.rows())) == before
    assert index.verify() == []
    extend_index(index, read_corpus("later.csv", id_column="id"), bi)
    index.remove([before[0], "d66"])
    index.compact()
    again = CorpusIndex.open(name)
    ids = sorted([*before[1:], "d67", "d68", "d69"])
    assert sorted(again.ids(again.rows())) == ids
    assert again.verify() == []
    texts = {
        document.id: document
        for file in ("corpus.csv", "more.csv", "later.csv")
        for document in read_corpus(file, id_column="id")
    }
    found = again.documents(again.locate(ids))
    assert found == [texts[id] for id in ids]
    np.testing.assert_allclose(
        again.vectors(again.locate(ids)),
        bi.encode([document.text for document in found]),
        atol=1e-5,
    )


def test_an_unfinished_build_is_refused_by_name_and_left_alone(files: Path, bi: BiEncoder) -> None:
    """Its blocks have no checksums, so it cannot be gone on with: building begins anew."""
    unfinished = checksum(files / "half.index.building")
    corpus = list(read_corpus("corpus.csv", id_column="id"))
    with pytest.raises(StorageError, match=r"half\.index\.building .*another version.* remove"):
        build_index(corpus, bi, "half.index", block_size=VALUES["block"])
    assert checksum(files / "half.index.building") == unfinished
    shutil.rmtree("half.index.building")
    index = build_index(corpus, bi, "half.index", block_size=VALUES["block"])
    assert sorted(index.ids(index.rows())) == sorted(f"d{n}" for n in range(60))


@pytest.mark.parametrize("name", ["hnsw.index", "ivfpq.index"])
def test_an_index_of_format_2_is_searched_and_becomes_one_of_the_present(
    name: str, format_2: Path, bi: BiEncoder
) -> None:
    index = CorpusIndex.open(name)
    recorded = json.loads(Path("found.json").read_text(encoding="utf-8"))[name]
    assert json.loads((index.folder / "manifest.json").read_bytes())["format"] == 2
    assert sorted(index.ids(index.rows())) == recorded["ids"]
    assert index.verify() == []
    results = Searcher(index, bi).search(queries(format_2), k=5)
    for result, hits in zip(results, recorded["hits"], strict=True):
        assert [hit.id for hit in result.hits] == [id for id, _ in hits]
        scores = [hit.score for hit in result.hits]
        np.testing.assert_allclose(scores, [score for _, score in hits], atol=1e-4)
    extend_index(index, read_corpus("later.csv", id_column="id"), bi)
    index.remove([recorded["ids"][0], "d66"])
    ids = sorted([*recorded["ids"][1:], "d67", "d68", "d69"])
    logged = CorpusIndex.open(name)
    assert sorted(logged.ids(logged.rows())) == ids
    logged.compact(type="flat")
    again = CorpusIndex.open(name)
    assert json.loads((index.folder / "manifest.json").read_bytes())["format"] == FORMAT
    assert sorted(again.ids(again.rows())) == ids
    assert again.verify() == []
    found = again.documents(again.locate(ids))
    vectors = bi.encode([document.text for document in found])
    np.testing.assert_allclose(again.vectors(again.locate(ids)), vectors, atol=1e-5)


def test_a_build_begun_before_format_3_is_finished(format_2: Path, bi: BiEncoder) -> None:
    begun = {path: path.stat().st_mtime_ns for path in Path("half.index.building").glob("*.npy")}
    assert len(begun) == 2
    done: list[int] = []
    index = build_index(
        read_corpus("corpus.csv", id_column="id"),
        bi,
        "half.index",
        name="run/bi/seed-1",
        progress=lambda progress: done.append(progress.resumed),
        block_size=VALUES["block"],
    )
    assert done[-1] == 2 * VALUES["block"]
    assert sorted(index.ids(index.rows())) == sorted(f"d{n}" for n in range(60))
    assert index.verify() == []


def test_scores_of_depth_are_taken_up(files: Path) -> None:
    scores = files / "depth/scores.parquet"
    before = scores.stat().st_mtime_ns
    recorded = json.loads((files / "depth/results.json").read_text(encoding="utf-8"))
    results = json.loads(
        answer(
            *("depth", "flat.index", "--reranker", "run/cross/seed-1"),
            *("--encoder", "run/bi/seed-1", "--queries", "queries.txt", "--depths", "5,10,20"),
            *("--sample-top", 30, "--exhaustive-sample", 0, "-k", 3, "--fit-queries", 60),
            *("--fit-depth", 20, "--latency-queries", 1, "--out", "depth", "--json"),
        )
    )
    assert scores.stat().st_mtime_ns == before
    for row, old in zip(results["depths"], recorded["depths"], strict=True):
        assert row["depth"] == old["depth"]
        assert row["survival"] == pytest.approx(old["survival"])
    assert results["recommended"] == recorded["recommended"]


def values(tree: Any) -> list[float]:
    """Return every number of a tree, in order."""
    if isinstance(tree, dict):
        return [number for key in sorted(tree) for number in values(tree[key])]
    if isinstance(tree, list):
        return [number for part in tree for number in values(part)]
    return [tree] if isinstance(tree, int | float) else []


def test_a_run_is_resumed_without_training_again(files: Path) -> None:
    """The killed run: everything was trained, nothing was evaluated."""
    recorded = json.loads((files / "run/results.json").read_text(encoding="utf-8"))
    predictions = pd.read_parquet(files / "run/predictions.parquet")
    weights = files / "run/bi/seed-1/model.safetensors"
    before = weights.stat().st_mtime_ns
    (files / "run/results.json").unlink()
    (files / "run/predictions.parquet").unlink()
    answer("compare", "run/config.toml", "--out", "run", "--resume")
    assert weights.stat().st_mtime_ns == before
    again = pd.read_parquet(files / "run/predictions.parquet")
    pd.testing.assert_frame_equal(again, predictions, atol=1e-4)
    results = json.loads((files / "run/results.json").read_text(encoding="utf-8"))
    for name in KINDS:
        old, new = (found["encoders"][name]["test"] for found in (recorded, results))
        np.testing.assert_allclose(values(new), values(old), atol=1e-3)
    difference = [found["difference"]["pearson"] for found in (recorded, results)]
    np.testing.assert_allclose(values(difference[1]), values(difference[0]), atol=1e-2)


def test_a_study_is_taken_up_and_reported(files: Path) -> None:
    """A grid of two trials of which the first has ended: the second is run, the first is kept."""
    study = ("--storage", "study.db", "--study", "old-bi")
    answer("tune", "worker", *study)
    results = json.loads(answer("tune", "report", *study, "--out", "report", "--json"))
    ended = [trial["value"] for trial in results["trials"]]
    assert len(ended) == 2
    assert ended[0] == VALUES["study"]["values"][0]
    assert None not in ended
    assert (files / "report/report.html").is_file()
    best = tomllib.loads((files / "report/best.toml").read_text(encoding="utf-8"))
    assert best["encoders"]["bi"]["training"]["epochs"] in (1, 2)
