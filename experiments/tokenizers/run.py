"""One comparison of tokenizers, from a corpus and labelled pairs to a report's folder."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from kosim.encoders.artifact import library_versions
from kosim.encoders.base import Kind
from kosim.encoders.pretraining.backbone_folder import open_tokenizer
from kosim.encoders.pretraining.run import CURVE, pretrain
from kosim.encoders.storage import write_json
from kosim.encoders.tables import read_lines
from kosim.encoders.tokenizers.text_step import MorphemeSegmentation, make_text_step
from kosim.encoders.tokenizers.training import TokenizerKind, train_tokenizer
from kosim.encoders.training.losses import TRAINING_BY_KIND
from kosim.experiments.comparison.evaluation import COMPARED
from kosim.experiments.comparison.run import Results, compare
from kosim.experiments.data.partition import load_training
from kosim.experiments.settings import CompareSettings, EncoderSettings
from kosim.experiments.study.environment import describe_environment
from kosim.experiments.study.run_folder import RESULTS, open_run
from kosim.experiments.tokenizers.figures import text_figures
from kosim.experiments.tokenizers.finding import compute_finding
from kosim.experiments.tokenizers.report import write_report
from kosim.experiments.tokenizers.settings import TokenizerSettings

FORMAT = 1
READY = ("plain", "morphemes")
"""How a ready-made backbone reads its texts."""

Announce = Callable[[str], object]


def compare_tokenizers(
    settings: TokenizerSettings,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    announce: Announce = lambda stage: None,
) -> Results:
    """Train tokenizers, a network on each, and encoders on each network; compare the encoders.

    All networks have one architecture, corpus, budget and seed, all encoders the same pairs and
    seeds. A killed run goes on with what it has not finished.

    Args:
        settings: what to compare.
        out: the folder of the run.
        resume: go on with a killed run of the same settings.
        overwrite: replace an earlier run.
        callbacks: transformers' hooks into the fine-tunings.
        announce: called with a short description as each stage begins.

    Returns:
        The content of ``results.json``.

    Raises:
        KosimError: of the kind that fits what was wrong; nothing half-written looks whole.
    """
    folder = Path(out)
    announce("reading and cleaning the data")
    training = load_training(settings.data)
    if settings.ready is not None or "morpheme" in settings.tokenizers:
        make_text_step(MorphemeSegmentation.name)  # hours before it would be missed
    open_run(folder, settings, resume=resume, overwrite=overwrite)
    tokenizers = {}
    for kind, size in settings.tokenizers.items():
        backbone = _backbone(kind, size, settings, folder, announce)
        record = json.loads((backbone / CURVE).read_text("utf-8"))
        tokenizers[kind] = {
            **text_figures(
                open_tokenizer(backbone), training.train, max_length=settings.max_length
            ),
            "pretraining": {key: record[key] for key in ("steps", "parameters", "curve")},
        }
    backbones = {kind: str(folder / "backbones" / kind) for kind in settings.tokenizers}
    results: Results = {
        "format": FORMAT,
        "kosim_version": library_versions()["kosim"],
        "name": settings.name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "config": settings.model_dump(mode="json"),
        "pairs": {"train": len(training.train), "validation": len(training.validation)},
        "tokenizers": tokenizers,
        "encoders": {
            kind: _compare(
                kind,
                {name: {"backbone": path} for name, path in backbones.items()},
                settings,
                folder / kind,
                callbacks,
                announce,
            )
            for kind in TRAINING_BY_KIND
        },
        "ready": _compare_ready(settings, folder, callbacks, announce),
        "environment": describe_environment(),
    }
    results["finding"] = compute_finding(results)
    announce("writing the report")
    write_report(results, folder)
    # Last, because its presence says that the run is whole.
    write_json(folder / RESULTS, results)
    return results


def _backbone(
    kind: TokenizerKind, size: int, settings: TokenizerSettings, folder: Path, announce: Announce
) -> Path:
    """Return the network pretrained on a tokenizer; both are made unless they are there."""
    tokenizer, backbone = folder / "tokenizers" / kind, folder / "backbones" / kind
    if not tokenizer.is_dir():
        announce(f"{kind}: learning a vocabulary of {size:,}")
        corpus = Path(settings.corpus).name
        train_tokenizer(read_lines(settings.corpus), kind, size, corpus=corpus).save(tokenizer)
    if not backbone.is_dir():
        pretrain(
            settings.corpus,
            tokenizer,
            backbone,
            settings.pretraining,
            announce=lambda stage: announce(f"{kind}: {stage}"),
        )
    return backbone


def _compare(
    kind: Kind,
    contenders: dict[str, dict[str, Any]],
    settings: TokenizerSettings,
    folder: Path,
    callbacks: Sequence[TrainerCallback],
    announce: Announce,
) -> Results:
    """Return what is kept of the comparison of encoders of one kind; it resumes by itself."""
    training = settings.bi if kind == "bi" else settings.cross
    comparison = CompareSettings(
        name=f"{settings.name}: {kind}-encoders",
        seeds=settings.seeds,
        device=settings.device,
        data=settings.data,
        evaluation=settings.evaluation,
        encoders={
            name: EncoderSettings(
                kind=kind, max_length=settings.max_length, training=training, **said
            )
            for name, said in contenders.items()
        },
    )
    results = compare(
        comparison,
        folder,
        resume=True,
        callbacks=callbacks,
        announce=lambda stage: announce(f"{kind}: {stage}"),
    )
    return {
        "test_pairs": results["data"]["used"]["test"],
        "encoders": {name: _kept(found) for name, found in results["encoders"].items()},
        "pairwise": results["pairwise"],
    }


def _kept(encoder: Results) -> Results:
    """Return a contender's figures on the test set, their spread over seeds, and its cost."""
    seeds = encoder["seeds"].values()
    return {
        "test": {metric: encoder["test"][metric] for metric in COMPARED},
        "seed_spread": encoder["seed_spread"],
        "epoch_seconds": sum(seed["train_seconds"] for seed in seeds)
        / sum(len(seed["history"]) for seed in seeds),
        "pairs_per_second": encoder["pairs_per_second"],
        "parameters": encoder["parameters"],
    }


def _compare_ready(
    settings: TokenizerSettings,
    folder: Path,
    callbacks: Sequence[TrainerCallback],
    announce: Announce,
) -> Results | None:
    """Return the comparison of a ready-made backbone with and without segmentation, if asked."""
    if settings.ready is None:
        return None
    plain, segmented = READY
    contenders: dict[str, dict[str, Any]] = {
        plain: {"backbone": settings.ready},
        segmented: {"backbone": settings.ready, "text_step": MorphemeSegmentation.name},
    }
    return {
        kind: _compare(kind, contenders, settings, folder / f"ready-{kind}", callbacks, announce)
        for kind in TRAINING_BY_KIND
    }
