"""Whether the words that an explanation names matter: a deletion test of both kinds.

Of each pair the three words with the largest absolute Shapley values are removed, and in other
copies three words drawn at random. An explanation is worth something if the first changes the
score more. Pairs with fewer than eight words in both sentences are left out, because there three
random words are often the same three.

    python -m benchmarks.explanations ../shared/data/klue-sts/klue-sts-v1.1_dev.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from kosim.encoders.base import PairEncoder
from kosim.encoders.explanation import most_important
from kosim.encoders.loading import load
from kosim.encoders.records import Pair
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.data.cleaning import check_test
from kosim.experiments.data.pairs import load_pairs
from kosim.experiments.statistics.significance import Mean, estimate
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parent / "results"
TOP, LEAST, DRAWS = 3, 8, 10


def without(pair: Pair, left_out: set[int]) -> Pair:
    """Return a pair without the words at these positions, counted over both sentences."""
    first, second = (text.split() for text in pair)
    kept1 = [word for i, word in enumerate(first) if i not in left_out]
    kept2 = [word for i, word in enumerate(second) if i + len(first) not in left_out]
    return " ".join(kept1), " ".join(kept2)


def measure(encoder: PairEncoder, pairs: list[Pair]) -> dict[str, Any]:
    """Return how far removing named and random words moves the score, with intervals."""
    rng = np.random.default_rng(25)
    named, drawn = [], []
    for pair in pairs:
        found = encoder.explain(*pair)
        count = len(found.units1) + len(found.units2)
        sets = [set(most_important(found, TOP))]
        sets += [set(rng.choice(count, TOP, replace=False).tolist()) for _ in range(DRAWS)]
        moved = np.abs(encoder.score([without(pair, one) for one in sets]) - found.score)
        named.append(moved[0])
        drawn.append(moved[1:].mean())
    changes = {
        "named": np.array(named, float),
        "random": np.array(drawn, float),
        "more": np.array(named, float) - np.array(drawn, float),
    }
    found_means = {
        name: estimate(np.zeros(len(pairs)), values, Mean()) for name, values in changes.items()
    }
    return {
        "kind": encoder.kind,
        **{
            name: {"value": each.value, "low": each.low, "high": each.high}
            for name, each in found_means.items()
        },
        "share_more": float((changes["more"] > 0).mean()),
    }


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    lines = [
        "# Do the words that an explanation names matter?",
        "",
        f"`{results['command']}`: {results['pairs']} pairs of at least {LEAST} words. Mean change "
        f"of the score in points when {TOP} words are removed: those with the largest absolute "
        f"Shapley values, or random ones ({DRAWS} draws a pair). 95% intervals over pairs.",
        "",
        "| encoder | named words | random words | difference | pairs where named words move more |",
        "|---|---:|---:|---:|---:|",
    ]
    for model, row in results["encoders"].items():
        cells = " | ".join(
            f"{row[name]['value']:.2f} [{row[name]['low']:.2f}, {row[name]['high']:.2f}]"
            for name in ("named", "random", "more")
        )
        lines.append(f"| {model} | {cells} | {row['share_more']:.0%} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.argument("file")
@click.option("--model", "models", multiple=True, default=("mini-bi", "mini-cross"))
@click.option("--pairs", "count", default=120, show_default=True)
def main(file: str, models: tuple[str, ...], count: int) -> None:
    """Draw pairs from FILE, explain them by each model and write the results."""
    test = check_test(load_pairs(file))
    long = [pair for pair in test.pairs if sum(len(text.split()) for text in pair) >= LEAST]
    order = np.random.default_rng(0).permutation(len(long))[:count]
    pairs = [long[row] for row in order]
    results = {
        "command": f"python -m benchmarks.explanations {Path(file).name}",
        "pairs": len(pairs),
        "encoders": {model: measure(load(model, device="cpu"), pairs) for model in models},
        "environment": describe_environment(),
    }
    write_json(RESULTS / "explanations.json", results)
    write_text(RESULTS / "explanations.md", to_markdown(results))


if __name__ == "__main__":
    main()
