"""Text that is not ours on a terminal: control characters made visible, and any encoding served."""

from __future__ import annotations

import codecs
import io
import re
import sys

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2028\u2029\u2066-\u2069]")
"""C0 and C1 without tab and line feed, what ends a line elsewhere, and what turns its direction."""

_SURROGATE = re.compile("[\ud800-\udfff]")

_LOOKALIKES = {
    **{"−": "-", "–": "-", "—": "-", "×": "x", "…": "...", "·": "-", "•": "*", "⚠": "!", "→": "->"},
    **{"≤": "<=", "≥": ">=", "±": "+/-", "“": '"', "”": '"', "‘": "'", "’": "'", "\u00a0": " "},
    **{"━": "-", "╸": "-", "╺": "-", "─": "-", "│": "|"},
}
_HANDLER = "kosim.visible"


def visible(text: str) -> str:
    """Return text that cannot steer a terminal: what is not to be seen is written as an escape.

    Line feeds and tabs stay. Bytes of a path that are not UTF-8 become ``\\xb0``.
    """
    return _SURROGATE.sub(_escape, _CONTROL.sub(_escape, text))


def _escape(found: re.Match[str]) -> str:
    return _escaped(found.group())


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte that Python could not decode
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _replacement(error: UnicodeError) -> tuple[str, int]:
    """Say what a stream writes for characters that its encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_LOOKALIKES.get(each) or _escaped(each) for each in lacking), error.end


def serve_any_encoding() -> None:
    """Let standard output and error write every text: what they cannot encode is replaced."""
    codecs.register_error(_HANDLER, _replacement)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def can_encode(text: str) -> bool:
    """Say whether standard output has every character of a text in its encoding."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
