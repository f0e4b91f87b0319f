"""What is searched and what is found: documents, hits, and the JSON of hits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kosim.encoders.errors import DataError
from kosim.encoders.texts import described, is_text

LONGEST_TEXT = 10_000
"""Characters of the longest text that counts as a sentence; encoders read far less of it."""

LONGEST_ID = 1_000
"""Characters of the longest id."""

_SHOWN = 60


@dataclass(frozen=True, repr=False)
class Document:
    """One sentence of a corpus.

    ``id`` is unique in an index; two documents may have the same ``text``. ``extra`` holds the
    other columns of its record, JSON values by name, and comes back with every hit.
    """

    id: str
    text: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        more = f", {len(self.extra)} more" if self.extra else ""
        return f"Document({self.id!r:.40}, {_short(self.text)}{more})"


class BadValueError(Exception):
    """What is wrong with a value of a document, said without the document."""


def checked_text(value: object) -> str:
    """Return ``value`` if it can be the text of a document.

    Raises:
        BadValueError: it is not a string, blank, too long, or holds characters that no text has.
    """
    if value is None or value == "":
        raise BadValueError("the text is blank; give a sentence or remove the line")
    if not isinstance(value, str):
        raise BadValueError(f"the text is {value!r:.40}, which is not a string; give a sentence")
    if not value.strip():
        raise BadValueError("the text is nothing but blanks; give a sentence or remove the line")
    if len(value) > LONGEST_TEXT:
        raise BadValueError(
            f"the text has {len(value):,} characters; the limit is {LONGEST_TEXT:,}: split it"
        )
    if "\0" in value:
        raise BadValueError("the text has a NUL character; is this a text file?")
    return whole_characters(value)


def checked_id(value: object) -> str:
    """Return ``value`` if it can be the id of a document.

    Raises:
        BadValueError: it is not a string, blank, too long, or holds half a character.
    """
    if not isinstance(value, str):
        raise BadValueError(f"the id is {value!r:.40}, which is not a string; give one")
    if not value.strip():
        raise BadValueError("the id is empty; give every document one")
    if len(value) > LONGEST_ID:
        raise BadValueError(
            f"the id has {len(value):,} characters; the limit is {LONGEST_ID:,}: shorten it"
        )
    return whole_characters(value)


def whole_characters(text: str) -> str:
    """Return ``text`` if it has no lone surrogate.

    Raises:
        BadValueError: it has one.
    """
    if not is_text(text):
        raise BadValueError(f"{text!r:.40} holds half a character (a lone surrogate); correct it")
    return text


def check_document(document: Document) -> None:
    """Check the id and the text of a document that is to stand in an index.

    Raises:
        DataError: one of them cannot; the document is named.
    """
    if not isinstance(document, Document):
        raise DataError(
            f"the corpus holds {described(document)}, which is not a Document; give "
            "Document(id, text) for each text, or read a file with read_corpus"
        )
    try:
        checked_id(document.id)
        checked_text(document.text)
    except BadValueError as error:
        raise DataError(f"document {document.id!r:.40}: {error}") from None


@dataclass(frozen=True, repr=False)
class SearchHit:
    """One document that was found.

    ``score`` is on 0-5, and hits are ordered by it: the reranker's calibrated score, or what an
    interpolation makes of both encoders', or the bi-encoder's where there is no reranker.
    ``retrieval_score`` is what the mode orders by: cosine, BM25 or the sum of reciprocal ranks.
    ``rerank_score`` is the reranker's own raw value.
    """

    rank: int
    id: str
    text: str
    score: float
    retrieval_score: float
    rerank_score: float | None
    extra: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"SearchHit({self.rank}, {self.id!r:.40}, {self.score:.2f}, {_short(self.text)})"


@dataclass(frozen=True, repr=False)
class SearchResult:
    """The hits of one query, best first.

    ``candidates`` is how many documents were retrieved and ``reranked`` how many of them the
    reranker scored. ``seconds`` is the wall time of the call divided by its queries: a call
    works on all of them together. ``missing`` names the shards that could not answer: the hits are
    the best of all others. ``calibrated`` says whether the scores were fitted to labels.
    """

    query: str
    hits: tuple[SearchHit, ...]
    candidates: int
    reranked: int
    seconds: float
    missing: tuple[str, ...] = ()
    calibrated: bool = True

    def __repr__(self) -> str:
        first = f", first {self.hits[0]!r}" if self.hits else ""
        return f"SearchResult({_short(self.query)}, {len(self.hits)} hits{first})"


def _short(text: object) -> str:
    shown = repr(text)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"


def hit_json(hit: SearchHit) -> dict[str, Any]:
    """Return a hit as JSON values."""
    return {
        "rank": hit.rank,
        "id": hit.id,
        "text": hit.text,
        "score": hit.score,
        "retrieval_score": hit.retrieval_score,
        "rerank_score": hit.rerank_score,
        "extra": dict(hit.extra),
    }


def result_json(result: SearchResult) -> dict[str, Any]:
    """Return the result of one query as JSON values: its hits, counts and the rest."""
    return {
        "query": result.query,
        "hits": [hit_json(hit) for hit in result.hits],
        "candidates": result.candidates,
        "reranked": result.reranked,
        "seconds": result.seconds,
        "missing": list(result.missing),
        "calibrated": result.calibrated,
    }
