"""The report of an evaluation of depth: its tables and plots."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from kosim.encoders.language import Line, Text, both
from kosim.experiments.retrieval.depth.finding import compute_finding
from kosim.experiments.retrieval.depth.results import (
    SCORES_SETTINGS,
    BandResults,
    DepthResults,
    DepthRow,
    Impossible,
)
from kosim.experiments.study.experiment import Experiment
from kosim.experiments.study.notation import (
    DASH,
    amount,
    count,
    milliseconds,
    percent,
)
from kosim.experiments.study.report import records
from kosim.experiments.study.report.canvas import INK, MUTED, Plot, colour, say
from kosim.experiments.study.report.document import Columns, Section, Table, tabulate
from kosim.index.adaptive.policy import RELEVANT

_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


def build_sections(results: DepthResults) -> list[Section]:
    """Return the sections of the report."""
    return [
        Section(
            "depths",
            Line("What each depth keeps", "깊이별 결과"),
            _note(results),
            _depths(results),
            [_survival_plot(results)],
        ),
        Section(
            "adaptive",
            Line("As many candidates as each query needs", "질의별 후보 수"),
            _adaptive_note(results),
            _adaptive(results),
            _adaptive_plot(results),
        ),
        Section(
            "scoring",
            Line("What was scored", "채점한 문서"),
            _scoring_note(results),
            _bands(results),
        ),
        records.origin(
            results,
            Line("Queries, encoders and machine", "질의, 인코더, 환경"),
            {
                Line("Queries", "질의"): dict(results.queries),
                Line("Index", "색인"): results.index,
                Line("Encoders", "인코더"): results.encoders,
                Line("Settings", "설정"): vars(results.settings),
            },
        ),
    ]


def _note(results: DepthResults) -> Line:
    found = results.recommended
    return both(
        "Survival: of all hits of at least {relevant} of 5 in the exhaustive top {k}s, the share "
        "among the retrieved ones. Regret: how much the mean score of the top {k} falls, in "
        "points of 0–5. nDCG: the gain of a hit is its score, the exhaustive order is ideal; an "
        "empty rank is worth 0. 95% intervals resample the queries. The smallest depth that keeps "
        "{keep} is {depth}. Times are of {timed} of these queries, one at a time.",
        "생존율: 전체를 채점한 상위 {k}개 중 {relevant}점 이상인 결과가 검색된 후보에 남아 있는 "
        "비율. 손실: 상위 {k}개 평균 점수의 하락(0~5점). nDCG: 결과의 점수를 이득으로, 전체 채점 "
        "순서를 이상적 순서로 보며 빈 순위는 0입니다. 95% 신뢰 구간은 질의를 재표집합니다. "
        "{keep}를 유지하는 가장 작은 깊이: {depth}. 시간은 질의 {timed}개를 하나씩 재었습니다.",
        relevant=str(RELEVANT),
        k=results.settings.k,
        keep=percent(found.keep),
        depth=f"{found.depth} {found.span}" if found.depth is not None else f"> {found.deepest}",
        timed=count(results.depths[0].latency_ms.queries),
    )


def _depths(results: DepthResults) -> list[Table]:
    columns: Columns[DepthRow] = {
        Line("Depth", "깊이"): lambda row: count(row.depth),
        Line("Survival", "생존율"): lambda row: str(row.survival),
        Line("Regret", "손실"): lambda row: str(row.regret),
        f"nDCG@{results.settings.k}": lambda row: str(row.ndcg),
        Line("A query, median", "질의 하나, 중앙값"): lambda row: milliseconds(row.latency_ms.p50),
        Line("p95", "95백분위"): lambda row: milliseconds(row.latency_ms.p95),
        Line("Calls", "호출"): lambda row: count(row.cross_encoder_calls),
    }
    caption = Line("By depth, with 95% intervals", "깊이별, 95% 신뢰 구간")
    return tabulate(caption, results.depths, columns)


def _survival_plot(results: DepthResults) -> Plot:
    recommended = results.recommended.depth

    def paint(axes: Axes) -> None:
        tone, deepest = colour(1), len(results.curve)
        axes.axhline(results.settings.keep, color=MUTED, linewidth=0.9)
        axes.plot(np.arange(1, deepest + 1), results.curve, color=tone)
        for row in results.depths:
            axes.plot([row.depth] * 2, [row.survival.low, row.survival.high], color=tone)
            axes.plot(row.depth, row.survival.value, "o", color=tone, markersize=4)
        if recommended is not None:
            axes.axvline(recommended, color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
            axes.annotate(
                f"{recommended}",
                (recommended, axes.get_ylim()[0]),
                xytext=(4, 4),
                textcoords="offset points",
            )
        axes.set_xscale("log")
        ticks = [tick for tick in _TICKS if tick <= deepest]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([str(tick) for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        axes.set_xlabel(say(Line("candidates that are reranked", "재순위화하는 후보 수")))
        axes.set_ylabel(say(Line("hits that survive", "남은 결과")))

    found = [
        both("depth {depth}: {kept}", "깊이 {depth}: {kept}", depth=r.depth, kept=str(r.survival))
        for r in results.depths
    ]
    title = Line("Survival against depth", "깊이와 생존율")
    return Plot("depth-survival", title, Line.join("; ", found), paint)


def _adaptive_note(results: DepthResults) -> Text:
    if results.adaptive is None:
        return ""
    return both(
        "Fitted on lists of {sampled} sentences of the corpus, {depth} deep, and replayed on the "
        "queries of this report, which it has not seen. A query is missed if it loses a hit that "
        "counts of those which reranking its whole list would show; the interval of the miss rate "
        "is exact (Clopper–Pearson).",
        "말뭉치 문장 {sampled}개의 후보 {depth}개씩에 맞추고, 본 적 없는 이 보고서의 질의로 "
        "재현했습니다. 전체를 재순위화했을 때 보일 결과를 하나라도 잃으면 놓친 질의입니다. 놓친 "
        "비율의 신뢰 구간은 정확 구간(Clopper–Pearson)입니다.",
        sampled=count(results.adaptive.sampled),
        depth=results.adaptive.depth,
    )


def _adaptive(results: DepthResults) -> list[Table]:
    adaptive = results.adaptive
    if adaptive is None:
        return []
    rows: list[list[Text]] = []
    for row in adaptive.chances:
        if isinstance(row, Impossible):
            why = Line("too few queries to promise it", "보장하기에 질의가 부족함")
            rows.append([percent(row.chance), why, *[DASH] * 5])
            continue
        rate = row.miss_rate
        rows.append(
            [
                percent(row.chance),
                f"{row.missed} / {row.queries}",
                f"{percent(rate.value)} [{percent(rate.low)}, {percent(rate.high)}]",
                amount(row.calls.mean),
                amount(row.calls.p95),
                percent(row.saved),
                percent(row.saved_of_fixed),
            ]
        )
    fixed = adaptive.fixed_depth
    columns = [
        Line("Stated chance", "허용 확률"),
        Line("Missed", "놓친 질의"),
        Line("Observed", "관측된 비율"),
        Line("Calls, mean", "평균 호출"),
        Line("p95", "95백분위"),
        Line(f"Saved of {adaptive.depth}", f"{adaptive.depth}회 대비 절약"),
        Line(f"Saved of the fixed {fixed}", f"고정 {fixed}회 대비 절약")
        if fixed
        else Line("Saved of a fixed depth", "고정 깊이 대비 절약"),
    ]
    return Table.of(Line("Stated and observed misses", "허용 확률과 관측값"), columns, rows)


def _adaptive_plot(results: DepthResults) -> list[Plot]:
    rows = results.replayed
    if len(rows) < 2:
        return []
    chances = [row.chance for row in rows]

    def paint(misses: Axes, calls: Axes) -> None:
        stated = np.geomspace(min(chances), max(chances), 50)
        misses.plot(stated, stated, color=MUTED, linewidth=0.9)
        for row in rows:
            rate = row.miss_rate
            misses.plot([row.chance] * 2, [rate.low, rate.high], color=colour(0))
            misses.plot(row.chance, rate.value, "o", color=colour(0))
        calls.plot(chances, [row.calls.mean for row in rows], "o-", color=colour(1))
        calls.set_ylim(0, 1.1 * max(row.calls.mean for row in rows))
        calls.set_xscale("log")
        calls.xaxis.set_major_locator(FixedLocator(chances))
        calls.xaxis.set_minor_locator(NullLocator())
        misses.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        calls.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        misses.set_ylabel(say(Line("missed", "놓친 비율")))
        calls.set_xlabel(say(Line("stated chance", "허용 확률")))
        calls.set_ylabel(say(Line("calls a query", "질의당 호출")))

    found = [
        both(
            "stated {chance}: observed {rate} at {calls} calls",
            "허용 {chance}: 관측 {rate}, 호출 {calls}회",
            chance=percent(row.chance),
            rate=percent(row.miss_rate.value),
            calls=amount(row.calls.mean),
        )
        for row in rows
    ]
    title = Line("Misses and calls by chance", "허용 확률별 놓친 비율과 호출")
    return [Plot("depth-adaptive", title, Line.join("; ", found), paint, rows=2)]


def _scoring_note(results: DepthResults) -> Line:
    if results.scoring.exhaustive:
        return Line(
            "Every document was scored for every query, so that nothing here is estimated.",
            "모든 문서를 모든 질의에 대해 채점했으므로 추정한 값이 없습니다.",
        )
    return both(
        "The first {top} retrieved documents are scored for every query. Behind them, bands of "
        "cosine rank, each twice as deep as the one before, get equal shares of the draws, "
        "without replacement; a drawn document stands for (documents in the band) / (draws) "
        "documents. Each document beyond is charged to survival, regret and nDCG as if it came "
        "alone into the known top k, which is never less than it costs in company; the weighted "
        "sum over the drawn ones estimates the sum over all without bias (Horvitz–Thompson). The "
        "intervals of the depths resample queries and so include the luck of the draw, as far as "
        "anything was found; where a band had no hit, its upper limit (Clopper–Pearson) says what "
        "may have gone unseen.",
        "질의마다 검색 상위 {top}개를 모두 채점하고, 그 뒤는 두 배씩 깊어지는 코사인 순위 구간에서 "
        "같은 수만큼 비복원 추출합니다. 뽑힌 문서 하나는 (구간의 문서 수)/(뽑은 수)개를 "
        "대표합니다. 검색 상위 {top}개 밖의 문서는 저마다 혼자 상위 k에 들어온 것으로 계산하므로 "
        "손실이 실제보다 작게 나오지 않으며, 뽑힌 문서의 가중합은 전체 합의 "
        "불편추정량입니다(Horvitz–Thompson). 질의를 재표집한 신뢰 구간에는 추출의 우연도 담겨 "
        "있습니다. 결과가 하나도 나오지 않은 순위 구간에서 놓쳤을 수 있는 수는 "
        "상한(Clopper–Pearson)을 보십시오.",
        top=count(results.scoring.top),
    )


def _bands(results: DepthResults) -> list[Table]:
    columns: Columns[BandResults] = {
        Line("Cosine rank", "코사인 순위"): lambda band: f"{band.ranks[0]:,}–{band.ranks[1]:,}",
        Line("Scored a query", "질의당 채점"): lambda band: count(band.scored_per_query),
        Line("Each stands for", "하나가 대표하는 수"): lambda band: amount(band.weight),
        Line("Scored in all", "전체 채점"): lambda band: count(band.scored),
        Line("Hits among them", "그중 결과"): lambda band: count(band.hits),
        Line("Hits a query, estimated", "질의당 결과(추정)"): lambda band: str(band.hits_per_query),
    }
    caption = Line("Beyond the retrieved documents", "검색 상위 밖의 문서")
    return tabulate(caption, results.scoring.bands, columns)


DEPTH = Experiment(DepthResults, compute_finding, build_sections, leaves=(SCORES_SETTINGS,))
"""The evaluation of depth as an experiment."""
