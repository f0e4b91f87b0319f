"""What a tokenizer makes of texts, before any network reads it."""

from __future__ import annotations

import numpy as np
from transformers import PreTrainedTokenizerBase

from kosim.encoders.records import LabelledPairs
from kosim.experiments.tokenizers.results import TextFigures


def text_figures(
    tokenizer: PreTrainedTokenizerBase, pairs: LabelledPairs, *, max_length: int
) -> TextFigures:
    """Return what the tokenizer makes of the sentences of n pairs.

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
    return TextFigures(
        vocabulary=len(tokenizer),
        tokens_per_word=len(tokens) / sum(len(text.split()) for text in sentences),
        unknown_rate=tokens.count(tokenizer.unk_token_id) / len(tokens),
        pair_length_mean=float(lengths.mean()),
        pair_length_p95=float(np.percentile(lengths, 95)),
        pairs_cut=float((lengths > max_length).mean()),
    )
