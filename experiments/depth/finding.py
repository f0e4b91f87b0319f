"""What an evaluation of depth found, in plain words, English and Korean side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kosim.experiments.comparison.wording import Line
from kosim.experiments.study.notation import count, decimal, duration, percent
from kosim.index.adaptive.policy import RELEVANT

Results = Mapping[str, Any]


def compute_finding(results: Results) -> dict[str, Any]:
    """Return the finding: under ``en`` and ``ko`` the headline, sentences and warnings."""
    sentences = [_cost(results), _adaptive(results), _sample(results), _queries(results)]
    warnings = [_exceeded(results), _few_hits(results)]
    lines = {
        "sentences": [line for line in sentences if line is not None],
        "warnings": [line for line in warnings if line is not None],
    }
    headline = _headline(results)
    return {
        language: {
            "headline": headline[position],
            **{part: [line[position] for line in found] for part, found in lines.items()},
        }
        for position, language in enumerate(Line._fields)
    }


def span(recommended: Mapping[str, Any]) -> str:
    """Return the interval of the recommended depth, such as ``[20, 45]``."""
    beyond = f"> {recommended['deepest']}"
    ends = [
        beyond if recommended[end] is None else str(recommended[end]) for end in ("low", "high")
    ]
    return f"[{', '.join(ends)}]"


def _headline(results: Results) -> Line:
    found = results["recommended"]
    share, k = percent(found["keep"]), results["settings"]["k"]
    if found["depth"] is None:
        return Line(
            f"No depth up to {found['deepest']} keeps {share} of the hits. Retrieve deeper, or "
            "train the bi-encoder further",
            f"깊이 {found['deepest']}까지로는 결과의 {share} 유지 불가. 더 깊이 검색하거나 "
            "바이인코더를 더 학습하세요",
        )
    return Line(
        f"Rerank {found['depth']} candidates {span(found)}. That keeps {share} of the top {k} "
        "that scoring everything would find",
        f"재정렬 후보는 {found['depth']}개 {span(found)}로 충분. 전체를 채점했을 때의 "
        f"상위 {k}개 중 {share} 유지",
    )


def _cost(results: Results) -> Line | None:
    """Say what the recommended depth costs, at the nearest depth that was timed."""
    depth = results["recommended"]["depth"]
    if depth is None:
        return None
    row = min(
        results["depths"], key=lambda each: (each["depth"] < depth, abs(each["depth"] - depth))
    )
    documents = results["scoring"]["documents"]
    time = row["latency_ms"]["p50"] / 1000
    return Line(
        f"That is {count(depth)} cross-encoder calls a query instead of {count(documents)}; "
        f"at depth {row['depth']} the median query takes {duration(time)}, the k best lose "
        f"{decimal(row['regret']['value'])} points of 5 on average, and nDCG is "
        f"{decimal(row['ndcg']['value'])}.",
        f"질의당 크로스인코더 호출은 {count(documents)}회 대신 {count(depth)}회입니다. 깊이 "
        f"{row['depth']}에서 질의 시간 중앙값은 {duration(time, korean=True)}, 상위 결과의 "
        f"평균 점수 손실은 5점 만점에 {decimal(row['regret']['value'])}점, nDCG는 "
        f"{decimal(row['ndcg']['value'])}입니다.",
    )


def _adaptive(results: Results) -> Line | None:
    """Name the strictest chance that the policy allows, and what it did."""
    chances = [row for row in (results["adaptive"] or {}).get("chances", []) if "calls" in row]
    if not chances:
        return None
    row = next((row for row in chances if row["chance"] >= 0.05), chances[-1])
    rate, n = row["miss_rate"], row["queries"]
    interval = f"[{percent(rate['low'])}, {percent(rate['high'])}]"
    return Line(
        f"With --candidates auto and a chance of {percent(row['chance'])}, {row['missed']} of {n} "
        f"queries lost a hit ({percent(rate['value'])} {interval}) at "
        f"{row['calls']['mean']:.0f} calls a query on average, {percent(row['saved'])} fewer than "
        f"the whole list of {row['full_calls']:.0f}.",
        f"--candidates auto, 허용 확률 {percent(row['chance'])}: 질의 {n}개 중 {row['missed']}개가 "
        f"결과를 놓쳤고({percent(rate['value'])} {interval}), 질의당 평균 호출은 "
        f"{row['calls']['mean']:.0f}회로 전체 {row['full_calls']:.0f}회보다 "
        f"{percent(row['saved'])} 적습니다.",
    )


def _sample(results: Results) -> Line:
    scoring = results["scoring"]
    if scoring["exhaustive"]:
        return Line(
            f"Every one of the {count(scoring['documents'])} documents was scored for every query "
            f"({count(scoring['pairs'])} pairs): the figures are exact for these queries.",
            f"문서 {count(scoring['documents'])}개를 모든 질의에 대해 전부 채점했습니다"
            f"({count(scoring['pairs'])}쌍). 이 질의들에 대해서는 정확한 값입니다.",
        )
    drawn = sum(band["scored_per_query"] for band in scoring["bands"])
    return Line(
        f"Of {count(scoring['documents'])} documents, the first {count(scoring['top'])} retrieved "
        f"and a sample of {count(drawn)} others were scored for each query "
        f"({count(scoring['pairs'])} pairs): the figures are estimates, rather too low than too "
        "high.",
        f"문서 {count(scoring['documents'])}개 중 질의마다 검색 상위 {count(scoring['top'])}개와 "
        f"나머지 표본 {count(drawn)}개를 채점했습니다({count(scoring['pairs'])}쌍). "
        "값은 추정치이며 실제보다 낮은 쪽으로 치우칩니다.",
    )


def _queries(results: Results) -> Line:
    queries = results["queries"]
    return Line(
        f"{queries['with_hits']} of {queries['count']} queries have hits of at least {RELEVANT} of "
        f"5, {queries['hits']:,.0f} in all; the other {queries['without_hits']} do not count.",
        f"질의 {queries['count']}개 중 {queries['with_hits']}개에 {RELEVANT}점 이상인 결과가 모두 "
        f"{queries['hits']:,.0f}개 있고, 나머지 {queries['without_hits']}개는 세지 않았습니다.",
    )


def _exceeded(results: Results) -> Line | None:
    """Warn of a chance that was surely exceeded."""
    over = [
        row
        for row in (results["adaptive"] or {}).get("chances", [])
        if "calls" in row and row["miss_rate"]["value"] > row["chance"]
    ]
    if not over:
        return None
    named = ", ".join(
        f"{percent(row['miss_rate']['value'])} > {percent(row['chance'])}" for row in over
    )
    return Line(
        f"On these queries the policy missed more than stated ({named}): they are harder than the "
        "corpus's own sentences on which it was fitted, or it was chance (see the intervals).",
        f"이 질의들에서는 정한 확률보다 더 놓쳤습니다({named}). 정책을 맞춘 말뭉치 문장보다 어려운 "
        "질의이거나 우연일 수 있습니다(구간 참고).",
    )


def _few_hits(results: Results) -> Line | None:
    queries = results["queries"]["with_hits"]
    if queries >= 30:
        return None
    return Line(
        f"Only {queries} queries have hits that count: the figures are rough.",
        f"셀 수 있는 결과가 있는 질의가 {queries}개뿐이어서 값이 거칩니다.",
    )
