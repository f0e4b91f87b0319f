"""Put a backbone into the package as ``mini``: half-precision weights, its tokenizer, a card.

python -m benchmarks.mini.bundle --backbone runs/mini/rtd-distilled
"""

from __future__ import annotations

import shutil
from pathlib import Path

import click
from transformers import AutoConfig, AutoTokenizer

from benchmarks.mini.cards import backbone_card
from benchmarks.mini.halved import WEIGHTS, checked_size, halve
from kosim.encoders.backbone import find_backbone
from kosim.encoders.bundle import BUNDLED, MINI
from kosim.encoders.errors import KosimError
from kosim.encoders.provenance import read_provenance
from kosim.encoders.storage import atomic_folder, write_json, write_text

RUNS = Path(__file__).parents[1] / "results" / "mini"


def bundle(backbone: Path, out: Path, *, results: Path = RUNS, overwrite: bool = False) -> int:
    """Write the bundled folder and return its size in bytes.

    Raises:
        ClickException: the folder would be larger than a package can carry.
        KosimError: the backbone is not whole, or ``out`` exists.
    """
    source = find_backbone(str(backbone)).path
    provenance = read_provenance(source)
    with atomic_folder(out, overwrite=overwrite) as partial:
        shutil.copy2(source / WEIGHTS, partial / WEIGHTS)
        AutoConfig.from_pretrained(source, local_files_only=True).save_pretrained(partial)
        AutoTokenizer.from_pretrained(source, local_files_only=True).save_pretrained(partial)
        halve(partial)
        provenance.write(partial)
        write_text(partial / "README.md", backbone_card(provenance, results))
        return checked_size(partial)


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
