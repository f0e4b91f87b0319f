"""The names under which tables call their columns, in English and in Korean.

Names are the same when they differ only in case, spaces, underscores, hyphens, byte order marks
and Unicode composition: ``Sentence 1`` is ``sentence1``, and so is ``SENTENCE_1``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from kosim.encoders.errors import DataError, printable

_NUMBERED = ("sentence", "sent", "text", "question", "query", "문장", "텍스트", "질문", "질의")
_LETTERED = ("sentence", "sent", "text", "question", "문장", "텍스트", "질문")

SENTENCES = (
    *((f"{name}1", f"{name}2") for name in _NUMBERED),
    *((f"{name}_a", f"{name}_b") for name in _LETTERED),
    ("premise", "hypothesis"),
    ("전제", "가설"),
    ("첫 문장", "둘째 문장"),
    ("첫째 문장", "둘째 문장"),
    ("첫 번째 문장", "두 번째 문장"),
    ("문장", "비교 문장"),
    ("기준 문장", "비교 문장"),
    ("원문", "비교문"),
    ("원문장", "비교문장"),
    ("질문", "유사 질문"),
    ("질문", "답변"),
    ("question", "answer"),
    ("query", "document"),
    ("query", "passage"),
    ("질의", "문서"),
)
"""Names of the two sentences of a pair; the first couple that is there wins."""

LABELS = (
    "real-label",
    "score",
    "label",
    "similarity",
    "similarity score",
    "relatedness score",
    "gold label",
    "gold score",
    "gold",
    "rating",
    "is duplicate",
    "유사도",
    "유사도 점수",
    "점수",
    "정답",
    "정답 라벨",
    "라벨",
    "레이블",
    "평점",
    "유사 여부",
    "판정",
)
"""Names of the label, best first: KLUE's unrounded mean wins over the rounded one."""

SOURCES = ("source", "genre", "domain", "출처", "장르", "분야", "도메인")
"""Names of where a pair comes from."""

TEXTS = ("text", "sentence", "문장", "텍스트", "본문", "내용", "document", "passage", "문서")
"""Names of the text of a document."""

IDS = ("id", "document_id", "doc_id", "아이디", "문서 id", "문서 번호")
"""Names of the id of a document; BEIR's ``_id`` is the first of them."""

TITLES = ("title", "제목")
"""Names of the title of a document."""

GROUPS = ("group", "그룹", "집단")
"""Names of the group of a sentence."""

QUERY_IDS = ("query_id", "qid", "질의 id", "질문 id")
"""Names of the id of a query, beside `IDS` in a table of queries."""

QUERIES = ("text", "query", "question", "질의", "질문")
"""Names of the text of a query."""

DOCUMENT_IDS = ("document_id", "corpus_id", "doc_id", "문서 id", "문서 번호")
"""Names of the id of a judged document."""

GAINS = ("relevance", "score", "label", "관련도", "점수")
"""Names of how relevant a document is to a query."""

_IGNORED = re.compile(r"[\s_\-\ufeff\u200b-\u200d]+")


def comparable_name(name: object) -> str:
    """Return the form in which equal names of columns are equal."""
    return _IGNORED.sub("", unicodedata.normalize("NFKC", str(name)).casefold())


KNOWN = frozenset(
    comparable_name(name)
    for names in (
        *SENTENCES,
        LABELS,
        SOURCES,
        TEXTS,
        IDS,
        TITLES,
        GROUPS,
        QUERY_IDS,
        QUERIES,
        DOCUMENT_IDS,
        GAINS,
    )
    for name in names
)
"""All of these names in comparable form: a first line that holds one of them names columns."""


def find_column(columns: Iterable[object], names: Sequence[str]) -> str | None:
    """Return the column that has the first of ``names`` that is there, or None.

    A column that is spelt exactly so wins over one whose comparable name is the same.

    Raises:
        DataError: two columns share the comparable name, and neither is spelt exactly so.
    """
    present: dict[str, list[str]] = {}
    for column in map(str, columns):
        present.setdefault(comparable_name(column), []).append(column)
    for name in names:
        found = present.get(comparable_name(name), [])
        if name in found:
            return name
        if len(found) > 1:
            raise DataError(
                f"the columns {printable(found[0])!r} and {printable(found[1])!r} are both called "
                f"{name!r}; rename one of them"
            )
        if found:
            return found[0]
    return None


def named_column(columns: Iterable[object], name: str) -> str | None:
    """Return the column that a caller means, by name or else by its number from 1, or None.

    Raises:
        DataError: two columns share the comparable name, and neither is spelt exactly so.
    """
    present = [str(column) for column in columns]
    found = find_column(present, [name])
    if found is None and name.isdecimal() and len(name) < 9 and 0 < int(name) <= len(present):
        return present[int(name) - 1]
    return found


def listed(columns: Iterable[object], longest: int = 20, *, more: str = " and {n} more") -> str:
    """Return names of columns for a message, shortened where they are many."""
    names = [printable(column) for column in columns]
    rest = more.format(n=len(names) - longest) if len(names) > longest else ""
    return (", ".join(names[:longest]) + rest) or "none"
