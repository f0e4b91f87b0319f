"""Adding a corpus to an index, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import (
    CorpusIndexError,
    DataError,
    KosimError,
    StorageError,
)
from kosim.index import build as build_module
from kosim.index.build import extend_index
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from tests.encoders.tiny import WORDS
from tests.index.builds import BLOCK, CORPUS, assert_holds, build, checksum, documents, names

MORE = documents(20, prefix="m", seed=1)


def extend(
    index: CorpusIndex, encoder: BiEncoder, corpus: Sequence[Document] = MORE, **options: Any
) -> int:
    return extend_index(index, iter(corpus), encoder, **{"block_size": BLOCK, **options})


@pytest.mark.parametrize("count", [3, 20])
def test_added_documents_are_there(bi: BiEncoder, tmp_path: Path, count: int) -> None:
    index = build(tmp_path / "index", bi)
    assert extend(index, bi, MORE[:count]) == count
    assert_holds(CorpusIndex.open(tmp_path / "index"), [*CORPUS, *MORE[:count]], bi)
    assert names(tmp_path) == ["index"]


@pytest.mark.parametrize("count", [3, 20])
def test_known_id_is_refused_and_nothing_added(bi: BiEncoder, tmp_path: Path, count: int) -> None:
    index = build(tmp_path / "index", bi)
    before = checksum(tmp_path / "index")
    with pytest.raises(DataError, match="id 'd5' is in "):
        extend(index, bi, [*MORE[: count - 1], Document("d5", "다른 글")])
    assert checksum(tmp_path / "index") == before


@pytest.mark.parametrize("count", [3, 20])
def test_known_id_is_replaced_by_choice(bi: BiEncoder, tmp_path: Path, count: int) -> None:
    index = build(tmp_path / "index", bi)
    new = [Document("d5", WORDS[0]), *MORE[: count - 2], Document("d5", WORDS[1])]
    extend(index, bi, new, on_duplicate="replace")
    assert len(index) == 30 + count - 2
    place = index.locate(["d5"])
    assert index.texts(place) == [WORDS[1]]
    np.testing.assert_allclose(index.vectors(place), bi.encode([WORDS[1]]), atol=1e-5)


@pytest.mark.parametrize("count", [3, 20])
def test_id_twice_in_an_addition_is_refused(bi: BiEncoder, tmp_path: Path, count: int) -> None:
    index = build(tmp_path / "index", bi)
    with pytest.raises(DataError, match="id 'm0' appears twice"):
        extend(index, bi, [*MORE[:count], MORE[0]])
    assert len(index) == 30


def test_bad_text_in_a_late_block_adds_nothing(bi: BiEncoder, tmp_path: Path) -> None:
    index = build(tmp_path / "index", bi)
    before = checksum(tmp_path / "index")
    with pytest.raises(DataError, match="document 'bad'"):
        extend(index, bi, [*MORE, Document("bad", "")])
    assert checksum(tmp_path / "index") == before
    assert names(tmp_path) == ["index"]


def test_failure_between_commits_says_what_stays(
    bi: BiEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = build(tmp_path / "index", bi)
    monkeypatch.setattr(build_module, "ATOMIC", BLOCK)
    add, calls = index.add_block, 0

    def full(*arguments: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StorageError("the disk is full")
        add(*arguments, **options)

    monkeypatch.setattr(index, "add_block", full)
    with pytest.raises(StorageError, match="disk is full; the first 8 of 20 documents"):
        extend(index, bi)
    assert_holds(CorpusIndex.open(tmp_path / "index"), [*CORPUS, *MORE[:BLOCK]], bi)


def test_other_encoder_may_not_add(bi: BiEncoder, koelectra: Path, tmp_path: Path) -> None:
    index = build(tmp_path / "index", bi)
    other = BiEncoder.from_backbone(str(koelectra), max_length=32, device="cpu")
    with pytest.raises(CorpusIndexError) as caught:
        extend(index, other)
    for encoder in (bi, other):
        assert encoder.fingerprint()[:12] in str(caught.value)
    assert len(index) == 30


@pytest.mark.parametrize(
    "corpus, options, part",
    [([], {}, "corpus is empty"), (MORE, {"on_duplicate": "keep"}, "on_duplicate is 'keep'")],
)
def test_impossible_addition_is_refused(
    bi: BiEncoder, tmp_path: Path, corpus: list[Document], options: dict[str, Any], part: str
) -> None:
    index = build(tmp_path / "index", bi)
    with pytest.raises(KosimError, match=part):
        extend(index, bi, corpus, **options)
