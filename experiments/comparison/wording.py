"""The sentences of the verdict, each in English and Korean side by side so that they say the same.

Every function reads the facts and returns a line, or None where it has nothing to say. Korean
names end in the noun (``‘bi-2’ 바이인코더``) and figures stand apart, so that no particle depends
on how a name or a figure is read aloud.
"""

from __future__ import annotations

from typing import NamedTuple

from kosim.experiments.comparison.facts import TINY, Facts, Gap
from kosim.experiments.study.notation import (
    amount,
    count,
    decimal,
    duration,
    estimate,
    interval,
    p_value,
    reason,
)


class Line(NamedTuple):
    """One sentence in both languages."""

    en: str
    ko: str


_KINDS = {"bi": Line("bi-encoder", "바이인코더"), "cross": Line("cross-encoder", "크로스인코더")}


def name_of(facts: Facts, contender: str) -> Line:
    """Return what to call a contender: its kind, and its name where that alone is ambiguous."""
    kind = facts.kind(contender)
    noun = _KINDS[kind]
    if sum(facts.kind(other) == kind for other in facts.encoders) == 1:
        return Line(f"the {noun.en}", noun.ko)
    return Line(f"the {noun.en} “{contender}”", f"‘{contender}’ {noun.ko}")


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _sureness(gap: Gap) -> Line:
    bounds, p = interval({"low": gap.low, "high": gap.high}), p_value(gap.p_value)
    return Line(f"95% interval {bounds}, {p}", f"95% 신뢰구간 {bounds}, {p}")


def nothing_measured(facts: Facts) -> Line:
    """Headline where no contender has a Pearson."""
    why = next(
        filter(None, (reason(facts.metric(name)) for name in facts.encoders)), "not measured"
    )
    return Line(
        f"No verdict: Pearson is undefined ({why}).",
        f"판정할 수 없습니다. 피어슨 상관을 구할 수 없습니다({why}).",
    )


def one_encoder(facts: Facts) -> Line:
    """Headline where there is nothing to compare with."""
    (contender,) = facts.ranking
    name, figure = name_of(facts, contender), estimate(facts.metric(contender))
    return Line(
        f"{_upper(name.en)} reaches Pearson {figure}; there is no other encoder to compare with.",
        f"{name.ko}의 피어슨 상관: {figure}. 비교할 다른 인코더가 없습니다.",
    )


def not_compared() -> Line:
    """Headline where the difference has no value."""
    return Line(
        "No verdict: the difference in Pearson is undefined.",
        "판정할 수 없습니다. 피어슨 상관의 차이를 구할 수 없습니다.",
    )


def _scores(facts: Facts, gap: Gap) -> Line:
    first, second = (decimal(facts.value(name)) for name in facts.ranking[:2])
    p = p_value(gap.p_value)
    return Line(f"Pearson {first} against {second} ({p})", f"피어슨 상관 {first} 대 {second} ({p})")


def winner(facts: Facts, gap: Gap) -> Line:
    """Headline where the leader is told from all others; ``gap`` is leader minus rival."""
    name, scores = name_of(facts, facts.ranking[0]), _scores(facts, gap)
    if gap.value < TINY:
        how = Line("better, but only just", "더 낫지만 차이는 아주 작습니다")
    elif len(facts.ranking) == 2:
        how = Line("better", "더 낫습니다")
    else:
        how = Line("the best", "가장 낫습니다")
    return Line(
        f"{_upper(name.en)} is {how.en}: {scores.en}.", f"{name.ko}가 {how.ko}. {scores.ko}."
    )


def undecided(facts: Facts, gap: Gap) -> Line:
    """Headline where the leader cannot be told from all others."""
    scores = _scores(facts, gap)
    if len(facts.ranking) == 2:
        return Line(
            f"The data cannot tell the two encoders apart: {scores.en}.",
            f"이 데이터로는 두 인코더의 우열을 가릴 수 없습니다. {scores.ko}.",
        )
    name = name_of(facts, facts.ranking[0])
    return Line(
        f"{_upper(name.en)} scores highest, but not beyond chance: {scores.en}.",
        f"{name.ko}의 점수가 가장 높지만, 우연을 넘는 차이는 아닙니다. {scores.ko}.",
    )


def lead(facts: Facts, other: str) -> Line | None:
    """Say by how much the leader beats ``other`` and how sure that is."""
    leader = facts.ranking[0]
    gap = facts.gap(leader, other)
    if gap is None:
        return None
    above, below, sure = name_of(facts, leader), name_of(facts, other), _sureness(gap)
    value = decimal(abs(gap.value))
    if not gap.significant:
        return Line(
            f"{_upper(above.en)} scores {value} higher in Pearson than {below.en}, "
            f"which chance alone could explain ({sure.en}).",
            f"{above.ko}의 피어슨 상관이 {below.ko}보다 {value} 높지만, "
            f"우연으로도 설명될 수 있는 차이입니다({sure.ko}).",
        )
    tiny = abs(gap.value) < TINY
    return Line(
        f"{_upper(above.en)} scores {value} higher in Pearson than {below.en} ({sure.en})"
        + ("; that is real but tiny." if tiny else "."),
        f"{above.ko}의 피어슨 상관이 {below.ko}보다 {value} 높습니다({sure.ko})."
        + (" 실재하지만 아주 작은 차이입니다." if tiny else ""),
    )


def more_pairs(facts: Facts, gap: Gap) -> Line:
    """Say how many test pairs would show the observed difference; ``gap`` is leader minus rival."""
    if gap.pairs_needed is None:
        return Line(
            "The observed difference is so small that no practical number of test pairs would "
            "show it.",
            "관측된 차이가 너무 작아서 테스트 쌍을 현실적인 만큼 늘려도 확인할 수 없습니다.",
        )
    needed = count(gap.pairs_needed)
    more = max(gap.pairs_needed - facts.pairs, 0) if facts.pairs is not None else 0
    return Line(
        f"If the true difference is the observed one, about {needed} test pairs would show it "
        "(in 80% of such tests)" + (f", {count(more)} more than now." if more else "."),
        f"실제 차이가 관측된 만큼이라면 테스트 쌍 약 {needed}개에서 확인됩니다(검정력 80%)."
        + (f" 지금보다 {count(more)}개 더 필요합니다." if more else ""),
    )


def f1_agreement(facts: Facts) -> Line | None:
    """Say whether F1 at 3.0 agrees with Pearson about the leader and its rival."""
    if facts.rival is None:
        return None
    leader, rival = facts.ranking[:2]
    gap = facts.gap(leader, rival, "f1")
    if gap is None:
        return None
    better = name_of(facts, leader if gap.value > 0 else rival)
    value, sure = decimal(abs(gap.value)), _sureness(gap)
    if round(gap.value, 3) == 0 and not gap.significant:
        return Line(
            f"F1 at 3.0 shows no difference between the two ({sure.en}).",
            f"3.0 기준 F1에서는 둘의 차이가 없습니다({sure.ko}).",
        )
    if not gap.significant:
        if not facts.sure:
            way = Line("cannot tell them apart either", "F1로도 우열을 가릴 수 없습니다")
        elif gap.value > 0:
            way = Line("points the same way", "F1도 우연의 범위 안에서 같은 방향입니다")
        else:
            way = Line("points the other way", "F1은 우연의 범위 안에서 반대 방향입니다")
        chance = ", within chance" if facts.sure else ""
        return Line(
            f"F1 at 3.0 {way.en}{chance}: {value} higher for {better.en} ({sure.en}).",
            f"3.0 기준 {way.ko}. {better.ko}가 {value} 높습니다({sure.ko}).",
        )
    if gap.value < 0:
        return Line(
            f"F1 at 3.0 disagrees: {better.en} is {value} higher ({sure.en}). For yes-or-no "
            "decisions at 3.0 that is the figure to go by.",
            f"3.0 기준 F1은 다르게 말합니다. {better.ko}가 {value} 높습니다({sure.ko}). "
            "3.0을 경계로 같은지 다른지만 가릴 때는 이 수치를 따르십시오.",
        )
    return Line(
        f"F1 at 3.0 {'agrees' if facts.sure else 'does favour one'}: {value} higher for "
        f"{better.en} ({sure.en}).",
        f"3.0 기준 F1{'도 같은 결론입니다' if facts.sure else '에서는 차이가 보입니다'}. "
        f"{better.ko}가 {value} 높습니다({sure.ko}).",
    )


def pair_cost(facts: Facts) -> Line | None:
    """Say what a pair costs with each contender."""
    english, korean = [], []
    for contender, cost in (facts.cost.get("encoders") or {}).items():
        if contender not in facts.encoders or not cost.get("pairs_per_second"):
            continue
        name, rate = name_of(facts, contender), amount(cost["pairs_per_second"])
        latency = (cost.get("single_pair_ms") or {}).get("p50")
        alone = latency / 1000 if latency else 1 / cost["pairs_per_second"]
        english.append(f"{duration(alone)} with {name.en} ({rate} pairs a second in batches)")
        korean.append(f"{name.ko} {duration(alone, korean=True)}(묶어서 처리하면 초당 {rate}쌍)")
    if not english:
        return None
    return Line(
        f"One pair takes {', '.join(english)}.", f"한 쌍에 걸리는 시간: {', '.join(korean)}."
    )


def vectors(facts: Facts) -> Line | None:
    """Say that a bi-encoder reads a sentence once, where both kinds are compared."""
    bi, cross = facts.best("bi"), facts.best("cross")
    if bi is None or cross is None:
        return None
    rate = ((facts.cost.get("encoders") or {}).get(bi) or {}).get("sentences_per_second")
    if not rate:
        return None
    above, below = name_of(facts, bi), name_of(facts, cross)
    return Line(
        f"{_upper(above.en)} reads a sentence once ({amount(rate)} a second) and then only "
        f"compares vectors; {below.en} reads every pair anew.",
        f"{above.ko}는 문장을 한 번만 읽고(초당 {amount(rate)}문장) 그다음에는 벡터만 비교합니다. "
        f"{below.ko}는 쌍마다 새로 읽습니다.",
    )


def out_of_reach(facts: Facts) -> Line | None:
    """Say from which corpus size on a cross-encoder alone is too slow."""
    limits = facts.cost.get("out_of_reach") or {}
    query, pairs = limits.get("query_one_second"), limits.get("all_pairs_one_hour")
    cross = facts.costed("cross")
    if cross is None or query is None or pairs is None:
        return None
    name = name_of(facts, cross)
    return Line(
        f"{_upper(name.en)} alone is out of reach beyond {count(query)} sentences, where a query "
        f"takes more than a second, and beyond {count(pairs)}, where comparing all pairs takes "
        "more than an hour.",
        f"{name.ko}만으로는 문장이 {count(query)}개를 넘으면 검색 한 번에 1초가 넘게 걸리고, "
        f"{count(pairs)}개를 넘으면 모든 쌍을 비교하는 데 1시간이 넘게 걸립니다.",
    )
