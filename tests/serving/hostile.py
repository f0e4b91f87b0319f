"""Bodies that no client in its right mind sends."""

from __future__ import annotations

import json
import random

ENDPOINTS = [
    "/",
    "/v1/similarity",
    "/v1/explain",
    "/v1/rerank",
    "/v2/rerank",
    "/rerank",
    "/v1/embeddings",
    "/v1/search",
    "/v1/documents",
]

_VALUES = [
    "NaN",
    "Infinity",
    "-1e999",
    "null",
    "true",
    "1" * 400,
    "1e400",
    '""',
    '"\\ud800"',
    '"\\udfff\\ud800 half"',
    '"\\u0000"',
    '"👩‍👩‍👧‍👦"',
    '"\\u202eעברית"',
    "[]",
    "{}",
    "[[[[[[[[[[]]]]]]]]]]",
    '{"text": "\\ud83d"}',
    '"' + "가" * 500 + '"',
]
_FIELDS = [
    "r1",
    "r2",
    "sentence",
    "pairs",
    "query",
    "documents",
    "texts",
    "input",
    "k",
    "candidates",
    "mode",
    "top_n",
    "dimensions",
    "encoding_format",
    "encoder",
    "on_duplicate",
    "\\ud800",
    "__proto__",
]

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{'query': 'x'}",
    "half": b'{"query": "x", "documents": [',
    "not UTF-8": b'{"query": "\xff\xfe"}',
    "UTF-16": '{"query": "가", "documents": ["나"]}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"query": "x", "documents": ["y"]}',
    "NUL": b"\0\0\0\0",
    "number": b"7",
    "NaN": b"NaN",
    "deep": b"[" * 50_000 + b"]" * 49_999,
    "deep and whole": b"[" * 40_000 + b"]" * 40_000,
    "deep objects": b'{"a":' * 15_000 + b"1" + b"}" * 15_000,
    "same key twice": b'{"query": "x", "query": 3, "documents": ["y"]}',
    "huge number": b'{"query": "x", "k": ' + b"9" * 5000 + b"}",
    "half a character as a key": b'{"query": "x", "\\ud800": 1}',
    "half a character": (
        b'{"query": "\\ud800", "documents": ["\\udc00"], "texts": ["\\ud800"], '
        b'"input": "\\ud800", "pairs": [["\\ud800", "x"]], "r1": {"sentence": "\\ud800"}, '
        b'"r2": {"sentence": "\\ud800"}}'
    ),
    "half a character in extra": (
        b'{"documents": [{"id": "e1", "text": "x", "extra": {"\\ud800": NaN}}]}'
    ),
    "NaN in extra": b'{"documents": [{"id": "e2", "text": "x", "extra": {"a": NaN}}]}',
}


def random_body(random: random.Random) -> bytes:
    """Return a body of fields that exist and values that should not be there."""
    fields = random.sample(_FIELDS, random.randint(1, 6))
    pairs = [f'"{name}": {_value(random)}' for name in fields]
    body = ("{" + ", ".join(pairs) + "}").encode("utf-8")
    if random.random() < 0.2:
        cut = random.randrange(len(body))
        body = body[:cut] + bytes(random.randrange(256) for _ in range(3)) + body[cut + 1 :]
    return body


def large_body(random: random.Random, size: int) -> bytes:
    """Return a valid body of ``size`` bytes or a little more."""
    filler = "긴 글 " * (size // 8)
    return json.dumps({"query": filler, "documents": [filler]}, ensure_ascii=False).encode()


def _value(random: random.Random) -> str:
    value = random.choice(_VALUES)
    for _ in range(random.randint(0, 2)):
        value = random.choice((f"[{value}]", f"[{value}, {value}]", f'{{"sentence": {value}}}'))
    return value
