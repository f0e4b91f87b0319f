"""The shape of a body, looked at before it is parsed: how deep it is, and of how many parts.

A few megabytes of brackets become gigabytes of Python objects, and thousands of unknown fields a
list of as many errors.
"""

from __future__ import annotations

import re

import numpy as np

from kosim.serving.problems import Problem

DEEPEST = 64
"""Levels of lists and objects in a body."""

_VALUES = 400_000
"""Values of a body: 2,048 lists of token ids fit."""

_FIELDS = 50_000
"""Named values of a body: 2,048 documents of two dozen fields fit."""

# A text without an end goes to the end: searched from each of its quotes, it would take for ever.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def check_shape(body: bytes) -> None:
    """Check a body that should be JSON, without parsing it.

    Raises:
        Problem: 413, it has too many values or fields; 422, it is nested too deeply.
    """
    opened = body.count(b"[") + body.count(b"{")
    if opened <= DEEPEST and body.count(b",") < _VALUES - opened and body.count(b":") <= _FIELDS:
        return  # whatever of it stands within texts
    skeleton = _STRING.sub(b"", body)
    for what, count, most in (
        ("values", skeleton.count(b",") + skeleton.count(b"[") + skeleton.count(b"{"), _VALUES),
        ("fields", skeleton.count(b":"), _FIELDS),
    ):
        if count > most:
            raise Problem(
                413,
                "too_many",
                f"the body has {count:,} {what}; at most {most:,} are read: split it",
            )
    brackets = np.frombuffer(skeleton.translate(None, _NO_BRACKETS), dtype=np.uint8)
    steps = np.where(np.isin(brackets, tuple(b"[{")), 1, -1)
    if len(steps) and int(np.cumsum(steps).max()) > DEEPEST:
        raise Problem(422, "too_deep", f"the body is nested more than {DEEPEST} levels deep")
