"""One comparison of tokenizers, from a corpus and labelled pairs to a report's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from kosim.encoders.errors import StorageError
from kosim.encoders.language import Language, Line, both
from kosim.encoders.pretraining.backbone_folder import open_tokenizer
from kosim.encoders.pretraining.run import CURVE, pretrain
from kosim.encoders.records import Kind
from kosim.encoders.storage import read_json
from kosim.encoders.tables import read_lines
from kosim.encoders.tokenizers.text_step import MorphemeSegmentation, make_text_step
from kosim.encoders.tokenizers.training import TokenizerKind, train_tokenizer
from kosim.encoders.training.losses import TRAINING_BY_KIND
from kosim.experiments.comparison.results import COMPARED, ContenderResults
from kosim.experiments.comparison.run import compare
from kosim.experiments.data.partition import TrainingSet, load_training
from kosim.experiments.settings import CompareSettings, EncoderSettings
from kosim.experiments.study.notation import KIND_NAMES
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.study.results import header
from kosim.experiments.tokenizers.report import TOKENIZERS
from kosim.experiments.tokenizers.results import (
    EncoderFigures,
    KindResults,
    TextFigures,
    TokenizerResults,
    TokenizerRow,
)
from kosim.experiments.tokenizers.settings import TokenizerSettings

READY = ("plain", "morphemes")
"""How a ready-made backbone reads its texts."""


def compare_tokenizers(
    settings: TokenizerSettings,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    progress: Progress = silent,
    language: Language = "en",
) -> TokenizerResults:
    """Train tokenizers, a network on each, and encoders on each network; compare the encoders.

    All networks have one architecture, corpus, budget and seed, all encoders the same pairs and
    seeds. A killed run goes on with what it has not finished.

    Args:
        settings: what to compare.
        out: the folder of the run.
        resume: go on with a killed run of the same settings.
        overwrite: replace an earlier run.
        callbacks: transformers' hooks into the fine-tunings.
        progress: told what is being done.
        language: of the reports.

    Raises:
        KosimError: of the kind that fits what was wrong; nothing half-written looks whole.
    """
    folder = Path(out)
    progress(Line("reading and cleaning the data", "데이터를 읽고 정리"))
    training = load_training(settings.data)
    if settings.ready is not None or "morpheme" in settings.tokenizers:
        make_text_step(MorphemeSegmentation.name)  # hours before it would be missed

    def run() -> TokenizerResults:
        tokenizers = {
            kind: _tokenizer(kind, size, settings, training, folder, progress)
            for kind, size in settings.tokenizers.items()
        }

        def compared(contenders: dict[str, dict[str, Any]], prefix: str) -> dict[Kind, KindResults]:
            return {
                kind: _compare(
                    kind,
                    contenders,
                    settings,
                    folder / f"{prefix}{kind}",
                    callbacks,
                    progress,
                    language,
                )
                for kind in TRAINING_BY_KIND
            }

        backbones: dict[str, dict[str, Any]] = {
            kind: {"backbone": str(folder / "backbones" / kind)} for kind in settings.tokenizers
        }
        return TokenizerResults(
            **header(settings.name),
            config=settings.model_dump(mode="json"),
            pairs={"train": len(training.train), "validation": len(training.validation)},
            tokenizers=tokenizers,
            encoders=compared(backbones, ""),
            ready=compared(_ready_made(settings.ready), "ready-") if settings.ready else None,
        )

    return TOKENIZERS.run(
        folder, run, settings, resume=resume, overwrite=overwrite, language=language
    )


def _tokenizer(
    kind: TokenizerKind,
    size: int,
    settings: TokenizerSettings,
    training: TrainingSet,
    folder: Path,
    progress: Progress,
) -> TokenizerRow:
    """Return the figures of a tokenizer and its network."""
    backbone = _backbone(kind, size, settings, folder, progress)
    record = read_json(backbone / CURVE, error=StorageError, remedy=f"remove {backbone}")
    figures = TextFigures.of(
        open_tokenizer(backbone), training.train, max_length=settings.max_length
    )
    return TokenizerRow(**dict(figures), pretraining=record)


def _ready_made(backbone: str) -> dict[str, dict[str, Any]]:
    """Return the contenders of a ready-made backbone, with and without segmentation."""
    plain, segmented = READY
    step = MorphemeSegmentation.name
    return {plain: {"backbone": backbone}, segmented: {"backbone": backbone, "text_step": step}}


def _backbone(
    kind: TokenizerKind, size: int, settings: TokenizerSettings, folder: Path, progress: Progress
) -> Path:
    """Return the network pretrained on a tokenizer; both are made unless they are there."""
    tokenizer, backbone = folder / "tokenizers" / kind, folder / "backbones" / kind
    if not tokenizer.is_dir():
        progress(
            both(
                "{kind}: learning a vocabulary of {size}",
                "{kind}: 어휘 {size}개 학습",
                kind=kind,
                size=f"{size:,}",
            )
        )
        corpus = Path(settings.corpus).name
        train_tokenizer(read_lines(settings.corpus), kind, size, corpus=corpus).save(tokenizer)
    if not backbone.is_dir():
        pretrain(
            settings.corpus,
            tokenizer,
            backbone,
            settings.pretraining,
            announce=lambda stage: progress(Line.join(": ", [kind, stage])),
        )
    return backbone


def _compare(
    kind: Kind,
    contenders: dict[str, dict[str, Any]],
    settings: TokenizerSettings,
    folder: Path,
    callbacks: Sequence[TrainerCallback],
    progress: Progress,
    language: Language,
) -> KindResults:
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
        progress=lambda stage, done=0, total=0: progress(
            Line.join(": ", [KIND_NAMES[kind], stage]), done, total
        ),
        language=language,
    )
    return KindResults(
        test_pairs=results.test_pairs or 0,
        encoders={name: _kept(found) for name, found in results.encoders.items()},
        pairwise=results.pairwise,
    )


def _kept(encoder: ContenderResults) -> EncoderFigures:
    """Return a contender's figures on the test set, their spread over seeds, and its cost."""
    seeds = encoder.seeds.values()
    return EncoderFigures(
        test={metric: encoder.test[metric] for metric in COMPARED},
        seed_spread=encoder.seed_spread,
        epoch_seconds=sum(seed.train_seconds or 0.0 for seed in seeds)
        / sum(len(seed.history) for seed in seeds),
        pairs_per_second=encoder.pairs_per_second,
        parameters=encoder.parameters,
    )
