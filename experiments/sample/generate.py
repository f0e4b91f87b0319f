"""Write the sample data set: ``python -m experiments.sample.generate``.

The same bytes come out on every machine: all chance is ``random.Random`` seeded by a text.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import chain, cycle
from pathlib import Path

from kosim.encoders.errors import DataError
from kosim.encoders.storage import write_text
from kosim.experiments.sample.grammar import DOMAINS, Frame, Split, read_frames
from kosim.experiments.sample.labels import label
from kosim.experiments.sample.recipes import (
    OTHER_TOPIC_SHARE,
    RECIPES,
    SIBLING_SHARE,
    Made,
    Recipe,
    pair_across,
    share_a_word,
)

PAIRS_PER_DOMAIN: dict[Split, int] = {"train": 800, "test": 160}
"""How many pairs each domain contributes to a split."""

FOLDER = Path(__file__).parent
_TRIES = 10_000

Row = tuple[str, str, float, str]


class _Collector:
    """Gathers the rows of one split, refusing repeated and self-paired sentences."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._seen: set[frozenset[str]] = set()

    def add(self, pair: Made) -> bool:
        """Add a pair in the order given; return whether it was new."""
        first, second = pair
        key = frozenset((first.text.rstrip("."), second.text.rstrip(".")))
        if len(key) < 2 or key in self._seen:
            return False
        self._seen.add(key)
        self.rows.append((first.text, second.text, label(first, second), first.frame.domain))
        return True


def _fill(collector: _Collector, count: int, make: Callable[[], Made]) -> None:
    goal = len(collector.rows) + count
    for _ in range(_TRIES):
        if len(collector.rows) == goal:
            return
        collector.add(make())
    raise DataError(f"the frames are too few for {count} different pairs; write more of them")


def _by_recipe(recipe: Recipe, frames: list[Frame], rng: random.Random) -> Callable[[], Made]:
    fitting = [frame for frame in frames if recipe.fits(frame)]
    rng.shuffle(fitting)
    turn = cycle(fitting)
    return lambda: recipe.make(next(turn), rng)


def _one_domain(
    frames: list[Frame], foreign: list[Frame], size: int, rng: random.Random
) -> list[Row]:
    collector = _Collector()

    def sibling() -> Made:
        first = rng.choice(frames)
        siblings = [frame for frame in frames if frame.topic == first.topic and frame is not first]
        return pair_across(first, rng.choice(siblings), rng)

    def other_topic() -> Made:
        first = rng.choice(frames)
        others = [frame for frame in frames if frame.topic != first.topic]
        pair = pair_across(first, rng.choice(others), rng)
        return other_topic() if share_a_word(pair) else pair

    def other_domain() -> Made:
        return pair_across(rng.choice(frames), rng.choice(foreign), rng)

    for recipe in RECIPES:
        _fill(collector, round(size * recipe.share), _by_recipe(recipe, frames, rng))
    _fill(collector, round(size * SIBLING_SHARE), sibling)
    _fill(collector, round(size * OTHER_TOPIC_SHARE), other_topic)
    _fill(collector, size - len(collector.rows), other_domain)
    return collector.rows


def generate(split: Split) -> list[Row]:
    """Return a split's rows ``(sentence1, sentence2, score, source)``, shuffled.

    A pair of two domains carries the source of its first sentence.

    Raises:
        DataError: the frames cannot yield enough different pairs.
    """
    frames = {domain: read_frames(domain, split) for domain in DOMAINS}
    rows: list[Row] = []
    for domain in DOMAINS:
        rng = random.Random(f"kosim sample {split} {domain}")
        foreign = list(chain.from_iterable(frames[name] for name in DOMAINS if name != domain))
        rows += _one_domain(frames[domain], foreign, PAIRS_PER_DOMAIN[split], rng)
    random.Random(f"kosim sample {split}").shuffle(rows)
    return rows


def as_tsv(rows: list[Row]) -> str:
    """Return the rows as the text of a TSV file with a header and no quoting."""
    lines = ["sentence1\tsentence2\tscore\tsource"]
    lines += [f"{first}\t{second}\t{score:.1f}\t{source}" for first, second, score, source in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write ``train.tsv`` and ``test.tsv`` beside this file."""
    for split in PAIRS_PER_DOMAIN:
        write_text(FOLDER / f"{split}.tsv", as_tsv(generate(split)))


if __name__ == "__main__":
    main()
