"""The report of an evaluation of depth: tables, plots and its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from kosim.encoders.storage import write_json, write_text
from kosim.experiments.depth.finding import Results, span
from kosim.experiments.study.notation import DASH, amount, count, duration, estimate, percent
from kosim.experiments.study.report import facts
from kosim.experiments.study.report.canvas import INK, MUTED, Plot, colour, draw
from kosim.experiments.study.report.document import Section, Table
from kosim.experiments.study.report.render import render_page
from kosim.index.adaptive.policy import RELEVANT

_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


def write_report(results: Mapping[str, Any], folder: Path) -> None:
    """Write ``results.json``, ``report.md`` and ``report.html`` into ``folder``.

    Raises:
        StorageError: the folder cannot be written.
    """
    for template, target in (("report.md.j2", "report.md"), ("report.html.j2", "report.html")):
        page = render_page(
            template, results, verdict=results["finding"], sections=_sections(results)
        )
        write_text(folder / target, page)
    write_json(folder / "results.json", results)


def _sections(results: Results) -> list[Section]:
    sections = [
        Section(
            "depths",
            "What each depth keeps",
            "깊이별 결과",
            _note(results),
            [_depths(results)],
            [_survival_plot(results)],
        ),
        Section(
            "adaptive",
            "As many candidates as each query needs",
            "질의별 후보 수",
            _adaptive_note(results),
            _adaptive(results),
            _adaptive_plot(results),
        ),
        Section(
            "scoring",
            "What was scored",
            "채점한 문서",
            _scoring_note(results),
            _bands(results),
        ),
        Section(
            "origin",
            "Queries, encoders and machine",
            "질의, 인코더, 환경",
            "",
            [
                *facts.record("Queries", results["queries"]),
                *facts.record("Index", results.get("index") or {}),
                *facts.record("Encoders", results.get("encoders") or {}),
                *facts.record("Settings", results["settings"]),
                *facts.record("Environment", results.get("environment") or {}),
            ],
        ),
    ]
    return [section for section in sections if section.tables or section.plots]


def _note(results: Results) -> str:
    k, found = results["settings"]["k"], results["recommended"]
    timed = results["depths"][0]["latency_ms"]["queries"]
    depth = (
        f"The smallest depth that keeps {percent(found['keep'])} is {found['depth']} {span(found)}."
        if found["depth"] is not None
        else f"No depth up to {found['deepest']} keeps {percent(found['keep'])}."
    )
    return (
        f"Survival: of all hits of at least {RELEVANT} of 5 in the exhaustive top {k}s, the share "
        "among the retrieved ones. Regret: how much the mean score of the top "
        f"{k} falls, in points of 0–5. nDCG: the gain of a hit is its score, the exhaustive order "
        f"is ideal; a place left empty is worth 0. 95% intervals resample the queries. {depth} "
        f"Times are of {timed} of these queries, one at a time."
    )


def _depths(results: Results) -> Table:
    rows = tuple(
        (
            count(row["depth"]),
            estimate(row["survival"]),
            estimate(row["regret"]),
            estimate(row["ndcg"]),
            *(duration(row["latency_ms"][level] / 1000) for level in ("p50", "p95")),
            count(row["cross_encoder_calls"]),
        )
        for row in results["depths"]
    )
    k = results["settings"]["k"]
    columns = ("Depth", "Survival", "Regret", f"nDCG@{k}", "A query, p50", "p95", "Calls")
    return Table("By depth, with 95% intervals", columns, rows)


def _survival_plot(results: Results) -> Plot:
    curve, keep = np.array(results["curve"]), results["settings"]["keep"]
    shown = results["depths"]
    recommended = results["recommended"]["depth"]

    def paint(axes: Axes) -> None:
        tone = colour(1)
        axes.axhline(keep, color=MUTED, linewidth=0.9)
        axes.plot(np.arange(1, len(curve) + 1), curve, color=tone)
        for row in shown:
            figure = row["survival"]
            axes.plot([row["depth"]] * 2, [figure["low"], figure["high"]], color=tone)
            axes.plot(row["depth"], figure["value"], "o", color=tone, markersize=4)
        if recommended is not None:
            axes.axvline(recommended, color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
            axes.annotate(
                f"{recommended}",
                (recommended, axes.get_ylim()[0]),
                xytext=(4, 4),
                textcoords="offset points",
            )
        axes.set_xscale("log")
        ticks = [tick for tick in _TICKS if tick <= len(curve)]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([str(tick) for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        axes.set(xlabel="candidates that are reranked", ylabel="hits that survive")

    alt = "; ".join(f"depth {row['depth']}: {estimate(row['survival'])}" for row in shown)
    return draw("depth-survival", "Survival against depth", f"{alt}.", paint)


def _adaptive_note(results: Results) -> str:
    adaptive = results["adaptive"]
    if not adaptive:
        return ""
    return (
        f"Fitted on lists of {count(adaptive['sampled'])} sentences of the corpus, "
        f"{adaptive['depth']} deep, and replayed on the queries of this report, which it has not "
        "seen. A query is missed if it loses a hit that counts of those which reranking its whole "
        "list would show; the interval of the miss rate is exact (Clopper–Pearson)."
    )


def _adaptive(results: Results) -> list[Table]:
    adaptive = results["adaptive"]
    if not adaptive:
        return []
    rows = []
    for row in adaptive["chances"]:
        if "impossible" in row:
            rows.append((percent(row["chance"]), "too few queries to promise it", *[DASH] * 5))
            continue
        rate = row["miss_rate"]
        rows.append(
            (
                percent(row["chance"]),
                f"{row['missed']} of {row['queries']}",
                f"{percent(rate['value'])} [{percent(rate['low'])}, {percent(rate['high'])}]",
                amount(row["calls"]["mean"]),
                amount(row["calls"]["p95"]),
                percent(row["saved"]),
                percent(row["saved_of_fixed"]),
            )
        )
    fixed = adaptive["fixed_depth"]
    columns = (
        "Stated chance",
        "Missed",
        "Observed",
        "Calls, mean",
        "p95",
        f"Saved of {adaptive['depth']}",
        f"Saved of the fixed {fixed}" if fixed else "Saved of a fixed depth",
    )
    return [Table("Stated and observed misses", columns, tuple(rows))]


def _adaptive_plot(results: Results) -> list[Plot]:
    rows = [row for row in (results["adaptive"] or {}).get("chances", []) if "calls" in row]
    if len(rows) < 2:
        return []
    chances = [row["chance"] for row in rows]

    def paint(misses: Axes, calls: Axes) -> None:
        stated = np.geomspace(min(chances), max(chances), 50)
        misses.plot(stated, stated, color=MUTED, linewidth=0.9)
        for row in rows:
            rate = row["miss_rate"]
            misses.plot([row["chance"]] * 2, [rate["low"], rate["high"]], color=colour(0))
            misses.plot(row["chance"], rate["value"], "o", color=colour(0))
        calls.plot(chances, [row["calls"]["mean"] for row in rows], "o-", color=colour(1))
        calls.set_ylim(0, 1.1 * max(row["calls"]["mean"] for row in rows))
        calls.set_xscale("log")
        calls.xaxis.set_major_locator(FixedLocator(chances))
        calls.xaxis.set_minor_locator(NullLocator())
        misses.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        calls.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        misses.set(ylabel="missed")
        calls.set(xlabel="stated chance", ylabel="calls a query")

    alt = "; ".join(
        f"stated {percent(row['chance'])}: observed {percent(row['miss_rate']['value'])} at "
        f"{amount(row['calls']['mean'])} calls"
        for row in rows
    )
    return [draw("depth-adaptive", "Misses and calls by chance", f"{alt}.", paint, rows=2)]


def _scoring_note(results: Results) -> str:
    scoring = results["scoring"]
    if scoring["exhaustive"]:
        return "Every document was scored for every query, so that nothing here is estimated."
    return (
        f"The first {count(scoring['top'])} retrieved documents are scored for every query. Behind "
        "them, bands of cosine rank, each twice as deep as the one before, get equal shares of the "
        "draws, without replacement; a drawn document stands for (documents in the band) / (draws) "
        "documents. Each document beyond is charged to survival, regret and nDCG as if it came "
        "alone into the known top k, which is never less than it costs in company; the weighted "
        "sum over the drawn ones estimates the sum over all without bias (Horvitz–Thompson). The "
        "intervals of the depths resample queries and so include the luck of the draw, as far as "
        "anything was found; where a band had no hit, its upper limit (Clopper–Pearson) says what "
        "may have gone unseen."
    )


def _bands(results: Results) -> list[Table]:
    rows = tuple(
        (
            f"{band['ranks'][0]:,}–{band['ranks'][1]:,}",
            count(band["scored_per_query"]),
            amount(band["weight"]),
            count(band["scored"]),
            count(band["hits"]),
            estimate(band["hits_per_query"]),
        )
        for band in results["scoring"]["bands"]
    )
    columns = (
        "Cosine rank",
        "Scored a query",
        "Each stands for",
        "Scored in all",
        "Hits among them",
        "Hits a query, estimated",
    )
    return [Table("Beyond the retrieved documents", columns, rows)] if rows else []
