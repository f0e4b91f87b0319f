"""Rules that change what a predicate says: whether it is so, must be so, or may be so."""

from __future__ import annotations

import random

from kosim.experiments.teaching.analysis import ASKED, STATEMENTS, Analysis, Morpheme, joined
from kosim.experiments.teaching.word_lists import listed

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

_ONE_WORD = listed("안있 못있 못되 못미치 못하")

_NOT_DENIED = listed(
    "하/VX 않/VX 못하/VX 말/VX 없/VA 모르/VV 되/VV 같/VA 드리/VX 바라/VV 바랍/VV 듯하/VX "
    "가/VX 나/VX 버리/VX 놓/VX 아깝/VA 그렇/VA 이렇/VA 어떻/VA 어렵/VA 지/VX 내/VX 죽/VV 알/VV"
)
"""Verbs that have no plain negation, or one that says something else."""

_NO_DUTY = listed(
    "주/VX 있/VV 있/VA 이/VCP 느끼/VV 쉬/VV 즐기/VV 엿보/VV 알/VV 보이/VV 되/VV 찾아보/VV"
)
"""What may be possible but is nobody's duty."""

_DUTIES = ("꼭", "반드시", "무조건")


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
        return found.swapped(last, _HAVE[written])
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
    told = "기로" in found.text  # what is proposed or decided
    too = found.has("도") and found.has("고", "며", "으며")  # as the clause before, which stays
    if told or too or idle or found.at(found.end - 1) == "겠/EP" or before.endswith("어야/EC"):
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


def remodalised(found: Analysis, _rng: random.Random) -> str | None:
    """Turn what must be done into what may be done, and what can be done into what must be."""
    if found.asks or found.has(*ASKED, "때문"):
        return None
    for position, each in enumerate(found.morphemes):
        after, before = found.morphemes[position + 1 : position + 3], found.at(position - 1)
        if each.form == "어야" and each.tag == "EC" and after[0].form in ("하", "되"):
            later = found.morphemes[position + 2 :]
            if any(one.tag in ("EC", "ETM") and one.form[-1] != "지" for one in later):
                return None  # in a clause inside, what may be done often makes no sense
            may = Morpheme("어도", "EC"), Morpheme("되", "VV", True)
            said = [one for one in found.morphemes[:position] if one.form not in _DUTIES]
            return joined([*said, *may, *later])
        able = each.tag == "ETM" and [one.form for one in after] == ["수", "있"]
        rest = found.morphemes[position + 3 : found.end]
        final = all(one.tag == "EP" for one in rest)  # nor does a duty there
        if able and final and before not in _NO_DUTY:
            must = Morpheme("어야", "EC"), Morpheme("하", "VX", True)
            stop, ending = position + 3, []
            if found.at(stop) == "다/EF":
                stop, ending = stop + 1, [Morpheme("ᆫ다", "EF")]
            return found.replaced(position, stop, *must, *ending)
    return None
