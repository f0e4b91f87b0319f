"""``kosim explain``: what each word of two sentences adds to their score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import numpy as np
import numpy.typing as npt
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from kosim.encoders.explanation import ORDERS, Masking, Unit
from kosim.experiments.cli.console import output, print_json, table
from kosim.experiments.cli.encoder_options import SAVED_ENCODER, ComputeOptions, compute_options
from kosim.experiments.cli.options import json_option, option, seed_option
from kosim.experiments.cli.terminal import visible
from kosim.experiments.study.notation import signed

if TYPE_CHECKING:
    from kosim.encoders.explanation import Explanation

LINKS = 5
"""Pairs of words that are listed where the whole matrix is too wide for the terminal."""


@click.command("explain")
@click.argument("model", type=SAVED_ENCODER)
@click.argument("sentence1")
@click.argument("sentence2")
@option(
    "--unit",
    type=click.Choice(get_args(Unit)),
    default="word",
    help="What a sentence is cut into: words between spaces, or morphemes (kosim[lexical]).",
)
@option(
    "--masking",
    type=click.Choice(get_args(Masking)),
    default="removal",
    help="Whether a word that is left out is removed or replaced by the mask token.",
)
@option(
    "--orders",
    type=int,
    default=ORDERS,
    help="Even number of orders of the words to draw; few words are computed exactly.",
)
@seed_option("the orders of the words")
@compute_options
@json_option
def explain_command(
    model: Path,
    sentence1: str,
    sentence2: str,
    unit: Unit,
    masking: Masking,
    orders: int,
    seed: int,
    compute: ComputeOptions,
    as_json: bool,
) -> None:
    """Explain the score of two sentences by what each word adds to it or takes from it.

    The values are Shapley values: they sum to the score minus that of two empty texts, or of two
    texts of mask tokens with --masking mask.

    \b
    Examples:
      kosim explain mini-cross "거실 불 꺼 줘" "거실 조명은 켜 둬"
      kosim explain mini-bi "불 꺼 줘" "불 켜 줘" --unit morpheme --json
    """
    found = compute.load(model).explain(
        sentence1, sentence2, unit=unit, masking=masking, orders=orders, seed=seed
    )
    if as_json:
        print_json(found.to_dict())
        return
    ways = "removed" if masking == "removal" else "masked"
    how = "exact" if found.exact else f"from {found.orders} drawn orders"
    nothing = "two empty texts score" if masking == "removal" else "mask tokens alone score"
    output.print(
        f"{found.score:.2f} of 5; {nothing} {found.base:.2f}. "
        f"What each {unit} adds ({how}; left out means {ways}):",
    )
    output.print(_values(found))
    matrix = _matrix(found)
    if matrix is not None:
        output.print(f"\nWhat two {unit}s are worth together beyond what each is worth alone:")
        output.print(matrix)


def _values(found: Explanation) -> object:
    shown = table("sentence 1", "adds", "sentence 2", "adds")
    shown.columns[2].justify = "left"
    largest = _largest(found.values1, found.values2)
    sides: list[list[tuple[Text | str, str]]] = [
        [
            (_coloured(unit, value, largest), signed(float(value), 2))
            for unit, value in zip(units, values, strict=True)
        ]
        for units, values in ((found.units1, found.values1), (found.units2, found.values2))
    ]
    for row in range(max(map(len, sides))):
        shown.add_row(
            *(cell for side in sides for cell in (side[row] if row < len(side) else ("", "")))
        )
    return shown


def _matrix(found: Explanation) -> object | None:
    """Return the matrix of the words where it fits the terminal, else its largest entries."""
    matrix = found.interaction
    if not matrix.size:
        return None
    largest = _largest(matrix)
    width = max(map(_width, found.units1)) + 4 + sum(max(_width(u), 5) + 4 for u in found.units2)
    if width <= output.width:
        shown = table("", *map(visible, found.units2))
        for unit, row in zip(found.units1, matrix, strict=True):
            shown.add_row(
                Text(visible(unit)),
                *(_coloured(signed(float(value), 2), value, largest) for value in row),
            )
        return shown
    shown = table("sentence 1", "sentence 2", "together")
    shown.columns[1].justify = "left"
    for position in np.argsort(-np.abs(matrix), axis=None, kind="stable")[:LINKS]:
        i, j = np.unravel_index(int(position), matrix.shape)
        value = float(matrix[i, j])
        shown.add_row(
            Text(visible(found.units1[i])),
            Text(visible(found.units2[j])),
            _coloured(signed(value, 2), value, largest),
        )
    return shown


def _width(unit: str) -> int:
    return cell_len(visible(unit))


def _largest(*values: npt.NDArray[np.float64]) -> float:
    return max((float(np.abs(each).max()) for each in values if each.size), default=0.0) or 1.0


def _coloured(text: str, value: float, largest: float) -> Text:
    """Return a text on green where it adds to the score and on red where it takes from it."""
    share = abs(float(value)) / largest
    if share < 0.05:
        return Text(visible(text))
    faded = round(235 - 130 * share)
    red, green, blue = (faded, 235, faded) if value > 0 else (235, faded, faded)
    return Text(visible(text), Style(color="black", bgcolor=f"rgb({red},{green},{blue})"))
