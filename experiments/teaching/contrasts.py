"""Rules that change what a sentence says, by one contrast.

Each takes an analysed sentence and returns the changed one, or None where it does not apply. They
would rather pass over a sentence than write a bad one. Those here put another word in place of one.
"""

from __future__ import annotations

import random
import re

from kosim.experiments.teaching.analysis import Analysis, Rule
from kosim.experiments.teaching.predicates import negated, remodalised
from kosim.experiments.teaching.roles import reversed_roles
from kosim.experiments.teaching.word_lists import (
    ADJECTIVES,
    ANTONYMS,
    NAMES,
    QUANTITIES,
    TIMES,
    group_of,
    listed,
)

_JOINING = listed(
    "고/EC 지만/EC 면서/EC 으면서/EC 면서도/EC 으면서도/EC ᆫ데/EC 은데/EC 나/EC 으나/EC"
)
"""Endings that join clauses, of which only both could be turned into their opposites."""

_OF_OTHER_THINGS = listed(
    "어쩔 아무리 상처 피해 부상 손해 은혜 화상 타격 누명 오명 딱 펑펑 끝 바라 하루 듯 무슨 외"
)
"""Words beside which an antonym is none: one does not take off an injury."""

_OF_MANNER = listed("긍정 부정 낙관 비관 능동 수동 적극 소극 진보 보수")
"""Nouns whose antonyms are antonyms before 적, and mostly there alone."""

_COUNTERS = listed("개 명 번 시 시간 달 살 마리 권 대 장 층 가지 잔 병 그루 채 벌 곡 편")

_COUNTS = ("두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열")

_HOURS = listed("오전 오후 아침 점심 저녁 밤 새벽 낮 정오 자정")

_LARGEST = {
    "시": 12,
    "월": 12,
    "일": 28,
    "분": 59,
    "초": 59,
    "박": 9,
    "학년": 6,
    "층": 30,
    "점": 9,
    "세기": 20,
}
"""The largest number that makes sense before a unit."""


def opposed(found: Analysis, rng: random.Random) -> str | None:
    """Put an antonym in place of a word."""
    positions = [
        position
        for position, each in enumerate(found.morphemes)
        if str(each) in ANTONYMS and _stands_alone(found, position)
    ]
    if not positions:
        return None
    position = rng.choice(positions)
    antonym = ANTONYMS[found.at(position)]
    judged = found.has("잘") and antonym in ("좋/VA", "나쁘/VA")  # which says it already
    if_so = found.at(position) == "가능/NNG" and found.at(position + 2) in ("면/EC", "ᆫ/ETM")
    if (
        judged
        or if_so
        or found.has(antonym.partition("/")[0], "별로", "덕분", "못하", "볼만", *_OF_OTHER_THINGS)
    ):
        return None
    return found.swapped(position, antonym)


def _stands_alone(found: Analysis, position: int) -> bool:
    """Whether a word is neither part of a longer one nor of an idiom that has no opposite."""
    each, after = found.morphemes[position], found.at(position + 1)
    judged = sum(one.tag in ("VA", "XSA") for one in found.morphemes)
    several = judged > 1 or any(str(one) in _JOINING for one in found.morphemes)
    if several and (each.tag == "VA" or after.endswith("/XSA")):
        return False
    if each.tag == "NNG":
        if each.form in ADJECTIVES and not after.endswith("/XSA"):
            return False
        if each.form in _OF_MANNER:
            return after == "적/XSN"
        noun_after = after[-4:] in ("/NNG", "/NNP") or after.endswith(("/XSN", "/VCP"))
        inside = noun_after and not found.morphemes[position + 1].spaced
        alone = each.spaced or position == 0
        return alone and not inside and not after.endswith("/NNB") and after != "으로/JKB"
    before = found.at(position - 1)
    if each.tag == "MAG" and position + 1 < found.end and not found.morphemes[position + 1].spaced:
        return False
    if each.tag == "VV" and (before == "어/EC" or _goes_on(found, position)):
        return False
    made_verb = after == "어/EC" and found.at(position + 2) == "하/VX"  # 좋아하다
    if made_verb:
        return False
    wished = after in ("겠/EP", "을까/EF", "ᆯ까/EF") or before in ("어도/EC", "면/EC", "으면/EC")
    return (each.spaced or position == 0) and not wished and not found.has("보다", "더", "제일")


def _goes_on(found: Analysis, position: int) -> bool:
    """Whether a verb goes on in an auxiliary that its antonym does not take, or may be 살다."""
    word, after = found.morphemes[position], found.at(position + 1)
    more = found.morphemes[position + 2] if position + 2 <= found.end else word
    auxiliary = after == "어/EC" and more.tag == "VX" and more.form not in ("주", "놓", "두")
    taught = word.form in ("배우", "가르치") and more.form == "주"
    lives = word.form == "사" and after in (
        "는/ETM",
        "세요/EF",
        "시/EP",
        "ᆫ다/EF",
        "ᆫ/ETM",
        "는데/EC",
    )
    return auxiliary or taught or lives


def renumbered(found: Analysis, rng: random.Random) -> str | None:
    """Change a number that counts, dates or times something."""
    positions = []
    for position, each in enumerate(found.morphemes[:-1]):
        unit, alone = found.morphemes[position + 1], each.spaced or position == 0
        counted = each.tag == "MM" and each.form in _COUNTS and unit.form in _COUNTERS
        written = each.tag == "SN" and re.fullmatch(r"\d{1,4}", each.form)
        if alone and (
            counted
            or (
                written
                and unit.tag in ("NNB", "NNG")
                and unit.form not in ("년대", "대", "틀", "박")
            )
        ):
            positions.append(position)
    if not positions:
        return None
    position = rng.choice(positions)
    old, counted_by = found.morphemes[position], found.morphemes[position + 1].form
    number = _other_number(old.form, counted_by, rng)
    return None if found.has(number) else found.swapped(position, f"{number}/{old.tag}")


def _other_number(old: str, unit: str, rng: random.Random) -> str:
    if not old.isdigit():
        return rng.choice([one for one in _COUNTS if one != old])
    if len(old) == 4 and old[:2] in ("19", "20") and unit == "년":
        return str(int(old) + rng.choice([-12, -7, -5, -4, -3, 3, 4, 5]))
    lowest, highest = 10 ** (len(old) - 1), 10 ** len(old) - 1
    if unit in _LARGEST:
        lowest, highest = 1, _LARGEST[unit]
    step = 5 if int(old) % 5 == 0 and lowest > 1 else 1
    choices = [
        number
        for number in range(lowest, highest + 1, step)
        if abs(number - int(old)) >= max(1, 0.2 * int(old))
    ]
    return str(rng.choice(choices or [int(old) + 1]))


def _regrouped(
    found: Analysis, rng: random.Random, groups: tuple[tuple[str, ...], ...]
) -> str | None:
    positions = [
        position
        for position, each in enumerate(found.morphemes)
        if each.tag in ("NNG", "NNP")
        and group_of(each.form, groups)
        and (each.spaced or position == 0)
        and found.at(position + 1)[-3:] not in ("NNG", "NNP", "XSN", "XSV", "XSA", "VCP", "NNB")
    ]
    if not positions:
        return None
    position = rng.choice(positions)
    old = found.morphemes[position]
    others = [one for one in group_of(old.form, groups) if not found.has(one)]
    return found.swapped(position, f"{rng.choice(others)}/{old.tag}") if others else None


def retimed(found: Analysis, rng: random.Random) -> str | None:
    """Put another time in place of one; where several are told, they could contradict."""
    if sum(each.form in _HOURS for each in found.morphemes) > 1:
        return None
    return _regrouped(found, rng, TIMES)


def renamed(found: Analysis, rng: random.Random) -> str | None:
    """Put another place or thing of the same sort in place of one."""
    if found.has("덥", "춥", "시원", "따뜻", "빨래"):
        return None  # which only some devices have to do with
    return _regrouped(found, rng, NAMES)


def requantified(found: Analysis, rng: random.Random) -> str | None:
    """Put another quantity or frequency in place of one."""
    morphemes = found.morphemes
    positions = [
        at
        for at, each in enumerate(morphemes[:-1])
        if str(each) in QUANTITIES and (each.spaced or at == 0) and morphemes[at + 1].spaced
        if not found.at(at - 1).endswith("/MM") and morphemes[at + 1].tag not in ("NNB", "MAG")
        if not found.has(QUANTITIES[str(each)].partition("/")[0])
    ]
    if not positions or found.has(
        "않", "없", "안", "못", "못하", "아니", "모든", "모두", "한결같", "좀", "나오", "하루"
    ):
        return None
    position = rng.choice(positions)
    return found.swapped(position, QUANTITIES[found.at(position)])


CONTRASTS: dict[str, Rule] = {
    "negation": negated,
    "antonym": opposed,
    "number": renumbered,
    "time": retimed,
    "name": renamed,
    "role": reversed_roles,
    "modality": remodalised,
    "quantity": requantified,
}
"""The rules by the phenomenon that they change."""
