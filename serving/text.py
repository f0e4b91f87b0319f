"""The type of every text that a request holds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def _whole(text: str) -> str:
    """Return ``text`` if it is one: JSON can escape half of a surrogate pair.

    Raises:
        ValueError: it holds half a character, which no tokenizer takes.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"half a character (a lone surrogate) stands at {error.start}; correct it"
        ) from None
    return text


Text = Annotated[str, AfterValidator(_whole)]
"""A string without half characters."""
