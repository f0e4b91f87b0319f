"""Texts in both languages of reports and notices, side by side so that they say the same."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal, NamedTuple

Language = Literal["en", "ko"]


class Line(NamedTuple):
    """One text in English and in Korean."""

    en: str
    ko: str

    def __str__(self) -> str:
        """Return the English text, which is what a log says."""
        return self.en

    @classmethod
    def join(cls, separator: str, lines: Iterable[Text]) -> Line:
        """Return all texts as one, language by language."""
        given = list(lines)
        return cls(
            *(separator.join(text(line, language) for line in given) for language in LANGUAGES)
        )


LANGUAGES: tuple[Language, ...] = ("en", "ko")
Text = str | Line
"""A text in both languages, or one that is the same in both."""


def text(line: Text, language: Language) -> str:
    """Return a text in one language."""
    return line if isinstance(line, str) else getattr(line, language)


def listed(lines: Iterable[Line]) -> Line:
    """Return texts as a list in words: with "and" before the last in English."""
    given = list(lines)
    english = [line.en for line in given]
    last = " and ".join(filter(None, [", ".join(english[:-1]), english[-1]]))
    return Line(last, ", ".join(line.ko for line in given))


def language_of_locale() -> Language:
    """Return Korean where the environment asks for it, else English."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "ko" if next(filter(None, names), "").startswith("ko") else "en"


def both(template_en: str, template_ko: str, /, **parts: Text | int) -> Line:
    """Fill two templates with the same parts, each in its own language."""

    def filled(template: str, language: Language) -> str:
        return template.format(
            **{k: p if isinstance(p, int) else text(p, language) for k, p in parts.items()}
        )

    return Line(filled(template_en, "en"), filled(template_ko, "ko"))
