"""The tables of a report: built once, rendered as HTML and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kosim.experiments.study.notation import (
    DASH,
    METRIC_NAMES,
    amount,
    count,
    decimal,
    difference,
    duration,
    estimate,
    is_defined,
    p_value,
    percent,
    reason,
    undefined,
)
from kosim.experiments.study.report.document import Row, Table

Results = Mapping[str, Any]


def _table(
    caption: str, columns: Iterable[str], rows: Iterable[Sequence[str]], prose: Iterable[int] = ()
) -> list[Table]:
    filled = tuple(tuple(row) for row in rows)
    return [Table(caption, tuple(columns), filled, frozenset(prose))] if filled else []


def summary(results: Results) -> list[Table]:
    """Return every metric of every contender, with the main difference and its p-value."""
    encoders, main = results["encoders"], results.get("difference") or {}
    columns = ["Metric", *encoders]
    if main:
        columns += [f"{main['first']} − {main['second']}", "p"]
    rows = []
    for metric, label in METRIC_NAMES.items():
        tests = [encoder["test"] for encoder in encoders.values()]
        if not any(metric in test for test in tests):
            continue
        row = [label, *(estimate(test.get(metric)) for test in tests)]
        if main:
            row += _tested(main, metric)
        rows.append(row)
    return _table("Test set, with 95% intervals", columns, rows)


def _tested(comparison: Mapping[str, Any], metric: str) -> Row:
    """Return a difference and its p-value, adjusted where it is; blank where none was tested."""
    if metric not in comparison:
        return "", ""
    figure = comparison[metric]
    p = figure.get("p_adjusted", figure["p_value"]) if is_defined(figure) else None
    return difference(figure), p_value(p)


def comparisons(results: Results) -> list[Table]:
    """Return the adjusted tests of every two contenders, where there are more than two."""
    if len(results["encoders"]) < 3:
        return []
    rows = []
    for entry in results.get("pairwise") or []:
        for metric, label in METRIC_NAMES.items():
            if metric in entry:
                pair = f"{entry['first']} − {entry['second']}"
                rows.append([pair, label, *_tested(entry, metric)])
    return _table(
        "Every two contenders, p-values adjusted for their number (Holm)",
        ["Difference", "Metric", "Value", "p, adjusted"],
        rows,
        [1],
    )


def further_tests(results: Results) -> list[Table]:
    """Return McNemar's and Williams' tests of the main difference, and the noise ceiling."""
    main = results.get("difference") or {}
    rows = []
    mcnemar = main.get("mcnemar")
    if mcnemar:
        rights = [
            f"{count(mcnemar.get(f'only_{main[side]}_right'))} pairs only {main[side]} gets right"
            for side in ("first", "second")
        ]
        found = f"{', '.join(rights)}; {p_value(mcnemar['p_value'])}"
        rows.append([f"McNemar (mid-p), decisions at {mcnemar['threshold']}", found])
    if main.get("williams_p_value") is not None:
        rows.append(
            ["Williams, Pearson (assumes normal scores)", p_value(main["williams_p_value"])]
        )
    ceiling = results.get("ceiling")
    if ceiling:
        found = undefined(ceiling)
        if "best_pearson" in ceiling:
            found = f"Pearson {decimal(ceiling['best_pearson'])}"
            found += f" (reliability of the labels {decimal(ceiling['reliability'])})"
        rows.append(["What a perfect encoder can be expected to reach", found])
    return _table("Beside the intervals", ["Question", "Answer"], rows, [1])


def by_source(results: Results) -> list[Table]:
    """Return Pearson and F1 of every contender for each source, and why some have no value."""
    encoders = results["encoders"]
    sources = dict.fromkeys(s for encoder in encoders.values() for s in encoder["by_source"])
    columns = ["Source", "Pairs"]
    columns += [f"{METRIC_NAMES[m]}, {name}" for m in ("pearson", "f1") for name in encoders]
    rows, missing = [], []
    for source in sources:
        figures = [encoder["by_source"].get(source, {}) for encoder in encoders.values()]
        number = next(figure["n"] for figure in figures if figure)
        found = [f.get(metric) for metric in ("pearson", "f1") for f in figures]
        rows.append(
            [source, count(number), *(estimate(f) if is_defined(f) else DASH for f in found)]
        )
        missing += [
            [source, column, reason(f)]
            for column, f in zip(columns[2:], found, strict=True)
            if not is_defined(f) and reason(f)
        ]
    return [
        *_table("By source, with 95% intervals", columns, rows),
        *_table("Without a value", ["Source", "Metric", "Why"], missing, [1, 2]),
    ]


def speeds(results: Results) -> list[Table]:
    """Return what each contender is and how fast it is."""
    costs = (results.get("cost") or {}).get("encoders") or {}
    rows = []
    for name, encoder in results["encoders"].items():
        cost = costs.get(name) or {}
        single = cost.get("single_pair_ms") or {}
        rows.append(
            [
                name,
                amount(cost.get("pairs_per_second", encoder.get("pairs_per_second"))),
                amount(cost.get("sentences_per_second")),
                _milliseconds(single.get("p50")),
                _milliseconds(single.get("p95")),
                count(cost.get("parameters", encoder.get("parameters"))),
                duration(encoder.get("train_seconds")),
            ]
        )
    columns = ["Encoder", "Pairs/s", "Sentences/s", "One pair, p50", "p95", "Parameters"]
    return _table("Speed and size", [*columns, "Training"], rows)


def _milliseconds(value: float | None) -> str:
    return duration(None if value is None else value / 1000)


def corpus_costs(results: Results) -> list[Table]:
    """Return what search and comparing all pairs cost as a corpus grows."""
    rows = []
    for row in (results.get("cost") or {}).get("corpus") or []:
        query, pairs = row.get("query") or {}, row.get("all_pairs") or {}
        cells = [query.get(f"{way}_seconds") for way in ("bi", "rerank", "cross")]
        cells += [pairs.get(f"{way}_seconds") for way in ("bi", "cross")]
        origin = "extrapolated" if row.get("extrapolated") else "measured"
        rows.append([count(row["sentences"]), *map(duration, cells), origin])
    columns = [
        "Sentences",
        "Query: bi",
        "Query: bi, then cross",
        "Query: cross",
        "All pairs: bi",
        "All pairs: cross",
        "Figures",
    ]
    return _table("Cost of a corpus", columns, rows, [6])


def disagreements(results: Results) -> list[Table]:
    """Return the pairs whose scores lie furthest from each other, and from the label."""
    names = list(results["encoders"])
    captions = {
        "encoders": "Furthest from each other",
        "label": "Furthest from the label",
    }
    tables = []
    for why, caption in captions.items():
        rows = [
            [
                f"{row['sentence1']}\n{row['sentence2']}",
                row["source"] or DASH,
                decimal(row["label"], 1),
                *(decimal(row.get(name), 1) for name in names),
            ]
            for row in results.get("disagreements") or []
            if row["why"] == why
        ]
        tables += _table(caption, ["Pair", "Source", "Label", *names], rows, [1])
    return tables


def training(results: Results) -> list[Table]:
    """Return each training run: its figures on the test set and what validation chose."""
    rows = []
    for name, encoder in results["encoders"].items():
        for seed, run in encoder["seeds"].items():
            best = run.get("best_epochs") or {}
            rows.append(
                [
                    f"{name}, seed {seed}",
                    estimate(run["test"].get("pearson")),
                    estimate(run["test"].get("f1")),
                    decimal(run.get("threshold"), 2),
                    f"{run['best_epoch']} of {len(run['history'])} (by {run['select']})"
                    if run.get("history")
                    else DASH,
                    count(run.get("steps")),
                    ", ".join(f"{criterion} {epoch}" for criterion, epoch in best.items()) or DASH,
                    duration(run.get("train_seconds")),
                ]
            )
    columns = ["Run", "Pearson", "F1 at 3.0", "Threshold", "Epoch kept", "Steps"]
    columns += ["Best epoch by", "Time"]
    return _table("Runs", columns, rows, [4, 6])


def spread(results: Results) -> list[Table]:
    """Return how far each metric varies over seeds."""
    rows = [
        [
            f"{name}, {METRIC_NAMES[metric]}",
            *(decimal(found[k]) for k in ("mean", "sd", "min", "max")),
        ]
        for name, encoder in results["encoders"].items()
        for metric, found in (encoder.get("seed_spread") or {}).items()
    ]
    return _table("Spread over seeds", ["Metric", "Mean", "SD", "Lowest", "Highest"], rows)


def asymmetry(results: Results) -> list[Table]:
    """Return how much the scores depend on the order of a pair, where that was measured."""
    rows = []
    for name, encoder in results["encoders"].items():
        found = encoder.get("swap_asymmetry")
        if found:
            moved = [decimal(found.get(f"{k}_absolute"), 2) for k in ("mean", "p95", "max")]
            symmetric = decimal(found.get("pearson_symmetric"))
            rows.append([name, *moved, percent(found.get("verdict_flips")), symmetric])
    columns = ["Encoder", "Mean shift", "p95", "Largest", "Decisions that flip"]
    return _table(
        "Scores when the two sentences are swapped, in points of 0–5",
        [*columns, "Pearson, both orders averaged"],
        rows,
    )
