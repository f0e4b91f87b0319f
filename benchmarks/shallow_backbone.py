"""The first layers of a pretrained encoder as a backbone of its own: fast enough for big corpora.

python -m benchmarks.shallow_backbone ../shared/models/e5-small-ko --layers 2 --out runs/shallow
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import torch
from transformers import AutoModel, AutoTokenizer

from kosim.encoders.storage import atomic_folder


@click.command()
@click.argument("backbone")
@click.option("--layers", default=2, show_default=True, help="Layers that are kept.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
def main(backbone: str, layers: int, out: Path) -> None:
    """Write the first layers of BACKBONE, a BERT, to a folder."""
    model = AutoModel.from_pretrained(backbone, dtype=torch.float32)
    if not 1 <= layers <= len(model.encoder.layer):
        sys.exit(f"--layers is {layers}; {backbone} has {len(model.encoder.layer)}")
    model.encoder.layer = model.encoder.layer[:layers]
    model.config.num_hidden_layers = layers
    with atomic_folder(out, overwrite=False) as partial:
        model.save_pretrained(partial)
        AutoTokenizer.from_pretrained(backbone).save_pretrained(partial)


if __name__ == "__main__":
    main()
