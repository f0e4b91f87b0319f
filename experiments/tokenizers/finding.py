"""What a comparison of tokenizers found, in plain words, Korean and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kosim.experiments.study.notation import difference, estimate, is_defined, p_value

Results = Mapping[str, Any]

ALPHA = 0.05
_KOREAN = {"bi": "바이인코더", "cross": "크로스인코더"}


def compute_finding(results: Results) -> dict[str, Any]:
    """Return under ``en`` and ``ko`` a ``headline``, ``sentences`` and ``warnings``.

    A tokenizer is called best for a kind of encoder where its Pearson is the highest; whether the
    data can tell it from the next one is said by the adjusted test.
    """
    found = {kind: _best(part) for kind, part in results["encoders"].items()}
    named = {kind: ranking[0] for kind, ranking in found.items() if ranking}
    english = [_sentence(kind, ranking, results, False) for kind, ranking in found.items()]
    korean = [_sentence(kind, ranking, results, True) for kind, ranking in found.items()]
    for kind, part in (results.get("ready") or {}).items():
        english.append(_ready_sentence(kind, part, korean=False))
        korean.append(_ready_sentence(kind, part, korean=True))
    steps = {record["pretraining"]["steps"] for record in results["tokenizers"].values()}
    few = len(results["config"]["seeds"]) < 3
    return {
        "en": {
            "headline": "Highest Pearson: "
            + (", ".join(f"{name} ({kind}-encoder)" for kind, name in named.items()) or "none")
            + ".",
            "sentences": english,
            "warnings": ["Fewer than 3 seeds: differences between single runs may be luck."] * few
            + ["The networks were pretrained for an equal time, not for equally many steps."]
            * (len(steps) > 1),
        },
        "ko": {
            "headline": "피어슨 상관이 가장 높은 토크나이저: "
            + (", ".join(f"{name}({_KOREAN[kind]})" for kind, name in named.items()) or "없음")
            + ".",
            "sentences": korean,
            "warnings": ["시드가 3개보다 적어, 차이가 우연일 수 있습니다."] * few
            + ["사전학습은 같은 시간만큼 했고, 스텝 수는 서로 다릅니다."] * (len(steps) > 1),
        },
    }


def _best(part: Results) -> list[str]:
    """Return the contenders by Pearson, the highest first."""
    values = {
        name: encoder["test"]["pearson"]["value"]
        for name, encoder in part["encoders"].items()
        if is_defined(encoder["test"]["pearson"])
    }
    return sorted(values, key=lambda name: -values[name])


def _between(part: Results, first: str, second: str) -> Mapping[str, Any] | None:
    """Return the tested difference of Pearson between two contenders, in either order."""
    for entry in part["pairwise"]:
        if {entry["first"], entry["second"]} == {first, second}:
            figure: Mapping[str, Any] = entry["pearson"]
            return figure if is_defined(figure) else None
    return None


def _sentence(kind: str, ranking: list[str], results: Results, korean: bool) -> str:
    part = results["encoders"][kind]
    if len(ranking) < 2:
        return f"{_KOREAN[kind]}: 비교할 수 없습니다." if korean else f"{kind}: nothing to compare."
    best, next_best = ranking[:2]
    figures = part["encoders"]
    tested = _between(part, best, next_best)
    p = tested["p_adjusted"] if tested else None
    clear = p is not None and p <= ALPHA
    values = [estimate(figures[name]["test"]["pearson"]) for name in (best, next_best)]
    if korean:
        tail = "차이가 유의합니다" if clear else "데이터로는 우열을 가릴 수 없습니다"
        return (
            f"{_KOREAN[kind]}: {best} {values[0]}, {next_best} {values[1]}. {tail}({p_value(p)})."
        )
    tail = "the difference is real" if clear else "the data cannot tell them apart"
    return (
        f"{kind}-encoder: {best} {values[0]}, then {next_best} {values[1]}; {tail} ({p_value(p)})."
    )


def _ready_sentence(kind: str, part: Results, *, korean: bool) -> str:
    entry = part["pairwise"][0]
    said = f"{entry['first']} − {entry['second']}: {difference(entry['pearson'])}"
    p = p_value(entry["pearson"].get("p_adjusted"))
    if korean:
        return f"기성 사전학습 모델, {_KOREAN[kind]}, 피어슨 상관의 차이 {said} ({p})."
    return f"Ready-made backbone, {kind}-encoder, difference of Pearson {said} ({p})."
