"""Put a backbone into the package as ``mini``: half-precision weights, its tokenizer, a card.

python -m benchmarks.mini.bundle --backbone runs/mini/rtd-distilled
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer

from encoders.backbone import BUNDLED, MINI, find_backbone
from encoders.errors import KosimError
from encoders.provenance import Provenance, read_provenance
from encoders.storage import atomic_folder, write_json, write_text

MOST_BYTES = 16_000_000
WEIGHTS = "model.safetensors"
RUNS = Path(__file__).parents[1] / "results" / "mini"


def bundle(backbone: Path, out: Path, *, results: Path = RUNS, overwrite: bool = False) -> int:
    """Write the bundled folder and return its size in bytes.

    Its ``config.json`` names float32, as which every program loads the half-precision weights.

    Raises:
        ClickException: the folder would be larger than a package can carry.
        KosimError: the backbone is not whole, or ``out`` exists.
    """
    source = find_backbone(str(backbone)).path
    weights = {
        name: tensor.to(torch.float16) if tensor.is_floating_point() else tensor
        for name, tensor in load_file(source / WEIGHTS).items()
    }
    config = AutoConfig.from_pretrained(source, local_files_only=True)
    config.dtype = torch.float32
    provenance = read_provenance(source)
    with atomic_folder(out, overwrite=overwrite) as place:
        save_file(weights, place / WEIGHTS, metadata={"format": "pt"})
        config.save_pretrained(place)
        AutoTokenizer.from_pretrained(source, local_files_only=True).save_pretrained(place)
        provenance.write(place)
        write_text(place / "README.md", card(provenance, results))
        size = sum(file.stat().st_size for file in place.iterdir())
        if size > MOST_BYTES:
            raise click.ClickException(
                f"the folder would have {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f} MB"
            )
    return size


def card(provenance: Provenance, results: Path) -> str:
    """Return the model card, with the figures of the runs that there are."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    runs: dict[str, list[dict[str, Any]]] = {
        kind: json.loads(file.read_text("utf-8")) if file.is_file() else []
        for kind in ("bi", "cross")
        for file in [results / f"{kind}-runs.json"]
    }
    return environment.get_template("card.md.j2").render(
        made=provenance.made, versions=provenance.versions, runs=runs, starts=_means(runs)
    )


def _means(runs: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the mean Pearson and F1 over seeds, a row for each start."""
    starts = dict.fromkeys(run["start"] for part in runs.values() for run in part)
    rows = []
    for start in starts:
        row: dict[str, Any] = {"start": start}
        for kind, part in runs.items():
            found = [run for run in part if run["start"] == start]
            row[kind] = {
                "seeds": len(found),
                **{
                    name: sum(run[name] for run in found) / len(found) if found else None
                    for name in ("pearson", "f1")
                },
            }
        rows.append(row)
    return rows


@click.command()
@click.option("--backbone", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), default=BUNDLED / MINI)
@click.option("--overwrite", is_flag=True)
def main(backbone: Path, out: Path, overwrite: bool) -> None:
    """Write the bundled folder."""
    try:
        size = bundle(backbone, out, overwrite=overwrite)
        write_json(RUNS / "bundle.json", {"bytes": size, "backbone": backbone.name})
    except KosimError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
