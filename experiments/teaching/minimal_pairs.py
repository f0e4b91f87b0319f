"""Minimal pairs to train on: sentences that differ by one contrast, and others that say the same.

An encoder that learnt from annotated pairs alone takes 불 꺼 줘 and 불 켜 줘 for the same, because
they share their words. Here rules negate a sentence, put an antonym or another number into it, and
so on, with a low label; nearly as many pairs say the same in another style, order, spelling or in
other words, with a high label, so that not every small change lowers the score; and a few are
unrelated short texts.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.records import LabelledPairs
from kosim.experiments.teaching.analysis import Analysis, analyse
from kosim.experiments.teaching.commands import KINDS, commands
from kosim.experiments.teaching.contrasts import CONTRASTS, Rule
from kosim.experiments.teaching.rewrites import REWRITES

LABELS = {
    "negation": 1.5,
    "antonym": 1.5,
    "number": 2.0,
    "time": 2.0,
    "name": 2.0,
    "role": 2.0,
    "modality": 2.0,
    "quantity": 2.0,
    "conditional": 2.0,
    "style": 4.6,
    "particle": 4.7,
    "order": 4.5,
    "spacing": 4.8,
    "typo": 4.5,
    "synonym": 4.3,
    "full-width": 5.0,
    "decomposed": 5.0,
    "paraphrase": 4.2,
    "unrelated": 0.0,
}
"""The label of each phenomenon, 0 to 5.

KLUE-STS calls 2 "not equivalent but shares some details" and 1 "same topic". Its annotators gave
opposites such as "샴푸 없어요" and "샴푸 있습니다" 1.0, advice for and against a hot shower 2.0,
and passed over many changed numbers (3.4). A negation is therefore 1.5, another number 2.0.
"""

SHARES = {
    "negation": 13,
    "antonym": 12,
    "number": 8,
    "time": 4,
    "name": 6,
    "role": 3,
    "modality": 3,
    "quantity": 2,
    "conditional": 1,
    "style": 8,
    "particle": 4,
    "order": 3,
    "spacing": 4,
    "typo": 4,
    "synonym": 4,
    "full-width": 2,
    "decomposed": 2,
    "paraphrase": 10,
    "unrelated": 8,
}
"""How many of a hundred pairs each phenomenon gets; rare ones get fewer, and commands stand in."""

FROM_COMMANDS = 0.4
"""Share of a contrast's pairs that are commands, not sentences of the corpus."""

_READ = 20
"""Sentences that are read for each pair that is wanted: rare phenomena are not sought forever."""

_ROUNDS = 20
"""Commands that are drawn, at most, for each pair that is wanted."""

_SHORT = [*"abcdefghijklmnopqrstuvwxyz0123456789", *"가나다라마바사아자차카타파하ㅋㅠ?!"]

Pair = tuple[str, str, str]


def minimal_pairs(sentences: Iterable[str], count: int, seed: int) -> LabelledPairs:
    """Make minimal pairs of sentences and of commands.

    Args:
        sentences: a corpus; what Kiwi does not understand is passed over.
        count: pairs to make.
        seed: decides what is drawn; the same sentences and seed give the same pairs.

    Returns:
        ``count`` different pairs in random order, whose sources name the phenomenon.

    Raises:
        ConfigError: count is not positive.
        DataError: the sentences give fewer pairs.
        MissingExtraError: Kiwi is not installed.
    """
    if count < 1:
        raise ConfigError(f"{count} minimal pairs were asked for; ask for at least 1")
    rng = random.Random(seed)
    corpus = sorted(set(sentences))
    rng.shuffle(corpus)
    total = sum(SHARES.values())
    wanted = {name: max(1, round(count * share / total)) for name, share in SHARES.items()}
    chosen: dict[tuple[str, str], str] = {}
    _add(chosen, _changed(corpus, wanted, rng))
    _add(chosen, itertools.islice(_unrelated(corpus, rng), wanted["unrelated"]))
    have = Counter(chosen.values())
    for name in (*KINDS, "paraphrase"):
        _add(chosen, itertools.islice(_commanded(name, rng), max(0, wanted[name] - have[name])))
    rest = _round_robin(rng)
    for _ in range(_ROUNDS * count):
        if len(chosen) >= count:
            break
        _add(chosen, [next(rest)])
    if len(chosen) < count:
        raise DataError(
            f"{len(corpus):,} sentences give only {len(chosen):,} of {count:,} minimal pairs; "
            "give more sentences, or ask for fewer pairs"
        )
    pairs = list(chosen.items())
    rng.shuffle(pairs)
    pairs = pairs[:count]
    return LabelledPairs.from_lists(
        [pair for pair, _ in pairs],
        [LABELS[name] for _, name in pairs],
        [name for _, name in pairs],
    )


def _add(chosen: dict[tuple[str, str], str], pairs: Iterable[Pair]) -> None:
    """Keep pairs that are not there in either order and whose texts differ."""
    for one, other, name in pairs:
        if one != other and (other, one) not in chosen:
            chosen.setdefault((one, other), name)


def _changed(corpus: list[str], wanted: dict[str, int], rng: random.Random) -> Iterator[Pair]:
    """Yield at most one pair of a sentence, of the phenomenon that lacks most."""
    rules: dict[str, Rule] = {**CONTRASTS, **REWRITES}
    share = {name: 1 - FROM_COMMANDS if name in CONTRASTS else 1.0 for name in rules}
    lacking = {name: round(wanted[name] * share[name]) for name in rules}
    for found in analyse(corpus[: _READ * sum(wanted.values())]):
        lacking = {name: n for name, n in lacking.items() if n > 0}
        if not lacking:
            return
        for name in sorted(lacking, key=lambda name: -lacking[name] / wanted[name]):
            changed = rules[name](found, rng)
            if changed is not None and changed != found.text:
                yield _turned(found, changed, name, rng)
                lacking[name] -= 1
                break


def _turned(found: Analysis, changed: str, name: str, rng: random.Random) -> Pair:
    """Put either first, and write a quarter of the contrasts in another style too."""
    if name in CONTRASTS and rng.random() < 0.25:
        again = next(analyse([changed]), None)
        restyled = REWRITES["style"](again, rng) if again else None
        changed = restyled or changed
    return (found.text, changed, name) if rng.random() < 0.5 else (changed, found.text, name)


def _commanded(name: str, rng: random.Random) -> Iterator[Pair]:
    """Yield commands: paraphrases, or a command and its contrast."""
    while True:
        said = next(commands(rng.choice(KINDS) if name == "paraphrase" else name, rng))
        yield said.sentence, said.paraphrase if name == "paraphrase" else said.contrast, name


def _unrelated(corpus: list[str], rng: random.Random) -> Iterator[Pair]:
    """Yield texts that have nothing to do with each other: sentences, words, letters."""
    short = [one for one in corpus if 2 <= len(one) <= 20] or corpus or ["안녕"]
    words = (
        sorted({word for one in short[:5_000] for word in one.split() if len(word) > 1}) or short
    )
    while True:
        sort = rng.random()
        one, other = (
            rng.choice(short if sort < 0.6 else words if sort < 0.9 else _SHORT) for _ in range(2)
        )
        if not set(one) & set(other) - {" ", ".", "?"} or sort < 0.4:
            yield one, other, "unrelated"


def _round_robin(rng: random.Random) -> Iterator[Pair]:
    """Yield commands of every kind, and as many paraphrases."""
    while True:
        for name in KINDS:
            yield next(_commanded(name, rng))
            yield next(_commanded("paraphrase", rng))
