"""Minimal pairs to train on: sentences that differ by one contrast, and others that say the same.

An encoder that learnt from annotated pairs alone takes 불 꺼 줘 and 불 켜 줘 for the same, because
they share their words. Here rules negate a sentence, put an antonym or another number into it, and
so on, with a low label; nearly as many pairs say the same in another style, order, spelling or in
other words, with a high label, so that not every small change lowers the score, mostly of the same
sentence as a contrast; and a few are unrelated short texts.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.records import LabelledPairs
from kosim.experiments.teaching.analysis import Analysis, analyse
from kosim.experiments.teaching.commands import KINDS, commands, topics
from kosim.experiments.teaching.contrasts import CONTRASTS
from kosim.experiments.teaching.rewrites import REWRITES
from kosim.experiments.teaching.word_lists import listed

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
    "identical": 5.0,
}
"""The label of each phenomenon, 0 to 5.

KLUE-STS calls 2 "not equivalent but shares some details" and 1 "same topic". Its annotators gave
opposites such as "샴푸 없어요" and "샴푸 있습니다" 1.0, commands to put a light out and to leave
it on 2.0, two towns 2.4, and passed over many changed numbers (3.2). A negation is therefore 1.5,
another number or place 2.0. Two wordings of one intent of ParaKQC got 3.6 on average and seldom
more than 4.3: in other words is therefore 4.2, and only what changes no word is more. Two intents
got 0.2: what is unrelated is 0.
"""

SHARES = {
    "negation": 8,
    "antonym": 8,
    "number": 8,
    "time": 8,
    "name": 8,
    "role": 8,
    "modality": 8,
    "quantity": 8,
    "conditional": 8,
    "style": 8,
    "particle": 4,
    "order": 6,
    "spacing": 4,
    "typo": 4,
    "synonym": 4,
    "full-width": 2,
    "decomposed": 2,
    "paraphrase": 30,
    "unrelated": 8,
}
"""Weight of each phenomenon: of all contrasts alike; where a corpus has few, commands stand in."""

IDENTICAL = 0.03
"""Share of pairs with the same sentence twice: people try that first, annotators never got it."""

FROM_COMMANDS = 0.4
"""Share of a contrast's pairs that are commands, not sentences of the corpus."""

_READ = 20
"""Sentences that are read for each pair that is wanted: rare phenomena are not sought forever."""

_ROUNDS = 20
"""Commands that are drawn, at most, for each pair that is wanted."""

_BESIDE = {"role": "order"}
"""The rewriting of a sentence that belongs to a contrast: not order, but particles tell roles."""

_LETTERS = [*"abcdefghijklmnopqrstuvwxyz0123456789", *"가나다라마바사아자차카타파하ㅋㅠ?!"]

_WORDS = (
    *("네", "응", "아니요", "안녕하세요", "감사합니다", "미안해", "잠깐만요", "여보세요", "축하해"),
    *("사과", "지하철", "여권", "우산", "축구", "김치", "연필", "병원", "구름", "기타", "달력"),
    *("hello", "test", "ok", "123", "2024"),
)
_SAYING_LITTLE = listed("줘 좀 더 잘 안 못 수 마 주세 주실 있어 있습 없어 해 해요")

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
    for name in KINDS:
        lacking = 2 * max(0, wanted[name] - have[name])
        _add(chosen, itertools.islice(_commanded(name, rng), lacking))
    rest = itertools.cycle(_commanded(name, rng) for name in KINDS)
    for commanded in itertools.islice(rest, _ROUNDS * count):
        if len(chosen) >= count:
            break
        _add(chosen, itertools.islice(commanded, 2))
    if len(chosen) < count:
        raise DataError(
            f"{len(corpus):,} sentences give only {len(chosen):,} of {count:,} minimal pairs; "
            "give more sentences, or ask for fewer pairs"
        )
    pairs = list(chosen.items())
    rng.shuffle(pairs)
    same = list(itertools.islice(_identical(corpus, rng), round(IDENTICAL * count)))
    pairs = [*pairs[: count - len(same)], *same]
    rng.shuffle(pairs)
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


def _identical(corpus: list[str], rng: random.Random) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield sentences of the corpus and commands, each beside itself and once."""
    told: set[str] = set()
    for sentence in reversed(corpus):  # its first ones were changed
        for text in (sentence, next(commands(rng.choice(KINDS), rng)).sentence):
            if text not in told:
                told.add(text)
                yield (text, text), "identical"


def _changed(corpus: list[str], wanted: dict[str, int], rng: random.Random) -> Iterator[Pair]:
    """Yield at most one contrast and one rewriting of a sentence, of what lacks most."""
    shares = ((CONTRASTS, 1 - FROM_COMMANDS), (REWRITES, 1.0))
    lacking = {name: round(wanted[name] * share) for rules, share in shares for name in rules}
    for found in analyse(corpus[: _READ * sum(wanted.values())]):
        if not any(lacking.values()):
            return
        first = ""
        for rules, _ in shares:
            names = [name for name in rules if lacking[name]]
            for name in sorted(names, key=lambda one: (one != first, -lacking[one] / wanted[one])):
                changed = rules[name](found, rng)
                if changed is not None and changed != found.text:
                    yield _turned(found, changed, name, rng)
                    lacking[name] -= 1
                    first = _BESIDE.get(name, "")
                    break


def _turned(found: Analysis, changed: str, name: str, rng: random.Random) -> Pair:
    """Put either first, and write a quarter of the contrasts in another style too."""
    if name in CONTRASTS and rng.random() < 0.25:
        again = next(analyse([changed]), None)
        restyled = REWRITES["style"](again, rng) if again else None
        changed = restyled or changed
    return (found.text, changed, name) if rng.random() < 0.5 else (changed, found.text, name)


def _commanded(name: str, rng: random.Random) -> Iterator[Pair]:
    """Yield a command and its contrast, and then the command and its paraphrase."""
    for said in commands(name, rng):
        yield said.sentence, said.contrast, name
        yield said.sentence, said.paraphrase, "paraphrase"


def _unrelated(corpus: list[str], rng: random.Random) -> Iterator[Pair]:
    """Yield texts that have nothing to do with each other: sentences, words, letters."""
    sentences = [one for one in corpus if 2 <= len(one) <= 20] or ["안녕"]
    said = [next(commands(rng.choice(KINDS), rng)).sentence for _ in range(1_000)]
    words = (*_WORDS, *(word for one in said for word in one.split() if len(word) > 1))
    pools: tuple[Sequence[str], ...] = (sentences, said, words, _LETTERS)
    while True:
        first = rng.choice(pools)
        one = rng.choice(first)
        other = rng.choice(first if rng.random() < 0.7 else rng.choice(pools))
        if not _beginnings(one) & _beginnings(other) and not topics(one) & topics(other):
            yield one, other, "unrelated"


def _beginnings(text: str) -> set[str]:
    """Return the first two letters of each word, without those of words that say little."""
    return {word[:2] for word in text.strip(".?! ").split()} - _SAYING_LITTLE
