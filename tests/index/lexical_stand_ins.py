"""What tests of lexical search share: an analyser without Kiwi, and parts without vectors."""

from __future__ import annotations

import numpy as np

from kosim.index.store.snapshot import Part


class Words:
    """Splits at blanks, and counts the texts that it was given."""

    def __init__(self, version="words-1"):
        self.version = version
        self.seen = 0

    def terms(self, texts):
        for text in texts:
            self.seen += 1
            yield text.split()

    query_terms = terms


class Parts:
    """Segments by name, a delta, and removed rows: what LexicalIndex reads of a snapshot."""

    def __init__(self, folder, segments=None, delta=()):
        self.folder = folder
        self.generation = 1
        self.segments = {name: list(texts) for name, texts in (segments or {}).items()}
        self.delta = list(delta)
        self.removed = set()
        self.retired_segments = set()

    @property
    def version(self):
        return (self.generation, tuple(self.delta), tuple(sorted(self.removed)))

    def parts(self):
        result, start = [], 0
        for name, texts in [*self.segments.items(), (None, self.delta)]:
            alive = np.array(
                [start + row not in self.removed for row in range(len(texts))], dtype=np.bool_
            )
            result.append(Part(name, start, len(texts), alive, lambda t=list(texts): _batches(t)))
            start += len(texts)
        return result

    def compact(self, name):
        """Make one segment of everything that is alive."""
        texts = [text for part in self.segments.values() for text in part] + self.delta
        kept = [text for row, text in enumerate(texts) if row not in self.removed]
        self.segments, self.delta, self.removed = {name: kept}, [], set()
        self.generation += 1


def _batches(texts):
    for start in range(0, len(texts), 3):
        yield texts[start : start + 3]
