"""The characters of a corpus that a vocabulary should know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

COVERAGE = 0.9998
"""Share of a corpus' characters that are worth a place; the rest are mostly typing errors."""


def rare_characters(texts: Collection[str], coverage: float = COVERAGE) -> set[str]:
    """Return the characters left over when the most frequent ones cover ``coverage`` of the texts.

    Ties are decided by the number of the character, so that the order of the texts is nothing.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    needed = coverage * counts.total()
    covered, rare = 0, set()
    for character, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        if covered >= needed:
            rare.add(character)
        covered += count
    return rare


def without(texts: Collection[str], characters: Collection[str]) -> set[str]:
    """Return the distinct texts with a space in the place of each of ``characters``."""
    table = {ord(character): " " for character in characters}
    return {text.translate(table) for text in texts}
