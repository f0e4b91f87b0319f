"""What distinguishes the two sentences of a pair: negation, numbers, names, style and more.

With Kiwi installed the sentences are compared by their morphemes; without it simple rules look at
their letters, which finds no names but those in Latin letters. A distinction is a hint where to
look, not a judgement: a pair can have several.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from kosim.encoders.errors import MissingExtraError
from kosim.encoders.metrics import Floats
from kosim.encoders.records import LabelledPairs, Pair
from kosim.encoders.texts import comparable
from kosim.encoders.tokenizers.kiwi import composed, kiwi_version, load_kiwi
from kosim.experiments.slices.antonyms import ANTONYMS

Distinction = Literal["negation", "number", "name", "antonym", "order", "style"]
DISTINCTIONS: tuple[Distinction, ...] = get_args(Distinction)

_NEGATORS = {("안", "MAG"), ("못", "MAG"), ("없이", "MAG"), ("아니", "VCN"), ("말", "VX")} | {
    (stem, tag) for stem in ("않", "못하", "안되", "없", "모르") for tag in ("VV", "VA", "VX")
}
_NEGATED = re.compile(
    r"(?:^|\s)(?:안\s|못\s|안(?:되|돼|됐|된|될|됩|했|해)|못(?:하|해|했|한|할|합))"
    r"|지\s?(?:는\s?|도\s?|를\s?)?(?:않|못|말(?:고|아|자|라|았|기|길|도록)|맙"
    r"|마(?:세요|십시오|시오|시길|요|라(?![가-힣])|(?![가-힣])))"
    r"|없|아니|아닌|아닐|아닙|모르|모른|모를|모릅|몰라|몰랐"
)
_SAID_SIGNS = ("SL", "SN", "SH")
"""Kiwi's tags of signs that are read aloud: Latin letters, digits and Chinese characters."""

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_WHEN = re.compile(
    r"[월화수목금토일]요일|그저께|어제|오늘|내일|모레|글피|작년|올해|내년|지난\s?[주달해]|다음\s?[주달해]"
    r"|정오|자정|새벽|아침|점심|저녁"
    r"|(?:^|\s)(?:열|스물|스무|서른|마흔|쉰|예순|일흔|여든|아흔)?"
    r"(?:한|두|세|네|석|넉|다섯|여섯|일곱|여덟|아홉|(?<=[열물무른흔쉰순든]))"
    r"\s?(?:개|명|번|시|시간|달|살|마리|권|대|장|층|박|잔|병|분|사람|가지|곳|송이|그루|켤레)"
    # A number of one sign stands apart from what it counts: 만 년, but 만년필.
    r"|(?:^|\s)(?:[일이삼사오육칠팔구십백천만억]+[십백천만억][일이삼사오육칠팔구]?\s?|[십백천만억](?:\s|(?=원)))"
    r"(?:개|명|원|년|월|일|분|초|층|호|점|회|배|주|박|권|대|미터|킬로|그램|퍼센트)"
    r"(?=$|[\s.,!?]|[이은는을를에의도만과와간]|까지|부터|짜리)"
)
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9]+")
_PARTICLES = re.compile(
    r"(?<=[가-힣A-Za-z0-9])(?:에게서|에서|에게|한테|께서|까지|부터|으로|로|와|과|은|는|이|가|을|를|에|의|도|만)$"
)
_FORMAL = re.compile(r"(?:니다|니까|십시오|시오)$")
_POLITE = re.compile(r"[요죠]$")
_HONORIFIC = re.compile(
    r"으시|[하가오주계드보되]시(?:는|면|고|지|다|길|겠)|[으하주계드오](?:신|실)\s|셨|세요|십니|십시|께서"
)

_HONORIFICS = {("시", "EP"), ("으시", "EP"), ("께서", "JKS")}


@dataclass(frozen=True)
class _Reading:
    """What is compared of a sentence."""

    negators: int
    numbers: Counter[str]
    names: frozenset[str]
    words: tuple[str, ...]
    content: tuple[str, ...]
    particles: tuple[str, ...]
    style: tuple[str, bool]


def distinctions(pairs: Sequence[Pair]) -> tuple[list[frozenset[Distinction]], bool]:
    """Return what distinguishes the sentences of each of n pairs, and whether Kiwi read them."""
    texts = list(dict.fromkeys(composed(text) for pair in pairs for text in pair))
    try:
        kiwi_version("slices by morphemes")
    except MissingExtraError:
        readings, by_kiwi = dict(zip(texts, map(_by_rules, texts), strict=True)), False
    else:
        tokens = load_kiwi().tokenize(texts)
        readings = {
            text: _by_morphemes(text, [(each.form, str(each.tag)) for each in found])
            for text, found in zip(texts, tokens, strict=True)
        }
        by_kiwi = True
    found = [_compare(readings[composed(a)], readings[composed(b)]) for a, b in pairs]
    return found, by_kiwi


def _compare(one: _Reading, other: _Reading) -> frozenset[Distinction]:
    same_words = Counter(one.content) == Counter(other.content)
    holds: dict[Distinction, bool] = {
        "negation": one.negators != other.negators,
        "number": one.numbers != other.numbers,
        "name": one.names != other.names,
        "antonym": _antonyms(one.words, other.words),
        "order": same_words and (one.content != other.content or one.particles != other.particles),
        "style": one.style != other.style,
    }
    return frozenset(name for name, held in holds.items() if held)


def _antonyms(one: Sequence[str], other: Sequence[str]) -> bool:
    def has(words: Sequence[str], side: tuple[str, ...]) -> bool:
        return any(word.startswith(side) for word in words)

    only_one = [word for word in one if word not in other]
    only_other = [word for word in other if word not in one]
    return any(
        (has(only_one, left) and has(only_other, right))
        or (has(only_one, right) and has(only_other, left))
        for left, right in ANTONYMS
    )


def _by_morphemes(text: str, tokens: Sequence[tuple[str, str]]) -> _Reading:
    return _Reading(
        negators=sum((form, tag.partition("-")[0]) in _NEGATORS for form, tag in tokens),
        numbers=_numbers(text),
        names=frozenset(form for form, tag in tokens if tag in ("NNP", "SL")),
        words=tuple(form for form, tag in tokens if tag[0] in "NVMX"),
        content=tuple(form for form, tag in tokens if tag[0] not in "JES" or tag in _SAID_SIGNS),
        particles=tuple(form for form, tag in tokens if tag[0] == "J"),
        style=(_level(text), any(token in _HONORIFICS for token in tokens)),
    )


def _by_rules(text: str) -> _Reading:
    words = [word.strip(".,!?\"'()") for word in text.split()]
    bare = [_PARTICLES.sub("", word) for word in words]
    return _Reading(
        negators=len(_NEGATED.findall(text)),
        numbers=_numbers(text),
        names=frozenset(_LATIN.findall(text)),
        words=tuple(words),
        content=tuple(bare),
        particles=tuple(
            word[len(stem) :] for word, stem in zip(words, bare, strict=True) if word != stem
        ),
        style=(_level(text), bool(_HONORIFIC.search(text))),
    )


def _numbers(text: str) -> Counter[str]:
    said = [*_NUMBER.findall(text), *(found.strip() for found in _WHEN.findall(text))]
    return Counter(each.replace(" ", "") for each in said)


def _level(text: str) -> str:
    end = text.rstrip(" .!?~^\"')")
    return "formal" if _FORMAL.search(end) else "polite" if _POLITE.search(end) else "plain"


def bigram_overlap(pairs: LabelledPairs) -> Floats:
    """Return for n pairs the Dice share of their sets of character bigrams, (n,) of 0 to 1."""
    return np.array([_dice(_bigrams(one), _bigrams(other)) for one, other in pairs.pairs])


def _bigrams(text: str) -> set[str]:
    """Return the bigrams of a text; of a single character, the character itself."""
    known = comparable(text)
    return {known[at : at + 2] for at in range(max(len(known) - 1, 1))}


def _dice(one: set[str], other: set[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other))
