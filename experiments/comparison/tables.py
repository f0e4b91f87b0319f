"""The tables of a comparison's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kosim.encoders.language import Line, Text, both
from kosim.experiments.comparison.facts import against, labels
from kosim.experiments.comparison.results import ComparisonResults, Disagreement, PairedComparison
from kosim.experiments.study.figures import (
    Comparison,
    Estimate,
    Undefined,
    tested,
    written,
)
from kosim.experiments.study.notation import (
    DASH,
    METRIC_NAMES,
    amount,
    confidence,
    count,
    decimal,
    duration,
    many,
    milliseconds,
    p_value,
    percent,
    signed,
)
from kosim.experiments.study.report.document import Table

_CRITERIA = {
    "loss": Line("loss", "손실"),
    "pearson": METRIC_NAMES["pearson"],
    "f1": Line("F1", "F1"),
}
ENCODER, METRIC, PAIRS = Line("Encoder", "인코더"), Line("Metric", "지표"), Line("Pairs", "쌍")


def summary(results: ComparisonResults) -> list[Table]:
    """Return every metric of every contender, with the main difference and its p-value."""
    main = results.difference
    columns: list[Text] = [METRIC, *labels(results).values()]
    if main:
        columns += [against(results, main.first, main.second), "p"]
    rows: list[list[Text]] = []
    for metric, label in METRIC_NAMES.items():
        tests = [encoder.test for encoder in results.encoders.values()]
        if any(metric in test for test in tests):
            row: list[Text] = [label, *(written(test.get(metric)) for test in tests)]
            if main:
                row += _tested(main, metric)
            rows.append(row)
    caption = both(
        "Test set, with {level} intervals",
        "평가 데이터, {level} 신뢰 구간",
        level=confidence(results.config),
    )
    return Table.of(caption, columns, rows)


def _tested(comparison: PairedComparison, metric: str) -> tuple[Text, str]:
    """Return a difference and its p-value, adjusted where it is; blank where none was tested."""
    if metric not in comparison.metrics:
        return "", ""
    return tested(comparison.metrics[metric])


def comparisons(results: ComparisonResults) -> list[Table]:
    """Return the adjusted tests of every two contenders, where there are more than two."""
    if len(results.encoders) < 3:
        return []
    caption = Line(
        "Every two contenders, p-values adjusted for their number (Holm)",
        "둘씩 비교, 비교 횟수로 보정한 p값(Holm)",
    )
    names = [against(results, entry.first, entry.second) for entry in results.pairwise]
    return differences(caption, names, results.pairwise)


def differences(caption: Line, names: Sequence[Text], entries: Sequence[Comparison]) -> list[Table]:
    """Return the differences of all metrics, with p-values; ``names`` says which they are."""
    rows: list[list[Text]] = [
        [name, label, *tested(entry.metrics[metric])]
        for name, entry in zip(names, entries, strict=True)
        for metric, label in METRIC_NAMES.items()
        if metric in entry.metrics
    ]
    value, p = Line("Value", "값"), Line("p, adjusted", "보정한 p")
    return Table.of(caption, [Line("Difference", "차이"), METRIC, value, p], rows, [1])


def further_tests(results: ComparisonResults) -> list[Table]:
    """Return McNemar's and Williams' tests of the main difference, and the noise ceiling."""
    main = results.difference
    rows: list[list[Text]] = []
    if main is not None and main.mcnemar is not None:
        rights = [
            both(
                "{pairs} only {name} gets right",
                "{name}만 맞힌 쌍 {n}개",
                pairs=many(main.mcnemar.only_right(name), "pair"),
                n=count(main.mcnemar.only_right(name)),
                name=labels(results)[name],
            )
            for name in (main.first, main.second)
        ]
        label = both(
            "McNemar (mid-p), decisions at {at}",
            "맥니마 검정(mid-p), {at} 기준 판정",
            at=str(main.mcnemar.threshold),
        )
        p = p_value(main.mcnemar.p_value)
        rows.append([label, Line.join("; ", [Line.join(", ", rights), p])])
    if main is not None and main.williams_p_value is not None:
        label = Line(
            "Williams, Pearson (assumes normal scores)", "윌리엄스 검정, 피어슨(정규분포 가정)"
        )
        rows.append([label, p_value(main.williams_p_value)])
    mean = results.mean_of_both
    if mean is not None:
        named = labels(results)
        answers: list[Text] = [written(mean.pearson)]
        for entry in mean.gains:
            gain, p = tested(entry.metrics["pearson"])
            name = named[entry.second]
            over = both("against {name} {gain}", "{name} 대비 {gain}", name=name, gain=gain)
            answers.append(Line.join(", ", [over, p]))
        label = Line("Mean of both scores, Pearson", "두 점수의 평균, 피어슨 상관")
        rows.append([label, Line.join("; ", answers)])
    ceiling = results.ceiling
    if ceiling is not None:
        if isinstance(ceiling, Undefined):
            found = written(ceiling)
        else:
            found = both(
                "Pearson {best} (reliability of the labels {reliability})",
                "피어슨 상관 {best}(정답의 신뢰도 {reliability})",
                best=decimal(ceiling.best_pearson),
                reliability=decimal(ceiling.reliability),
            )
        label = Line("What a perfect encoder can be expected to reach", "완벽한 인코더의 기대값")
        rows.append([label, found])
    caption = Line("Beside the intervals", "그 밖의 검정")
    return Table.of(caption, [Line("Question", "질문"), Line("Answer", "답")], rows, [1])


def by_source(results: ComparisonResults) -> list[Table]:
    """Return Pearson and F1 of every contender for each source, and why some have no value."""
    encoders = results.encoders
    shown = [(metric, name) for metric in ("pearson", "f1") for name in encoders]
    named = labels(results)
    heads = [Line.join(", ", [METRIC_NAMES[metric], named[name]]) for metric, name in shown]
    rows: list[list[Text]] = []
    missing: list[list[Text]] = []
    for source in dict.fromkeys(s for encoder in encoders.values() for s in encoder.by_source):
        found = {name: encoder.by_source.get(source) for name, encoder in encoders.items()}
        figures = [getattr(found[name], metric, None) for metric, name in shown]
        number = next(each.n for each in found.values() if each)
        cells = [str(f) if isinstance(f, Estimate) else DASH for f in figures]
        rows.append([source, count(number), *cells])
        missing += [
            [source, label, f.why]
            for label, f in zip(heads, figures, strict=True)
            if isinstance(f, Undefined) and f.cause
        ]
    source_word, caption = (
        Line("Source", "출처"),
        both(
            "By source, with {level} intervals",
            "출처별, {level} 신뢰 구간",
            level=confidence(results.config),
        ),
    )
    return [
        *Table.of(caption, [source_word, PAIRS, *heads], rows),
        *Table.of(
            Line("Without a value", "값이 없는 항목"),
            [source_word, METRIC, Line("Why", "이유")],
            missing,
            [1, 2],
        ),
    ]


def speeds(results: ComparisonResults) -> list[Table]:
    """Return how long one pair takes alone, and how many are done a second in batches."""
    named = labels(results)
    alone: list[list[Text]] = []
    batches: list[list[Text]] = []
    for name, encoder in results.encoders.items():
        cost = results.cost.encoders.get(name)
        single = cost.single_pair_ms if cost else None
        if single is not None:
            alone.append([named[name], milliseconds(single.p50), milliseconds(single.p95)])
        batches.append(
            [
                named[name],
                amount(cost.pairs_per_second if cost else encoder.pairs_per_second),
                amount(cost.sentences_per_second if cost else None),
                count(encoder.parameters),
            ]
        )
    return [
        *Table.of(
            Line("Latency: one pair alone", "지연 시간: 한 쌍만 처리"),
            [ENCODER, Line("Median", "중앙값"), Line("95th percentile", "95백분위")],
            alone,
        ),
        *Table.of(
            Line("Throughput: many in batches", "처리량: 묶어서 처리"),
            [
                ENCODER,
                Line("Pairs a second", "초당 쌍"),
                Line("Sentences a second", "초당 문장"),
                Line("Parameters", "파라미터"),
            ],
            batches,
        ),
    ]


def corpus_costs(results: ComparisonResults) -> list[Table]:
    """Return what search and comparing all pairs cost as a corpus grows."""
    extrapolated, measured = Line("extrapolated", "추정"), Line("measured", "측정")
    rows: list[list[Text]] = [
        [
            count(row.sentences),
            duration(row.query.bi_seconds),
            duration(row.query.rerank_seconds),
            duration(row.query.cross_seconds),
            duration(row.all_pairs.bi_seconds),
            duration(row.all_pairs.cross_seconds),
            extrapolated if row.extrapolated else measured,
        ]
        for row in results.cost.corpus
    ]
    columns = [
        Line("Sentences", "문장"),
        Line("Query: bi", "검색: 바이"),
        Line("Query: bi, then cross", "검색: 바이 후 크로스"),
        Line("Query: cross", "검색: 크로스"),
        Line("All pairs: bi", "모든 쌍: 바이"),
        Line("All pairs: cross", "모든 쌍: 크로스"),
        Line("Figures", "값"),
    ]
    return Table.of(Line("Cost of a corpus", "말뭉치 크기별 비용"), columns, rows, [6])


def disagreements(results: ComparisonResults) -> list[Table]:
    """Return the pairs whose scores lie furthest from each other, and from the label."""
    names = list(results.encoders)
    captions = {
        "encoders": Line("Furthest from each other", "두 인코더의 차이가 가장 큰 쌍"),
        "label": Line("Furthest from the label", "정답과 가장 먼 쌍"),
    }
    columns: list[Text] = [
        Line("Pair", "문장 쌍"),
        Line("Source", "출처"),
        Line("Label", "정답"),
        *labels(results).values(),
    ]
    explained = any(row.words for row in results.disagreements)
    if explained:
        columns.append(Line("Words that matter most, in points", "가장 영향이 큰 단어(점)"))
    tables = []
    for why, caption in captions.items():
        rows: list[list[Text]] = [
            [
                f"{row.sentence1}\n{row.sentence2}",
                row.source or DASH,
                decimal(row.label, 1),
                *(decimal(row.score(name), 1) for name in names),
                *([_words(row, labels(results))] if explained else []),
            ]
            for row in results.disagreements
            if row.why == why
        ]
        tables += Table.of(caption, columns, rows, [1, len(columns) - 1] if explained else [1])
    return tables


def _words(row: Disagreement, named: Mapping[str, Text]) -> Line:
    lines: list[Text] = []
    for name, words in row.words.items():
        said = ", ".join(f"{each.word} {signed(each.value, 2)}" for each in words)
        lines.append(Line.join(": ", [named[name], said]))
    return Line.join("\n", lines)


def training(results: ComparisonResults) -> list[Table]:
    """Return each training run: its figures on the test set and what validation chose."""
    rows: list[list[Text]] = []
    for name, encoder in results.encoders.items():
        for seed, run in encoder.seeds.items():
            best = Line.join(
                ", ",
                [Line.join(" ", [_CRITERIA[c], str(e)]) for c, e in run.best_epochs.items()],
            )
            kept = both(
                "{kept} of {all} (by {select})",
                "{all}에폭 중 {kept}({select} 기준)",
                kept=str(run.best_epoch),
                all=len(run.history),
                select=_CRITERIA.get(run.select or "", "–"),
            )
            rows.append(
                [
                    both(
                        "{name}, seed {seed}",
                        "{name}, 시드 {seed}",
                        name=labels(results)[name],
                        seed=seed,
                    ),
                    written(run.test.get("pearson")),
                    written(run.test.get("f1")),
                    decimal(run.threshold, 2),
                    kept if run.history else DASH,
                    count(run.steps),
                    best,
                    count(run.trials or None),
                    duration(run.train_seconds),
                ]
            )
    columns = [
        Line("Run", "학습"),
        METRIC_NAMES["pearson"],
        METRIC_NAMES["f1"],
        Line("Threshold", "임계값"),
        Line("Epoch kept", "선택된 에폭"),
        Line("Steps", "스텝"),
        Line("Best epoch by", "기준별 최고 에폭"),
        Line("Trials", "시도"),
        Line("Time", "시간"),
    ]
    return Table.of(Line("Runs", "학습 기록"), columns, rows, [4, 6])


def spread(results: ComparisonResults) -> list[Table]:
    """Return how far each metric varies over seeds."""
    rows: list[list[Text]] = [
        [
            Line.join(", ", [labels(results)[name], METRIC_NAMES[metric]]),
            *(decimal(value) for value in (found.mean, found.sd, found.min, found.max)),
        ]
        for name, encoder in results.encoders.items()
        for metric, found in (encoder.seed_spread or {}).items()
    ]
    columns = [
        METRIC,
        Line("Mean", "평균"),
        Line("SD", "표준편차"),
        Line("Lowest", "최소"),
        Line("Highest", "최대"),
    ]
    return Table.of(Line("Spread over seeds", "시드에 따른 변동"), columns, rows)


def asymmetry(results: ComparisonResults) -> list[Table]:
    """Return how much the scores depend on the order of a pair, where that was measured."""
    rows: list[list[Text]] = []
    for name, encoder in results.encoders.items():
        found = encoder.swap_asymmetry
        if found is not None:
            moved = (found.mean_absolute, found.p95_absolute, found.max_absolute)
            symmetric = decimal(found.pearson_symmetric)
            shifts = [decimal(value, 2) for value in moved]
            rows.append([labels(results)[name], *shifts, percent(found.verdict_flips), symmetric])
    columns = [
        ENCODER,
        Line("Mean shift", "평균 변화"),
        Line("p95", "95백분위"),
        Line("Largest", "최대"),
        Line("Decisions that flip", "뒤집힌 판정"),
        Line("Pearson, both orders averaged", "두 순서 평균의 피어슨"),
    ]
    caption = Line(
        "Scores when the two sentences are swapped, in points of 0–5; decisions at the tuned "
        "threshold",
        "두 문장의 순서를 바꿨을 때의 점수 변화(0~5점, 판정은 조정한 임계값 기준)",
    )
    return Table.of(caption, columns, rows)
