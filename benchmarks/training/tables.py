"""Tables and learning curves of the trials: what was tried, what it reached, and what it cost.

Trials of one name are the seeds of one setting. Intervals are by test pair (kosim's studentised
bootstrap, all seeds of a pair together), the spread over seeds stands apart, and every setting is
compared with the earlier default of its kind and with today's, paired by test pair and seed.

    python -m benchmarks.training.tables --klue ../shared/data/klue-sts
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmarks.figures import gap, interval
from benchmarks.training.trials import RESULTS, load_data, read_lines
from kosim.encoders.records import LabelledPairs
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.statistics.significance import (
    F1,
    Pearson,
    difference,
    estimate,
)
from kosim.experiments.study.environment import processor_of

REFERENCE, DEFAULT = "old", "default"
TITLES = {"sample": "The bundled sample", "klue": "KLUE-STS, all training pairs"}

Floats = npt.NDArray[np.float64]
Records = list[dict[str, Any]]
Where = tuple[str, str]


def settings_of(records: Iterable[dict[str, Any]]) -> dict[Where, dict[tuple[str, str], Records]]:
    """Return the trials by (data, backbone), then by (kind, name), seeds in order."""
    found: dict[Where, dict[tuple[str, str], Records]] = defaultdict(lambda: defaultdict(list))
    for record in sorted(records, key=lambda record: int(record["seed"])):
        where = record["data"], Path(record["backbone"]).name
        found[where][record["kind"], record["name"]].append(record)
    return found


def scores_of(records: Records) -> Floats:
    """Return the test scores of all seeds: (seeds, pairs)."""
    return np.array([record["scores"] for record in records], dtype=np.float64)


def gap_between(records: Records, others: Records | None, labels: Floats) -> dict[str, Any] | None:
    """Return how much higher the Pearson of a setting is, over the seeds that both have."""
    if others is None or others is records:
        return None
    shared = {each["seed"] for each in records} & {each["seed"] for each in others}
    if not shared:
        return None
    first, second = (
        scores_of([each for each in group if each["seed"] in shared]) for group in (records, others)
    )
    return {**vars(difference(labels, first, second, Pearson())), "seeds": sorted(shared)}


def describe(records: Records, kind: dict[str, Records], labels: Floats) -> dict[str, Any]:
    """Return the figures of one setting, and its gaps to the others of its kind to compare with."""
    scores = scores_of(records)
    values = [record["test"]["pearson"] for record in records]
    thresholds = np.array([record["threshold"] for record in records])
    mean: dict[str, float | None] = {}
    for name in ("epochs", "best_epoch", "steps", "seconds", "cpu_seconds"):
        # A broken trial has no time, and one that was killed only that of its last part.
        timed = [each for each in records if "seconds" not in name or not each.get("resumed")]
        given = [record[name] for record in timed if record[name] is not None]
        mean[name] = float(np.mean(given)) if given else None
    return {
        "kind": records[0]["kind"],
        "name": records[0]["name"],
        "config": records[0]["config"],
        "seeds": [record["seed"] for record in records],
        "validation": float(np.mean([record["validation"]["pearson"] for record in records])),
        "pearson": vars(estimate(labels, scores, Pearson())),
        "pearson_sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "spearman": float(np.mean([record["test"]["spearman"] for record in records])),
        "f1": vars(estimate(labels, scores, F1(3.0))),
        "f1_tuned": vars(estimate(labels, scores, F1(thresholds))),
        "gap": gap_between(records, kind.get(REFERENCE), labels),
        "gap_to_default": gap_between(records, kind.get(DEFAULT), labels),
        **mean,
    }


def to_markdown(summaries: dict[Where, list[dict[str, Any]]], notes: dict[Where, Any]) -> str:
    """Return the tables that are committed."""
    lines = [
        "# Training either kind: what was tried",
        "",
        "`python -m benchmarks.training.tables`, from `trials.jsonl`. Pearson and F1 are of the "
        "test (KLUE-STS: the official dev split) with 95% intervals by test pair; epoch, "
        "calibration and threshold were chosen on validation pairs, whose Pearson is that of the "
        "calibrated scores (the curves show it before). The gaps are the test's "
        f"Pearson minus that of the settings *{REFERENCE}* and *{DEFAULT}* of the same kind, "
        "paired by test pair, over the seeds that both have. Processor "
        "seconds are those of one thread, validation included, on a machine that did other work. "
        "Trials of `benchmarks/training/plans` that are not listed have not been run. Bi-encoders "
        "that learnt in bf16 before December 2026 were also scored in bf16: .8848 instead of .8846 "
        "for the one from e5-small-ko with the defaults.",
    ]
    for where, rows in summaries.items():
        data, backbone = where
        lines += [
            "",
            f"## {TITLES[data]}, from `{backbone}`",
            "",
            "| encoder | setting | seeds | validation | Pearson | sd over seeds | F1 at 3.0 | "
            f"F1 tuned | minus {REFERENCE} | minus {DEFAULT} | epochs, kept | steps | processor "
            "seconds |",
            "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [_row(row) for row in rows]
        for note in notes.get(where, []):
            lines += ["", note]
    return "\n".join(lines) + "\n"


def _row(row: dict[str, Any]) -> str:
    spread = "–" if row["pearson_sd"] is None else f"{row['pearson_sd']:.3f}"
    cells = [
        row["kind"],
        row["name"],
        ", ".join(map(str, row["seeds"])),
        f"{row['validation']:.3f}",
        *(interval(row[name]) for name in ("pearson",)),
        spread,
        *(interval(row[name]) for name in ("f1", "f1_tuned")),
        *(_gap(row[name]) for name in ("gap", "gap_to_default")),
        f"{row['epochs']:.3g}, {row['best_epoch']:.3g}",
        f"{row['steps']:,.0f}",
        "–" if row["cpu_seconds"] is None else f"{row['cpu_seconds']:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _gap(found: dict[str, Any] | None) -> str:
    return "–" if found is None else gap(found)


def between_kinds(
    groups: dict[tuple[str, str], Records], rows: list[dict[str, Any]], labels: Floats
) -> list[str]:
    """Return sentences on the two kinds: as validation prefers them, as they are, and as they were.

    Both kinds are compared with the seeds that both have.
    """
    sentences = []
    best = {
        kind: max((row for row in rows if row["kind"] == kind), key=lambda row: row["validation"])
        for kind in ("bi", "cross")
        if any(row["kind"] == kind for row in rows)
    }
    if len(best) < 2:
        return []
    pairs = {
        "Settings with the best validation value": {kind: row["name"] for kind, row in best.items()}
    }
    for setting in (DEFAULT, REFERENCE):
        if all((kind, setting) in groups for kind in best):
            pairs[f"Setting *{setting}*"] = dict.fromkeys(best, setting)
    for what, names in pairs.items():
        bi, cross = (groups[kind, names[kind]] for kind in ("bi", "cross"))
        if found := gap_between(cross, bi, labels):
            sentences.append(
                f"{what} (cross: {names['cross']}; bi: {names['bi']}): the cross-encoder's Pearson "
                f"minus the bi-encoder's is {gap(found)}, {_p(found['p_value'])}, seeds "
                f"{', '.join(map(str, found['seeds']))}."
            )
    return sentences


def by_source(groups: dict[tuple[str, str], Records], test: LabelledPairs) -> list[str]:
    """Return a table of both kinds' defaults on the pairs of each source of the test."""
    records = [groups.get((kind, DEFAULT)) for kind in ("bi", "cross")]
    sources = np.array(test.sources)
    if None in records or len(set(test.sources)) < 2:
        return []
    bi, cross = (scores_of(each) for each in records if each is not None)
    parts = {name: sources == name for name in sorted(set(test.sources))}
    lines = [
        f"Setting *{DEFAULT}* by source of the pairs, all seeds of each kind:",
        "",
        "| source | pairs | bi: Pearson | cross: Pearson | cross minus bi | p |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, of in {**parts, "all": sources == sources}.items():
        labels = test.labels[of]
        figures = [vars(estimate(labels, each[:, of], Pearson())) for each in (bi, cross)]
        found = vars(difference(labels, cross[:, of], bi[:, of], Pearson()))
        p_value = f"{found['p_value']:.3f}"
        cells = [name, f"{of.sum()}", *map(interval, figures), gap(found), p_value]
        lines.append(f"| {' | '.join(cells)} |")
    return ["\n".join(lines)]


def as_labelled_for_training(
    groups: dict[tuple[str, str], Records], labels: Floats, trained: Floats
) -> list[str]:
    """Return what the defaults reach where the test pairs weigh as the labels of training do."""
    edges = np.linspace(0, 5, 11)
    shares = [np.histogram(each, edges)[0] / len(each) for each in (trained, labels)]
    part = np.clip(np.digitize(labels, edges) - 1, 0, len(edges) - 2)
    weights = (shares[0] / np.maximum(shares[1], 1 / len(labels)))[part]
    found = {}
    for kind in ("bi", "cross"):
        if (records := groups.get((kind, DEFAULT))) is None:
            return []
        values = [
            np.cov(labels, scores, aweights=weights)[0, 1]
            / np.prod([np.sqrt(np.cov(each, aweights=weights)) for each in (labels, scores)])
            for scores in scores_of(records)
        ]
        found[kind] = float(np.mean(values))
    return [
        f"Setting *{DEFAULT}*, test pairs weighted to the mix of labels (by half points) of the "
        f"training pairs: Pearson {found['bi']:.3f} (bi), {found['cross']:.3f} (cross)."
    ]


def _p(value: float) -> str:
    return "p < .001" if value < 0.001 else f"p = {value:.3f}"


def draw_curves(groups: dict[tuple[str, str], Records], title: str, path: Path) -> None:
    """Draw the validation Pearson after each epoch, a panel a kind, a line a seed."""
    figure = Figure(figsize=(13, 7), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, kind in zip(axes, ("bi", "cross"), strict=True):
        of_kind = {name: records for (of, name), records in groups.items() if of == kind}
        tried = [name for name in sorted(of_kind) if name not in (DEFAULT, REFERENCE)]
        for name, records in of_kind.items():
            # The two that the others are compared with stand out from them.
            style: dict[str, Any] = {"color": "black" if name == DEFAULT else "grey", "lw": 2.5}
            if name in tried:
                number = tried.index(name)
                style = {"color": f"C{number % 10}", "lw": 1, "ls": "-" if number < 10 else "--"}
            for record in records:
                values = [row["pearson"] for row in record["history"]]
                label = name if record is records[0] else None
                axis.plot(range(1, len(values) + 1), values, label=label, **style)
                best = record["best_epoch"]
                axis.plot(best, values[best - 1], "o", color=style["color"])
        axis.set(title=f"{kind}-encoder", xlabel="epoch", ylabel="validation Pearson")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        if of_kind:
            axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=8)
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(max(low, high - 0.4))  # one that collapses leaves the picture
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


@click.command()
@click.option("--klue", type=click.Path(path_type=Path), help="Folder of KLUE-STS.")
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(klue: Path | None, results: Path) -> None:
    """Write the tables and the curves of the trials beside them."""
    records = read_lines(results)
    summaries: dict[Where, list[dict[str, Any]]] = {}
    notes: dict[Where, Any] = {}
    for where, groups in sorted(settings_of(records).items(), reverse=True):
        data, backbone = where
        read = load_data(data, klue)  # type: ignore[arg-type]
        test, labels = read.test.pairs, read.test.pairs.labels
        kinds = {
            kind: {name: each for (of, name), each in groups.items() if of == kind}
            for kind in ("bi", "cross")
        }
        rows = [
            describe(group, kinds[kind], labels)
            for (kind, _), group in sorted(groups.items(), key=lambda item: item[0][0])
        ]
        rows.sort(key=lambda row: (row["kind"], row["name"] != REFERENCE, -row["validation"]))
        summaries[where] = rows
        machines = sorted({processor_of(r["environment"]) for g in groups.values() for r in g})
        notes[where] = [*between_kinds(groups, rows, labels), *by_source(groups, test)]
        if read.training is not None:
            trained = np.concatenate([read.training.train.labels, read.training.validation.labels])
            notes[where] += as_labelled_for_training(groups, labels, trained)
        notes[where].append(f"On {'; '.join(machines)}.")
        notes[where].append(f"![learning curves](curves-{data}-{backbone}.png)")
        path = results.parent / f"curves-{data}-{backbone}.png"
        draw_curves(groups, f"{TITLES[data]}, from {backbone}", path)
    write_text(results.with_name("tables.md"), to_markdown(summaries, notes))
    flat = {" ".join(where): rows for where, rows in summaries.items()}
    write_json(results.with_name("tables.json"), flat)


if __name__ == "__main__":
    main()
