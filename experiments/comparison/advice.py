"""What the verdict advises, and what it warns of, in both languages."""

from __future__ import annotations

from pathlib import PurePath

from kosim.encoders.language import Line, Text, both, listed
from kosim.encoders.training.config import COMPARING_LOSSES
from kosim.experiments.comparison.facts import FEW_DISTINCT, FEW_PAIRS, SCRATCH_NOTE, TINY, Facts
from kosim.experiments.comparison.learning import collapsed, not_ready, opposed
from kosim.experiments.study.figures import Estimate, Undefined
from kosim.experiments.study.notation import METRIC_NAMES, count, decimal, duration, many


def advice(facts: Facts, *, provisional: bool) -> Line | None:
    """Say what to do: with both kinds, whether reranking the bi-encoder's candidates pays.

    A provisional advice holds until what was warned of is settled.
    """
    undefined = [isinstance(facts.metric(name), Undefined) for name in facts.encoders]
    if all(undefined) and not collapsed(facts):
        return Line(
            "What to do: test on more pairs, with labels that differ; on these no encoder can be "
            "judged.",
            "권장: 정답이 서로 다른 쌍을 더 모아 평가하십시오. 이 쌍으로는 어떤 인코더도 판단할 수 "
            "없습니다.",
        )
    if opposed(facts):
        return Line(
            "What to do: check the labels of the test pairs, as said above, and compare again.",
            "권장: 위의 안내대로 평가 쌍의 정답을 확인하고 다시 비교하십시오.",
        )
    if doubtful := not_ready(facts):
        return both(
            "What to do: train {names} again before choosing, as said above; until then these "
            "figures do not tell which is better.",
            "권장: 고르기 전에 위의 안내대로 다시 학습하십시오({names}). 그 전에는 이 수치로 "
            "어느 쪽이 나은지 알 수 없습니다.",
            names=listed(map(facts.name, doubtful)),
        )
    do = _choice(facts)
    if do is None:
        return None
    lead = Line("What to do", "권장")
    if provisional:
        lead = Line("What to do until that is settled", "확인하기 전까지의 권장")
    return both("{lead}: {do}", "{lead}: {do}", lead=lead, do=do)


def _choice(facts: Facts) -> Line | None:
    bi, cross = facts.best("bi"), facts.best("cross")
    if bi is None or cross is None:
        if not facts.sure or facts.leader is None:
            return None
        name = facts.name(facts.leader)
        return both("use {name}.", "{name}를 쓰십시오.", name=name)
    gap = facts.gap(cross, bi)
    if gap is None:
        return None
    mean = facts.results.mean_of_both
    if mean and (mean.bi, mean.cross) == (bi, cross) and mean.beats_both(by=TINY):
        return _average(facts, bi, cross)
    if gap.significant and gap.value >= TINY:
        return _rerank(facts, bi, cross)
    if not gap.significant:
        left = both(
            ", though up to {high} in its favour is not ruled out.",
            " 다만 최대 {high} 더 높을 가능성은 남아 있습니다.",
            high=decimal(gap.high),
        )
        why = both(
            " for now; nothing here shows that the cross-encoder earns its cost{left}",
            " 지금의 결과에는 크로스인코더가 비용만큼 낫다는 근거가 없습니다.{left}",
            # An adjusted p-value may say nothing although the interval lies on one side of 0.
            left=left if gap.high > 0 else Line(".", ""),
        )
    elif gap.value < 0:
        why = Line(
            "; reranking with the cross-encoder would cost time and lose quality.",
            " 크로스인코더로 다시 순위를 매기면 시간은 더 들고 품질은 떨어집니다.",
        )
    else:
        why = Line(
            "; so small a gain is hardly worth the cross-encoder's time.",
            " 이 정도 이득은 크로스인코더에 시간을 들일 만하지 않습니다.",
        )
    return both(
        "use {use} alone{why}",
        "{now}{use}만 쓰십시오.{why}",
        now=Line("", "" if gap.significant else "우선은 "),
        use=facts.name(bi),
        why=why,
    )


def _average(facts: Facts, bi: str, cross: str) -> Line:
    do = both(
        "take the mean of both scores, which is better than either; in a large collection, "
        "retrieve {candidates} with {finder} and order them by the mean (kosim search "
        "--interpolation 0.5)",
        "어느 한쪽보다 나은, 두 점수의 평균을 쓰십시오. 말뭉치가 크면 {finder}로 {candidates}를 "
        "찾고 평균으로 다시 순위를 매기십시오(kosim search --interpolation 0.5).",
        candidates=_candidates(facts),
        finder=facts.name(bi),
    )
    return _with_its_cost(facts, bi, cross, do)


def _rerank(facts: Facts, bi: str, cross: str) -> Line:
    do = both(
        "in a large collection, retrieve {candidates} with {finder} and rerank them with {judge}",
        "말뭉치가 크면 {finder}로 {candidates}를 찾고 {judge}로 다시 순위를 매기십시오.",
        candidates=_candidates(facts),
        finder=facts.name(bi),
        judge=facts.name(cross),
    )
    return _with_its_cost(facts, bi, cross, do)


def _candidates(facts: Facts) -> Line:
    depth = facts.cost.candidates
    if depth is None:
        return Line("candidates", "후보")
    return Line(f"{count(depth)} candidates", f"후보 {count(depth)}개")


def _with_its_cost(facts: Facts, bi: str, cross: str, do: Line) -> Line:
    """Add what a query then takes, beside what it takes by the cross-encoder alone."""
    rows = facts.cost.corpus
    if not rows or (bi, cross) != (facts.costed("bi"), facts.costed("cross")):
        return Line(f"{do.en}.", do.ko)
    largest = max(rows, key=lambda row: row.sentences)
    return both(
        "{do}: with {size} sentences a query then takes {both} instead of {alone}{guess}.",
        "{do} {size}문장에서 검색 한 번에 드는 시간: {alone} → {both}{guess}.",
        do=do,
        size=count(largest.sentences),
        both=duration(largest.query.rerank_seconds),
        alone=duration(largest.query.cross_seconds),
        guess=Line(" (extrapolated)", "(추정)") if largest.extrapolated else "",
    )


def stand_ins(facts: Facts) -> list[Line]:
    """Warn of backbones that only stand in for a pretrained one."""
    notes = dict.fromkeys(encoder.backbone_note for encoder in facts.encoders.values())
    return [
        both(
            "The backbone is a stand-in ({note}): the figures show that the machinery works, not "
            "what pretrained encoders reach.",
            "백본이 사전학습 모델을 대신한 것입니다({note}). 수치는 과정이 작동함을 보일 뿐, "
            "사전학습 모델의 성능이 아닙니다.",
            note=SCRATCH_NOTE if note == SCRATCH_NOTE.en else note,
        )
        for note in notes
        if note
    ]


def different_backbones(facts: Facts) -> Line | None:
    """Warn where the contenders differ in more than their kind."""
    backbones = list(dict.fromkeys(encoder.backbone for encoder in facts.encoders.values()))
    if len(backbones) < 2:
        return None
    return both(
        "The contenders have different backbones ({listed}), so a difference is not that of the "
        "kind of encoder alone.",
        "인코더마다 백본이 다르므로({listed}) 차이가 인코더 방식에서만 온 것은 아닙니다.",
        listed=", ".join(PurePath(backbone).name for backbone in backbones),
    )


def few_pairs(facts: Facts) -> Line | None:
    """Warn of a small test set, copies of a pair counted once."""
    pairs, distinct = facts.results.test_pairs, facts.distinct_pairs
    if pairs is None or distinct is None:
        return None
    if distinct >= FEW_PAIRS and distinct >= FEW_DISTINCT * pairs:
        return None
    few = Line(f"only {many(distinct, 'pair')}", f"쌍이 {count(distinct)}개뿐입니다")
    if distinct < pairs:
        few = Line(
            f"{count(pairs)} pairs of which only {count(distinct)} "
            f"{'is' if distinct == 1 else 'are'} distinct",
            f"쌍 {count(pairs)}개 가운데 서로 다른 쌍은 {count(distinct)}개뿐입니다",
        )
    if distinct >= FEW_PAIRS:
        return both(
            "The test set has {few}: the others are copies, which add nothing to what is known.",
            "평가 {few}. 나머지는 되풀이된 쌍이어서 더 알려 주는 것이 없습니다.",
            few=few,
        )
    return both(
        "The test set has {few}: every figure here is uncertain. Label more pairs; {n} tell far "
        "more.",
        "평가 {few}. 모든 수치가 불확실합니다. 정답을 붙인 쌍을 {n}개 이상으로 늘리십시오.",
        few=few,
        n=count(FEW_PAIRS),
    )


def seed_luck(facts: Facts) -> Line | None:
    """Warn where another training run could turn the order, or where that was not measured."""
    compared = facts.ranking[:2] or list(facts.encoders)[:2]
    trained = [name for name in compared if facts.is_trained(name)]
    if not trained:
        return None
    spreads = {name: facts.seed_values(name) for name in trained}
    if all(len(values) < 2 for values in spreads.values()):
        saved = all(map(facts.is_saved, trained))
        return both(
            "Each encoder was trained once: the intervals cover the choice of test pairs, not the "
            "luck of a training run. {try_it}",
            "인코더마다 한 번만 학습했습니다. 신뢰 구간은 평가 쌍에 따른 불확실성만 담고 학습에 "
            "따른 변동은 담지 않습니다. {try_it}",
            try_it=Line(
                "Train them here with --train FILE --seeds 1,2,3.",
                "--train FILE --seeds 1,2,3으로 여기에서 학습해 확인하십시오.",
            )
            if saved
            else Line("Try --seeds 1,2,3.", "--seeds 1,2,3으로 확인하십시오."),
        )
    gap = facts.gap(*facts.ranking[:2]) if facts.rival else None
    widest = max(spreads, key=lambda name: max(spreads[name]) - min(spreads[name]))
    low, high = min(spreads[widest]), max(spreads[widest])
    if gap is None or high - low <= abs(gap.value):
        return None
    return both(
        "Over {number} seeds the Pearson of {name} runs from {low} to {high}, more than the "
        "difference between the encoders: another training run could turn the order. Try more "
        "--seeds.",
        "시드 {number}개에서 {name}의 피어슨 상관이 {low}~{high} 범위로, 두 인코더의 차이보다 "
        "넓습니다. 다시 학습하면 순서가 바뀔 수 있으므로 --seeds를 늘려 보십시오.",
        number=len(spreads[widest]),
        name=facts.name(widest),
        low=decimal(low),
        high=decimal(high),
    )


def not_calibrated(facts: Facts) -> list[Line]:
    """Warn of each encoder whose scores were never fitted to labels."""
    return [
        both(
            "The scores of {who} are not calibrated: Spearman holds, but figures that depend on a "
            "threshold, such as F1, say little. `kosim adopt` calibrates it on validation pairs.",
            "{who}의 점수는 보정되지 않았습니다. 스피어만 상관은 유효하지만, F1처럼 임계값에 따라 "
            "달라지는 값은 참고하기 어렵습니다. `kosim adopt`로 검증 쌍에 맞춰 보정할 수 있습니다.",
            who=facts.name(name),
        )
        for name, encoder in facts.encoders.items()
        if not encoder.calibrated
    ]


def compared_within_processes(facts: Facts) -> list[Line]:
    """Warn of each loss that compared the pairs of a batch, where processes shared the batches."""
    lines = []
    for name, encoder in facts.encoders.items():
        run = next((run for run in encoder.seeds.values() if run.processes > 1), None)
        if run is not None and encoder.loss in COMPARING_LOSSES:
            lines.append(
                both(
                    "The loss of {who}, {loss}, compares the pairs of a batch with each other; "
                    "trained on {processes} processes it compared only those within one, so the "
                    "result is not that of one process.",
                    "{who}의 손실 {loss}는 배치 안의 쌍끼리 비교합니다. 프로세스 {processes}개로 "
                    "학습하면 한 프로세스 안의 쌍만 비교하므로, 하나로 학습한 결과와 다릅니다.",
                    who=facts.name(name),
                    loss=str(encoder.loss),
                    processes=run.processes,
                )
            )
    return lines


def undefined_metrics(facts: Facts) -> list[Line]:
    """Warn of each metric that has no value."""
    lines = []
    for metric, label in METRIC_NAMES.items():
        given = {n: e.test[metric] for n, e in facts.encoders.items() if metric in e.test}
        without = {n: figure for n, figure in given.items() if not isinstance(figure, Estimate)}
        if not without:
            continue
        by_cause: dict[Text, list[Line]] = {}
        for name, figure in without.items():
            why: Text = ""
            if isinstance(figure, Undefined):
                why = both(" ({why})", "({why})", why=figure.why)
            by_cause.setdefault(why, []).append(facts.name(name))
        lines += [
            both(
                "{label} is undefined for {names}{why}.",
                "{label}: {names}에서 구할 수 없습니다{why}.",
                label=label,
                names=listed(names),
                why=why,
            )
            for why, names in by_cause.items()
        ]
    return lines
