"""What a retrieval evaluation found, in plain words, English and Korean side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kosim.experiments.comparison.wording import Line
from kosim.experiments.study.notation import decimal, duration, estimate, interval, p_value, signed

ALPHA = 0.05
Results = Mapping[str, Any]

_METRIC = "nDCG@10"


def compute_finding(results: Results) -> dict[str, Any]:
    """Return the finding on ``results``: the best row by nDCG@10 and what tells it apart.

    Returns:
        ``best`` (a row's key), and under ``en`` and ``ko``: ``headline``, ``sentences`` and
        ``warnings``.
    """
    rows = {row["key"]: row for row in results["rows"]}
    best = max(rows.values(), key=lambda row: row["metrics"][results["primary"]]["value"])
    lines = {
        "headline": [_headline(results, rows, best)],
        "sentences": [
            line
            for line in (
                _reranking(results, rows),
                _enough(results, rows),
                _against(results, rows, "dense", "lexical"),
                _against(results, rows, "hybrid", "dense"),
                _sample(results),
            )
            if line is not None
        ],
        "warnings": [line for line in (_few_groups(results), _missing(results)) if line],
    }
    finding: dict[str, Any] = {"best": best["key"]}
    for position, language in enumerate(Line._fields):
        finding[language] = {
            part: [line[position] for line in found] for part, found in lines.items()
        }
        finding[language]["headline"] = finding[language]["headline"][0]
    return finding


def korean_name(row: Mapping[str, Any]) -> str:
    """Return a row's name in Korean, ending in a noun."""
    if row["depth"] is not None:
        return f"크로스인코더 재정렬(상위 {row['depth']}개)"
    return {"lexical": "BM25 검색", "hybrid": "하이브리드 검색", "dense": "바이인코더 검색"}[
        row["mode"]
    ]


def comparison(results: Results, first: str, second: str) -> dict[str, Any] | None:
    """Return the difference first minus second by the primary metric, whichever way it stands."""
    for entry in results["comparisons"]:
        found = entry[results["primary"]]
        if (entry["first"], entry["second"]) == (first, second):
            return dict(found)
        if (entry["second"], entry["first"]) == (first, second):
            turned = {"value": -found["value"], "low": -found["high"], "high": -found["low"]}
            return {**found, **turned}
    return None


def _headline(results: Results, rows: Mapping[str, Any], best: Mapping[str, Any]) -> Line:
    figure = estimate(best["metrics"][results["primary"]])
    rivals = [key for key in rows if key != best["key"]]
    tied = [key for key in rivals if not _sure(comparison(results, best["key"], key))]
    if not tied:
        return Line(
            f"Best found by: {best['name']}. {_METRIC} {figure}, surely above every other way",
            f"가장 잘 찾는 방법: {korean_name(best)}. {_METRIC} {figure}, "
            "다른 모든 방법보다 확실히 높음",
        )
    names = ", ".join(rows[key]["name"] for key in tied)
    korean = ", ".join(korean_name(rows[key]) for key in tied)
    return Line(
        f"Highest: {best['name']}. {_METRIC} {figure}, not surely above: {names}",
        f"가장 높은 방법: {korean_name(best)}. {_METRIC} {figure}, "
        f"확실한 차이가 없는 방법: {korean}",
    )


def _sure(found: Mapping[str, Any] | None) -> bool:
    return found is not None and found["p_adjusted"] <= ALPHA


def _reranking(results: Results, rows: Mapping[str, Any]) -> Line | None:
    """Say what reranking at the best depth adds to the bi-encoder, and what it costs."""
    deep = [row for row in rows.values() if row["depth"] is not None]
    if not deep or "dense" not in rows:
        return None
    row = max(deep, key=lambda each: each["metrics"][results["primary"]]["value"])
    found = comparison(results, row["key"], "dense")
    if found is None:
        return None
    times = [duration(rows[key]["latency_ms"]["p50"] / 1000) for key in (row["key"], "dense")]
    korean = [
        duration(rows[key]["latency_ms"]["p50"] / 1000, korean=True)
        for key in (row["key"], "dense")
    ]
    gap = f"{signed(found['value'])} {interval(found)}, {p_value(found['p_adjusted'])}"
    if _sure(found):
        verdict = (
            Line("finds better than", "더 잘 찾습니다")
            if found["value"] > 0
            else Line("finds worse than", "더 못 찾습니다")
        )
    else:
        verdict = Line("cannot be told from", "확실한 차이가 없습니다")
    return Line(
        f"Reranking {row['depth']} hits with the cross-encoder {verdict.en} the bi-encoder alone "
        f"({_METRIC} {gap}); the median query takes {times[0]} instead of {times[1]}.",
        f"상위 {row['depth']}개를 크로스인코더로 재정렬한 결과를 바이인코더 단독과 비교하면 "
        f"{verdict.ko} ({_METRIC} {gap}). 질의 시간 중앙값은 {korean[0]} 대 {korean[1]}입니다.",
    )


def _enough(results: Results, rows: Mapping[str, Any]) -> Line | None:
    """Name the smallest depth that the best depth is not surely above."""
    deep = sorted(
        (row for row in rows.values() if row["depth"] is not None), key=lambda row: row["depth"]
    )
    best = max(deep, key=lambda each: each["metrics"][results["primary"]]["value"], default=None)
    if best is None or best is deep[0]:
        return None
    for row in deep:
        if row is best:
            return Line(
                f"No depth below {row['depth']} is as good: every smaller one is surely worse.",
                f"{row['depth']}개보다 얕은 재정렬은 모두 확실히 더 낮습니다.",
            )
        found = comparison(results, best["key"], row["key"])
        if found is not None and not _sure(found):
            return Line(
                f"Depth {row['depth']} cannot be told from the best, {best['depth']} "
                f"({signed(found['value'])} {interval(found)}, {p_value(found['p_adjusted'])}).",
                f"재정렬 깊이 {row['depth']}개와 가장 좋은 {best['depth']}개 사이에는 "
                f"확실한 차이가 없습니다 ({signed(found['value'])} {interval(found)}, "
                f"{p_value(found['p_adjusted'])}).",
            )
    return None


def _against(results: Results, rows: Mapping[str, Any], first: str, second: str) -> Line | None:
    if first not in rows or second not in rows:
        return None
    found = comparison(results, first, second)
    if found is None:
        return None
    figures = [
        decimal(rows[key]["metrics"][results["primary"]]["value"]) for key in (first, second)
    ]
    gap = f"{signed(found['value'])} {interval(found)}, {p_value(found['p_adjusted'])}"
    sure = _sure(found)
    surely = (
        Line("a sure difference", "확실한 차이")
        if sure
        else Line("no sure difference", "확실하지 않은 차이")
    )
    names = rows[first]["name"], rows[second]["name"]
    korean = korean_name(rows[first]), korean_name(rows[second])
    return Line(
        f"{names[0][:1].upper()}{names[0][1:]} has {figures[0]}, {names[1]} {figures[1]}: "
        f"{surely.en} ({gap}).",
        f"{korean[0]} {figures[0]}, {korean[1]} {figures[1]}: {surely.ko} ({gap}).",
    )


def _sample(results: Results) -> Line:
    task = results["task"]
    timed = results["rows"][0]["latency_ms"]["queries"]
    return Line(
        f"From {task['queries']:,} queries in {task['groups']:,} groups over "
        f"{task['documents']:,} documents; times from {timed} single queries among them.",
        f"문서 {task['documents']:,}개, 그룹 {task['groups']:,}개의 질의 {task['queries']:,}개로 "
        f"평가했고, 시간은 그중 질의 {timed}개를 하나씩 재었습니다.",
    )


def _few_groups(results: Results) -> Line | None:
    groups = results["task"]["groups"]
    if groups >= 30:
        return None
    return Line(
        f"Only {groups} groups were asked: intervals from so few are rough.",
        f"질의 그룹이 {groups}개뿐이어서 신뢰구간이 거칩니다.",
    )


def _missing(results: Results) -> Line | None:
    if not results["left_out"]:
        return None
    reasons = "; ".join(results["left_out"])
    return Line(f"Left out: {reasons}", f"빠진 방법: {reasons}")
