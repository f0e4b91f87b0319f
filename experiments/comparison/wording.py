"""The sentences of the verdict, each in English and Korean side by side so that they say the same.

Every function reads the facts and returns a line, or None where it has nothing to say. Korean
names end in the noun (``‘bi-2’ 바이인코더``) and figures stand apart, so that no particle depends
on how a name or a figure is read aloud. What states a difference takes value, interval and sides
from one `Difference`.
"""

from __future__ import annotations

from kosim.encoders.language import Line, Text, both
from kosim.experiments.comparison.facts import TINY, Facts
from kosim.experiments.statistics.significance import pairs_needed
from kosim.experiments.study.figures import Difference, Estimate
from kosim.experiments.study.notation import (
    amount,
    confidence,
    count,
    decimal,
    duration,
    p_value,
    signed,
)

_MOST_PAIRS = 10_000_000
"""More test pairs than this are nothing that anybody could label."""


def capital(line: Line) -> Line:
    """Return a line that begins an English sentence."""
    return Line(line.en[0].upper() + line.en[1:], line.ko)


def sureness(facts: Facts, gap: Difference) -> Line:
    """Return interval and p-value of a difference."""
    level, stated = confidence(facts.results.config), f"{gap.interval}, {p_value(gap.p)}"
    return Line(f"{level} interval {stated}", f"{level} 신뢰 구간 {stated}")


def lead(facts: Facts, other: str) -> Line | None:
    """Say by how much the leader beats ``other`` and how sure that is."""
    gap = facts.gap(facts.ranking[0], other)
    if gap is None:
        return None
    gap = gap.upward()
    parts: dict[str, Text] = {
        "above": capital(facts.name(gap.first)),
        "below": facts.name(gap.second),
        "value": decimal(gap.value),
        "sure": sureness(facts, gap),
    }
    if _no_difference(gap):
        return both(
            "{above} and {below} have the same Pearson to three decimals ({sure}).",
            "{above}와 {below}의 피어슨 상관은 소수 셋째 자리까지 같습니다({sure}).",
            **parts,
        )
    if not gap.significant:
        return both(
            "{above} scores {value} higher in Pearson than {below}, which chance alone could "
            "explain ({sure}).",
            "{above}의 피어슨 상관이 {below}보다 {value} 높지만, 우연으로도 설명될 수 있는 "
            "차이입니다({sure}).",
            **parts,
        )
    tiny = Line("; that is real but tiny.", " 실재하지만 아주 작은 차이입니다.")
    return both(
        "{above} scores {value} higher in Pearson than {below} ({sure}){rest}",
        "{above}의 피어슨 상관이 {below}보다 {value} 높습니다({sure}).{rest}",
        **parts,
        rest=tiny if gap.value < TINY else Line(".", ""),
    )


def _no_difference(gap: Difference) -> bool:
    """Say whether a difference is nothing, as it is shown."""
    return not gap.significant and decimal(abs(gap.value)) == decimal(0.0)


def more_pairs(facts: Facts, gap: Difference) -> Line | None:
    """Say how many test pairs would show the observed difference; ``gap`` is leader minus rival."""
    now = facts.distinct_pairs  # a copy adds nothing to what is known
    if now is None:
        return None
    needed = gap.pairs_needed or pairs_needed(gap, now)
    if needed is None or needed > _MOST_PAIRS:
        return Line(
            "The observed difference is so small that no practical number of test pairs would "
            "show it.",
            "관측된 차이가 너무 작아서 평가 쌍을 현실적인 만큼 늘려도 확인할 수 없습니다.",
        )
    more = count(max(needed - now, 0))
    rest = Line(f", {more} more than now.", f" 지금보다 {more}개 더 필요합니다.")
    return both(
        "If the true difference is the observed one, about {needed} test pairs would show it "
        "(in 80% of such tests){rest}",
        "실제 차이가 관측된 만큼이라면 평가 쌍 약 {needed}개에서 확인됩니다(검정력 80%).{rest}",
        needed=count(needed),
        rest=rest if more != "0" else Line(".", ""),
    )


def f1_agreement(facts: Facts) -> Line | None:
    """Say whether F1 at 3.0 agrees with Pearson about the leader and its rival."""
    if facts.rival is None:
        return None
    leader = facts.ranking[0]
    found = facts.gap(leader, facts.rival, "f1")
    if found is None:
        return None
    gap = found.upward()
    sure = sureness(facts, gap)
    if _no_difference(gap):
        return both(
            "F1 at 3.0 shows no difference between the two ({sure}).",
            "3.0 기준 F1에서는 둘의 차이가 없습니다({sure}).",
            sure=sure,
        )
    parts: dict[str, Text] = {
        "better": facts.name(gap.first),
        "value": decimal(gap.value),
        "sure": sure,
    }
    agrees = gap.first == leader
    if not gap.significant:
        if not facts.sure:
            way = Line("cannot tell them apart either", "F1로도 우열을 가릴 수 없습니다")
        elif agrees:
            way = Line(
                "points the same way, within chance",
                "F1도 같은 방향이지만 우연일 수 있는 차이입니다",
            )
        else:
            way = Line(
                "points the other way, within chance",
                "F1은 반대 방향이지만 우연일 수 있는 차이입니다",
            )
    elif not facts.sure:
        way = Line("does favour one", "F1에서는 차이가 보입니다")
    elif not agrees:
        return both(
            "F1 at 3.0 disagrees: {better} is {value} higher ({sure}). For yes-or-no decisions "
            "at 3.0 that is the figure to go by.",
            "3.0 기준 F1은 다르게 말합니다. {better}가 {value} 높습니다({sure}). 3.0을 경계로 "
            "같은지 다른지만 가릴 때는 이 수치를 따르십시오.",
            **parts,
        )
    else:
        way = Line("agrees", "F1도 같은 결론입니다")
    return both(
        "F1 at 3.0 {way}: {value} higher for {better} ({sure}).",
        "3.0 기준 {way}. {better}가 {value} 높습니다({sure}).",
        way=way,
        **parts,
    )


def mean_of_both(facts: Facts) -> Line | None:
    """Say whether the mean of both encoders' scores is better than the better one's alone."""
    mean = facts.results.mean_of_both
    if mean is None or not isinstance(mean.pearson, Estimate):
        return None
    alone = next((name for name in facts.ranking if name in (mean.bi, mean.cross)), None)
    gain = mean.gain(alone) if alone is not None else None
    if alone is None or gain is None:
        return None
    parts: dict[str, Text] = {
        "value": decimal(mean.pearson.value),
        "name": facts.name(alone),
        "gain": signed(gain.value),
        "sure": sureness(facts, gain),
    }
    if not mean.beats_both():
        return both(
            "The mean of both scores, Pearson {value}, is not surely better than {name} alone "
            "({gain}, {sure}).",
            "두 점수의 평균(피어슨 상관 {value})이 {name}만 쓸 때보다 낫다고 할 수 없습니다"
            "({gain}, {sure}).",
            **parts,
        )
    return both(
        "The mean of both scores is better than either alone: Pearson {value}, {gain} against "
        "{name} ({sure}).",
        "두 점수의 평균이 어느 한쪽만 쓸 때보다 낫습니다. 피어슨 상관 {value}, {name} 대비 {gain}"
        "({sure}).",
        **parts,
    )


def pair_cost(facts: Facts) -> Line | None:
    """Say what pairs cost with each contender: one alone, and many in batches."""
    alone, batches = [], []
    for contender, cost in facts.cost.encoders.items():
        if contender not in facts.encoders:
            continue
        name = facts.name(contender)
        if cost.single_pair_ms is not None:
            time = duration(cost.single_pair_ms.p50 / 1000)
            alone.append(both("{time} with {name}", "{name} {time}", time=time, name=name))
        if cost.pairs_per_second:
            rate = amount(cost.pairs_per_second)
            batches.append(both("{rate} with {name}", "{name} {rate}쌍", rate=rate, name=name))
    said = []
    if alone:
        said.append(
            both(
                "One pair alone takes {all} (median).",
                "한 쌍만 처리할 때 걸리는 시간(중앙값): {all}.",
                all=Line.join(", ", alone),
            )
        )
    if batches:
        said.append(
            both(
                "In batches, pairs a second: {all}.",
                "묶어서 처리할 때 초당: {all}.",
                all=Line.join(", ", batches),
            )
        )
    return Line.join(" ", said) if said else None


def vectors(facts: Facts) -> Line | None:
    """Say that a bi-encoder reads a sentence once, where both kinds are compared."""
    bi, cross = facts.best("bi"), facts.best("cross")
    cost = facts.cost.encoders.get(bi or "")
    if bi is None or cross is None or cost is None or not cost.sentences_per_second:
        return None
    return both(
        "{above} reads a sentence once ({rate} a second) and then only compares vectors; {below} "
        "reads every pair again.",
        "{above}는 문장을 한 번만 읽고(초당 {rate}문장) 그다음에는 벡터만 비교합니다. {below}는 "
        "쌍마다 새로 읽습니다.",
        above=capital(facts.name(bi)),
        below=facts.name(cross),
        rate=amount(cost.sentences_per_second),
    )


def out_of_reach(facts: Facts) -> Line | None:
    """Say from which corpus size on a cross-encoder alone is too slow."""
    limits, cross = facts.cost.out_of_reach, facts.costed("cross")
    if cross is None or limits.query_one_second is None or limits.all_pairs_one_hour is None:
        return None
    return both(
        "{name} alone is out of reach beyond {query} sentences, where a query takes more than a "
        "second, and beyond {pairs}, where comparing all pairs takes more than an hour.",
        "{name}만으로는 문장이 {query}개를 넘으면 검색 한 번에 1초가 넘게 걸리고, {pairs}개를 "
        "넘으면 모든 쌍을 비교하는 데 1시간이 넘게 걸립니다.",
        name=capital(facts.name(cross)),
        query=count(limits.query_one_second),
        pairs=count(limits.all_pairs_one_hour),
    )
