"""What a comparison of tokenizers found, in plain words, Korean and English."""

from __future__ import annotations

from kosim.encoders.language import Line, Text, both
from kosim.encoders.records import Kind
from kosim.experiments.study.figures import Estimate, between
from kosim.experiments.study.finding import Finding, few_seeds, told_apart
from kosim.experiments.study.notation import KIND_NAMES, p_value
from kosim.experiments.tokenizers.results import KindResults, TokenizerResults


def compute_finding(results: TokenizerResults) -> Finding:
    """Return the best tokenizer for each kind of encoder, by Pearson, and how sure that is."""
    rankings = {kind: _ranking(part) for kind, part in results.encoders.items()}
    best = [
        Line(f"{ranking[0]} ({KIND_NAMES[kind].en})", f"{ranking[0]}({KIND_NAMES[kind].ko})")
        for kind, ranking in rankings.items()
        if ranking
    ]
    steps = {row.pretraining.steps for row in results.tokenizers.values()}
    uneven = Line(
        "The networks were pretrained for an equal time, not for equally many steps.",
        "사전학습은 같은 시간만큼 했고, 스텝 수는 서로 다릅니다.",
    )
    return Finding.of(
        both(
            "Highest Pearson: {best}.",
            "피어슨 상관이 가장 높은 토크나이저: {best}.",
            best=Line.join(", ", best) if best else Line("none", "없음"),
        ),
        [
            *(_sentence(kind, rankings[kind], part) for kind, part in results.encoders.items()),
            *(_ready(kind, part) for kind, part in (results.ready or {}).items()),
        ],
        [
            few_seeds(results.config["seeds"]),
            uneven if len(steps) > 1 else None,
        ],
    )


def _ranking(part: KindResults) -> list[str]:
    """Return the tokenizers by Pearson, the highest first."""
    found = {name: encoder.test.get("pearson") for name, encoder in part.encoders.items()}
    values = {name: f.value for name, f in found.items() if isinstance(f, Estimate)}
    return sorted(values, key=lambda name: -values[name])


def _sentence(kind: Kind, ranking: list[str], part: KindResults) -> Line:
    if len(ranking) < 2:
        return both(
            "{kind}: nothing to compare.", "{kind}: 비교할 수 없습니다.", kind=KIND_NAMES[kind]
        )
    best, rival = ranking[:2]
    gap = between(part.pairwise, best, rival, "pearson")
    parts: dict[str, Text] = {
        "best": f"{best} {part.encoders[best].test['pearson']}",
        "rival": f"{rival} {part.encoders[rival].test['pearson']}",
        "p": p_value(gap.p if gap else None),
    }
    return both(
        "{kind}: {best}, then {rival}; {tail} ({p}).",
        "{kind}: {best}, {rival}. {tail}({p}).",
        kind=KIND_NAMES[kind],
        tail=told_apart(gap),
        **parts,
    )


def _ready(kind: Kind, part: KindResults) -> Line | None:
    entry = part.pairwise[0]
    gap = entry.difference("pearson")
    if gap is None:
        return None
    return both(
        "Ready-made backbone, {kind}, difference of Pearson {first} − {second}: {gap} ({p}).",
        "기성 사전학습 모델, {kind}, 피어슨 상관의 차이 {first} − {second}: {gap}({p}).",
        kind=KIND_NAMES[kind],
        first=gap.first,
        second=gap.second,
        gap=str(gap),
        p=p_value(gap.p),
    )
