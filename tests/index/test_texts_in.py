"""An index of plain texts, and how short everything shows itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import DataError
from kosim.index.build import build_index
from kosim.index.documents import Document
from kosim.index.searcher import Searcher
from tests.index.builds import BLOCK, CORPUS, assert_holds


def test_texts_become_documents_with_their_numbers_as_ids(bi: BiEncoder, tmp_path: Path) -> None:
    texts = [document.text for document in CORPUS[: BLOCK + 1]]
    index = build_index(pd.Series(texts), bi, tmp_path / "index", block_size=BLOCK)
    assert_holds(index, [Document(str(n), text) for n, text in enumerate(texts, 1)], bi)
    assert repr(index) == f"CorpusIndex({str(tmp_path / 'index')!r}, {BLOCK + 1} documents)"


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("글", "read_corpus first"),
        (pd.DataFrame({"text": ["글"]}), "a table"),
        ([3], "not a Document"),
    ],
    ids=["text", "table", "number"],
)
def test_what_holds_no_texts_is_refused(
    corpus: Any, message: str, bi: BiEncoder, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        build_index(corpus, bi, tmp_path / "index")


def test_what_is_found_is_shown_short(bi: BiEncoder, tmp_path: Path) -> None:
    long = Document("d" * 900, "긴 글 " * 2000, {"a": 1, "b": 2})
    searcher = Searcher(build_index([long], bi, tmp_path / "index"), bi)
    (result,) = searcher.search(["긴 글 " * 90], k=1)
    for thing in (long, searcher, result, result.hits[0]):
        assert len(repr(thing)) < 400
