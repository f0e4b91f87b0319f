"""What scores and thresholds mean: reliability by band, and how much F1 hangs on the threshold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from kosim.encoders.language import Line, Text, both
from kosim.encoders.records import LABEL_HIGH, LABEL_LOW
from kosim.experiments.comparison import facts
from kosim.experiments.comparison.evaluation import (
    THRESHOLDS,
    Figures,
    ScoredContender,
    defined,
    resampling,
)
from kosim.experiments.comparison.plots import legend_of_contenders, tones_of
from kosim.experiments.comparison.results import ComparisonResults, ReliabilityBand, ScorePlot
from kosim.experiments.settings import EvaluationSettings
from kosim.experiments.statistics.significance import F1, Mean, Precision, Recall, estimate
from kosim.experiments.statistics.thresholds import plateau
from kosim.experiments.study.notation import DASH, confidence, decimal
from kosim.experiments.study.report.canvas import RULE, Plot, say
from kosim.experiments.study.report.document import Table

BAND, FEWEST_IN_BAND = 0.5, 10
"""Points of score in a band of the reliability plot, and pairs below which a band is left out."""

RESAMPLES_OF_BAND = 2_000
"""Resamples of a band at most, because there are many."""


def reliability(
    contender: ScoredContender, labels: npt.NDArray[np.float64], settings: EvaluationSettings
) -> list[ReliabilityBand]:
    """Return the mean label by band of score (the mean over seeds), with its interval.

    Where scores mean what labels mean, both means of a band agree.
    """
    scores = contender.scores.mean(axis=0)
    options = resampling(settings) | {"resamples": min(settings.resamples, RESAMPLES_OF_BAND)}
    bands = []
    for low in np.arange(LABEL_LOW, LABEL_HIGH, BAND):
        high = low + BAND if low + BAND < LABEL_HIGH else np.inf
        rows = np.flatnonzero((scores >= low) & (scores < high))
        if len(rows) >= FEWEST_IN_BAND:
            gold = labels[rows]
            copies = contender.of_pairs(rows).copies
            found = estimate(gold, gold, Mean(), copies=copies, **options)
            bands.append(
                ReliabilityBand(
                    low=float(low),
                    high=float(low + BAND),
                    n=len(rows),
                    score=float(scores[rows].mean()),
                    label=found,
                )
            )
    return bands


def f1_plateau(plot: ScorePlot) -> tuple[float, float] | None:
    """Return the range of thresholds whose F1 is within 0.01 of the highest, or None."""
    return None if plot.f1 is None else plateau(THRESHOLDS, np.array(plot.f1))


def evaluate_at(
    threshold: float,
    contender: ScoredContender,
    labels: npt.NDArray[np.float64],
    settings: EvaluationSettings,
) -> Figures:
    """Return precision, recall and F1 of a contender at a threshold, with their intervals."""
    metrics = {"precision": Precision, "recall": Recall, "f1": F1}
    return {
        name: defined(
            lambda make=make: estimate(  # type: ignore[misc]
                labels,
                contender.scores,
                make(threshold),
                copies=contender.copies,
                **resampling(settings),
            )
        )
        for name, make in metrics.items()
    }


def plots(results: ComparisonResults) -> list[Plot]:
    """Return the mean label by band of score for every contender, with its interval."""
    encoders = {name: each for name, each in results.encoders.items() if each.reliability}
    if not encoders:
        return []
    tones, named = tones_of(results), facts.labels(results)

    def paint(axes: Axes) -> None:
        bounds = (LABEL_LOW, LABEL_HIGH)
        axes.plot(bounds, bounds, color=RULE, linewidth=1, zorder=1)
        for name, encoder in encoders.items():
            tone = tones[name]
            for band in encoder.reliability:
                axes.plot([band.score] * 2, [band.label.low, band.label.high], color=tone)
            points = [(band.score, band.label.value) for band in encoder.reliability]
            axes.plot(*zip(*points, strict=True), "o-", color=tone, linewidth=0.8)
        axes.set(xlim=bounds, ylim=bounds, aspect="equal")
        axes.set(xlabel=say(Line("score", "점수")), ylabel=say(Line("mean label", "정답 평균")))
        legend_of_contenders(axes, results)

    return [
        Plot(
            "reliability",
            Line("Reliability: mean label by score", "점수별 정답 평균(보정 상태)"),
            both(
                "Mean label of the pairs in each band of scores, by {names}, with {level} "
                "intervals; on the diagonal a score means what a label means.",
                "{names}의 점수 구간별 정답 평균과 {level} 신뢰 구간. 대각선 위에서는 점수가 "
                "정답과 같은 뜻입니다.",
                level=confidence(results.config),
                names=Line.join(", ", [named[name] for name in encoders]),
            ),
            paint,
            height=4.5,
        )
    ]


def threshold_sensitivity(results: ComparisonResults) -> list[Table]:
    """Return how far the threshold may lie from the best before F1 loses more than 0.01."""
    rows: list[list[Text]] = []
    for name, encoder in results.encoders.items():
        found = None if encoder.scores is None else f1_plateau(encoder.scores)
        if found is not None:
            chosen = [run.threshold for run in encoder.seeds.values() if run.threshold is not None]
            tuned = ", ".join(decimal(each, 2) for each in chosen) or DASH
            rows.append(
                [
                    facts.labels(results)[name],
                    tuned,
                    f"{decimal(found[0], 2)}–{decimal(found[1], 2)}",
                ]
            )
    columns = [
        Line("Encoder", "인코더"),
        Line("Threshold from validation", "검증에서 정한 임계값"),
        Line("F1 within 0.01 of its best", "최고 F1과 0.01 이내"),
    ]
    caption = Line("How much F1 depends on the threshold", "임계값에 대한 F1의 민감도")
    return Table.of(caption, columns, rows)
