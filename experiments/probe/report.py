"""The report of a probe: shares and margins by phenomenon, as tables and as a heat map."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from kosim.encoders.language import Line, Text, both
from kosim.experiments.probe.results import PhenomenonResults, ProbeResults
from kosim.experiments.study.experiment import Experiment
from kosim.experiments.study.figures import Difference, Estimate, tested
from kosim.experiments.study.finding import Finding
from kosim.experiments.study.notation import count, decimal, percent
from kosim.experiments.study.report import records
from kosim.experiments.study.report.canvas import INK, PAPER, Plot, colour, say
from kosim.experiments.study.report.document import Section, Table

PHENOMENA = {
    "negation": Line("negation", "부정"),
    "antonym": Line("antonym", "반의어"),
    "number": Line("number", "수"),
    "time": Line("time", "시간"),
    "place": Line("place", "장소"),
    "role": Line("who does what to whom", "행위자와 대상"),
    "modality": Line("modality", "양태"),
    "quantity": Line("quantity", "수량 표현"),
    "conditional": Line("conditional", "조건"),
    "spacing": Line("spacing (same meaning)", "띄어쓰기(같은 뜻)"),
    "typo": Line("typo (same meaning)", "오타(같은 뜻)"),
    "particle": Line("dropped particle (same meaning)", "조사 생략(같은 뜻)"),
    "order": Line("scrambled order (same meaning)", "어순 바꿈(같은 뜻)"),
    "honorific": Line("honorific level (same meaning)", "높임 등급(같은 뜻)"),
    "synonym": Line("synonym (same meaning)", "유의어(같은 뜻)"),
    "full-width": Line("full-width forms (same meaning)", "전각 문자(같은 뜻)"),
    "decomposed": Line("decomposed letters, NFD (same meaning)", "자모 분해 NFD(같은 뜻)"),
    "all": Line("all items", "전체"),
}
_PHENOMENON, _ITEMS = Line("Phenomenon", "현상"), Line("Items", "문항")
WEAK = 3
"""Phenomena that are named as the hardest for an encoder."""


def named(phenomenon: str) -> Line:
    """Return what to call a phenomenon; one of the user's items keeps its name."""
    return PHENOMENA.get(phenomenon, Line(phenomenon, phenomenon))


def _share(figure: Estimate) -> str:
    return f"{percent(figure.value)} [{percent(figure.low)}, {percent(figure.high)}]"


def compute_finding(results: ProbeResults) -> Finding:
    """Say how many items each encoder orders rightly, and which phenomena are hardest for it."""
    parts = [
        Line(
            f"{name} {percent(found.overall.share.value)}",
            f"{name} {percent(found.overall.share.value)}",
        )
        for name, found in results.encoders.items()
    ]
    return Finding.of(
        both(
            "Of {items} minimal pairs ordered rightly: {listed}.",
            "최소대립쌍 {items}개 중 바르게 순서를 매긴 비율: {listed}.",
            items=count(results.items),
            listed=Line.join(", ", parts),
        ),
        [
            *(
                _hardest(name, found.phenomena)
                for name, found in results.encoders.items()
                if len(found.phenomena) > 1
            ),
            *_told_apart(results),
        ],
        [],
        shares={name: found.overall.share.value for name, found in results.encoders.items()},
    )


def _hardest(name: str, phenomena: dict[str, PhenomenonResults]) -> Line:
    hard = sorted(phenomena, key=lambda each: phenomena[each].share.value)[:WEAK]
    listed = [Line.join(" ", [named(each), percent(phenomena[each].share.value)]) for each in hard]
    return both(
        "Hardest for {name}: {listed}.",
        "{name}에 가장 어려운 현상: {listed}.",
        name=name,
        listed=Line.join(", ", listed),
    )


def _told_apart(results: ProbeResults) -> list[Line]:
    """Say in which phenomena which of the first two encoders is clearly better."""
    if not any(isinstance(entry.share, Difference) for entry in results.differences):
        return []
    first, second = results.differences[0].first, results.differences[0].second
    better: dict[str, list[Line]] = {first: [], second: []}
    for entry in results.differences:
        if isinstance(entry.share, Difference) and entry.share.significant:
            better[first if entry.share.value > 0 else second].append(named(entry.phenomenon))
    if not any(better.values()):
        return [
            both(
                "No phenomenon tells {first} and {second} apart beyond chance.",
                "어느 현상에서도 우연을 넘는 차이가 없습니다({first}, {second}).",
                first=first,
                second=second,
            )
        ]
    return [
        both(
            "{name} orders clearly more items rightly in: {listed}.",
            "{name} 쪽이 뚜렷이 더 나은 현상: {listed}.",
            name=name,
            listed=Line.join(", ", phenomena),
        )
        for name, phenomena in better.items()
        if phenomena
    ]


def build_sections(results: ProbeResults) -> list[Section]:
    """Return the sections of the report."""
    return [
        Section(
            "phenomena",
            Line("Items ordered rightly, by phenomenon", "현상별 정답률"),
            Line(
                "An item is ordered rightly when the sentence that means the same scores higher "
                "than the one that does not. Intervals are 95%, over items that come from few "
                "templates: they hold for sentences like these, not for all of Korean.",
                "뜻이 같은 문장의 점수가 다른 문장보다 높으면 정답입니다. 95% 신뢰 구간은 적은 "
                "수의 틀에서 만든 문항에 대한 것이므로, 한국어 전체가 아니라 이런 문장에 대한 "
                "값입니다.",
            ),
            [*_shares(results), *_differences(results)],
            [_heat_map(results)],
        ),
        Section(
            "margins",
            Line("Margins in points", "점수 차이"),
            Line(
                "By how many points of 0–5 the pair that means the same scores higher.",
                "뜻이 같은 쌍의 점수가 얼마나 높은지(0~5점).",
            ),
            _margins(results),
        ),
        Section(
            "failures",
            Line("Items that were ordered most wrongly", "가장 크게 틀린 문항"),
            "",
            _failures(results),
            folded=True,
        ),
        Section(
            "environment",
            Line("Environment", "환경"),
            "",
            records.record(Line("Environment", "환경"), results.environment),
            folded=True,
        ),
    ]


def _shares(results: ProbeResults) -> list[Table]:
    encoders = results.encoders.values()
    rows: list[list[Text]] = []
    for name in results.phenomena:
        found = [encoder.phenomena[name] for encoder in encoders]
        rows.append([named(name), count(found[0].n), *(_share(each.share) for each in found)])
    together = [encoder.overall for encoder in encoders]
    rows.append(
        [Line("together", "전체"), count(results.items), *(_share(each.share) for each in together)]
    )
    caption = Line("Share of items ordered rightly", "바르게 순서를 매긴 문항의 비율")
    return Table.of(caption, [_PHENOMENON, _ITEMS, *results.encoders], rows)


def _differences(results: ProbeResults) -> list[Table]:
    rows: list[list[Text]] = [
        [named(entry.phenomenon), *tested(entry.share)] for entry in results.differences
    ]
    if not rows:
        return []
    first, second = results.differences[0].first, results.differences[0].second
    caption = Line(
        "Difference of the shares, p-values adjusted for their number (Holm)",
        "비율의 차이, 검정 횟수로 보정한 p값(Holm)",
    )
    return Table.of(caption, [_PHENOMENON, f"{first} − {second}", "p"], rows)


def _margins(results: ProbeResults) -> list[Table]:
    rows: list[list[Text]] = [
        [
            named(name),
            *(str(encoder.phenomena[name].margin) for encoder in results.encoders.values()),
        ]
        for name in results.phenomena
    ]
    caption = Line("Mean margin, with 95% intervals", "평균 점수 차이, 95% 신뢰 구간")
    return Table.of(caption, [_PHENOMENON, *results.encoders], rows)


def _failures(results: ProbeResults) -> list[Table]:
    tables = []
    columns = [
        Line("Sentence, same, different", "문장, 같은 뜻, 다른 뜻"),
        _PHENOMENON,
        Line("Score, same", "같은 뜻 점수"),
        Line("Score, different", "다른 뜻 점수"),
    ]
    for name, encoder in results.encoders.items():
        rows: list[list[Text]] = [
            [
                f"{item.sentence}\n{item.same}\n{item.different}",
                named(item.phenomenon),
                decimal(item.score_same, 2),
                decimal(item.score_different, 2),
            ]
            for item in encoder.failures
        ]
        tables += Table.of(name, columns, rows, [1])
    return tables


def _heat_map(results: ProbeResults) -> Plot:
    encoders, phenomena = results.encoders, results.phenomena

    def paint(axes: Axes) -> None:
        for row, phenomenon in enumerate(phenomena):
            for column, encoder in enumerate(encoders.values()):
                share = encoder.phenomena[phenomenon].share.value
                # Half is what guessing gets: from there on the colour deepens, to either side.
                depth = 0.08 + 0.8 * abs(share - 0.5) * 2
                axes.add_patch(
                    Rectangle(
                        (column, row),
                        1,
                        1,
                        facecolor=colour(1 if share >= 0.5 else 0),
                        alpha=depth,
                        edgecolor=PAPER,
                        linewidth=1.5,
                    )
                )
                axes.text(
                    column + 0.5,
                    row + 0.5,
                    f"{100 * share:.0f}",
                    ha="center",
                    va="center",
                    color=PAPER if depth > 0.5 else INK,
                    fontsize=8,
                )
        axes.set(xlim=(0, len(encoders)), ylim=(len(phenomena), 0))
        axes.set_yticks(
            [row + 0.5 for row in range(len(phenomena))], [say(named(each)) for each in phenomena]
        )
        axes.set_xticks([column + 0.5 for column in range(len(encoders))], list(encoders))
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)

    return Plot(
        "phenomena",
        Line("Percent of items ordered rightly", "바르게 순서를 매긴 문항(%)"),
        both(
            "Share of items that {names} order rightly, by phenomenon; see the table.",
            "현상별로 바르게 순서를 매긴 문항의 비율({names}). 표를 보십시오.",
            names=", ".join(encoders),
        ),
        paint,
        height=0.6 + 0.27 * len(phenomena),
    )


PROBE = Experiment(ProbeResults, compute_finding, build_sections)
"""The probe as an experiment."""
