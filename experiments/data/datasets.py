"""Known data sets of sentence pairs: KLUE-STS from the hub, and the bundled sample."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Literal

import huggingface_hub

from kosim.encoders.errors import ConfigError, DataError
from kosim.experiments.data.pairs import RawPairs, load_pairs

KLUE_REPOSITORY = "klue/klue"
KLUE_REVISION = "349481ec73fff722f88e0453ca05c77a447d967c"

_KLUE_FILES = {
    "train": "sts/train-00000-of-00001.parquet",
    "validation": "sts/validation-00000-of-00001.parquet",
}


def load_klue_sts(
    split: Literal["train", "validation"], *, cache_dir: str | Path | None = None
) -> RawPairs:
    """Load a split of KLUE-STS from the hub, or from the hub's cache on this machine.

    Park et al. 2021, "KLUE: Korean Language Understanding Evaluation", at a pinned revision. The
    label is the unrounded mean of the annotators (``real-label``).

    Raises:
        DataError: the hub cannot be reached and its cache does not hold the split.
    """
    try:
        path = huggingface_hub.hf_hub_download(
            KLUE_REPOSITORY,
            _KLUE_FILES[split],
            repo_type="dataset",
            revision=KLUE_REVISION,
            cache_dir=cache_dir,
        )
    except OSError as error:
        raise DataError(
            f"KLUE-STS {split} cannot be fetched from the hub ({KLUE_REPOSITORY}: "
            f"{type(error).__name__}); without a network, give local files instead: "
            "--train FILE --test FILE"
        ) from error
    pairs = load_pairs(path, scale="0:5", name=f"klue-sts {split}")
    return replace(pairs, origin=f"hub:{KLUE_REPOSITORY}@{KLUE_REVISION}/{_KLUE_FILES[split]}")


def load_sample(split: Literal["train", "test"]) -> RawPairs:
    """Load a split of the bundled sample data set."""
    file = resources.files("kosim.experiments") / "sample" / f"{split}.tsv"
    with resources.as_file(file) as path:
        pairs = load_pairs(path, scale="0:5", name=f"sample {split}")
    return replace(pairs, origin=f"bundled:experiments/sample/{split}.tsv")


def load_dataset(name: str) -> tuple[RawPairs, RawPairs]:
    """Load the training and the test pairs of a known data set, ``klue-sts`` or ``sample``.

    The test pairs of KLUE-STS are its official dev split, since its test split is not public.

    Raises:
        ConfigError: the data set is not known.
        DataError: the data set cannot be loaded.
    """
    if name == "klue-sts":
        return load_klue_sts("train"), load_klue_sts("validation")
    if name == "sample":
        return load_sample("train"), load_sample("test")
    raise ConfigError(f"unknown data set {name!r}; known are klue-sts and sample")
