"""Write the sample data set: ``python -m benchmarks.sample.generate``.

The same bytes come out on every machine: all chance is ``random.Random`` seeded by a text.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import chain, cycle
from pathlib import Path

from benchmarks.sample.frames import DOMAINS, Frame, Split, read_frames
from benchmarks.sample.grammar import (
    GRAMMAR,
    OTHER_TOPIC_SHARE,
    SIBLING_SHARE,
    Rule,
    SaidPair,
    pair_across,
    share_a_word,
)
from benchmarks.sample.labels import label
from kosim.encoders.errors import DataError
from kosim.encoders.storage import write_text

PAIRS_PER_DOMAIN: dict[Split, int] = {"train": 800, "test": 160}
"""How many pairs each domain contributes to a split."""

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "sample"
"""Where the data set lies: it is installed with kosim."""

_TRIES = 10_000

Row = tuple[str, str, float, str]


class _Collector:
    """Gathers the rows of one split, refusing repeated and self-paired sentences."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._seen: set[frozenset[str]] = set()

    def add(self, pair: SaidPair) -> bool:
        """Add a pair in the order given; return whether it was new."""
        first, second = pair
        key = frozenset((first.text.rstrip("."), second.text.rstrip(".")))
        if len(key) < 2 or key in self._seen:
            return False
        self._seen.add(key)
        self.rows.append((first.text, second.text, label(first, second), first.frame.domain))
        return True


def _fill(collector: _Collector, count: int, make: Callable[[], SaidPair]) -> None:
    goal = len(collector.rows) + count
    for _ in range(_TRIES):
        if len(collector.rows) == goal:
            return
        collector.add(make())
    raise DataError(f"the frames are too few for {count} different pairs; write more of them")


def _by_rule(rule: Rule, frames: list[Frame], rng: random.Random) -> Callable[[], SaidPair]:
    fitting = [frame for frame in frames if rule.fits(frame)]
    rng.shuffle(fitting)
    turn = cycle(fitting)
    return lambda: rule.make(next(turn), rng)


def _one_domain(
    frames: list[Frame], foreign: list[Frame], size: int, rng: random.Random
) -> list[Row]:
    collector = _Collector()

    def sibling() -> SaidPair:
        first = rng.choice(frames)
        siblings = [frame for frame in frames if frame.topic == first.topic and frame is not first]
        return pair_across(first, rng.choice(siblings), rng)

    def other_topic() -> SaidPair:
        first = rng.choice(frames)
        others = [frame for frame in frames if frame.topic != first.topic]
        pair = pair_across(first, rng.choice(others), rng)
        return other_topic() if share_a_word(pair) else pair

    def other_domain() -> SaidPair:
        return pair_across(rng.choice(frames), rng.choice(foreign), rng)

    for rule in GRAMMAR:
        _fill(collector, round(size * rule.share), _by_rule(rule, frames, rng))
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
    """Write ``train.tsv`` and ``test.tsv`` into `FOLDER`."""
    for split in PAIRS_PER_DOMAIN:
        write_text(FOLDER / f"{split}.tsv", as_tsv(generate(split)))


if __name__ == "__main__":
    main()
