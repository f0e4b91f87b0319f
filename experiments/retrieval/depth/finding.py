"""What an evaluation of depth found, in plain words, English and Korean side by side."""

from __future__ import annotations

from kosim.encoders.language import Line, both
from kosim.experiments.retrieval.depth.results import DepthResults
from kosim.experiments.study.finding import Finding
from kosim.experiments.study.notation import count, decimal, many, milliseconds, percent
from kosim.index.adaptive.policy import RELEVANT

_FEW_QUERIES = 30


def compute_finding(results: DepthResults) -> Finding:
    """Return how many candidates to rerank, and what that keeps and costs."""
    return Finding.of(
        _headline(results),
        [_scores(results), _cost(results), _adaptive(results), _sample(results), _queries(results)],
        [_exceeded(results), _few_hits(results)],
    )


def _headline(results: DepthResults) -> Line:
    found = results.recommended
    share = percent(found.keep)
    if found.depth is None:
        return both(
            "No depth up to {deepest} keeps {share} of the hits. Retrieve deeper, or train the "
            "bi-encoder further",
            "깊이 {deepest}까지로는 결과의 {share}를 유지할 수 없습니다. 더 깊이 검색하거나 "
            "바이인코더를 더 학습시키십시오",
            deepest=found.deepest,
            share=share,
        )
    return both(
        "Rerank {candidates} {span}. That keeps {share} of the top {k} that scoring "
        "everything would find",
        "재순위화 후보는 {depth}개면 충분합니다({span}). 전체를 채점했을 때의 상위 {k}개 중 "
        "{share}를 유지합니다",
        candidates=many(found.depth, "candidate"),
        depth=found.depth,
        span=found.span,
        share=share,
        k=results.settings.k,
    )


def _scores(results: DepthResults) -> Line | None:
    """Say by which scores hits are ordered, if not by the reranker's alone."""
    share = results.settings.interpolation
    if not share:
        return None
    return both(
        "Hits are ordered by both encoders' scores, {share} of the bi-encoder's, as with kosim "
        "search --interpolation {share}.",
        "결과는 kosim search --interpolation {share}처럼 두 인코더의 점수를 섞어 정렬합니다"
        "(바이인코더 {share}).",
        share=f"{share:g}",
    )


def _cost(results: DepthResults) -> Line | None:
    """Say what the recommended depth costs, at the nearest depth that was timed."""
    depth = results.recommended.depth
    if depth is None:
        return None
    row = min(results.depths, key=lambda each: (each.depth < depth, abs(each.depth - depth)))
    return both(
        "That is {called} a query instead of {documents}; at depth {depth} the "
        "median query takes {time}, the k best lose {regret} points of 5 on average, and nDCG is "
        "{ndcg}.",
        "질의당 크로스인코더 호출은 {documents}회 대신 {calls}회입니다. 깊이 {depth}에서 질의 "
        "시간 중앙값은 {time}, 상위 결과의 평균 점수 손실은 5점 만점에 {regret}점, nDCG는 "
        "{ndcg}입니다.",
        called=many(depth, "cross-encoder call"),
        calls=count(depth),
        documents=count(results.scoring.documents),
        depth=row.depth,
        time=milliseconds(row.latency_ms.p50),
        regret=decimal(row.regret.value),
        ndcg=decimal(row.ndcg.value),
    )


def _adaptive(results: DepthResults) -> Line | None:
    """Name the strictest chance that the policy allows, and what it did."""
    chances = results.replayed
    if not chances:
        return None
    row = next((row for row in chances if row.chance >= 0.05), chances[-1])
    rate = row.miss_rate
    return both(
        "With --candidates auto and a chance of {chance}, {missed} of {n} queries lost a hit "
        "({rate} [{low}, {high}]) at {calls} calls a query on average, {saved} fewer than the "
        "whole list of {full}.",
        "--candidates auto, 허용 확률 {chance}: 질의 {n}개 중 {missed}개가 결과를 놓쳤고({rate} "
        "[{low}, {high}]), 질의당 평균 호출은 {calls}회로 전체 {full}회보다 {saved} 적습니다.",
        chance=percent(row.chance),
        missed=row.missed,
        n=row.queries,
        rate=percent(rate.value),
        low=percent(rate.low),
        high=percent(rate.high),
        calls=f"{row.calls.mean:.0f}",
        saved=percent(row.saved),
        full=f"{row.full_calls:.0f}",
    )


def _sample(results: DepthResults) -> Line:
    scoring = results.scoring
    documents, pairs = count(scoring.documents), count(scoring.pairs)
    if scoring.exhaustive:
        return both(
            "Every one of the {documents} documents was scored for every query ({pairs} pairs): "
            "the figures are exact for these queries.",
            "문서 {documents}개를 모든 질의에 대해 전부 채점했습니다({pairs}쌍). 이 질의들에 "
            "대해서는 정확한 값입니다.",
            documents=documents,
            pairs=pairs,
        )
    return both(
        "Of {documents} documents, the first {top} retrieved and a sample of {drawn} others were "
        "scored for each query ({pairs} pairs): the figures are estimates, rather too low than "
        "too high.",
        "문서 {documents}개 중 질의마다 검색 상위 {top}개와 나머지 표본 {drawn}개를 채점했습니다"
        "({pairs}쌍). 값은 추정치이며 실제보다 낮은 쪽으로 치우칩니다.",
        documents=documents,
        top=count(scoring.top),
        drawn=count(sum(band.scored_per_query for band in scoring.bands)),
        pairs=pairs,
    )


def _queries(results: DepthResults) -> Line:
    queries = results.queries
    return both(
        "{counted} of {count} queries have hits of at least {relevant} of 5, {hits} in all; the "
        "other {rest} do not count.",
        "질의 {count}개 중 {counted}개에 {relevant}점 이상인 결과가 모두 {hits}개 있고, 나머지 "
        "{rest}개는 세지 않았습니다.",
        counted=queries.with_hits,
        count=queries.count,
        relevant=str(RELEVANT),
        hits=count(queries.hits),
        rest=queries.without_hits,
    )


def _exceeded(results: DepthResults) -> Line | None:
    """Warn of a chance that was exceeded."""
    over = [row for row in results.replayed if row.miss_rate.value > row.chance]
    if not over:
        return None
    named = (f"{percent(row.miss_rate.value)} > {percent(row.chance)}" for row in over)
    return both(
        "On these queries the policy missed more than stated ({named}): they are harder than the "
        "corpus's own sentences on which it was fitted, or it was chance (see the intervals).",
        "이 질의들에서는 정한 확률보다 더 놓쳤습니다({named}). 정책을 맞춘 말뭉치 문장보다 어려운 "
        "질의이거나 우연일 수 있습니다(구간 참고).",
        named=", ".join(named),
    )


def _few_hits(results: DepthResults) -> Line | None:
    if results.queries.with_hits >= _FEW_QUERIES:
        return None
    return both(
        "Only {queries} queries have hits that count: the figures are rough.",
        "셀 수 있는 결과가 있는 질의가 {queries}개뿐이어서 대략적인 값입니다.",
        queries=results.queries.with_hits,
    )
