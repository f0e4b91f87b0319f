"""The plots of cost: each returns no plot where the results have nothing to draw."""

from __future__ import annotations

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, LogLocator, NullLocator

from kosim.experiments.comparison.tables import Results
from kosim.experiments.study.notation import estimate, is_defined
from kosim.experiments.study.report.canvas import INK, MUTED, Plot, colour, draw, legend

_TIMES = {
    1e-4: "0.1 ms",
    1e-3: "1 ms",
    1e-2: "10 ms",
    1e-1: "100 ms",
    1.0: "1 s",
    10.0: "10 s",
    60.0: "1 min",
    600.0: "10 min",
    3600.0: "1 h",
    36_000.0: "10 h",
    345_600.0: "4 days",
    3_456_000.0: "40 days",
    31_557_600.0: "1 year",
    315_576_000.0: "10 years",
    3_155_760_000.0: "100 years",
}
"""Times that people think in, about a factor of ten apart."""


def quality_against_speed(results: Results) -> list[Plot]:
    """Return Pearson, with its interval, against pairs scored a second."""
    points = [
        (position, name, encoder["test"]["pearson"], encoder["pairs_per_second"])
        for position, (name, encoder) in enumerate(results["encoders"].items())
        if is_defined(encoder["test"].get("pearson")) and encoder.get("pairs_per_second")
    ]
    if not points:
        return []

    speeds = [speed for *_, speed in points]

    def paint(axes: Axes) -> None:
        for position, name, figure, speed in points:
            tone = colour(position)
            axes.plot([speed, speed], [figure["low"], figure["high"]], color=tone)
            axes.plot(speed, figure["value"], "o", color=tone)
            # Outwards, so that the names of equally fast encoders do not meet.
            fastest = speed == max(speeds)
            axes.annotate(
                name,
                (speed, figure["value"]),
                xytext=(7 if fastest else -7, 0),
                textcoords="offset points",
                ha="left" if fastest else "right",
                va="center",
            )
        axes.set_xscale("log")
        axes.set_xlim(min(speeds) / 2.2, max(speeds) * 2.2)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlabel="pairs a second", ylabel="Pearson")

    found = "; ".join(
        f"{name} {estimate(figure)} at {speed:,.0f} pairs a second"
        for _, name, figure, speed in points
    )
    return [draw("quality", "Quality against speed", f"{found}.", paint)]


def corpus_costs(results: Results) -> list[Plot]:
    """Return the seconds of a query, and of comparing all pairs, as a corpus grows."""
    rows = (results.get("cost") or {}).get("corpus") or []
    kinds = [encoder["kind"] for encoder in results["encoders"].values()]
    ways = {
        "bi": ("bi alone", "-"),
        "rerank": ("retrieve, rerank", (0, (4, 2))),
        "cross": ("cross alone", "-"),
    }
    tones = {kind: colour(kinds.index(kind)) for kind in kinds} | {"rerank": INK}
    budgets = {
        "query": ("Time of a query", 1.0),
        "all_pairs": ("Time to compare all pairs", 3600.0),
    }
    plots = []
    for job, (title, budget) in budgets.items():
        table = pd.DataFrame(
            [{"sentences": row["sentences"], **(row.get(job) or {})} for row in rows]
        )
        shown = [way for way in ways if f"{way}_seconds" in table and way in tones]
        if not shown:
            continue

        def paint(
            axes: Axes,
            table: pd.DataFrame = table,
            shown: list[str] = shown,
            budget: float = budget,
        ) -> None:
            axes.axhline(budget, color=MUTED, linewidth=0.9)
            handles: list[Artist] = []
            for way in shown:
                values = table[f"{way}_seconds"].astype(float)
                style = ways[way][1]
                handles += axes.plot(table["sentences"], values, linestyle=style, color=tones[way])
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            axes.yaxis.set_major_locator(FixedLocator(list(_TIMES)))
            axes.yaxis.set_major_formatter(FixedFormatter(list(_TIMES.values())))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.set(xlabel="sentences in the corpus")
            legend(axes, handles, [ways[way][0] for way in shown])

        alt = f"{title} in seconds by corpus size, for {', '.join(ways[w][0] for w in shown)}."
        plots.append(draw(f"cost-{job}", title, alt, paint))
    return plots
