"""The title, the question and the headline of the verdict, in both languages.

As in `wording`, every function reads the facts, and Korean names end in the noun.
"""

from __future__ import annotations

from pathlib import PurePath

from kosim.encoders.language import Line, both, listed
from kosim.experiments.comparison.facts import SCRATCH_NOTE, TINY, Facts, data_name
from kosim.experiments.comparison.wording import capital
from kosim.experiments.settings import SCRATCH
from kosim.experiments.study.figures import Difference, Undefined
from kosim.experiments.study.notation import count, decimal, many, p_value


def title(facts: Facts) -> Line:
    """Name the data and what was compared on it."""
    name, contenders = data_name(facts.results), list(facts.encoders)
    if {facts.kind(each) for each in contenders} == {"bi", "cross"}:
        return both(
            "{name}: bi-encoder or cross-encoder?",
            "{name}: 바이인코더인가, 크로스인코더인가?",
            name=name,
        )
    if len(contenders) == 1:
        return Line.join(": ", [name, facts.name(contenders[0])])
    return both(
        "{name}: which of {number} encoders?",
        "{name}: 인코더 {number}개 가운데 무엇이 나은가?",
        name=name,
        number=len(contenders),
    )


def question(facts: Facts) -> Line:
    """Say what was asked of which pairs and backbones."""
    used = facts.results.used
    test = Line("test on", "평가")
    if "test_split_off" in facts.results.data:
        test = Line(
            "test on, split off so that no sentence stands on both sides",
            "학습 쌍과 같은 문장이 없도록 떼어 둔 평가",
        )
    trained = not all(map(facts.is_saved, facts.encoders))
    parts = [
        both(
            "{pairs} to {aim}",
            "{aim} {n}쌍",
            pairs=many(used[split], "pair"),
            n=count(used[split]),
            aim=aim,
        )
        for split, aim in (
            ("train", Line("train on", "학습")),
            ("validation", Line("validate on", "검증")),
            ("test", test),
        )
        if used.get(split) and (trained or split == "test")
    ] or [both("{n} test pairs", "평가 {n}쌍", n=count(facts.results.test_pairs))]
    backbones = list(
        dict.fromkeys(
            SCRATCH if encoder.backbone_note == SCRATCH_NOTE.en else PurePath(encoder.backbone).name
            for encoder in facts.encoders.values()
        )
    )
    asked = Line(
        "Whose similarity scores are closer to human judgements?",
        "어느 쪽의 유사도 점수가 사람의 판단에 더 가까운가?",
    )
    if len(facts.encoders) == 1:
        asked = Line(
            "How close are its similarity scores to human judgements?",
            "유사도 점수가 사람의 판단에 얼마나 가까운가?",
        )
    return both(
        "{asked} {pairs}. {word}: {backbones}.",
        "{asked} {pairs}. 백본: {backbones}.",
        asked=asked,
        pairs=Line.join(", ", parts),
        word="Backbone" if len(backbones) == 1 else "Backbones",
        backbones=", ".join(backbones),
    )


def nothing_measured(facts: Facts) -> Line:
    """Headline where no contender has a Pearson."""
    causes = [f.why for f in map(facts.metric, facts.encoders) if isinstance(f, Undefined)]
    return both(
        "No verdict: Pearson is undefined ({why}).",
        "판정할 수 없습니다. 피어슨 상관을 구할 수 없습니다({why}).",
        why=next(iter(causes), Line("not measured", "재지 않음")),
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


def same_score(facts: Facts, names: list[str]) -> Line:
    """Headline where contenders give every pair the same score."""
    return both(
        "No verdict: {names} {give} every pair the same score.",
        "판정할 수 없습니다. 모든 쌍에 같은 점수를 주는 인코더가 있습니다({names}).",
        give="gives" if len(names) == 1 else "give",
        names=listed(map(facts.name, names)),
    )


def opposed(facts: Facts) -> Line:
    """Headline where the scores fall as the labels rise."""
    return both(
        "No verdict: no scores rise with the labels of the test pairs; the best Pearson is {best}.",
        "판정할 수 없습니다. 평가 쌍의 정답을 따라 오르는 점수가 없습니다. 가장 높은 피어슨 "
        "상관: {best}.",
        best=decimal(facts.values[facts.ranking[0]]),
    )


def _scores(facts: Facts, gap: Difference) -> Line:
    first, second = (decimal(facts.values[name]) for name in (gap.first, gap.second))
    p = p_value(gap.p)
    return Line(f"Pearson {first} against {second} ({p})", f"피어슨 상관 {first} 대 {second}({p})")


def ahead_so_far(facts: Facts, gap: Difference, learning: list[str]) -> Line:
    """Headline where contenders have not learnt what they can."""
    who = "it" if len(learning) == 1 else "they"
    if facts.ranking[0] in learning:
        return both(
            "No verdict yet: {others} had not learnt all {who} can: {scores}.",
            "아직 판정할 수 없습니다. 덜 배운 인코더가 있습니다({others}). {scores}.",
            others=listed(map(facts.name, learning)),
            who=who,
            scores=_scores(facts, gap),
        )
    return both(
        "No verdict yet: {leader} scores higher, but {others} had not learnt all {who} can: "
        "{scores}.",
        "아직 판정할 수 없습니다. 지금은 {leader}의 점수가 높지만 {others}는 더 배울 수 있습니다. "
        "{scores}.",
        leader=facts.name(facts.ranking[0]),
        others=listed(map(facts.name, learning)),
        who=who,
        scores=_scores(facts, gap),
    )


def winner(facts: Facts, gap: Difference, *, provisional: bool) -> Line:
    """Headline where the leader is told from all others; ``gap`` is leader minus rival."""
    if provisional:
        just = Line(", but only just", " 아주 조금") if gap.value < TINY else Line("", "")
        return both(
            "{name} is ahead for now{just}: {scores}.",
            "지금은 {name}가{just} 앞섭니다. {scores}.",
            name=capital(facts.name(facts.ranking[0])),
            just=just,
            scores=_scores(facts, gap),
        )
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
