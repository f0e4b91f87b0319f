"""The report of a study: what changed and why, how the search went, and what it cost."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import TrialState
from optuna.visualization import matplotlib as optuna_plots

from kosim.encoders.language import Line, Text, both
from kosim.experiments.comparison.results import COMPARED
from kosim.experiments.study.experiment import Experiment
from kosim.experiments.study.figures import tested, written
from kosim.experiments.study.notation import (
    DASH,
    METRIC_NAMES,
    count,
    decimal,
    duration,
    percent,
    signed,
)
from kosim.experiments.study.report import records
from kosim.experiments.study.report.canvas import INK, MUTED, RULE, Plot, colour, legend, say
from kosim.experiments.study.report.document import Columns, Section, Table, tabulate
from kosim.experiments.tuning.finding import compute_finding, shown
from kosim.experiments.tuning.results import ParameterResults, TrialResults, TuneResults
from kosim.experiments.tuning.space import parse_space

_CURVES = 5
"""Trials whose learning curves are drawn."""


def build_sections(results: TuneResults) -> list[Section]:
    """Return the sections of the report."""
    return [
        Section(
            "parameters",
            Line("What was tuned", "하이퍼파라미터"),
            Line(
                "Effect: what the metric gains when this parameter alone goes from its base to "
                "its best value, where that was tried; ± is the standard deviation over the "
                "seeds. Importance: the share of the variance between trials that the parameter "
                "explains (fANOVA).",
                "효과: 이 값만 기본에서 최고로 바꿨을 때의 지표 변화(시도한 경우). ±는 시드에 따른 "
                "표준편차. 중요도: 시도 사이 분산 가운데 이 값이 설명하는 비율(fANOVA).",
            ),
            _parameters(results),
        ),
        Section(
            "test",
            Line("On the test pairs", "평가 데이터"),
            Line(
                "Base and best, trained once more and tested once. Intervals and p-values are "
                "those of the comparison in the folder test.",
                "기본과 최고 설정을 다시 학습해 한 번 평가했습니다. 신뢰 구간과 p값은 폴더 test의 "
                "비교와 같습니다.",
            ),
            _test(results),
        ),
        Section("search", Line("How the search went", "탐색 과정"), plots=_plots(results)),
        Section("trials", Line("All trials", "모든 시도"), "", _trials(results), folded=True),
        records.origin(
            results,
            Line("Cost, settings and machine", "비용, 설정, 환경"),
            {
                Line("Cost", "비용"): results.cost.model_dump(),
                Line("Settings", "설정"): results.settings,
            },
            key="cost",
        ),
    ]


def _parameters(results: TuneResults) -> list[Table]:
    columns: Columns[ParameterResults] = {
        "": lambda each: each.name,
        Line("Base", "기본"): lambda each: shown(each.base),
        Line("Best", "최고"): lambda each: shown(each.best),
        Line("Effect", "효과"): _effect,
        Line("Importance", "중요도"): lambda each: percent(each.importance),
    }
    return tabulate(Line("Hyperparameters", "하이퍼파라미터"), results.parameters, columns)


def _effect(parameter: ParameterResults) -> Text:
    effect = DASH if parameter.effect is None else signed(parameter.effect, 4)
    if parameter.effect_spread is None:
        return effect
    return f"{effect} ± {decimal(parameter.effect_spread, 4)}"


def _test(results: TuneResults) -> list[Table]:
    if results.test is None:
        return []
    rows: list[list[Text]] = []
    for metric in COMPARED:
        rows.append(
            [
                METRIC_NAMES[metric],
                *(written(results.test.encoders[name].get(metric)) for name in ("base", "best")),
                *tested(results.test.difference.metrics.get(metric)),
            ]
        )
    columns: list[Text] = [
        Line("Metric", "지표"),
        Line("Base", "기본"),
        Line("Best", "최고"),
        Line("Best − base", "최고 − 기본"),
        "p",
    ]
    return Table.of(Line("Base and best on the test pairs", "기본과 최고"), columns, rows)


def _trials(results: TuneResults) -> list[Table]:
    names = [each.name for each in results.parameters]
    rows: list[list[Text]] = [
        [
            str(trial.number),
            records.word(trial.state),
            decimal(trial.value, 4),
            *(shown(trial.values.get(name, DASH)) for name in names),
            count(trial.epochs),
            duration(trial.seconds),
            trial.outcome or "",
        ]
        for trial in results.trials
    ]
    columns: list[Text] = [
        Line("Trial", "시도"),
        Line("State", "상태"),
        Line("Value", "값"),
        *names,
        Line("Epochs run", "에폭"),
        Line("Time", "시간"),
        Line("Remark", "비고"),
    ]
    return Table.of(Line("Trials", "시도"), columns, rows, [1, len(columns) - 1])


def _plots(results: TuneResults) -> list[Plot]:
    """Return Optuna's plots of the search, and the learning curves of the best trials."""
    study = cache(lambda: rebuild_study(results))
    ended = _complete(results)
    label = both("{metric}, validation", "{metric}(검증)", metric=METRIC_NAMES[results.metric])
    best = both(
        "{n} finished trials; the best reached {value}.",
        "끝난 시도 {n}개, 최고 {value}.",
        n=len(ended),
        value=decimal(results.best.value),
    )
    plots = [
        _optuna(
            "history",
            Line("Every trial and the best so far", "시도별 값과 최고"),
            best,
            lambda: optuna_plots.plot_optimization_history(study(), target_name=label.en),
            label,
        )
    ]
    known = {
        each.name: each.importance for each in results.parameters if each.importance is not None
    }
    if known:
        evaluator = FanovaImportanceEvaluator(seed=0)
        alt = ", ".join(f"{name} {percent(share)}" for name, share in known.items())
        plots.append(
            _optuna(
                "importances",
                Line("Importance of each parameter", "하이퍼파라미터의 중요도"),
                f"{alt}.",
                lambda: optuna_plots.plot_param_importances(
                    study(), evaluator=evaluator, params=list(known), target_name=label.en
                ),
                label,
            )
        )
    if len(results.parameters) > 1 and len(ended) > 1:
        values = ", ".join(f"{name} {shown(v)}" for name, v in results.best.values.items())
        plots.append(
            _optuna(
                "parallel",
                Line("Values of each trial", "시도별 값"),
                both(
                    "One line a trial; the best: {values}.",
                    "시도마다 한 줄. 최고: {values}.",
                    values=values,
                ),
                lambda: optuna_plots.plot_parallel_coordinate(study(), target_name=label.en),
                label,
            )
        )
    return [*plots, *_curves(results, label)]


def rebuild_study(results: TuneResults) -> optuna.Study:
    """Return the finished trials as a study in memory, so that Optuna can draw them."""
    space = parse_space(results.settings["space"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=UserWarning)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", study_name=results.study)
        for trial in _complete(results):
            study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState.COMPLETE,
                    value=trial.value,
                    params=trial.values,
                    distributions={name: space[name].distribution(name) for name in trial.values},
                )
            )
    return study


def _complete(results: TuneResults) -> list[TrialResults]:
    return [trial for trial in results.trials if trial.value is not None]


_OPTUNA = (
    Line("Trial", "시도"),
    Line("Best Value", "최고값"),
    Line("Hyperparameter", "하이퍼파라미터"),
    Line("Hyperparameter Importance", "하이퍼파라미터 중요도"),
)
"""What Optuna writes at axes and in legends."""


def _optuna(name: str, title: Line, alt: Text, draw: Callable[[], Any], label: Line) -> Plot:
    """Return one of Optuna's plots in the page's colours."""

    def paint(_: Axes) -> Figure:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
            figure: Figure = draw().figure
        for line in (label, *_OPTUNA):
            say(line)
        for axes in figure.axes:
            axes.set(facecolor="none", title="")
            axes.grid(color=RULE)
            for spine in axes.spines.values():
                spine.set_color(RULE)
            axes.tick_params(color=RULE, labelcolor=MUTED)
            for text in (axes.xaxis.label, axes.yaxis.label):
                text.set_color(MUTED)
            for text in (*axes.texts, *(axes.legend_.get_texts() if axes.legend_ else ())):
                text.set_color(INK)
        figure.set_facecolor("none")
        return figure

    return Plot(f"tuning-{name}", title, alt, paint, height=3.4)


def _curves(results: TuneResults, label: Line) -> list[Plot]:
    """Draw the learning curves of the best trials, which Optuna knows for the first seed only."""
    trials = sorted(_complete(results), key=lambda trial: -(trial.value or 0.0))[:_CURVES]
    drawn: Mapping[int, list[float]] = {
        trial.number: [row[results.metric] for row in next(iter(trial.curves.values()))]
        for trial in trials
        if trial.curves
    }
    if not drawn:
        return []

    def paint(axes: Axes) -> None:
        handles = [
            axes.plot(range(1, len(curve) + 1), curve, "o-", markersize=3, color=colour(number))[0]
            for number, curve in enumerate(drawn.values())
        ]
        legend(axes, handles, [f"#{number}" for number in drawn])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel=say(Line("epoch", "에폭")), ylabel=say(label))

    found = [
        both("trial {n}: {end} at its end", "시도 {n}: 마지막 {end}", n=n, end=decimal(curve[-1]))
        for n, curve in drawn.items()
    ]
    title = Line("Learning curves of the best trials", "가장 좋은 시도의 학습 곡선")
    return [Plot("tuning-curves", title, Line.join("; ", found), paint)]


TUNING = Experiment(TuneResults, compute_finding, build_sections)
"""Tuning as an experiment."""
