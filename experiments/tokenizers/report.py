"""The report of a comparison of tokenizers, with the comparison's tables of the encoders."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from kosim.encoders.language import Line, Text, both
from kosim.encoders.records import Kind
from kosim.experiments.comparison import tables
from kosim.experiments.comparison.plots import rows_with_intervals
from kosim.experiments.study.experiment import Experiment
from kosim.experiments.study.figures import Estimate
from kosim.experiments.study.notation import (
    KIND_NAMES,
    METRIC_NAMES,
    amount,
    confidence,
    count,
    decimal,
    duration,
    many,
    percent,
)
from kosim.experiments.study.report import records
from kosim.experiments.study.report.canvas import MUTED, Plot, colour, colours_by_kind, legend, say
from kosim.experiments.study.report.document import Section, Table
from kosim.experiments.tokenizers.finding import compute_finding
from kosim.experiments.tokenizers.results import KindResults, TokenizerResults


def build_sections(results: TokenizerResults) -> list[Section]:
    """Return the sections of the report."""
    return [
        Section(
            "quality",
            Line("What the encoders reach", "인코더 성능"),
            _note(results),
            [t for kind, part in results.encoders.items() for t in _encoders(results, kind, part)],
            [_quality_by_tokenizer(results)],
        ),
        Section(
            "tokenizers",
            Line("What the tokenizers make of a text", "토크나이저 특성"),
            Line(
                "Counted on the training sentences. An epoch is one of fine-tuning, its "
                "validation included, as measured in this run.",
                "학습 문장에서 세었습니다. 에폭 열은 검증을 포함한 미세조정 한 에폭의 시간을 이 "
                "실행에서 잰 값입니다.",
            ),
            _texts(results),
            [_epoch_by_length(results)],
        ),
        Section(
            "ready",
            Line(
                "A ready-made backbone, its texts cut into morphemes or not",
                "기성 모델의 형태소 분절",
            ),
            both("Backbone: {name}.", "백본: {name}.", name=str(results.config.get("ready"))),
            [
                table
                for kind, part in (results.ready or {}).items()
                for table in _encoders(results, kind, part)
            ],
        ),
        Section(
            "pretraining",
            Line("Pretraining", "사전학습"),
            Line(
                "Replaced token detection on held-out sentences; losses in nats.",
                "따로 둔 문장에서의 교체 토큰 탐지이며, 손실의 단위는 nat입니다.",
            ),
            _pretraining(results),
            [_detection_curves(results)],
        ),
        records.origin(
            results,
            Line("Settings and machine", "설정과 환경"),
            {Line("Settings", "설정"): results.config},
        ),
    ]


def _note(results: TokenizerResults) -> Line:
    return both(
        "Means over {over} with {level} intervals over the {tested} test pairs; fine-tuned "
        "on {train} pairs, chosen on {validation}. All networks have the same architecture, "
        "corpus, budget and seed. Every two encoders of one kind are tested on the same resampled "
        "pairs.",
        "시드 {seeds}개의 평균과 평가 쌍 {tested}개에 대한 {level} 신뢰 구간입니다. {train}쌍으로 "
        "미세조정하고 {validation}쌍으로 골랐습니다. 모든 신경망의 구조, 말뭉치, 예산, 시드가 "
        "같습니다. 같은 종류의 인코더는 같은 재표집 쌍에서 둘씩 검정했습니다.",
        over=many(len(results.config["seeds"]), "seed"),
        seeds=len(results.config["seeds"]),
        level=confidence(results.config),
        tested=count(next(iter(results.encoders.values())).test_pairs),
        train=count(results.pairs.get("train")),
        validation=count(results.pairs.get("validation")),
    )


def _encoders(results: TokenizerResults, kind: Kind, part: KindResults) -> list[Table]:
    """Return the comparison's tables of one kind's encoders."""
    view = part.as_comparison(results, kind)
    return [
        Table(
            Line.join(": ", [KIND_NAMES[kind], table.caption]),
            table.columns,
            table.rows,
            table.prose,
        )
        for table in (*tables.summary(view), *tables.comparisons(view), *tables.spread(view))
    ]


def _texts(results: TokenizerResults) -> list[Table]:
    rows: list[list[Text]] = [
        [
            name,
            count(row.vocabulary),
            decimal(row.tokens_per_word, 2),
            f"{100 * row.unknown_rate:.2f}%",
            amount(row.pair_length_mean),
            amount(row.pair_length_p95),
            percent(row.pairs_cut),
            *(duration(part.encoders[name].epoch_seconds) for part in results.encoders.values()),
        ]
        for name, row in results.tokenizers.items()
    ]
    columns: list[Text] = [
        "",
        Line("Vocabulary", "어휘 수"),
        Line("Tokens a word", "어절당 토큰"),
        Line("Unknown", "미등록"),
        Line("Pair, mean tokens", "쌍의 평균 토큰"),
        Line("p95", "95백분위"),
        Line("Pairs cut", "잘린 쌍"),
        *(
            both("Epoch, {kind}", "에폭, {kind}", kind=KIND_NAMES[kind])
            for kind in results.encoders
        ),
    ]
    return Table.of(Line("Tokenizers", "토크나이저"), columns, rows)


_FIGURES = {
    "generator_loss": Line("Generator loss", "생성기 손실"),
    "discriminator_loss": Line("Discriminator loss", "판별기 손실"),
    "precision": Line("Precision", "정밀도"),
    "recall": Line("Recall", "재현율"),
    "average_precision": Line("Area under PR curve", "PR 곡선 아래 넓이"),
    "replaced_share": Line("By chance", "우연 수준"),
}


def _pretraining(results: TokenizerResults) -> list[Table]:
    rows: list[list[Text]] = []
    for name, row in results.tokenizers.items():
        run = row.pretraining
        figures = (decimal(run.curve[-1][figure]) for figure in _FIGURES)
        rows.append([name, count(run.steps), count(run.parameters), *figures])
    steps, parameters = Line("Steps", "스텝"), Line("Parameters", "파라미터")
    columns: list[Text] = ["", steps, parameters, *_FIGURES.values()]
    return Table.of(Line("At the end of pretraining", "사전학습 마지막"), columns, rows)


def _quality_by_tokenizer(results: TokenizerResults) -> Plot:
    """Draw Pearson of every encoder with its interval, a row for each tokenizer."""
    names = list(results.tokenizers)
    points = [
        (row, position, figure)
        for row, name in enumerate(names)
        for position, part in enumerate(results.encoders.values())
        if isinstance(figure := part.encoders[name].test.get("pearson"), Estimate)
    ]
    kinds = [KIND_NAMES[kind] for kind in results.encoders]

    def paint(axes: Axes) -> None:
        rows_with_intervals(axes, names, points, colours_by_kind(list(results.encoders)))
        axes.set_xlabel(say(METRIC_NAMES["pearson"]))
        _legend(axes, kinds)

    found = [
        Line.join(" ", [f"{names[row]},", kinds[position], str(figure)])
        for row, position, figure in points
    ]
    title = Line("Pearson by tokenizer", "토크나이저별 피어슨 상관")
    height = 0.9 + 0.62 * len(names)
    return Plot("tokenizer-quality", title, Line.join("; ", found), paint, height=height)


def _epoch_by_length(results: TokenizerResults) -> Plot:
    """Draw the seconds of a cross-encoder's epoch against the tokens of a pair."""
    part = results.encoders["cross"].encoders
    points = [
        (name, row.pair_length_mean, part[name].epoch_seconds)
        for name, row in results.tokenizers.items()
    ]

    def paint(axes: Axes) -> None:
        for position, (name, length, seconds) in enumerate(points):
            axes.plot(length, seconds, "o", color=colour(position))
            axes.annotate(name, (length, seconds), xytext=(6, 4), textcoords="offset points")
        axes.set_xlim(0, 1.35 * max(length for _, length, _ in points))
        axes.set_ylim(0, 1.2 * max(seconds for *_, seconds in points))
        axes.set_xlabel(say(Line("mean tokens of a pair", "쌍의 평균 토큰")))
        axes.set_ylabel(say(Line("seconds of an epoch", "한 에폭의 시간(초)")))

    found = [
        Line(f"{name}: {length:.1f} tokens, {s:.1f} s", f"{name}: 토큰 {length:.1f}, {s:.1f}초")
        for name, length, s in points
    ]
    title = Line("A cross-encoder's epoch by length", "길이별 크로스인코더의 한 에폭 시간")
    return Plot("tokenizer-length", title, Line.join("; ", found), paint)


def _detection_curves(results: TokenizerResults) -> Plot:
    """Draw the area under the precision-recall curve of replaced tokens, by step."""
    curves = {name: row.pretraining.curve for name, row in results.tokenizers.items()}

    def paint(axes: Axes) -> None:
        for position, rows in enumerate(curves.values()):
            steps, chance = [row["step"] for row in rows], [row["replaced_share"] for row in rows]
            axes.plot(steps, [row["average_precision"] for row in rows], color=colour(position))
            axes.plot(steps, chance, color=MUTED, linewidth=0.9, linestyle=(0, (1, 1.2)))
        axes.set(ylim=(0, 1), xlabel=say(Line("step", "스텝")))
        axes.set_ylabel(say(Line("area under the PR curve", "PR 곡선 아래 넓이")))
        _legend(axes, list(curves))

    found = [
        f"{name} {rows[0]['average_precision']:.3f} → {rows[-1]['average_precision']:.3f}"
        for name, rows in curves.items()
    ]
    title = Line("Replaced tokens found (dotted: by chance)", "찾아낸 교체 토큰(점선: 우연)")
    return Plot("tokenizer-curves", title, "; ".join(found), paint)


def _legend(axes: Axes, names: list[Text] | list[str] | list[Line]) -> None:
    handles = [Line2D([], [], color=colour(position), marker="o") for position in range(len(names))]
    legend(axes, handles, names)


TOKENIZERS = Experiment(TokenizerResults, compute_finding, build_sections)
"""The comparison of tokenizers as an experiment."""
