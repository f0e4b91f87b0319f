"""Rules that change what a sentence says, by one contrast.

Each takes an analysed sentence and returns the changed one, or None where it does not apply. They
would rather pass over a sentence than write a bad one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from kosim.experiments.teaching.analysis import Analysis, Morpheme, joined
from kosim.experiments.teaching.word_lists import (
    ANTONYMS,
    NAMES,
    PEOPLE,
    QUANTITIES,
    TIMES,
    group_of,
    listed,
)

Rule = Callable[[Analysis, random.Random], str | None]

STATEMENTS = listed("다 ᆫ다 는다 ᆸ니다 습니다 어요 에요 예요")
"""Endings of statements."""

_ORDERS = listed("세요 십시오 어라 자 ᆸ시다")
"""Endings of commands and proposals."""

_REQUESTS = listed("어 어요 세요 십시오 ᆯ래 ᆯ래요 ᆯ까")
"""Endings of requests, after 어 주."""

_UNSURE = listed(
    "아무 아무것 아무도 전혀 하나 별로 결코 절대 절대로 조금도 도저히 그다지 밖에 왜 뭐 무엇 "
    "무슨 어디 언제 누구 어떻 어떻게 얼마나 얼마 몇 벌써 이미 드디어 겨우 매우 아주 너무 참 꼭 "
    "어서 제일 가장 역시 굉장히 무척 제발 아직 더 보다 만 뿐 차라리 여간 괜히 어쩔 단 어찌 "
    "오히려 제대로 끊임 틀림 마다 의심 하마터면 과언 아까 끝 손색 나무라 명심 주의 유의 조심 그리"
)
"""Words beside which a negation cannot simply be put or taken away."""

_HAVE = {
    "있/VA": "없/VA",
    "있/VV": "없/VA",
    "없/VA": "있/VA",
    "재미있/VA": "재미없/VA",
    "재미없/VA": "재미있/VA",
    "맛있/VA": "맛없/VA",
    "맛없/VA": "맛있/VA",
}
_JOINING = listed(
    "고/EC 지만/EC 면서/EC 으면서/EC 면서도/EC 으면서도/EC ᆫ데/EC 은데/EC 나/EC 으나/EC"
)
"""Endings that join clauses, of which only both could be turned into their opposites."""

ASKED = ("어떻", "어떻게", "어디", "언제", "뭐", "무엇", "무슨", "누구", "왜", "몇")
_DUTIES = ("꼭", "반드시", "무조건")

_OF_OTHER_THINGS = listed("어쩔 아무리 상처 피해 부상 손해 은혜 화상 타격 누명 오명 딱 펑펑")
"""Words beside which an antonym is none: one does not take off an injury."""

_ONE_WORD = listed("안있 못있 못되 못미치 못하")
_COUNTERS = listed("개 명 번 시 시간 달 살 마리 권 대 장 층 가지 잔 병 그루 채 벌 곡 편")
_COUNTS = ("두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열")
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


def _morpheme(written: str, spaced: bool) -> Morpheme:
    form, _, tag = written.partition("/")
    return Morpheme(form, tag, spaced)


def _swapped(found: Analysis, position: int, written: str) -> str:
    old = found.morphemes[position]
    return found.replaced(position, position + 1, _morpheme(written, old.spaced))


def negated(found: Analysis, _rng: random.Random) -> str | None:
    """Take a negation away, or negate the main clause; questions and polarity words pass."""
    if found.asks or found.has(*_UNSURE) or "말도 안" in found.text or "말이 안" in found.text:
        return None
    morphemes, end = found.morphemes, found.end
    for position, each in enumerate(morphemes):
        if str(each) in ("않/VX", "못하/VX") and found.at(position - 1) == "지/EC":
            return _affirmed(found, position)
        if str(each) == "못/MAG" and found.at(position - 1) == "지/EC":
            return found.replaced(position - 1, position + 2)
        after = morphemes[position + 1] if position < end else each
        acts = after.tag in ("VV", "VA") and (each.form + after.form) not in _ONE_WORD
        if str(each) in ("안/MAG", "못/MAG") and acts:
            verb = morphemes[position + 1]._replace(spaced=each.spaced)
            return found.replaced(position, position + 2, verb)
    if any(str(each) in ("안/MAG", "못/MAG", "잘/MAG") for each in morphemes):
        return None
    last = end - 2 if found.at(end - 1).endswith("/EP") else end - 1
    written = found.at(last)
    if written in _HAVE and found.at(last - 1) == "도/JX":
        return None
    if written in _HAVE and morphemes[end].form in STATEMENTS:
        return _swapped(found, last, _HAVE[written])
    return _denied(found, last)


def _affirmed(found: Analysis, position: int) -> str | None:
    """Take 지 않 away, which ends at a position."""
    verb, after = found.morphemes[position - 2], found.morphemes[position + 1 :]
    if verb.tag not in ("VV", "VA", "XSV", "XSA"):
        return None
    if str(after[0]) in ("는다/EF", "다/EF", "ᆫ다/EF"):
        plain = "다" if verb.tag in ("VA", "XSA") else "는다"
        return found.replaced(position - 1, position + 2, Morpheme(plain, "EF"))
    return found.replaced(position - 1, position + 1)


def _denied(found: Analysis, last: int) -> str | None:
    """Negate the predicate whose last morpheme before tense and ending is given."""
    verb, ending = found.morphemes[last], found.morphemes[found.end].form
    plain = last == found.end - 1
    dont = (Morpheme("지", "EC"), Morpheme("말", "VX", True))
    if verb.tag == "VCP" and ending in STATEMENTS and found.at(last - 1)[-4:] in ("/NNG", "/NNP"):
        final = Morpheme("에요", "EF") if ending in ("에요", "예요") else None
        stop = found.end + 1 if final and plain else last + 1
        rest = (final,) if final and plain else ()
        parts = Morpheme("이", "JKC"), Morpheme("아니", "VCN", True)
        return found.replaced(last, stop, *parts, *rest)
    told = found.at(last - 2) in ("알리/VV", "보이/VV", "들리/VV")
    if str(verb) == "주/VX" and told:
        if not plain or ending not in ("어", "어요", "세요", "십시오") or found.has("좀"):
            return None
        return found.replaced(last + 1, last + 1, *dont)
    if str(verb) == "주/VX" and plain and ending in _REQUESTS and found.at(last - 1) == "어/EC":
        if found.morphemes[last - 2].tag not in ("VV", "XSV") or found.at(last - 2) == "있/VV":
            return None
        return found.replaced(last - 1, last - 1, *dont)
    if plain and ending in _ORDERS and verb.tag in ("VV", "XSV"):
        return found.replaced(last + 1, last + 1, *dont)
    verbal = verb.tag in ("VV", "VA", "XSV", "XSA", "VX") and str(verb) not in _NOT_DENIED
    if ending not in STATEMENTS or not verbal:
        return None
    before = found.at(last - 1)
    idle = (str(verb) == "보/VX" and before != "어/EC") or (verb.form == "가" and before == "고/EC")
    if idle or found.at(found.end - 1) == "겠/EP" or before.endswith("어야/EC"):
        return None
    if before[-4:] in ("고/EC", "니/EC") or verb.form == "못하":
        return None  # what somebody says, what somebody wonders at, and what is negated already
    not_so = Morpheme("지", "EC"), Morpheme("않", "VX", True)
    acts = plain and verb.tag in ("VV", "XSV")
    if acts and ending == "다":
        return None  # a headline, whose tense is open
    if acts and ending in ("ᆫ다", "는다"):
        return found.replaced(last + 1, found.end + 1, *not_so, Morpheme("는다", "EF"))
    return found.replaced(last + 1, last + 1, *not_so)


_NOT_DENIED = listed(
    "하/VX 않/VX 못하/VX 말/VX 없/VA 모르/VV 되/VV 같/VA 드리/VX 바라/VV 바랍/VV 듯하/VX "
    "가/VX 나/VX 버리/VX 놓/VX 아깝/VA 그렇/VA 이렇/VA 어떻/VA 어렵/VA 지/VX 내/VX 죽/VV 알/VV"
)
"""Verbs that have no plain negation, or one that says something else."""


def opposed(found: Analysis, rng: random.Random) -> str | None:
    """Put an antonym in place of a word."""
    places = [
        position
        for position, each in enumerate(found.morphemes)
        if str(each) in ANTONYMS and _stands_alone(found, position)
    ]
    if not places:
        return None
    position = rng.choice(places)
    antonym = ANTONYMS[found.at(position)]
    if found.has(antonym.partition("/")[0], "별로", "덕분", "못하", "볼만", *_OF_OTHER_THINGS):
        return None
    return _swapped(found, position, antonym)


def _stands_alone(found: Analysis, position: int) -> bool:
    """Whether a word is neither part of a longer one nor of an idiom that has no opposite."""
    each, after = found.morphemes[position], found.at(position + 1)
    judged = sum(one.tag in ("VA", "XSA") for one in found.morphemes)
    several = judged > 1 or any(str(one) in _JOINING for one in found.morphemes)
    if several and (each.tag == "VA" or after.endswith("/XSA")):
        return False
    if each.tag == "NNG":
        noun_after = after[-4:] in ("/NNG", "/NNP") or after.endswith(("/XSN", "/VCP"))
        inside = noun_after and not found.morphemes[position + 1].spaced
        return each.spaced and not inside and not after.endswith("/NNB") and after != "으로/JKB"
    before = found.at(position - 1)
    if each.tag == "MAG" and position + 1 < found.end and not found.morphemes[position + 1].spaced:
        return False
    made_verb = after == "어/EC" and found.at(position + 2) == "하/VX"  # 좋아하다
    if made_verb:
        return False
    wished = after in ("겠/EP", "을까/EF", "ᆯ까/EF") or before in ("어도/EC", "면/EC", "으면/EC")
    return (each.spaced or position == 0) and not wished and not found.has("보다", "더", "제일")


def renumbered(found: Analysis, rng: random.Random) -> str | None:
    """Change a number that counts, dates or times something."""
    places = []
    for position, each in enumerate(found.morphemes[:-1]):
        unit, alone = found.morphemes[position + 1], each.spaced or position == 0
        counted = each.tag == "MM" and each.form in _COUNTS and unit.form in _COUNTERS
        written = each.tag == "SN" and re.fullmatch(r"\d{1,4}", each.form)
        if alone and (
            counted
            or (written and unit.tag in ("NNB", "NNG") and unit.form not in ("년대", "틀", "박"))
        ):
            places.append(position)
    if not places:
        return None
    position = rng.choice(places)
    old, counted_by = found.morphemes[position], found.morphemes[position + 1].form
    number = _other_number(old.form, counted_by, rng)
    return None if found.has(number) else _swapped(found, position, f"{number}/{old.tag}")


def _other_number(old: str, unit: str, rng: random.Random) -> str:
    if not old.isdigit():
        return rng.choice([one for one in _COUNTS if one != old])
    if len(old) == 4 and old[:2] in ("19", "20"):
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
    places = [
        position
        for position, each in enumerate(found.morphemes)
        if each.tag in ("NNG", "NNP")
        and group_of(each.form, groups)
        and (each.spaced or position == 0)
        and found.at(position + 1)[-3:] not in ("NNG", "NNP", "XSN", "XSV", "XSA", "VCP", "NNB")
    ]
    if not places:
        return None
    position = rng.choice(places)
    old = found.morphemes[position]
    others = [one for one in group_of(old.form, groups) if not found.has(one)]
    return _swapped(found, position, f"{rng.choice(others)}/{old.tag}") if others else None


def retimed(found: Analysis, rng: random.Random) -> str | None:
    """Put another time in place of one."""
    return _regrouped(found, rng, TIMES)


def renamed(found: Analysis, rng: random.Random) -> str | None:
    """Put another place or thing of the same sort in place of one."""
    return _regrouped(found, rng, NAMES)


def reversed_roles(found: Analysis, _rng: random.Random) -> str | None:
    """Exchange who does something and to whom."""
    persons = [
        position
        for position, each in enumerate(found.morphemes)
        if each.form in PEOPLE and (each.spaced or position == 0) and "/J" in found.at(position + 1)
    ]
    for one in persons:
        for other in persons:
            does = found.at(one + 1) in ("이/JKS", "가/JKS")
            to = found.at(other + 1) in ("을/JKO", "를/JKO", "에게/JKB", "한테/JKB")
            if one < other and does and to and found.at(one) != found.at(other):
                first, second = found.morphemes[one], found.morphemes[other]
                middle = found.morphemes[one + 1 : other]
                return found.replaced(
                    one,
                    other + 1,
                    second._replace(spaced=first.spaced),
                    *middle,
                    first._replace(spaced=second.spaced),
                )
    return None


def remodalised(found: Analysis, _rng: random.Random) -> str | None:
    """Turn what must be done into what may be done, and what can be done into what must be."""
    if found.asks or found.has(*ASKED, "때문"):
        return None
    for position, each in enumerate(found.morphemes):
        after, before = found.morphemes[position + 1 : position + 3], found.at(position - 1)
        if each.form == "어야" and each.tag == "EC" and after[0].form in ("하", "되"):
            later = found.morphemes[position + 2 :]
            if any(one.tag == "EC" and not one.form.endswith("지") for one in later):
                return None  # in a clause inside, what may be done often makes no sense
            may = Morpheme("어도", "EC"), Morpheme("되", "VV", True)
            said = [one for one in found.morphemes[:position] if one.form not in _DUTIES]
            return joined([*said, *may, *later])
        able = each.tag == "ETM" and [one.form for one in after] == ["수", "있"]
        rest = found.morphemes[position + 3 : found.end]
        final = all(one.tag == "EP" for one in rest)  # nor does a duty there
        if able and final and before not in ("주/VX", "있/VV", "있/VA", "이/VCP"):
            must = Morpheme("어야", "EC"), Morpheme("하", "VX", True)
            stop, ending = position + 3, []
            if found.at(stop) == "다/EF":
                stop, ending = stop + 1, [Morpheme("ᆫ다", "EF")]
            return found.replaced(position, stop, *must, *ending)
    return None


def requantified(found: Analysis, rng: random.Random) -> str | None:
    """Put another quantity or frequency in place of one."""
    morphemes = found.morphemes
    places = [
        at
        for at, each in enumerate(morphemes[:-1])
        if str(each) in QUANTITIES and (each.spaced or at == 0) and morphemes[at + 1].spaced
        if not found.at(at - 1).endswith("/MM") and morphemes[at + 1].tag != "NNB"
    ]
    if not places or found.has(
        "않", "없", "안", "못", "못하", "아니", "모든", "모두", "한결같", "좀"
    ):
        return None
    position = rng.choice(places)
    return _swapped(found, position, QUANTITIES[found.at(position)])


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
