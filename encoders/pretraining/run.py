"""One pretraining from a corpus file to a backbone folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field
from transformers import TrainerCallback

from kosim.encoders.backbone import find_backbone
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.pretraining.backbone_folder import (
    open_tokenizer,
    texts_fingerprint,
    tokenizer_fingerprint,
    weights_fingerprint,
    write_backbone,
)
from kosim.encoders.pretraining.batches import Rows, SpecialTokens
from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.pretraining.continued import continued_network
from kosim.encoders.pretraining.corpus import TokenCache, hold_out, read_sentences, tokenise
from kosim.encoders.pretraining.detection_quality import DetectionQuality
from kosim.encoders.pretraining.masking import MaskedCorpus
from kosim.encoders.pretraining.network import ReplacedTokenDetection
from kosim.encoders.pretraining.sizes import DROPOUT, Size
from kosim.encoders.pretraining.start import (
    Embeddings,
    drawn_network,
    expecting_frequencies,
    informed,
)
from kosim.encoders.pretraining.trainer import ScheduleConfig, train_schedule
from kosim.encoders.pretraining.work_folder import WorkFolder
from kosim.encoders.provenance import read_provenance

CURVE = "pretraining.json"
_FEWEST_TOKENS = 2
Announce = Callable[[str], object]


class PretrainingConfig(ScheduleConfig):
    """How a network is pretrained by replaced token detection; weights as in ELECTRA's paper."""

    size: Size = Field("mini", description="Size of the network: tiny, mini or small.")
    embeddings: Embeddings = Field(
        "cooccurrence", description="Word embeddings to begin with: counted or random."
    )
    backbone: str | None = Field(
        None, description="ELECTRA to continue from, with its tokenizer, instead of a new network."
    )
    budget: Budget = Field(default_factory=Budget)
    tokens: int = Field(4_096, ge=128, description="Maximum number of tokens in a batch.")
    longest: int = Field(128, ge=8, le=512, description="Maximum number of tokens in an input.")
    pair_share: float = Field(
        0.5, ge=0, le=1, description="Share of the sentences that are read in pairs."
    )
    masking: float = Field(0.15, gt=0, lt=1, description="Share of tokens that are masked.")
    discriminator_weight: float = Field(
        50.0, gt=0, description="Weight of the discriminator's loss."
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="Dropout rate while pretraining; it costs time."
    )
    sentences: int | None = Field(
        None, ge=2, description="Number of sentences drawn from the corpus."
    )
    held_out: int = Field(2_000, ge=1, description="Sentences held out for evaluation.")


def pretrain(
    corpus: str | Path,
    tokenizer: str | Path | None,
    out: str | Path,
    config: PretrainingConfig,
    *,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    announce: Announce = lambda stage: None,
) -> dict[str, Any]:
    """Pretrain an ELECTRA and write its discriminator as an ordinary backbone folder.

    A killed run goes on when it is started again with the same settings, and ends in the same
    weights. No step at all (a budget of 0) writes the network as it begins.

    Args:
        corpus: text, a sentence a line, also ``.gz``.
        tokenizer: a folder that `train_tokenizer` wrote, or any tokenizer in BERT's format; None
            where the run goes on from a backbone, which has its own.
        out: where the backbone goes; ``pretraining.json`` in it holds settings and curve.
        config: the settings.
        overwrite: replace what is there.
        callbacks: transformers' hooks.
        announce: called with a short description as each stage begins.

    Returns:
        The content of ``pretraining.json``.

    Raises:
        DataError: the corpus is missing, empty or too small.
        BackboneError: the tokenizer is missing, damaged, or lacks a special token; or the backbone
            is missing, damaged or no ELECTRA.
        ConfigError: neither a tokenizer nor a backbone is given, or both are.
        StorageError: ``out`` exists, a killed run had other settings, or the disk is full.
        TrainingError: training diverged, or a checkpoint cannot be used.
    """
    out = Path(out)
    folder = _tokenizer_folder(tokenizer, config)
    source = open_tokenizer(folder)
    special = SpecialTokens.of(source)
    announce("reading the corpus")
    sentences = read_sentences(corpus, limit=config.sentences, seed=config.seed)
    training, held_out = hold_out(len(sentences), config.held_out, fewest=5, seed=config.seed)
    identity = {
        "corpus": texts_fingerprint(sentences),
        "tokenizer": tokenizer_fingerprint(source),
        "backbone_weights": weights_fingerprint(folder) if config.backbone else None,
        **config.model_dump(mode="json"),
    }
    with WorkFolder.open(out, identity, overwrite=overwrite) as work:
        announce("tokenising the corpus")
        cache = tokenise(sentences, source, work.path / "tokens", longest=config.longest - 2)
        network = _network(folder, len(source), special, config)
        if config.backbone is not None:
            expecting_frequencies(network, cache, training)
        elif config.embeddings == "cooccurrence":
            announce("counting which tokens occur together")
            informed(network, cache, training, seed=config.seed)
        masked = _masked(cache, training, special, config)
        quality = DetectionQuality(_masked(cache, held_out, special, config))
        steps = work.planned(lambda: config.budget.in_steps(network, masked))
        announce(f"pretraining, {steps:,} steps")
        rows = train_schedule(
            network,
            masked,
            quality,
            folder=work.path / "checkpoints",
            steps=steps,
            config=config,
            callbacks=callbacks,
        )
        result = {
            "settings": config.model_dump(mode="json"),
            "corpus": {
                "name": Path(corpus).name,
                "sentences": len(sentences),
                "sha256": identity["corpus"],
            },
            "steps": steps,
            "parameters": sum(
                weight.numel() for weight in network.discriminator.electra.parameters()
            ),
            "curve": rows,
        }
        entry = {"step": "replaced token detection", **result, "curve": rows[-1]}
        discriminator = network.discriminator
        _for_fine_tuning(discriminator.config)
        write_backbone(
            discriminator,
            folder,
            out,
            read_provenance(folder).then(entry),
            {CURVE: result},
            overwrite=overwrite,
        )
        work.close()
    return result


def _tokenizer_folder(tokenizer: str | Path | None, config: PretrainingConfig) -> Path:
    if (tokenizer is None) == (config.backbone is None):
        given = "neither" if tokenizer is None else "both"
        raise ConfigError(
            f"a tokenizer and a backbone: {given} given; a new network needs a tokenizer, and a "
            "backbone to continue from has its own"
        )
    return find_backbone(config.backbone).path if config.backbone else Path(str(tokenizer))


def _network(
    folder: Path, vocabulary: int, special: SpecialTokens, config: PretrainingConfig
) -> ReplacedTokenDetection:
    begun = (
        partial(continued_network, folder)
        if config.backbone
        else partial(drawn_network, config.size)
    )
    return begun(
        vocabulary=vocabulary,
        special=special,
        dropout=config.dropout,
        discriminator_weight=config.discriminator_weight,
        seed=config.seed,
    )


def _masked(
    cache: TokenCache, rows: Rows, special: SpecialTokens, config: PretrainingConfig
) -> MaskedCorpus:
    usable = rows[cache.lengths[rows] >= _FEWEST_TOKENS]
    if not len(usable):
        raise DataError(
            f"no sentence of the corpus has {_FEWEST_TOKENS} tokens; give longer ones, or more"
        )
    return MaskedCorpus(
        cache,
        usable,
        special,
        tokens=config.tokens,
        longest=config.longest,
        pair_share=config.pair_share,
        masking=config.masking,
        seed=config.seed,
    )


def _for_fine_tuning(settings: Any) -> None:
    """Leave in a discriminator's configuration what ELECTRA's has, with its usual dropout."""
    settings.hidden_dropout_prob = settings.attention_probs_dropout_prob = DROPOUT
    for name in ("generator", "mask_token_id", "discriminator_weight"):
        delattr(settings, name)
