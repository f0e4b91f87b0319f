"""Texts are taken from whatever holds them, and what holds none is refused in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from datasets import Dataset

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import DataError
from kosim.encoders.texts import as_pairs, as_texts
from kosim.index.build import build_index
from kosim.index.documents import Document
from kosim.index.mining import mine_texts
from kosim.index.searcher import Searcher
from tests.encoders.tiny import SENTENCES

HOLDERS: dict[str, Callable[[list[str]], Any]] = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "dict keys": lambda texts: dict.fromkeys(texts).keys(),
    "array": np.array,
    "array of objects": lambda texts: np.array(texts, dtype=object),
    "Series": pd.Series,
    "column of Arrow": pa.array,
    "Series from 100 on": lambda texts: pd.Series(texts, index=range(100, 100 + len(texts))),
    "column": lambda texts: Dataset.from_dict({"text": texts})["text"],
}
NO_TEXTS: dict[str, tuple[Callable[[], Any], str]] = {
    "string": (lambda: "거실 불", "the text '거실 불'"),
    "bytes": (lambda: b"abc", "b'abc'"),
    "none": (lambda: None, "None"),
    "number": (lambda: 3, "3"),
    "table": (lambda: pd.DataFrame({"a": ["가"], "b": ["나"]}), "a table"),
    "data set": (lambda: Dataset.from_dict({"text": ["가"]}), "a table"),
    "mapping": (lambda: {"가": 1}, "{'가': 1}"),
    "array of no dimension": (lambda: np.array("가"), "array"),
}
NO_TEXT: dict[str, tuple[Any, str]] = {
    "none": (None, "None"),
    "number": (3, "3"),
    "nan": (float("nan"), "nan"),
    "bytes": (b"a", "b'a'"),
    "list": (["가"], r"\['가'\]"),
    "half a character": ("불\ud83d", r"the text '불\\ud83d'"),
}


@pytest.fixture(params=HOLDERS)
def held(request: pytest.FixtureRequest) -> Any:
    """The sentences, in each holder in turn."""
    return HOLDERS[request.param](SENTENCES)


@pytest.fixture(params=NO_TEXTS)
def no_texts(request: pytest.FixtureRequest) -> tuple[Any, str]:
    """Each value that is no sequence of texts, and how it is described."""
    make, described = NO_TEXTS[request.param]
    return make(), described


@pytest.fixture(params=NO_TEXT)
def no_text(request: pytest.FixtureRequest) -> tuple[Any, str]:
    """Each value that is not text, and how it is described."""
    return NO_TEXT[request.param]


def test_every_holder_gives_plain_strings(held: Any) -> None:
    texts = as_texts(held)
    assert texts == SENTENCES
    assert {type(text) for text in texts} == {str}


def test_encode_takes_every_holder(held: Any, bi: BiEncoder) -> None:
    np.testing.assert_array_equal(bi.encode(held), bi.encode(SENTENCES))


def test_rank_takes_every_holder(held: Any, encoder: PairEncoder) -> None:
    assert encoder.rank(SENTENCES[0], held) == encoder.rank(SENTENCES[0], SENTENCES)


def test_a_slice_of_a_series_is_ranked_by_position(encoder: PairEncoder) -> None:
    series = pd.Series(SENTENCES * 40)
    hits = encoder.rank(SENTENCES[0], series[100:105])
    assert sorted(hit.position for hit in hits) == [0, 1, 2, 3, 4]
    assert all(hit.text == series.iloc[100 + hit.position] for hit in hits)


@pytest.mark.parametrize(
    "hold",
    [list, iter, np.array, lambda pairs: (list(pair) for pair in pairs)],
    ids=["list", "generator", "array", "lists"],
)
def test_score_takes_pairs_from_every_holder(
    hold: Callable[[list[tuple[str, str]]], Any], encoder: PairEncoder
) -> None:
    pairs = [(SENTENCES[0], text) for text in SENTENCES]
    np.testing.assert_array_equal(encoder.score(hold(pairs)), encoder.score(pairs))


def test_an_iterator_is_gone_through_once(bi: BiEncoder) -> None:
    taken: list[str] = []

    def texts() -> Iterator[str]:
        for text in SENTENCES:
            taken.append(text)
            yield text

    assert bi.encode(texts()).shape == (len(SENTENCES), bi.dimension)
    assert taken == SENTENCES


def test_what_holds_no_texts_is_refused(no_texts: tuple[Any, str], bi: BiEncoder) -> None:
    value, described = no_texts
    for call, name in (
        (bi.encode, "texts"),
        (lambda texts: bi.rank("가", texts), "documents"),
        (bi.score, "pairs"),
    ):
        with pytest.raises(DataError, match="give a list of") as caught:
            call(value)
        assert str(caught.value).startswith(f"{name} is ")
        assert described in str(caught.value)


def test_a_member_that_is_no_text_is_named_with_its_position(
    no_text: tuple[Any, str], encoder: PairEncoder, bi: BiEncoder
) -> None:
    value, described = no_text
    with pytest.raises(DataError, match=f"texts 2 is {described}"):
        bi.encode(["가", "나", value])
    with pytest.raises(DataError, match=f"documents 1 is {described}"):
        encoder.rank("가", ["나", value])
    with pytest.raises(DataError, match="pair 1 is "):
        encoder.score([("가", "나"), ("다", value)])
    with pytest.raises(DataError, match=f"the query is {described}"):
        encoder.rank(value, ["가"])


@pytest.mark.parametrize(
    "pair",
    ["가나", {"가": 1, "나": 2}, {"가", "나"}, ("가",), 3],
    ids=["text", "mapping", "set", "one", "number"],
)
def test_what_is_no_pair_is_named(pair: Any) -> None:
    with pytest.raises(DataError, match=r"pair 0 is .*two strings each"):
        as_pairs([pair])


def test_an_index_takes_queries_from_every_holder(held: Any, bi: BiEncoder, tmp_path: Any) -> None:
    documents = [Document(str(number), text) for number, text in enumerate(SENTENCES)]
    index = build_index(iter(documents), bi, tmp_path / "index", name="tiny")
    found = Searcher(index, bi).search(held, k=1)
    assert [result.hits[0].text for result in found] == SENTENCES


def test_an_index_of_texts_that_are_no_documents_is_refused(bi: BiEncoder, tmp_path: Any) -> None:
    for corpus in ("corpus.txt", [None]):
        with pytest.raises(DataError, match="read_corpus"):
            build_index(corpus, bi, tmp_path / "index", name="tiny")
    with pytest.raises(DataError, match="which is not a Document"):
        mine_texts(SENTENCES, bi)  # type: ignore[arg-type]
