"""The report of a comparison: which tables and plots stand under which heading."""

from __future__ import annotations

from collections.abc import Mapping

from kosim.encoders.language import Line, Text, both
from kosim.experiments.comparison import cost_plots, plots, reliability, slice_report, tables
from kosim.experiments.comparison.answer_plot import answer
from kosim.experiments.comparison.finding import compute_finding
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.study.experiment import Experiment
from kosim.experiments.study.notation import count
from kosim.experiments.study.report import records
from kosim.experiments.study.report.document import Section, Table


def build_sections(results: ComparisonResults) -> list[Section]:
    """Return the sections of the report."""
    return [
        Section(
            "summary",
            Line("Summary", "요약"),
            _summary_note(results),
            [
                *tables.summary(results),
                *tables.comparisons(results),
                *tables.further_tests(results),
            ],
        ),
        Section(
            "figures",
            Line("What the scores look like", "점수 분포"),
            Line(
                "Full lines mark the decision at 3.0, dashed lines and open circles the threshold "
                "that was chosen on the validation pairs.",
                "실선은 3.0 기준, 점선과 빈 원은 검증 데이터에서 정한 임계값입니다.",
            ),
            reliability.threshold_sensitivity(results),
            plots=[
                *plots.predictions(results),
                *reliability.plots(results),
                *plots.f1_over_threshold(results),
                *cost_plots.quality_against_speed(results),
            ],
        ),
        Section(
            "cost",
            Line("Cost", "비용"),
            _cost_note(results),
            [*tables.speeds(results), *tables.corpus_costs(results)],
            cost_plots.corpus_costs(results),
        ),
        Section(
            "sources",
            Line("By source", "출처별 결과"),
            "",
            tables.by_source(results),
            plots.by_source(results),
            folded=True,
        ),
        slice_report.section(results),
        Section(
            "disagreements",
            Line("Disagreements", "의견이 갈린 문장 쌍"),
            Line(
                "Scores and labels from 0 (unrelated) to 5 (equivalent).",
                "점수와 정답은 0(무관)부터 5(같은 뜻)까지입니다.",
            ),
            tables.disagreements(results),
            folded=True,
        ),
        Section(
            "training",
            Line("Training and seeds", "학습과 시드"),
            Line(
                "Circles mark the best epoch by each criterion; the filled one and the vertical "
                "line mark the epoch that was kept.",
                "원은 기준별 최고 에폭이고, 채운 원과 세로선이 선택된 에폭입니다.",
            ),
            [*tables.training(results), *tables.spread(results), *tables.asymmetry(results)],
            plots.learning_curves(results),
            folded=True,
        ),
        Section("data", Line("Data", "데이터"), "", _data(results), folded=True),
        Section(
            "environment",
            Line("Encoders, environment and configuration", "인코더, 환경, 설정"),
            "",
            [
                *records.side_by_side(Line("Encoders", "인코더"), "", _encoders(results)),
                *records.record(Line("Environment", "환경"), results.environment),
                *records.record(
                    Line("Configuration", "설정"),
                    {key: part for key, part in results.config.items() if key != "encoders"},
                ),
                *records.side_by_side(
                    Line("Configuration of the encoders", "인코더 설정"),
                    "",
                    {name: results.asked(name) for name in results.config.get("encoders", {})},
                ),
            ],
            folded=True,
        ),
    ]


def _summary_note(results: ComparisonResults) -> Line:
    seeds = max(len(encoder.seeds) for encoder in results.encoders.values())
    if seeds == 1:
        return Line(
            "Intervals and tests resample the test pairs, both encoders on the same ones.",
            "신뢰 구간과 검정은 평가 쌍을 재표집하며, 두 인코더에 같은 쌍을 씁니다.",
        )
    return both(
        "Values are means over {seeds} seeds; intervals and tests resample the test pairs, all "
        "seeds and encoders on the same ones.",
        "값은 시드 {seeds}개의 평균이고, 신뢰 구간과 검정은 평가 쌍을 재표집하며 모든 시드와 "
        "인코더에 같은 쌍을 씁니다.",
        seeds=seeds,
    )


def _cost_note(results: ComparisonResults) -> Text:
    cost, parts = results.cost, []
    if cost.device:
        parts.append(
            both(
                "Measured on {device} with {threads} threads.",
                "{device}, 스레드 {threads}개에서 측정했습니다.",
                device=cost.device,
                threads=str(cost.threads),
            )
        )
    query, pairs = cost.break_even.query_sentences, cost.break_even.all_pairs_sentences
    if query is not None and pairs is not None:
        parts.append(
            both(
                "The bi-encoder's way is faster from {query} sentences on for a query (reranking "
                "included) and from {pairs} on for all pairs.",
                "바이인코더 방식은 검색에서는 {query}문장부터(재순위화 포함), 모든 쌍 비교에서는 "
                "{pairs}문장부터 더 빠릅니다.",
                query=count(query),
                pairs=count(pairs),
            )
        )
    return Line.join(" ", parts)


def _encoders(results: ComparisonResults) -> dict[str, dict[str, object]]:
    named = ("kind", "backbone", "revision", "backbone_note", "loss")
    return {
        name: {key: getattr(encoder, key) for key in named}
        for name, encoder in results.encoders.items()
    }


_SPLITS = ("train", "validation", "test")


def _data(results: ComparisonResults) -> list[Table]:
    """Return the splits side by side, their sources, and what lies between them."""
    splits = {n: results.data[n] for n in _SPLITS if isinstance(results.data.get(n), Mapping)}
    rest = {name: part for name, part in results.data.items() if name not in splits}
    sources = [
        table
        for name, split in splits.items()
        for table in records.one_below_the_other(
            both("Sources of the {name} pairs", "{name} 데이터의 출처", name=records.word(name)),
            Line("Source", "출처"),
            split.get("by_source") or {},
        )
    ]
    between = Line("Between and after the splits", "데이터 사이의 관계")
    return [
        *records.side_by_side(Line("Splits", "데이터 나누기"), "", splits),
        *sources,
        *records.record(between, rest),
    ]


COMPARISON = Experiment(ComparisonResults, compute_finding, build_sections, answer)
"""The comparison as an experiment."""
