"""``kosim evaluate``: the figures of one saved encoder on test pairs."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from kosim.encoders.errors import ConfigError
from kosim.encoders.language import Language, Line, Text, both, text
from kosim.encoders.records import LabelledPairs, check_validation
from kosim.encoders.texts import comparable
from kosim.experiments.cli.console import chosen_language, notes, output, print_json, table
from kosim.experiments.cli.encoder_options import SAVED_ENCODER, ComputeOptions, compute_options
from kosim.experiments.cli.options import json_option, language_option, option, pair_file_options
from kosim.experiments.comparison.evaluation import (
    ScoredContender,
    evaluate,
    evaluate_sources,
    plot_scores,
    score_pairs,
)
from kosim.experiments.comparison.reliability import evaluate_at, f1_plateau, reliability
from kosim.experiments.comparison.results import ChosenThreshold, EvaluationResults
from kosim.experiments.data.cleaning import distinct_numbers, read_whole
from kosim.experiments.settings import EvaluationSettings
from kosim.experiments.statistics.thresholds import Goal, choose_threshold
from kosim.experiments.study.figures import written
from kosim.experiments.study.notation import METRIC_NAMES


@click.command("evaluate")
@click.argument("model", type=SAVED_ENCODER)
@option("--test", metavar="FILE", help="File of labelled test pairs.")
@option("--mteb", metavar="TASK", help="Task of MTEB to evaluate on, such as KorSTS.")
@pair_file_options
@option(
    "--validation",
    metavar="FILE",
    help="File of labelled pairs on which a threshold is chosen, never the test pairs.",
)
@option(
    "--precision-at-least",
    "wanted_precision",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Choose the threshold with this precision and the highest recall.",
)
@option(
    "--recall-at-least",
    "wanted_recall",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Choose the threshold with this recall and the highest precision.",
)
@option(
    "--cost",
    metavar="FALSE:MISSED",
    help="Choose the threshold with the least cost of false and of missed similar pairs.",
)
@compute_options
@language_option
@json_option
def evaluate_command(
    model: Path,
    test: str | None,
    mteb: str | None,
    columns: str | None,
    encoding: str | None,
    label_scale: str | None,
    validation: str | None,
    wanted_precision: float | None,
    wanted_recall: float | None,
    cost: str | None,
    compute: ComputeOptions,
    as_json: bool,
) -> None:
    """Evaluate a saved encoder on test pairs, with intervals, or on a task of MTEB.

    A threshold for a wanted precision, recall or cost is chosen on the validation pairs, and its
    figures are measured on the test pairs.

    \b
    Examples:
      kosim evaluate mini-cross --test test.csv
      kosim evaluate mini-bi --test test.csv --validation dev.csv --precision-at-least 0.9
      kosim evaluate mini-bi --mteb KorSTS
    """
    if (test is None) == (mteb is None):
        raise ConfigError("give test pairs with --test FILE, or a task with --mteb TASK")
    goal = _goal(validation, wanted_precision, wanted_recall, cost)
    if mteb is not None:
        if goal is not None:
            raise ConfigError("a threshold is chosen for test pairs; give --test FILE, not --mteb")
        _evaluate_mteb(model, mteb, compute, as_json=as_json)
        return

    def read(path: str) -> LabelledPairs:
        return read_whole(path, columns=columns, encoding=encoding, label_scale=label_scale)

    pairs = read(str(test))
    held_out = read(validation) if validation is not None else None
    if held_out is not None:
        check_validation(held_out, file=validation)
        _note_shared(held_out, pairs)
    encoder = compute.load(model)
    threshold = None
    if goal is not None and held_out is not None:
        threshold = choose_threshold(held_out.labels, score_pairs(encoder, held_out.pairs), goal)
    contender = ScoredContender(
        name=str(model),
        kind=encoder.kind,
        scores=score_pairs(encoder, pairs.pairs)[None],
        thresholds=np.array([encoder.threshold]),
        copies=distinct_numbers(pairs),
    )
    settings = EvaluationSettings()
    results = EvaluationResults(
        model=str(model),
        kind=encoder.kind,
        n=len(pairs),
        threshold=encoder.threshold,
        calibrated=encoder.calibrated,
        test=evaluate(contender, pairs.labels, settings),
        by_source=evaluate_sources(contender, pairs, settings),
        reliability=reliability(contender, pairs.labels, settings),
        f1_plateau=f1_plateau(plot_scores(contender, pairs.labels)),
    )
    if threshold is not None and held_out is not None:
        chosen = ChosenThreshold(
            goal=str(goal),
            threshold=threshold,
            validation_pairs=len(held_out),
            test=evaluate_at(threshold, contender, pairs.labels, settings),
        )
        results = results.model_copy(update={"chosen": chosen})
    if as_json:
        print_json(results.model_dump(mode="json"))
        return
    language = chosen_language()
    shown = table("", text(Line("value", "값"), language))
    for name, figure in results.test.items():
        shown.add_row(text(METRIC_NAMES[name], language), text(written(figure), language))
    for source, found in results.by_source.items():
        label = both("Pearson, {s} (n = {n})", "피어슨 상관, {s}({n}쌍)", s=source, n=found.n)
        shown.add_row(text(label, language), text(written(found.pearson), language))
    output.print(shown)
    _print_thresholds(results, goal, language)


def _goal(
    validation: str | None, precision: float | None, recall: float | None, cost: str | None
) -> Goal | None:
    goals = [
        Goal("precision", precision) if precision is not None else None,
        Goal("recall", recall) if recall is not None else None,
        Goal.parse_cost(cost) if cost is not None else None,
    ]
    given = [goal for goal in goals if goal is not None]
    if len(given) > 1:
        raise ConfigError("give one of --precision-at-least, --recall-at-least and --cost")
    if (validation is not None) != bool(given):
        raise ConfigError(
            "a threshold is chosen with --validation FILE and one of --precision-at-least, "
            "--recall-at-least and --cost"
        )
    return given[0] if given else None


def _print_thresholds(results: EvaluationResults, goal: Goal | None, language: Language) -> None:
    def said(english: str, korean: str, **parts: Text | int) -> str:
        return text(both(english, korean, **parts), language)

    bands = table(said("score", "점수"), said("pairs", "쌍"), said("mean label", "정답 평균"))
    for band in results.reliability:
        ends = {"low": f"{band.low:.1f}", "high": f"{band.high:.1f}"}
        span = said("{low} to {high}", "{low}~{high}", **ends)
        bands.add_row(span, str(band.n), text(written(band.label), language))
    if results.reliability:
        output.print()
        output.print(bands)
    if results.f1_plateau is not None:
        low, high = (f"{end:.2f}" for end in results.f1_plateau)
        line = said(
            "F1 is within 0.01 of its best from a threshold of {low} to {high}.",
            "임계값 {low}~{high}에서 F1이 최고값과 0.01 이내입니다.",
            low=low,
            high=high,
        )
        output.print(f"\n{line}")
    if results.chosen is not None and goal is not None:
        chosen = results.chosen
        line = said(
            "Threshold {at}, chosen for {goal} on {n} validation pairs; on the test pairs:",
            "임계값 {at}: 검증 {n}쌍에서 {goal} 조건으로 정했습니다. 평가 결과:",
            at=f"{chosen.threshold:.2f}",
            goal=goal.words,
            n=f"{chosen.validation_pairs:,}",
        )
        output.print(f"\n{line}")
        figures = table("", said("value", "값"))
        for name, figure in chosen.test.items():
            label = METRIC_NAMES[name] if name != "f1" else Line("F1", "F1")
            short = Line(label.en.removesuffix(" at 3.0"), label.ko.removeprefix("3.0 기준 "))
            figures.add_row(text(short, language), text(written(figure), language))
        output.print(figures)


def _note_shared(held_out: LabelledPairs, test: LabelledPairs) -> None:
    """Say how many validation pairs are test pairs too, in either order."""
    known = {frozenset(map(comparable, pair)) for pair in test.pairs}
    shared = sum(frozenset(map(comparable, pair)) in known for pair in held_out.pairs)
    if shared:
        notes.print(
            f"{shared:,} of {len(held_out):,} validation pairs are test pairs too: what the "
            "threshold reaches on them flatters it; give others as --validation",
            style="yellow",
        )


def _evaluate_mteb(model: Path, task: str, compute: ComputeOptions, *, as_json: bool) -> None:
    from kosim.experiments.comparison.mteb_tasks import evaluate_mteb

    encoder = compute.load(model)
    found = evaluate_mteb(encoder, task)
    if as_json:
        print_json({"model": str(model), "kind": encoder.kind, "task": task, "scores": found})
        return
    shown = table("split", "subset", "metric", "value")
    for split, subsets in found.items():
        for scores in subsets:
            for name, value in scores.items():
                if isinstance(value, float):
                    shown.add_row(split, str(scores["hf_subset"]), name, f"{value:.4f}")
    output.print(shown)
