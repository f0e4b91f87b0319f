"""What a retrieval evaluation found, in plain words, English and Korean side by side."""

from __future__ import annotations

from collections.abc import Iterable

from kosim.encoders.language import Line, Text, both
from kosim.experiments.retrieval.results import (
    MEAN,
    NO_RERANKER,
    NOT_CALIBRATED,
    RetrievalResults,
    WayResults,
)
from kosim.experiments.study.finding import Finding
from kosim.experiments.study.notation import count, decimal, milliseconds

_METRIC = "nDCG@10"
_FEW_GROUPS = 30


def compute_finding(results: RetrievalResults) -> Finding:
    """Return the best way to search by nDCG@10, as the figure ``best``, and what tells it apart."""
    best = _best(results, results.rows)
    return Finding.of(
        _headline(results, best),
        [
            _reranking(results),
            _enough(results),
            _against(results, "dense", "lexical"),
            _against(results, "hybrid", "dense"),
            _sample(results),
        ],
        [_few_groups(results), _missing(results)],
        best=best.key,
    )


def _best(results: RetrievalResults, ways: Iterable[WayResults]) -> WayResults:
    return max(ways, key=lambda way: results.figure(way).value)


def _headline(results: RetrievalResults, best: WayResults) -> Line:
    gaps = {way.name: results.between(best.key, way.key) for way in results.rows if way is not best}
    tied = [name for name, gap in gaps.items() if gap is None or not gap.significant]
    parts: dict[str, Text] = {
        "best": best.name,
        "metric": _METRIC,
        "figure": str(results.figure(best)),
    }
    if not tied:
        return both(
            "Best found by: {best}. {metric} {figure}, surely above every other way",
            "가장 잘 찾는 방법: {best}. {metric} {figure}, 다른 모든 방법보다 확실히 높음",
            **parts,
        )
    return both(
        "Highest: {best}. {metric} {figure}, not surely above: {tied}",
        "가장 높은 방법: {best}. {metric} {figure}, 확실한 차이가 없는 방법: {tied}",
        tied=Line.join(", ", tied),
        **parts,
    )


def _reranking(results: RetrievalResults) -> Line | None:
    """Say what reranking at the best depth adds to the bi-encoder, and what it costs."""
    deep = [way for way in results.rows if way.depth is not None]
    if not deep or "dense" not in results.ways:
        return None
    way, alone = _best(results, deep), results.ways["dense"]
    gap = results.between(way.key, alone.key)
    if gap is None:
        return None
    if not gap.significant:
        verdict = Line("cannot be told from", "바이인코더만 쓸 때와 확실한 차이가 없습니다")
    elif gap.value > 0:
        verdict = Line("finds better than", "바이인코더만 쓸 때보다 더 잘 찾습니다")
    else:
        verdict = Line("finds worse than", "바이인코더만 쓸 때보다 더 못 찾습니다")
    if way.interpolation == MEAN:
        how = Line("by the mean of both encoders' scores", "두 인코더 점수의 평균으로")
    elif way.interpolation:
        how = Line(
            f"by both encoders' scores ({way.interpolation:g} of the bi-encoder's)",
            f"두 인코더 점수를 섞어(바이인코더 {way.interpolation:g})",
        )
    else:
        how = Line("with the cross-encoder", "크로스인코더로")
    return both(
        "Reranking {depth} hits {how} {verdict} the bi-encoder alone ({metric} {gap}); the median "
        "query takes {time} instead of {before}.",
        "상위 {depth}개를 {how} 재순위화하면 {verdict}({metric} {gap}). 질의 시간 중앙값: {before} "
        "→ {time}.",
        depth=way.depth or 0,
        how=how,
        verdict=verdict,
        metric=_METRIC,
        gap=gap.stated,
        time=milliseconds(way.latency_ms.p50),
        before=milliseconds(alone.latency_ms.p50),
    )


def _enough(results: RetrievalResults) -> Line | None:
    """Name the smallest depth that the best depth is not surely above, with the same scores."""
    every = [way for way in results.rows if way.depth]
    if not every:
        return None
    share = _best(results, every).interpolation
    deep = sorted(
        (way for way in every if way.interpolation == share), key=lambda way: way.depth or 0
    )
    if (best := _best(results, deep)) is deep[0]:
        return None
    for way in deep[: deep.index(best)]:
        gap = results.between(best.key, way.key)
        if gap is not None and not gap.significant:
            return both(
                "Depth {depth} cannot be told from the best, {best} ({gap}).",
                "재순위화 후보 {depth}개와 가장 좋은 {best}개 사이에는 확실한 차이가 없습니다"
                "({gap}).",
                depth=way.depth or 0,
                best=best.depth or 0,
                gap=gap.stated,
            )
    return both(
        "No depth below {best} is as good: every smaller one is surely worse.",
        "후보를 {best}개보다 적게 재순위화하면 모두 확실히 더 나쁩니다.",
        best=best.depth or 0,
    )


def _against(results: RetrievalResults, first: str, second: str) -> Line | None:
    ways, gap = results.ways, results.between(first, second)
    if gap is None:
        return None
    surely = Line("no sure difference", "확실하지 않은 차이")
    if gap.significant:
        surely = Line("a sure difference", "확실한 차이")
    name = ways[first].name
    return both(
        "{first} has {one}, {second} {other}: {surely} ({gap}).",
        "{first} {one}, {second} {other}: {surely}({gap}).",
        first=Line(name.en[:1].upper() + name.en[1:], name.ko),
        one=decimal(results.figure(ways[first]).value),
        second=ways[second].name,
        other=decimal(results.figure(ways[second]).value),
        surely=surely,
        gap=gap.stated,
    )


def _sample(results: RetrievalResults) -> Line:
    return both(
        "From {queries} queries in {groups} groups over {documents} documents; times from {timed} "
        "single queries among them.",
        "문서 {documents}개, 그룹 {groups}개의 질의 {queries}개로 평가했고, 시간은 그중 질의 "
        "{timed}개를 하나씩 재었습니다.",
        queries=count(results.task.queries),
        groups=count(results.task.groups),
        documents=count(results.task.documents),
        timed=count(results.rows[0].latency_ms.queries),
    )


def _few_groups(results: RetrievalResults) -> Line | None:
    if results.task.groups >= _FEW_GROUPS:
        return None
    return both(
        "Only {groups} groups were asked: intervals from so few are rough.",
        "질의 그룹이 {groups}개뿐이어서 신뢰 구간이 정확하지 않습니다.",
        groups=results.task.groups,
    )


def _missing(results: RetrievalResults) -> Line | None:
    if not results.left_out:
        return None
    known = {line.en: line for line in (NO_RERANKER, NOT_CALIBRATED)}
    reasons = [known.get(reason, reason) for reason in results.left_out]
    return both("Left out: {why}", "빠진 방법: {why}", why=Line.join("; ", reasons))
