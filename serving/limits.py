"""What a request may hold: refused beyond it, or cut and said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Response

from kosim.encoders.interface import Encoder
from kosim.serving.models import name_of
from kosim.serving.problems import Problem
from kosim.serving.settings import ServingSettings

TRUNCATED = "X-Kosim-Truncated"
"""The header that says how many texts or pairs of a request were cut."""

UNCALIBRATED = "X-Kosim-Uncalibrated"
"""The header that names the encoders whose scores are their own values, spread over 0-5."""


@dataclass(frozen=True)
class Limits:
    """How many items a request may have, and how many characters of a text are read."""

    items: int
    characters: int

    @classmethod
    def of(cls, settings: ServingSettings) -> Limits:
        """Return the limits of a server."""
        return cls(settings.max_items, settings.max_characters)

    def cut(self, name: str, texts: Sequence[str], *, blank: bool = False) -> list[str]:
        """Return the texts of the field ``name``, each cut at the limit of characters.

        Args:
            name: of the field, for the message.
            texts: at least one.
            blank: whether a text may be empty or of blanks only.

        Raises:
            Problem: 413 for too many, 422 for none or a blank one; the limit is named.
        """
        self.check_count(name, len(texts))
        return [
            self.cut_text(f"{name}[{number}]" if len(texts) > 1 else name, text, blank=blank)
            for number, text in enumerate(texts)
        ]

    def cut_text(self, name: str, text: str, *, blank: bool = False) -> str:
        """Return one text, cut at the limit of characters; raises a `Problem` as `cut`."""
        text = text[: self.characters]
        if not blank and not text.strip():
            raise Problem(422, "blank", f"{name} is blank; give a sentence", param=name)
        return text

    def count_cut(self, *texts: str) -> int:
        """Return how many texts are over the limit of characters."""
        return sum(len(text) > self.characters for text in texts)

    def check_stored(self, name: str, texts: Sequence[str]) -> None:
        """Check texts that are kept, of which nothing may be lost.

        Raises:
            Problem: 413 for too many, 422 for none, a blank or a too long one; the limit is named.
        """
        self.cut(name, texts)
        for number, text in enumerate(texts):
            if len(text) > self.characters:
                field = f"{name}[{number}]"
                raise Problem(
                    422,
                    "too_long",
                    f"{field} has {len(text):,} characters; the limit max-characters is "
                    f"{self.characters:,}: split it",
                    param=field,
                )

    def check_count(self, name: str, count: int) -> None:
        """Check a number of items; raises a `Problem` as `cut`."""
        if not count:
            raise Problem(422, "empty", f"{name} is empty; give at least one", param=name)
        if count > self.items:
            raise Problem(
                413,
                "too_many",
                f"{name} has {count:,} items; the limit max-items is {self.items:,}: split it",
                param=name,
            )

    def check_number(self, name: str, count: int) -> None:
        """Check how many things a request asks for.

        Raises:
            Problem: 422, the limit is named.
        """
        if not 1 <= count <= self.items:
            raise Problem(
                422,
                "invalid_value",
                f"{name} is {count:,}; give 1 to {self.items:,}, which is the limit max-items",
                param=name,
            )


def tell_uncalibrated(response: Response, *encoders: Encoder) -> None:
    """Name in a header the encoders whose scores were never fitted to labels, if any."""
    if names := [name_of(encoder) for encoder in encoders if not encoder.calibrated]:
        response.headers[UNCALIBRATED] = quote(", ".join(names), safe="/, ")


def tell_truncated(response: Response, count: int) -> int:
    """Say in a header how many texts or pairs were cut, if any, and return the number."""
    if count:
        response.headers[TRUNCATED] = str(count)
    return count
