"""What a study says in plain words, in English and Korean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kosim.experiments.study.notation import METRIC_NAMES, count, decimal, p_value, percent, signed

Results = Mapping[str, Any]

LEVEL = 0.05


def compute_finding(results: Results) -> dict[str, dict[str, Any]]:
    """Return headline, sentences and warnings under ``en`` and ``ko``."""
    best, base, cost = results["best"], results["base"], results["cost"]
    metric = METRIC_NAMES[results["metric"]]
    trials = count(len(results["trials"]))
    changes = [
        f"{record['name']} {_value(record['base'])} → {_value(record['best'])}"
        for record in results["parameters"]
        if record["base"] != record["best"]
    ]
    same = not changes
    changed = ", ".join(changes)
    values = f"{metric} {decimal(best['value'])}"
    english = [
        "The base settings were the best that was tried."
        if same
        else f"Best on the validation pairs: {values} with {changed}."
    ]
    korean = [
        "시험한 값 가운데 기본 설정이 가장 좋았다."
        if same
        else f"검증 데이터에서 가장 좋은 설정: {changed} ({values})."
    ]
    if base and not same:
        gain = signed(best["value"] - base["value"])
        english.append(f"The base reached {decimal(base['value'])} there ({gain}).")
        korean.append(f"기본 설정은 검증 데이터에서 {decimal(base['value'])} ({gain}).")
    english.append(f"{trials} trials took {count(cost['epochs'])} epochs.")
    korean.append(f"시도 {trials}번에 {count(cost['epochs'])}에폭이 들었다.")
    if results["prune"]:
        saved, whole = percent(cost["epochs_saved"]), count(cost["epochs_unpruned"])
        english.append(f"Pruning saved {saved} of the {whole} that they would have taken.")
        korean.append(f"가지치기가 없었다면 {whole}에폭이었을 것이며, 그 {saved}를 아꼈다.")
    headlines = _headlines(results, same)
    warnings: dict[str, list[str]] = {"en": [], "ko": []}
    if results["test"] is None and not same:
        warnings["en"].append(
            "The gain is of the pairs on which it was chosen, so it is too high; it was not tested."
        )
        warnings["ko"].append(
            "고를 때 쓴 데이터의 값이라 실제보다 높다. 시험 데이터로 확인하지 않았다."
        )
    if cost["out_of_memory"]:
        number = count(cost["out_of_memory"])
        warnings["en"].append(
            f"{number} trials did not fit into memory: halve batch_size and double "
            "gradient_accumulation to try them."
        )
        warnings["ko"].append(
            f"시도 {number}번은 메모리가 모자랐다. batch_size를 반으로, gradient_accumulation을 "
            "두 배로 하면 된다."
        )
    return {
        "en": {"headline": headlines["en"], "sentences": english, "warnings": warnings["en"]},
        "ko": {"headline": headlines["ko"], "sentences": korean, "warnings": warnings["ko"]},
    }


def _headlines(results: Results, same: bool) -> dict[str, str]:
    metric = METRIC_NAMES[results["metric"]]
    if same:
        return {
            "en": "Nothing that was tried is better than the base.",
            "ko": "기본 설정보다 나은 것을 찾지 못했다.",
        }
    if results["test"] is None:
        value = decimal(results["best"]["value"])
        return {
            "en": f"Best {metric} on the validation pairs: {value}.",
            "ko": f"검증 데이터의 최고 {metric}: {value}.",
        }
    tested = results["test"]["difference"][results["metric"]]
    figures = f"{signed(tested['value'])}, {p_value(tested.get('p_value'))}"
    if (tested.get("p_value") or 1.0) >= LEVEL:
        return {
            "en": f"The test cannot tell the tuned encoder from the base: {metric} {figures}.",
            "ko": f"시험 데이터로는 조정한 것과 기본 설정을 구별할 수 없다: {metric} {figures}.",
        }
    better = tested["value"] > 0
    return {
        "en": f"Tuning made the encoder {'better' if better else 'worse'} on the test: "
        f"{metric} {figures}.",
        "ko": f"조정한 인코더가 시험 데이터에서 더 {'낫다' if better else '나쁘다'}: "
        f"{metric} {figures}.",
    }


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
