"""What the verdict advises, and what it warns of, in both languages."""

from __future__ import annotations

from kosim.experiments.comparison.facts import FEW_PAIRS, TINY, Facts
from kosim.experiments.comparison.wording import Line, name_of
from kosim.experiments.study.notation import (
    METRIC_NAMES,
    METRIC_NAMES_KO,
    count,
    decimal,
    duration,
    is_defined,
    reason,
)


def advice(facts: Facts) -> Line | None:
    """Say what to do: with both kinds, whether reranking the bi-encoder's candidates pays."""
    bi, cross = facts.best("bi"), facts.best("cross")
    if bi is None or cross is None:
        return _one_kind(facts)
    gap = facts.gap(cross, bi)
    if gap is None:
        return None
    if gap.significant and gap.value >= TINY:
        return _rerank(facts, bi, cross)
    use = name_of(facts, bi)
    do = Line(f"What to do: use {use.en} alone", f"권장: {use.ko}만 쓰십시오.")
    if not gap.significant:
        high = decimal(gap.high)
        return Line(
            f"{do.en} for now; nothing here shows that the cross-encoder earns its cost, though up "
            f"to {high} in its favour is not ruled out.",
            f"{do.ko} 크로스인코더가 비용만큼 낫다는 근거는 없습니다. "
            f"다만 최대 {high} 더 높을 가능성은 남아 있습니다.",
        )
    if gap.value < 0:
        return Line(
            f"{do.en}; reranking with the cross-encoder would cost time and lose quality.",
            f"{do.ko} 크로스인코더로 다시 순위를 매기면 시간은 더 들고 품질은 떨어집니다.",
        )
    return Line(
        f"{do.en}; so small a gain is hardly worth the cross-encoder's time.",
        f"{do.ko} 이 정도 이득은 크로스인코더에 시간을 들일 만하지 않습니다.",
    )


def _one_kind(facts: Facts) -> Line | None:
    if not facts.sure or facts.leader is None:
        return None
    name = name_of(facts, facts.leader)
    return Line(f"What to do: use {name.en}.", f"권장: {name.ko}를 쓰십시오.")


def _rerank(facts: Facts, bi: str, cross: str) -> Line:
    depth = facts.cost.get("rerank_candidates")
    candidates = Line(f"{count(depth)} candidates", f"후보 {count(depth)}개")
    if depth is None:
        candidates = Line("candidates", "후보")
    finder, judge = name_of(facts, bi), name_of(facts, cross)
    do = Line(
        f"What to do in a large collection: retrieve {candidates.en} with {finder.en} and rerank "
        f"them with {judge.en}",
        f"권장: 말뭉치가 크면 {finder.ko}로 {candidates.ko}를 찾고 {judge.ko}로 다시 순위를 "
        "매기십시오.",
    )
    rows = [row for row in facts.cost.get("corpus") or [] if row.get("query")]
    if not rows or (bi, cross) != (facts.costed("bi"), facts.costed("cross")):
        return Line(f"{do.en}.", do.ko)
    largest = max(rows, key=lambda row: row["sentences"])
    size, query = count(largest["sentences"]), largest["query"]
    both, alone = query["rerank_seconds"], query["cross_seconds"]
    guess = Line(" (extrapolated)", "(추정)") if largest.get("extrapolated") else Line("", "")
    return Line(
        f"{do.en}: with {size} sentences a query then takes {duration(both)} instead of "
        f"{duration(alone)}{guess.en}.",
        f"{do.ko} {size}문장에서 검색 한 번에 드는 시간: {duration(alone, korean=True)} → "
        f"{duration(both, korean=True)}{guess.ko}.",
    )


def stand_ins(facts: Facts) -> list[Line]:
    """Warn of backbones that only stand in for a pretrained one."""
    notes = dict.fromkeys(encoder.get("backbone_note") for encoder in facts.encoders.values())
    return [
        Line(
            f"The backbone is a stand-in ({note}): the figures show that the machinery works, not "
            "what pretrained encoders reach.",
            f"백본이 사전학습 모델을 대신한 것입니다({note}). 수치는 과정이 작동함을 보일 뿐, "
            "사전학습 모델의 성능이 아닙니다.",
        )
        for note in notes
        if note
    ]


def different_backbones(facts: Facts) -> Line | None:
    """Warn where the contenders differ in more than their kind."""
    backbones = list(dict.fromkeys(encoder.get("backbone") for encoder in facts.encoders.values()))
    if len(backbones) < 2:
        return None
    listed = ", ".join(str(backbone) for backbone in backbones)
    return Line(
        f"The contenders have different backbones ({listed}), so a difference is not that of the "
        "kind of encoder alone.",
        f"인코더마다 백본이 다르므로({listed}) 차이가 인코더 방식에서만 온 것은 아닙니다.",
    )


def few_pairs(facts: Facts) -> Line | None:
    """Warn of a small test set."""
    if facts.pairs is None or facts.pairs >= FEW_PAIRS:
        return None
    return Line(
        f"The test set has only {count(facts.pairs)} pairs; every figure here is uncertain.",
        f"테스트 쌍이 {count(facts.pairs)}개뿐이어서 모든 수치가 불확실합니다.",
    )


def seed_luck(facts: Facts) -> Line | None:
    """Warn where another training run could turn the order, or where that was not measured."""
    trained = [name for name in facts.ranking[:2] if facts.is_trained(name)]
    if not trained:
        return None
    spreads = {name: facts.seed_values(name) for name in trained}
    if all(len(values) < 2 for values in spreads.values()):
        return Line(
            "Each encoder was trained once: the intervals cover the choice of test pairs, not the "
            "luck of a training run. Several seeds would show it.",
            "인코더마다 한 번만 학습했습니다. 신뢰구간은 테스트 쌍에 따른 불확실성만 담고 학습에 "
            "따른 변동은 담지 않습니다. 시드를 여러 개 쓰면 확인할 수 있습니다.",
        )
    gap = facts.gap(*facts.ranking[:2]) if facts.rival else None
    widest = max(spreads, key=lambda name: max(spreads[name]) - min(spreads[name]))
    low, high = min(spreads[widest]), max(spreads[widest])
    if gap is None or high - low <= abs(gap.value):
        return None
    name, number = name_of(facts, widest), len(spreads[widest])
    return Line(
        f"Over {number} seeds the Pearson of {name.en} runs from {decimal(low)} to "
        f"{decimal(high)}, more than the difference between the encoders: another training run "
        "could turn the order.",
        f"시드 {number}개에서 {name.ko}의 피어슨 상관이 {decimal(low)}~{decimal(high)} 범위로, 두 "
        "인코더의 차이보다 넓습니다. 다시 학습하면 순서가 바뀔 수 있습니다.",
    )


def compared_within_processes(facts: Facts) -> list[Line]:
    """Warn of each loss that compared the pairs of a batch, where processes shared the batches."""
    lines = []
    for name, encoder in facts.encoders.items():
        runs = [run for run in encoder["seeds"].values() if run.get("notices")]
        if not runs:
            continue
        who, loss, processes = name_of(facts, name), encoder["loss"], runs[0]["processes"]
        lines.append(
            Line(
                f"The loss of {who.en}, {loss}, compares the pairs of a batch with each other; "
                f"trained on {processes} processes it compared only those within one, so the "
                "result is not that of one process.",
                f"{who.ko}의 손실 {loss}는 배치 안의 쌍끼리 비교합니다. 프로세스 {processes}개로 "
                "학습하면 한 프로세스 안의 쌍만 비교하므로, 하나로 학습한 결과와 다릅니다.",
            )
        )
    return lines


def undefined_metrics(facts: Facts) -> list[Line]:
    """Warn of each metric that has no value."""
    lines = []
    for metric, label in METRIC_NAMES.items():
        tests = {name: encoder["test"] for name, encoder in facts.encoders.items()}
        given = {name: test[metric] for name, test in tests.items() if metric in test}
        without = [name for name, figure in given.items() if not is_defined(figure)]
        if not without:
            continue
        why = reason(given[without[0]])
        why = f" ({why})" if why else ""
        names = [name_of(facts, name) for name in without]
        english, korean = " and ".join(name.en for name in names), ", ".join(n.ko for n in names)
        lines.append(
            Line(
                f"{label} is undefined for {english}{why}.",
                f"{METRIC_NAMES_KO[metric]}: {korean}에서 구할 수 없습니다{why}.",
            )
        )
    return lines
