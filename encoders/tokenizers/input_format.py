"""The input format of BERT and ELECTRA, which all our tokenizers share."""

from __future__ import annotations

import tokenizers
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from kosim.encoders.tokenizers.composition import compose_before

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The special tokens in the order of their numbers, from 0."""

POSITIONS = 512
"""Tokens that our networks have positions for."""


def in_bert_format(
    core: tokenizers.Tokenizer, *, positions: int = POSITIONS
) -> PreTrainedTokenizerFast:
    """Return a tokenizer that reads ``[CLS] a [SEP]`` and ``[CLS] a [SEP] b [SEP]``.

    Args:
        core: normalizer, pre-tokenizer and model, numbering `SPECIAL` from 0.
        positions: tokens after which an input is cut unless it is said otherwise.
    """
    separator, start = (SPECIAL.index(token) for token in ("[SEP]", "[CLS]"))
    core.post_processor = processors.BertProcessing(("[SEP]", separator), ("[CLS]", start))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        model_max_length=positions,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    compose_before(tokenizer)
    return tokenizer
