"""What a request may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kosim.serving.problems import Problem
from kosim.serving.settings import ServingSettings


@dataclass(frozen=True)
class Limits:
    """How many items a request may have, and how many characters a text of it."""

    items: int
    characters: int

    @classmethod
    def of(cls, settings: ServingSettings) -> Limits:
        """Return the limits of a server."""
        return cls(settings.max_items, settings.max_characters)

    def check(self, name: str, texts: Sequence[str], *, blank: bool = False) -> None:
        """Check the texts of the field ``name``.

        Args:
            name: of the field, for the message.
            texts: at least one.
            blank: whether a text may be empty or of blanks only.

        Raises:
            Problem: 413 for too many, 422 for none, a blank or a too long one; the limit is named.
        """
        self.check_count(name, len(texts))
        for number, text in enumerate(texts):
            where = f"{name}[{number}]" if len(texts) > 1 else name
            self.check_text(where, text, blank=blank)

    def check_count(self, name: str, count: int) -> None:
        """Check a number of items; raises a `Problem` as :meth:`check`."""
        if not count:
            raise Problem(422, "empty", f"{name} is empty; give at least one", param=name)
        if count > self.items:
            raise Problem(
                413,
                "too_many",
                f"{name} has {count:,} items; the limit max-items is {self.items:,}: split it",
                param=name,
            )

    def check_text(self, name: str, text: str, *, blank: bool = False) -> None:
        """Check one text; raises a `Problem` as :meth:`check`."""
        if len(text) > self.characters:
            raise Problem(
                422,
                "too_long",
                f"{name} has {len(text):,} characters; the limit max-characters is "
                f"{self.characters:,}",
                param=name,
            )
        if not blank and not text.strip():
            raise Problem(422, "blank", f"{name} is blank; give a sentence", param=name)
