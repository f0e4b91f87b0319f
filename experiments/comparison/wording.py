"""The sentences of the verdict, each in English and Korean side by side so that they say the same.

Every function reads the facts and returns a line, or None where it has nothing to say. Korean
names end in the noun (``‘bi-2’ 바이인코더``) and figures stand apart, so that no particle depends
on how a name or a figure is read aloud. What states a difference takes value, interval and sides
from one :class:`~kosim.experiments.study.figures.Difference`.
"""

from __future__ import annotations

from kosim.experiments.comparison.facts import TINY, Facts
from kosim.experiments.statistics.significance import pairs_needed
from kosim.experiments.study.figures import Difference, Undefined
from kosim.experiments.study.language import Line, Text, both
from kosim.experiments.study.notation import amount, count, decimal, duration, p_value

_MOST_PAIRS = 10_000_000
"""More test pairs than this are nothing that anybody could label."""


def capital(line: Line) -> Line:
    """Return a line that begins an English sentence."""
    return Line(line.en[0].upper() + line.en[1:], line.ko)


def sureness(gap: Difference) -> Line:
    """Return interval and p-value of a difference."""
    stated = f"{gap.interval}, {p_value(gap.p)}"
    return Line(f"95% interval {stated}", f"95% 신뢰구간 {stated}")


def nothing_measured(facts: Facts) -> Line:
    """Headline where no contender has a Pearson."""
    causes = [f.cause for f in map(facts.metric, facts.encoders) if isinstance(f, Undefined)]
    return both(
        "No verdict: Pearson is undefined ({why}).",
        "판정할 수 없습니다. 피어슨 상관을 구할 수 없습니다({why}).",
        why=next(filter(None, causes), "not measured"),
    )


def one_encoder(facts: Facts) -> Line:
    """Headline where there is nothing to compare with."""
    (contender,) = facts.ranking
    return both(
        "{name} reaches Pearson {figure}; there is no other encoder to compare with.",
        "{name}의 피어슨 상관: {figure}. 비교할 다른 인코더가 없습니다.",
        name=capital(facts.name(contender)),
        figure=str(facts.metric(contender)),
    )


def not_compared() -> Line:
    """Headline where the difference has no value."""
    return Line(
        "No verdict: the difference in Pearson is undefined.",
        "판정할 수 없습니다. 피어슨 상관의 차이를 구할 수 없습니다.",
    )


def _scores(facts: Facts, gap: Difference) -> Line:
    first, second = (decimal(facts.values[name]) for name in facts.ranking[:2])
    p = p_value(gap.p)
    return Line(f"Pearson {first} against {second} ({p})", f"피어슨 상관 {first} 대 {second} ({p})")


def ahead_so_far(facts: Facts, gap: Difference, learning: list[str]) -> Line:
    """Headline where the leader is told from others that have not learnt what they can."""
    return both(
        "No verdict yet: {leader} scores higher, but {others} had not learnt all it can: {scores}.",
        "아직 판정할 수 없습니다. 지금은 {leader}의 점수가 높지만 {others}는 더 배울 수 있습니다. "
        "{scores}.",
        leader=facts.name(facts.ranking[0]),
        others=Line.join(", ", map(facts.name, learning)),
        scores=_scores(facts, gap),
    )


def winner(facts: Facts, gap: Difference) -> Line:
    """Headline where the leader is told from all others; ``gap`` is leader minus rival."""
    if gap.value < TINY:
        how = Line("better, but only just", "더 낫지만 차이는 아주 작습니다")
    elif len(facts.ranking) == 2:
        how = Line("better", "더 낫습니다")
    else:
        how = Line("the best", "가장 낫습니다")
    return both(
        "{name} is {how}: {scores}.",
        "{name}가 {how}. {scores}.",
        name=capital(facts.name(facts.ranking[0])),
        how=how,
        scores=_scores(facts, gap),
    )


def undecided(facts: Facts, gap: Difference) -> Line:
    """Headline where the leader cannot be told from all others."""
    scores = _scores(facts, gap)
    if len(facts.ranking) == 2:
        return both(
            "The data cannot tell the two encoders apart: {scores}.",
            "이 데이터로는 두 인코더의 우열을 가릴 수 없습니다. {scores}.",
            scores=scores,
        )
    return both(
        "{name} scores highest, but not beyond chance: {scores}.",
        "{name}의 점수가 가장 높지만, 우연을 넘는 차이는 아닙니다. {scores}.",
        name=capital(facts.name(facts.ranking[0])),
        scores=scores,
    )


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
        "sure": sureness(gap),
    }
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


def more_pairs(facts: Facts, gap: Difference) -> Line | None:
    """Say how many test pairs would show the observed difference; ``gap`` is leader minus rival."""
    if facts.results.test_pairs is None:
        return None
    needed = gap.pairs_needed or pairs_needed(gap, facts.results.test_pairs)
    if needed is None or needed > _MOST_PAIRS:
        return Line(
            "The observed difference is so small that no practical number of test pairs would "
            "show it.",
            "관측된 차이가 너무 작아서 테스트 쌍을 현실적인 만큼 늘려도 확인할 수 없습니다.",
        )
    more = count(max(needed - facts.results.test_pairs, 0))
    rest = Line(f", {more} more than now.", f" 지금보다 {more}개 더 필요합니다.")
    return both(
        "If the true difference is the observed one, about {needed} test pairs would show it "
        "(in 80% of such tests){rest}",
        "실제 차이가 관측된 만큼이라면 테스트 쌍 약 {needed}개에서 확인됩니다(검정력 80%).{rest}",
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
    sure = sureness(gap)
    if round(gap.value, 3) == 0 and not gap.significant:
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
                "points the same way, within chance", "F1도 우연의 범위 안에서 같은 방향입니다"
            )
        else:
            way = Line(
                "points the other way, within chance", "F1은 우연의 범위 안에서 반대 방향입니다"
            )
    elif not agrees:
        return both(
            "F1 at 3.0 disagrees: {better} is {value} higher ({sure}). For yes-or-no decisions "
            "at 3.0 that is the figure to go by.",
            "3.0 기준 F1은 다르게 말합니다. {better}가 {value} 높습니다({sure}). 3.0을 경계로 "
            "같은지 다른지만 가릴 때는 이 수치를 따르십시오.",
            **parts,
        )
    elif facts.sure:
        way = Line("agrees", "F1도 같은 결론입니다")
    else:
        way = Line("does favour one", "F1에서는 차이가 보입니다")
    return both(
        "F1 at 3.0 {way}: {value} higher for {better} ({sure}).",
        "3.0 기준 {way}. {better}가 {value} 높습니다({sure}).",
        way=way,
        **parts,
    )


def pair_cost(facts: Facts) -> Line | None:
    """Say what a pair costs with each contender, alone and in a batch."""
    costs = []
    for contender, cost in facts.cost.encoders.items():
        if contender not in facts.encoders or not cost.pairs_per_second:
            continue
        alone = 1 / cost.pairs_per_second
        if cost.single_pair_ms is not None:
            alone = cost.single_pair_ms.p50 / 1000
        costs.append(
            both(
                "{alone} with {name} ({rate} pairs a second in batches)",
                "{name} {alone}(묶어서 처리하면 초당 {rate}쌍)",
                alone=duration(alone),
                name=facts.name(contender),
                rate=amount(cost.pairs_per_second),
            )
        )
    if not costs:
        return None
    return both("One pair takes {all}.", "한 쌍에 걸리는 시간: {all}.", all=Line.join(", ", costs))


def vectors(facts: Facts) -> Line | None:
    """Say that a bi-encoder reads a sentence once, where both kinds are compared."""
    bi, cross = facts.best("bi"), facts.best("cross")
    cost = facts.cost.encoders.get(bi or "")
    if bi is None or cross is None or cost is None or not cost.sentences_per_second:
        return None
    return both(
        "{above} reads a sentence once ({rate} a second) and then only compares vectors; {below} "
        "reads every pair anew.",
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
