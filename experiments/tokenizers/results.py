"""The typed results of a comparison of tokenizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from kosim.encoders.records import Kind, LabelledPairs
from kosim.experiments.comparison.results import (
    ComparisonResults,
    ContenderResults,
    PairedComparison,
    Spread,
)
from kosim.experiments.study.figures import Figure
from kosim.experiments.study.results import Record, Results

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Pretraining(Record):
    """How a network was pretrained, with its figures on held-out sentences by step."""

    steps: int
    parameters: int
    curve: list[dict[str, Any]]


class TextFigures(Record):
    """What a tokenizer makes of the sentences of the training pairs.

    ``tokens_per_word`` counts words between spaces, ``unknown_rate`` is the share of [UNK],
    ``pair_length_mean`` and ``pair_length_p95`` are tokens as a cross-encoder reads a pair, and
    ``pairs_cut`` is the share of pairs that are longer than the encoders read.
    """

    vocabulary: int
    tokens_per_word: float
    unknown_rate: float
    pair_length_mean: float
    pair_length_p95: float
    pairs_cut: float

    @classmethod
    def of(
        cls, tokenizer: PreTrainedTokenizerBase, pairs: LabelledPairs, *, max_length: int
    ) -> TextFigures:
        """Return what a tokenizer makes of the sentences of n pairs.

        Args:
            tokenizer: with its text step, if it has one.
            pairs: the training pairs; each distinct sentence counts once.
            max_length: tokens after which an input is cut.
        """
        sentences = sorted({*pairs.sentence1, *pairs.sentence2})
        encoded = tokenizer(sentences, add_special_tokens=False, truncation=False, verbose=False)
        tokens = [token for ids in encoded["input_ids"] for token in ids]
        counts = dict(zip(sentences, map(len, encoded["input_ids"]), strict=True))
        special = tokenizer.num_special_tokens_to_add(pair=True)
        lengths = np.array([counts[a] + counts[b] + special for a, b in pairs.pairs])
        return cls(
            vocabulary=len(tokenizer),
            tokens_per_word=len(tokens) / sum(len(text.split()) for text in sentences),
            unknown_rate=tokens.count(tokenizer.unk_token_id) / len(tokens),
            pair_length_mean=float(lengths.mean()),
            pair_length_p95=float(np.percentile(lengths, 95)),
            pairs_cut=float((lengths > max_length).mean()),
        )


class TokenizerRow(TextFigures):
    """One tokenizer and the network that was pretrained on it."""

    pretraining: Pretraining


class EncoderFigures(Record):
    """An encoder on the test pairs, its spread over seeds, and its cost."""

    test: dict[str, Figure]
    seed_spread: dict[str, Spread] | None = None
    epoch_seconds: float
    pairs_per_second: float | None = None
    parameters: int | None = None


class KindResults(Record):
    """The encoders of one kind, one on each tokenizer, and the tests between them."""

    test_pairs: int
    encoders: dict[str, EncoderFigures]
    pairwise: list[PairedComparison]

    def as_comparison(self, results: Results, kind: Kind) -> ComparisonResults:
        """Return these encoders as a comparison, whose tables and plots then show them."""
        return ComparisonResults(
            name=results.name,
            created=results.created,
            kosim_version=results.kosim_version,
            encoders={
                name: ContenderResults(
                    kind=kind,
                    backbone=name,
                    test=encoder.test,
                    seed_spread=encoder.seed_spread,
                    seeds={},
                )
                for name, encoder in self.encoders.items()
            },
            difference=self.pairwise[0] if len(self.pairwise) == 1 else None,
            pairwise=self.pairwise,
        )


class TokenizerResults(Results):
    """Tokenizers compared by the encoders that come of them, of either kind.

    ``ready`` compares a ready-made backbone with and without morphemes, where that was asked.
    """

    config: dict[str, Any]
    pairs: dict[str, int] = Field(default_factory=dict)
    tokenizers: dict[str, TokenizerRow]
    encoders: dict[Kind, KindResults]
    ready: dict[Kind, KindResults] | None = None
