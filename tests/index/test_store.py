"""The store: what is committed is there and is found; brute force is the oracle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kosim.encoders.errors import ConfigError, KosimError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.store import commit
from kosim.index.store.manifest import MANIFEST
from tests.index.stored import (
    DOCUMENTS,
    MORE,
    MORE_VECTORS,
    QUERIES,
    VECTORS,
    expect,
    expect_search_only,
    files,
)
from tests.index.vectors import DIMENSION, ENCODER, brute_force, corpus, in_blocks, unit_vectors


def test_a_new_index_holds_its_corpus(index: CorpusIndex) -> None:
    expect(index, DOCUMENTS, VECTORS)
    assert [part.rows for part in index.snapshot.parts()] == [25, 25, 10, 0]
    assert index.encoder == ENCODER
    assert index.generation == 1


def test_additions_are_found_and_survive(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    both = np.concatenate([VECTORS, MORE_VECTORS])
    expect(index, DOCUMENTS + MORE, both)
    expect(CorpusIndex.open(index.folder), DOCUMENTS + MORE, both)


def test_an_addition_costs_what_is_added(index: CorpusIndex) -> None:
    before = files(index.folder)
    index.add(MORE[:1], MORE_VECTORS[:1])
    after = files(index.folder)
    changed = {name for name in after if after[name] != before.get(name)}
    manifest = index.snapshot.manifest
    assert changed == {manifest.log, manifest.acknowledgement}
    assert sum(map(len, after.values())) - sum(map(len, before.values())) < 500


def test_removed_documents_are_not_found(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    index.remove(["문서-0", "문서-30", "새것-2"])
    documents = DOCUMENTS[1:30] + DOCUMENTS[31:] + MORE[:2] + MORE[3:]
    kept = [*range(1, 30), *range(31, 62), *range(63, 80)]
    both = np.concatenate([VECTORS, MORE_VECTORS])[kept]
    expect(index, documents, both)
    expect(CorpusIndex.open(index.folder), documents, both)
    assert index.locate(["문서-0", "새것-2", "문서-1"]).tolist() == [-1, -1, 1]


def test_a_removed_id_can_come_back(index: CorpusIndex) -> None:
    for _ in range(3):
        index.remove(["문서-59"])
        index.add(DOCUMENTS[59:], VECTORS[59:])
    expect(index, DOCUMENTS, VECTORS)


def test_replaced_documents_are_found_anew(index: CorpusIndex) -> None:
    changed = [replace(document, text="바뀐 문장") for document in DOCUMENTS[5:8]]
    index.add(
        changed + MORE, np.concatenate([MORE_VECTORS[:3], MORE_VECTORS]), on_duplicate="replace"
    )
    expect(
        index,
        DOCUMENTS[:5] + changed + DOCUMENTS[8:] + MORE,
        np.concatenate([VECTORS[:5], MORE_VECTORS[:3], VECTORS[8:], MORE_VECTORS]),
    )


def test_of_two_replacements_with_one_id_the_later_counts(index: CorpusIndex) -> None:
    twice = [Document("문서-1", "먼저"), Document("새것-1", "하나"), Document("문서-1", "나중")]
    index.add(twice, MORE_VECTORS[:3], on_duplicate="replace")
    place = index.locate(["문서-1"])
    assert index.texts(place) == ["나중"]
    np.testing.assert_array_equal(index.vectors(place), MORE_VECTORS[2:3])


def test_the_same_sentence_may_have_two_ids(index: CorpusIndex) -> None:
    index.add([Document("하나", "같은 문장"), Document("둘", "같은 문장")], MORE_VECTORS[[0, 0]])
    scores, places = index.search(MORE_VECTORS[:1], 2)
    assert index.ids(places[0]) == ["하나", "둘"]
    assert scores[0, 0] == scores[0, 1]


def test_ties_go_to_the_smaller_place_across_parts(tmp_path: Path) -> None:
    same = np.repeat(unit_vectors(1), 12, axis=0)
    documents, _ = corpus(12)
    index = CorpusIndex.create(tmp_path / "i", ENCODER, [(documents[:8], same[:8])], segment_rows=3)
    index.add(documents[8:], same[8:])
    index.remove(["문서-4"])
    scores, places = index.search(same[:1], 9)
    assert places[0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert len(set(scores[0].tolist())) == 1


def test_extra_values_come_back(tmp_path: Path) -> None:
    extra = {"평점": 4.5, "태그": ["a", {"b": None}], "맞음": True, "빈": ""}
    index = CorpusIndex.create(
        tmp_path / "i", ENCODER, [([Document("1", "문", extra)], VECTORS[:1])]
    )
    index.add([Document("2", "장", extra)], VECTORS[1:2])
    assert [dict(document.extra) for document in index.documents([0, 1])] == [extra, extra]


def test_more_hits_than_documents_are_missing_not_wrong(index: CorpusIndex) -> None:
    index.add(MORE[:2], MORE_VECTORS[:2])
    index.remove(["문서-7"])
    scores, places = index.search(QUERIES, 100)
    assert scores.shape == places.shape == (7, 100)
    assert (np.sort(places[:, :61], axis=1) == index.rows()).all()
    assert (places[:, 61:] == -1).all()
    assert (scores[:, 61:] == -np.inf).all()


def test_an_index_can_become_empty(index: CorpusIndex) -> None:
    index.remove([document.id for document in DOCUMENTS])
    for _ in range(2):
        scores, places = index.search(QUERIES, 3)
        assert len(index) == 0
        assert (places == -1).all()
        assert (scores == -np.inf).all()
        index.compact()
    assert index.snapshot.parts()[0].name is None
    index.add(DOCUMENTS, VECTORS)
    expect(index, DOCUMENTS, VECTORS)


def test_parts_give_every_text_in_order(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    index.remove(["문서-3", "새것-3"])
    parts = index.snapshot.parts()
    texts = [text for part in parts for batch in part.texts() for text in batch]
    assert texts == [document.text for document in DOCUMENTS + MORE]
    alive = np.concatenate([part.alive for part in parts])
    np.testing.assert_array_equal(np.flatnonzero(alive), index.rows())
    assert [part.start for part in parts] == [0, 25, 50, 60]


def test_a_long_log_becomes_a_segment(index: CorpusIndex, short_log: None) -> None:
    index.add(MORE[:8], MORE_VECTORS[:8])
    index.remove(["새것-1", "문서-4"])
    assert index.generation == 1
    index.add(MORE[8:], MORE_VECTORS[8:])
    assert index.generation == 2
    assert [part.rows for part in index.snapshot.parts()] == [25, 25, 10, 19, 0]
    documents = DOCUMENTS[:4] + DOCUMENTS[5:] + MORE[:1] + MORE[2:]
    vectors = np.concatenate([np.delete(VECTORS, 4, 0), np.delete(MORE_VECTORS, 1, 0)])
    expect(index, documents, vectors)
    expect(CorpusIndex.open(index.folder), documents, vectors)


def test_replacing_while_the_log_ends(index: CorpusIndex, short_log: None) -> None:
    index.add(MORE[:5], MORE_VECTORS[:5])
    index.add(
        MORE + DOCUMENTS[:1], np.concatenate([MORE_VECTORS, VECTORS[:1]]), on_duplicate="replace"
    )
    assert index.generation == 2
    expect(index, DOCUMENTS + MORE, np.concatenate([VECTORS, MORE_VECTORS]))


def test_a_long_list_of_removals_ends_the_log(
    index: CorpusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "LOG_BYTES", 100)
    index.remove([document.id for document in DOCUMENTS[:30]])
    assert index.generation == 2
    assert [part.rows for part in index.snapshot.parts()] == [25, 10, 0]
    expect(index, DOCUMENTS[30:], VECTORS[30:])


def test_compact_leaves_one_segment_of_the_living(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    index.remove(["문서-9"])
    index.compact()
    assert [part.rows for part in index.snapshot.parts()] == [79, 0]
    assert index.info()["removed"] == 0
    expect(
        index,
        DOCUMENTS[:9] + DOCUMENTS[10:] + MORE,
        np.concatenate([VECTORS[:9], VECTORS[10:], MORE_VECTORS]),
    )


def test_compact_does_nothing_where_nothing_would_change(index: CorpusIndex) -> None:
    index.compact()
    before = files(index.folder)
    index.compact()
    assert files(index.folder) == before


def test_compact_changes_the_type(index: CorpusIndex) -> None:
    index.compact(type="hnsw")
    info = index.info()
    assert [segment["type"] for segment in info["segments"]] == ["hnsw"]
    assert info["type"] == "hnsw"
    expect(CorpusIndex.open(index.folder), DOCUMENTS, VECTORS)


def test_a_last_segment_too_small_for_its_type_takes_another(index: CorpusIndex) -> None:
    with pytest.raises(ConfigError, match="ivfpq needs at least"):
        index.compact(type="ivfpq")
    expect(CorpusIndex.open(index.folder), DOCUMENTS, VECTORS)
    assert index.generation == 1


def test_old_files_go_one_generation_late(index: CorpusIndex, short_log: None) -> None:
    first = index.snapshot.manifest
    index.compact()
    assert (index.folder / first.log).is_file()
    assert (index.folder / "segments" / first.segments[0].name).is_dir()
    index.add(MORE, MORE_VECTORS)
    assert index.generation == 3
    assert not (index.folder / first.log).exists()
    assert not (index.folder / "segments" / first.segments[0].name).exists()
    named = index.snapshot.manifest.paths() | set(index.snapshot.manifest.retired)
    there = {f"segments/{path.name}" for path in (index.folder / "segments").iterdir()}
    there |= {path.name for path in index.folder.iterdir() if path.name != "segments"}
    assert there - named == {MANIFEST, "write.lock"}


def test_info_counts(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    index.remove(["문서-1", "새것-1"])
    info = index.info()
    assert (info["documents"], info["removed"], info["generation"]) == (78, 2, 1)
    assert [segment["removed"] for segment in info["segments"]] == [1, 0, 0]
    assert all(segment["why"] and segment["type"] == "flat" for segment in info["segments"])
    assert info["bytes"] == sum(map(len, files(index.folder).values()))
    assert info["encoder"]["name"] == "runs/bi"
    json.dumps(info, allow_nan=False)


def test_overwriting_keeps_the_old_index_until_the_new_one_is_whole(index: CorpusIndex) -> None:
    reader = CorpusIndex.open(index.folder)

    def failing() -> Iterator[tuple[list[Document], npt.NDArray[np.float32]]]:
        yield MORE[:10], MORE_VECTORS[:10]
        raise KosimError("stopped")

    before = files(index.folder)
    with pytest.raises(KosimError, match="stopped"):
        CorpusIndex.create(index.folder, ENCODER, failing(), overwrite=True)
    assert files(index.folder) == before
    CorpusIndex.create(index.folder, ENCODER, [(MORE, MORE_VECTORS)], overwrite=True)
    expect_search_only(reader, DOCUMENTS, VECTORS)
    assert reader.refresh()
    expect(reader, MORE, MORE_VECTORS)


@pytest.mark.parametrize("type", ["hnsw", "ivfpq"])
def test_approximate_index_follows_changes(tmp_path: Path, type: Any) -> None:
    documents, vectors = corpus(10_100)
    index = CorpusIndex.create(
        tmp_path / "index",
        ENCODER,
        in_blocks(documents[:10_000], vectors[:10_000], 4_000),
        type=type,
    )
    assert [segment["type"] for segment in index.info()["segments"]] == [type]
    index.add(documents[10_000:], vectors[10_000:])
    index.remove([document.id for document in documents[:50]])
    queries = np.concatenate([vectors[:20], vectors[10_040:10_060]])
    for _ in ("in the log", "merged"):
        scores, places = index.search(queries, 10)
        truth = brute_force(queries, vectors[50:], 10)[0]
        assert (places >= 0).all()
        found = index.vectors(places.ravel()).reshape(40, 10, DIMENSION)
        np.testing.assert_allclose(scores, np.einsum("qd,qkd->qk", queries, found), atol=1e-6)
        assert np.mean(scores >= truth[:, -1:] - 1e-6) > 0.9
        assert not {document.id for document in documents[:50]} & set(index.ids(places.ravel()))
        assert index.verify() == []
        index.compact()
        assert len(index.info()["segments"]) == 1


def test_index_says_with_which_generation_its_corpus_began(
    index: CorpusIndex, short_log: None
) -> None:
    assert (index.first_generation, index.generation) == (1, 1)
    index.add(MORE, MORE_VECTORS)
    index.compact()
    assert index.first_generation == 1 < index.generation
    anew = CorpusIndex.create(index.folder, ENCODER, [(MORE, MORE_VECTORS)], overwrite=True)
    assert anew.first_generation == anew.generation == index.generation + 1
