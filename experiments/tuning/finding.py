"""What a study says in plain words, in English and Korean."""

from __future__ import annotations

from typing import Any

from kosim.encoders.language import Line, Text, both
from kosim.experiments.study.finding import Finding
from kosim.experiments.study.notation import (
    METRIC_NAMES,
    count,
    decimal,
    percent,
    signed,
)
from kosim.experiments.tuning.results import TuneResults


def compute_finding(results: TuneResults) -> Finding:
    """Return whether tuning helped, what it changed, and what it cost."""
    return Finding.of(
        _headline(results),
        [_best(results), _base(results), _cost(results), _pruning(results)],
        [_untested(results), _memory(results)],
    )


def _headline(results: TuneResults) -> Line:
    metric = METRIC_NAMES[results.metric]
    if not results.changed:
        return Line(
            "Nothing that was tried is better than the base.",
            "기본 설정보다 나은 것을 찾지 못했습니다.",
        )
    if results.test is None:
        return both(
            "Best {metric} on the validation pairs: {value}.",
            "검증 데이터의 최고 {metric}: {value}.",
            metric=metric,
            value=decimal(results.best.value),
        )
    tested = results.test.difference.difference(results.metric)
    if tested is None:
        return both(
            "The test cannot compare the tuned encoder with the base: {metric} is undefined.",
            "평가 데이터로 비교할 수 없습니다. {metric}: 구할 수 없음.",
            metric=metric,
        )
    gap = tested if tested.first == "best" else tested.turned()
    parts: dict[str, Text] = {"metric": metric, "gap": gap.stated}
    if not gap.significant:
        return both(
            "The test cannot tell the tuned encoder from the base: {metric} {gap}.",
            "평가 데이터로는 조정한 것과 기본 설정을 구별할 수 없습니다: {metric} {gap}.",
            **parts,
        )
    better = Line("better", "더 낫습니다") if gap.value > 0 else Line("worse", "더 나쁩니다")
    return both(
        "Tuning made the encoder {better} on the test: {metric} {gap}.",
        "조정한 인코더가 평가 데이터에서 {better}: {metric} {gap}.",
        better=better,
        **parts,
    )


def _best(results: TuneResults) -> Line:
    if not results.changed:
        return Line(
            "The base settings were the best that was tried.",
            "시험한 값 가운데 기본 설정이 가장 좋았습니다.",
        )
    changes = (f"{each.name} {shown(each.base)} → {shown(each.best)}" for each in results.changed)
    return both(
        "Best on the validation pairs: {metric} {value} with {changes}.",
        "검증 데이터에서 가장 좋은 설정: {changes}({metric} {value}).",
        metric=METRIC_NAMES[results.metric],
        value=decimal(results.best.value),
        changes=", ".join(changes),
    )


def _base(results: TuneResults) -> Line | None:
    base, best = results.base, results.best.value
    if base is None or base.value is None or best is None or not results.changed:
        return None
    return both(
        "The base reached {base} there ({gain}).",
        "기본 설정의 검증 값: {base}(최고 − 기본: {gain}).",
        base=decimal(base.value),
        gain=signed(best - base.value),
    )


def _cost(results: TuneResults) -> Line:
    return both(
        "{trials} trials took {epochs} epochs.",
        "시도 {trials}번에 {epochs}에폭이 들었습니다.",
        trials=count(len(results.trials)),
        epochs=count(results.cost.epochs),
    )


def _pruning(results: TuneResults) -> Line | None:
    if not results.prune:
        return None
    return both(
        "Pruning saved {saved} of the {whole} that they would have taken.",
        "가지치기가 없었다면 {whole}에폭이었을 것이며, 그 {saved}를 아꼈습니다.",
        saved=percent(results.cost.epochs_saved),
        whole=count(results.cost.epochs_unpruned),
    )


def _untested(results: TuneResults) -> Line | None:
    if results.test is not None or not results.changed:
        return None
    return Line(
        "The gain is of the pairs on which it was chosen, so it is too high; it was not tested.",
        "고를 때 쓴 데이터의 값이라 실제보다 높습니다. 평가 데이터로 확인하지 않았습니다.",
    )


def _memory(results: TuneResults) -> Line | None:
    if not results.cost.out_of_memory:
        return None
    return both(
        "{n} trials did not fit into memory: halve batch_size and double gradient_accumulation "
        "to try them.",
        "시도 {n}번은 메모리가 모자랐습니다. batch_size를 반으로, gradient_accumulation을 두 배로 "
        "하면 됩니다.",
        n=count(results.cost.out_of_memory),
    )


def shown(value: Any) -> str:
    """Return the value of a hyperparameter as tables and sentences show it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
