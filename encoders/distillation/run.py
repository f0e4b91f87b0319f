"""One distillation from a corpus file and two models to a backbone folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from transformers import TrainerCallback

from kosim.encoders.backbone import find_backbone
from kosim.encoders.compute.runtime import Precision
from kosim.encoders.distillation.agreement import Agreement
from kosim.encoders.distillation.geometry import SentenceGeometry
from kosim.encoders.distillation.lessons import Lessons
from kosim.encoders.distillation.student import Objective, Student, put_token_vectors
from kosim.encoders.distillation.teacher import Progress, open_teacher, teacher_vectors
from kosim.encoders.pretraining.backbone_folder import (
    open_tokenizer,
    texts_fingerprint,
    tokenizer_fingerprint,
    weights_fingerprint,
    write_backbone,
)
from kosim.encoders.pretraining.batches import Rows, SpecialTokens
from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.pretraining.corpus import TokenCache, hold_out, read_sentences, tokenise
from kosim.encoders.pretraining.trainer import ScheduleConfig, train_schedule
from kosim.encoders.pretraining.work_folder import WorkFolder
from kosim.encoders.provenance import read_provenance

CURVE = "distillation.json"
_FEWEST = 10
Embeddings = Literal["student", "teacher"]


class DistillationConfig(ScheduleConfig):
    """How a student is taught."""

    budget: Budget = Field(default_factory=Budget)
    objective: Objective = Field(
        "embedding",
        description="Target for single sentences: the teacher's embedding, or its similarities.",
    )
    embeddings: Embeddings = Field(
        "student", description="Word embeddings to begin with: the student's or the teacher's."
    )
    pairs: float = Field(0.25, ge=0, le=4, description="Number of pairs for each single sentence.")
    tokens: int = Field(4_096, ge=128, description="Maximum number of tokens in a batch.")
    longest: int = Field(128, ge=8, le=512, description="Maximum number of tokens in an input.")
    sentences: int | None = Field(
        None, ge=_FEWEST, description="Number of sentences drawn from the corpus."
    )
    held_out: int = Field(2_000, ge=2, description="Sentences held out for evaluation.")
    teacher_prompt: str = Field("", description="Text that the teacher gets before every sentence.")
    teacher_precision: Precision = Field(
        "fp32",
        description="Arithmetic of the teacher; bf16 and int8 can be faster (see kosim export).",
    )


def distill(
    corpus: str | Path,
    teacher: str,
    student: str,
    out: str | Path,
    config: DistillationConfig,
    *,
    cache: str | Path | None = None,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    announce: Callable[[str], object] = lambda stage: None,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Teach a student a teacher's sentence geometry and write it as a backbone folder.

    A killed run goes on when it is started again with the same settings, from the last whole
    block of the teacher's vectors and the last checkpoint, and ends in the same weights.

    Args:
        corpus: text, a sentence a line, also ``.gz``.
        teacher: a saved bi-encoder or a backbone, by folder or hub id.
        student: a backbone, by folder, hub id or name.
        out: where the student goes; ``distillation.json`` in it holds settings and curve.
        config: the settings.
        cache: where the teacher's vectors are kept for further students; with the run when None,
            and removed with its end.
        overwrite: replace what is there.
        callbacks: transformers' hooks.
        announce: called with a short description as each stage begins.
        progress: told how many sentences the teacher has encoded of how many.

    Returns:
        The content of ``distillation.json``.

    Raises:
        DataError: the corpus is missing, empty or too small.
        BackboneError: teacher or student is missing or damaged, or the student's tokenizer lacks
            a special token.
        StorageError: ``out`` exists, a killed run had other settings, the cache is of something
            else, or the disk is full.
        TrainingError: training diverged, or a checkpoint cannot be used.
    """
    out = Path(out)
    backbone = find_backbone(student)
    tokenizer = open_tokenizer(backbone.path)
    special = SpecialTokens.of(tokenizer)
    announce("opening teacher and student")
    source = open_teacher(teacher, prompt=config.teacher_prompt, precision=config.teacher_precision)
    pupil = Student(backbone.path, objective=config.objective, seed=config.seed)
    announce("reading the corpus")
    sentences = read_sentences(corpus, limit=config.sentences, seed=config.seed)
    learnt, measured = hold_out(len(sentences), config.held_out, fewest=_FEWEST, seed=config.seed)
    texts = texts_fingerprint(sentences)
    identity = {
        "corpus": texts,
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "student": weights_fingerprint(backbone.path),
        "teacher": source.fingerprint(),
        **config.model_dump(mode="json"),
    }
    with WorkFolder.open(out, identity, overwrite=overwrite) as work:
        announce("tokenising the corpus")
        tokens = tokenise(sentences, tokenizer, work.path / "tokens", longest=config.longest - 2)
        announce("encoding the corpus with the teacher")
        folder = Path(cache) if cache is not None else work.path / "teacher"
        vectors = teacher_vectors(source, sentences, texts, folder, progress=progress)
        geometry = SentenceGeometry.fit(vectors, pupil.width, seed=config.seed)
        if config.embeddings == "teacher":
            announce("encoding the tokens with the teacher")
            put_token_vectors(pupil.network, tokenizer, source)
        lessons = _lessons(tokens, learnt, geometry, special, config)
        agreement = Agreement(_lessons(tokens, measured, geometry, special, config))
        steps = work.planned(lambda: config.budget.in_steps(pupil, lessons))
        announce(f"distilling, {steps:,} steps")
        rows = train_schedule(
            pupil,
            lessons,
            agreement,
            folder=work.path / "checkpoints",
            steps=steps,
            config=config,
            callbacks=callbacks,
        )
        result = {
            "settings": config.model_dump(mode="json"),
            "corpus": {"name": Path(corpus).name, "sentences": len(sentences), "sha256": texts},
            "teacher": {"name": Path(teacher).name, "fingerprint": identity["teacher"]},
            "variance_kept": geometry.kept,
            "steps": steps,
            "parameters": sum(weight.numel() for weight in pupil.network.base_model.parameters()),
            "curve": rows,
        }
        entry = {"step": "distillation", **result, "curve": rows[-1]}
        write_backbone(
            pupil.finished(),
            backbone.path,
            out,
            read_provenance(backbone.path).then(entry),
            {CURVE: result},
            overwrite=overwrite,
        )
        work.close()
    return result


def _lessons(
    tokens: TokenCache,
    rows: Rows,
    geometry: SentenceGeometry,
    special: SpecialTokens,
    config: DistillationConfig,
) -> Lessons:
    return Lessons(
        tokens,
        rows,
        geometry,
        special,
        tokens=config.tokens,
        longest=config.longest,
        pairs=config.pairs,
        seed=config.seed,
    )
