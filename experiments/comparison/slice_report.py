"""What the slices show: their table, their plot, and where the advantage is concentrated."""

from __future__ import annotations

import re
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from kosim.encoders.language import Line, Text, both
from kosim.experiments.comparison.facts import Facts, against, labels
from kosim.experiments.comparison.plots import tones_of
from kosim.experiments.comparison.results import ComparisonResults, SliceComparison, SlicedResults
from kosim.experiments.statistics.significance import FEWEST
from kosim.experiments.study.figures import Difference, between, written
from kosim.experiments.study.notation import DASH, confidence, count, decimal, p_value
from kosim.experiments.study.report.canvas import MUTED, Plot, say
from kosim.experiments.study.report.document import Section, Table

_FAMILIES = {
    "source": Line("source", "출처"),
    "label": Line("label", "정답"),
    "length": Line("length in characters", "글자 수"),
    "overlap": Line("shared bigrams", "겹치는 바이그램"),
    "overlap and label": Line("overlap and label", "겹침과 정답"),
    "distinction": Line("distinction", "차이점"),
}
_FAMILIES |= {f"column {name}": Line(f"column {name}", f"{name} 열") for name in tuple(_FAMILIES)}
_NAMES = {
    ("source", ""): Line("no source", "출처 없음"),
    ("overlap and label", "little, low"): Line("little overlap, low label", "적게 겹침, 낮은 정답"),
    ("overlap and label", "little, high"): Line(
        "little overlap, high label", "적게 겹침, 높은 정답"
    ),
    ("overlap and label", "much, low"): Line("much overlap, low label", "많이 겹침, 낮은 정답"),
    ("overlap and label", "much, high"): Line("much overlap, high label", "많이 겹침, 높은 정답"),
    ("distinction", "negation"): Line("negation", "부정"),
    ("distinction", "number"): Line("numbers and dates", "수와 날짜"),
    ("distinction", "name"): Line("names", "이름"),
    ("distinction", "antonym"): Line("antonyms", "반의어"),
    ("distinction", "order"): Line("only particles or order", "조사나 어순만"),
    ("distinction", "style"): Line("honorific or style", "높임과 문체"),
    ("distinction", "none"): Line("none of these", "해당 없음"),
}
_NUMBER = r"(-?[\d.]+(?:e[-+]\d+)?)"
_BOUNDS = {
    rf"up to {_NUMBER}": r"\1 이하",
    rf"above {_NUMBER}": r"\1 초과",
    rf"{_NUMBER}(?: to |-){_NUMBER}": r"\1~\2",
}
NAMED = 3
"""Slices that the verdict names."""


def slice_name(one: SliceComparison) -> Line:
    """Return what to call a slice in a sentence or a row."""
    known = _NAMES.get((one.family, one.name))
    if known is not None:
        return known
    korean = one.name
    for english, said in _BOUNDS.items():
        korean = re.sub(f"^{english}$", said, korean)
    return Line.join(" ", [_FAMILIES.get(one.family, one.family), Line(one.name, korean)])


def concentrated(facts: Facts) -> Line | None:
    """Say on which slices the better of the two compared encoders errs clearly less, if on any.

    Those are named where its advantage in mean error is significant and larger than over all
    pairs, the largest first.
    """
    sliced = facts.results.slices
    if sliced is None or sliced.overall is None:
        return None
    overall = replace(sliced.overall, first=sliced.first, second=sliced.second).upward()
    if not overall.value:
        return None
    other, better = overall.first, overall.second
    gains = []
    for one in sliced.slices:
        gap = between([one], other, better, "error")
        if gap is not None and gap.significant and gap.value > overall.value:
            gains.append((one, gap))
    if not gains:
        return None
    gains.sort(key=lambda each: -each[1].value)
    listed = [
        both(
            "{name} (mean error {value} points smaller, {interval}, {n} pairs)",
            "{name}(평균 오차가 {value}점 작음, {interval}, {n}쌍)",
            name=slice_name(one),
            value=decimal(gap.value),
            interval=gap.interval,
            n=count(one.n),
        )
        for one, gap in gains[:NAMED]
    ]
    if not overall.significant:
        return both(
            "Over all pairs the mean errors differ no more than by chance, but {name} errs less "
            "in: {listed}.",
            "전체 쌍의 평균 오차 차이는 우연을 넘지 않지만, 다음에서는 {name}의 오차가 더 "
            "작습니다: {listed}.",
            name=facts.name(better),
            listed=Line.join("; ", listed),
        )
    return both(
        "The advantage of {name} is concentrated in: {listed}. Over all pairs its mean error is "
        "{overall} points smaller.",
        "{name}의 우위는 다음에 집중됩니다: {listed}. 전체 쌍에서는 평균 오차가 {overall}점 "
        "작습니다.",
        name=facts.name(better),
        listed=Line.join("; ", listed),
        overall=decimal(overall.value),
    )


def section(results: ComparisonResults) -> Section:
    """Return the section of the slices, empty where none were compared."""
    sliced = results.slices
    title = Line("By slice", "조각별 결과")
    if sliced is None:
        return Section("slices", title)
    how = (
        Line("Kiwi's morphemes", "키위 형태소 분석")
        if sliced.by_kiwi
        else Line("simple rules, because Kiwi is not installed", "키위가 없어 간단한 규칙")
    )
    note = both(
        "Mean absolute error in points of 0–5 and Pearson on groups of test pairs, which overlap. "
        "Within a band of labels a correlation is lower because the labels vary less: compare "
        "errors there. P-values are adjusted for the number of slices (Holm). A dash: fewer than "
        "{fewest} distinct pairs, on which nothing is tested, or labels or scores that do not "
        "vary. What distinguishes two sentences was found by {how}.",
        "평가 쌍을 나눈 조각(서로 겹침)별 평균 절대 오차(0~5점)와 피어슨 상관입니다. 정답 구간 "
        "안에서는 정답의 변동이 작아 상관이 낮으므로 오차를 비교하십시오. p값은 조각 수로 "
        "보정했습니다(Holm). 줄표는 검정하지 않는 서로 다른 {fewest}쌍 미만이거나 정답이나 점수가 "
        "모두 같다는 뜻입니다. 두 문장의 차이점을 찾은 방법: {how}.",
        how=how,
        fewest=FEWEST,
    )
    tables, plots = _tables(results, sliced), _plots(results, sliced)
    return Section("slices", title, note, tables, plots, folded=True)


def _tables(results: ComparisonResults, sliced: SlicedResults) -> list[Table]:
    first, second = sliced.first, sliced.second
    named, gap_name = labels(results), against(results, first, second)
    rows: list[list[Text]] = []
    for one in sliced.slices:
        error, correlation = one.difference("error"), one.metrics.get("pearson")
        rows.append(
            [
                slice_name(one),
                count(one.n),
                decimal(one.errors[first], 2),
                decimal(one.errors[second], 2),
                written(error) if error else DASH,
                p_value(error.p if error else None),
                decimal(one.pearsons[first]),
                decimal(one.pearsons[second]),
                str(correlation) if isinstance(correlation, Difference) else DASH,
            ]
        )
    error_word, pearson_word = Line("Error", "오차"), Line("Pearson", "피어슨")
    columns: list[Text] = [
        Line("Slice", "조각"),
        Line("Pairs", "쌍"),
        Line.join(", ", [error_word, named[first]]),
        Line.join(", ", [error_word, named[second]]),
        Line.join(", ", [error_word, gap_name]),
        Line("p, adjusted", "보정한 p"),
        Line.join(", ", [pearson_word, named[first]]),
        Line.join(", ", [pearson_word, named[second]]),
        Line.join(", ", [pearson_word, gap_name]),
    ]
    caption: Line = Line("Slices", "조각")
    if any(one.difference("error") for one in sliced.slices):
        caption = both(
            "Slices, with {level} intervals",
            "조각, {level} 신뢰 구간",
            level=confidence(results.config),
        )
    return Table.of(caption, columns, rows)


def _plots(results: ComparisonResults, sliced: SlicedResults) -> list[Plot]:
    shown = [(one, gap) for one in sliced.slices if (gap := one.difference("error"))]
    if not shown:
        return []
    named, tones = labels(results), tones_of(results)
    sides = {"first": named[sliced.first], "second": named[sliced.second]}

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=MUTED, linewidth=0.9)
        if sliced.overall is not None:
            axes.axvline(sliced.overall.value, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
        for row, (_, gap) in enumerate(shown):
            strength = 1.0 if gap.significant else 0.45
            tone = tones[sliced.first if gap.value < 0 else sliced.second]
            axes.plot([gap.low, gap.high], [row, row], color=tone, alpha=strength)
            axes.plot(gap.value, row, "o", color=tone, alpha=strength)
        names = [
            say(both("{name}  ({n})", "{name}  ({n})", name=slice_name(one), n=one.n))
            for one, _ in shown
        ]
        axes.set_yticks(range(len(shown)), names, fontsize=8)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlabel(
            say(
                both(
                    "mean error of {first} minus {second}, points",
                    "평균 오차의 차이({first} − {second}, 점)",
                    **sides,
                )
            ),
            loc="right",  # under the names of the slices too, or a long one would be cut off
        )

    return [
        Plot(
            "slices",
            Line("Difference in mean error, by slice", "조각별 평균 오차의 차이"),
            both(
                "Mean absolute error of {first} minus {second} on {n} slices with {level} "
                "intervals; left of 0 {first} errs less. Significant ones are strong; the dashed "
                "line is the difference over all pairs. See the table.",
                "조각 {n}개의 평균 절대 오차 차이({first} − {second})와 {level} 신뢰 구간. "
                "0의 왼쪽은 {first}의 오차가 작다는 뜻입니다. 유의한 것은 진하고, 점선은 전체 "
                "차이입니다. 표를 보십시오.",
                **sides,
                level=confidence(results.config),
                n=len(shown),
            ),
            paint,
            height=0.7 + 0.24 * len(shown),
        )
    ]
