"""Put the two fine-tuned encoders into the package, as ``mini-bi`` and ``mini-cross``.

Of the seeds that ``taught.sh`` trained, or ``benchmarks.mini.starts`` from the backbone that ships,
the one with the highest Pearson on the validation pairs is taken; the test pairs have no say. The
weights of a taught encoder are averaged with those that it started from, which keeps what these
could do (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022), and calibrated
anew. Their model cards come from `benchmarks.mini.cards`, once they are evaluated.

    python -m benchmarks.mini.bundle_encoders --runs runs/mini-taught --share 0.667 \\
        --train ../shared/data/klue-sts/train.csv \\
        --test ../shared/data/klue-sts/klue-sts-v1.1_dev.json
    python -m benchmarks.mini.bundle_encoders --runs runs/mini/starts --start distilled
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.mini.halved import checked_size, halve
from kosim.encoders.adoption import calibrate
from kosim.encoders.artifact import MANIFEST, MODEL_CARD, read_manifest, write_artifact
from kosim.encoders.base import Kind, PairEncoder
from kosim.encoders.bundle import BUNDLED, MINI, MINI_BI, MINI_CROSS
from kosim.encoders.errors import KosimError
from kosim.encoders.loading import load
from kosim.encoders.records import LabelledPairs
from kosim.encoders.storage import write_json
from kosim.experiments.data.partition import load_training
from kosim.experiments.settings import DataSettings

RECORD = Path(__file__).parents[1] / "results" / "mini" / "bundled-encoders.json"
NAMES: dict[Kind, str] = {"bi": MINI_BI, "cross": MINI_CROSS}


def best_seed(folder: Path) -> tuple[int, float]:
    """Return the seed whose encoder is the best on the validation pairs, and its Pearson there."""
    found = {}
    for artifact in folder.glob("seed-*"):
        training = read_manifest(artifact).training or {}
        best = training["history"][training["best_epoch"] - 1]
        found[int(artifact.name.removeprefix("seed-"))] = float(best["pearson"])
    if not found:
        raise click.ClickException(f"{folder} holds no trained encoder; run the starts first")
    seed = max(found, key=lambda seed: (found[seed], -seed))
    return seed, found[seed]


def average(encoder: PairEncoder, start: Path, share: float, validation: LabelledPairs) -> None:
    """Move an encoder's weights towards those it started from, and calibrate it.

    Args:
        encoder: taught; changed in place.
        start: the saved encoder that it started from.
        share: of its own weights in the mean, from 0 to 1.
        validation: pairs that neither was trained on.

    Raises:
        KosimError: ``start`` is damaged, or the pairs cannot be used.
    """
    before = load(start, backend="torch", device="cpu").model.state_dict()
    for name, weight in encoder.model.state_dict().items():
        if weight.is_floating_point():
            weight.copy_(share * weight + (1 - share) * before[name])
    calibrate(encoder, validation)


def bundle_encoder(
    artifact: Path,
    out: Path,
    *,
    overwrite: bool,
    share: float = 1.0,
    validation: LabelledPairs | None = None,
) -> int:
    """Write an encoder with half-precision weights and return the folder's size in bytes.

    Args:
        artifact: the trained encoder.
        out: folder to write.
        overwrite: whether an encoder there is replaced.
        share: below 1 of a taught encoder, `average` is called.
        validation: what that needs.

    Raises:
        ClickException: the folder is larger than a package can carry, or nothing was taught.
        KosimError: the artifact is damaged, or ``out`` exists.
    """
    encoder = load(artifact, backend="torch", device="cpu")
    teaching = (encoder.training or {}).get("teaching")
    if share < 1 and validation is not None:
        if teaching is None:
            raise click.ClickException(f"{artifact} was not taught: leave --share out")
        average(encoder, Path(teaching["start"]), share, validation)
        teaching["share"] = share
    for weight in encoder.model.parameters():
        weight.data = weight.data.half().float()
    if teaching:
        teaching["start"] = "/".join(Path(teaching["start"]).parts[-2:])  # of no machine
    encoder.backbone = type(encoder.backbone)(name=MINI, path=encoder.backbone.path)
    with tempfile.TemporaryDirectory(prefix="kosim-") as scratch:
        saved = Path(scratch) / "encoder"
        encoder.save(saved)
        manifest = read_manifest(saved)

        def write_halved(folder: Path) -> None:
            shutil.copytree(
                saved, folder, ignore=shutil.ignore_patterns(MANIFEST), dirs_exist_ok=True
            )
            halve(folder)
            (folder / MODEL_CARD).unlink(missing_ok=True)  # the library's own
            checked_size(folder)

        write_artifact(out, manifest, write_halved, overwrite=overwrite)
    return checked_size(out)


@click.command()
@click.option("--runs", type=click.Path(path_type=Path), required=True, help="Of both kinds.")
@click.option("--start", help="The start that ships; the kind itself where it was taught.")
@click.option("--out", type=click.Path(path_type=Path), default=BUNDLED)
@click.option("--record", type=click.Path(path_type=Path), default=RECORD)
@click.option("--share", default=1.0, show_default=True, help="Of the taught weights.")
@click.option("--train", help="Gold pairs of which a part validated, needed to average.")
@click.option("--test", help="Test pairs, which were kept out of them.")
@click.option("--exclude", help="Sentences that were kept out of them.")
@click.option("--overwrite", is_flag=True)
def main(
    runs: Path,
    start: str | None,
    out: Path,
    record: Path,
    share: float,
    train: str | None,
    test: str | None,
    exclude: str | None,
    overwrite: bool,
) -> None:
    """Write both bundled encoders."""
    chosen: dict[str, Any] = {}
    if share < 1 and train is None:
        raise click.ClickException("--share below 1 calibrates on a part of --train; give it")
    try:
        data = DataSettings(train=train, test=test, exclude=exclude)
        gold = load_training(data) if train else None
        for kind, name in NAMES.items():
            folder = runs / kind / (start or kind)
            seed, validation = best_seed(folder)
            size = bundle_encoder(
                folder / f"seed-{seed}",
                out / name,
                overwrite=overwrite,
                share=share,
                validation=gold.validation if gold else None,
            )
            chosen[name] = {
                "bytes": size,
                "seed": seed,
                "seeds": len(list(folder.glob("seed-*"))),
                "validation_pearson": validation,
                "share": share,
            }
            click.echo(f"{out / name}: seed {seed}, {size / 1e6:.2f} MB")
        write_json(record, chosen)
    except KosimError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
