"""The rule that exchanges who does something and to whom, or what is compared."""

from __future__ import annotations

import itertools
import random

from kosim.experiments.teaching.analysis import Analysis, Morpheme
from kosim.experiments.teaching.word_lists import COUNTRIES, PEOPLE, listed

_ROLES = {
    **dict.fromkeys(("이/JKS", "가/JKS", "은/JX", "는/JX"), "does"),
    **dict.fromkeys(("을/JKO", "를/JKO", "에게/JKB", "한테/JKB", "에게서/JKB"), "gets"),
    "보다/JKB": "less",
}
"""What particles make of a word: who does, to whom, and what is less than another."""

_ORDERS = listed("라 어라 아라 자 세요 십시오 ᆸ시다")

_SOMEBODY = listed("나 너 저 그 그녀 우리 그들")

_MUTUAL = listed(
    "만나 마주치 닮 헤어지 결혼 싸우 사귀 비기 마주하 비슷 비슷하 같 다르 싶 겠 ᆯ게 ᆯ게요 을게 을게요"
)
"""Words beside which both do the same, or which only the speaker says of themselves."""

_PREDICATES = ("VV", "VA", "VX", "VCP", "VCN", "XSV", "XSA")
_WHICH = ("JKG", "/MM")

_NOT_COMPARED = listed(
    "생각 무엇 예상 기대 전 이전 예전 평소 누구 처음 보통 평균 지금 작년 지난해 올해 어제 오늘 "
    "최근 과거 사실 기존 이상 실제 상상 느낌 수준 정도 다음 모습 "
    "재미 전편 원작 스토리 내용 인기 완벽"
)
"""Nouns of which nothing is said but that something is more."""


def reversed_roles(found: Analysis, rng: random.Random) -> str | None:
    """Exchange who does something and to whom, or what is compared: the words, or the particles."""
    if found.has(*_MUTUAL):
        return None
    morphemes = found.morphemes
    words = [at for at, each in enumerate(morphemes) if each.spaced or at == 0]
    roles = {at: _ROLES[found.at(at + 1)] for at in words if found.at(at + 1) in _ROLES}
    ordered = morphemes[found.end].form in _ORDERS
    persons = {at for at in roles if _is_person(morphemes[at], ordered=ordered)}
    compared = {at for at in roles if _is_bare(found, at)}
    simple = sum(each.tag in _PREDICATES for each in morphemes) == 1
    pairs = [
        (one, other)
        for one, other in itertools.combinations(sorted(roles), 2)
        if found.at(one) != found.at(other)
        if ({roles[one], roles[other]} == {"does", "gets"} and persons >= {one, other})
        or (roles[one] == "less" != roles[other] and compared >= {one, other} and simple)
        if not any(each.tag in _PREDICATES for each in morphemes[one:other])
    ]
    if not pairs:
        return None
    one, other = rng.choice(pairs)
    first, second = morphemes[one], morphemes[other]
    marked, marked_too = morphemes[one + 1], morphemes[other + 1]
    more = {each.tag for each in (marked, marked_too, morphemes[one + 2], morphemes[other + 2])}
    middle = morphemes[one + 2 : other]
    if "JX" in more or rng.random() < 0.5:
        first, second = first._replace(spaced=second.spaced), second._replace(spaced=first.spaced)
        return found.replaced(one, other + 1, second, marked, *middle, first)
    return found.replaced(one, other + 2, first, marked_too, *middle, second, marked)


def _is_person(word: Morpheme, *, ordered: bool) -> bool:
    """Whether somebody is named; who is ordered to do something is no other than the listener."""
    named = word.tag in ("NNG", "NNP") and (word.form in PEOPLE or word.form in COUNTRIES)
    return named or (word.tag == "NP" and word.form in _SOMEBODY and not ordered)


def _is_bare(found: Analysis, position: int) -> bool:
    """Whether a noun has nothing before it that says which one."""
    word, before = found.morphemes[position], found.at(position - 1)
    alone = not position or (before.rpartition("/")[2][0] in "JM" and before[-3:] not in _WHICH)
    return alone and word.tag in ("NNG", "NNP") and word.form not in _NOT_COMPARED
