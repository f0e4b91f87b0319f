"""Tiny random backbones of every usual architecture, with a tokenizer as their makers ship it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from tests.encoders.tiny import SPECIAL, VOCABULARY, WORDS

POSITIONS = 64
"""Positions of every network; those of RoBERTa's kin hold two tokens less."""

SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": POSITIONS,
    "initializer_range": 0.2,
}
"""Of most networks, by the names of their settings."""
_ENDS = {"bos_token_id": 0, "eos_token_id": 2}


def _wordpiece(
    folder: Path, *, types: bool, pad: bool = True, first: Sequence[str] = SPECIAL
) -> None:
    """Write BERT's tokenizer: `[CLS] a [SEP] b [SEP]`, with token types if wanted."""
    numbers = {token: i for i, token in enumerate([*first, *VOCABULARY[len(first) :]])}
    core = Tokenizer(models.WordPiece(vocab=numbers, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(token, numbers[token]) for token in ("[SEP]", "[CLS]")]
    core.post_processor = processors.BertProcessing(*ends)
    names = ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"]
    tokens = dict(zip(("pad", "unk", "cls", "sep", "mask"), SPECIAL, strict=True))
    if not pad:
        tokens.pop("pad")
    _save(core, folder, names, tokens)


def _bytes(folder: Path, *, ends: bool) -> None:
    """Write a byte-level tokenizer: RoBERTa's with `<s> a </s></s> b </s>`, or GPT-2's bare one."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    numbers = {token: i for i, token in enumerate([*special, *alphabet])}
    core = Tokenizer(models.BPE(vocab=numbers, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokens = {"bos": "<s>", "eos": "</s>", "unk": "<unk>"}
    if ends:
        core.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
        tokens |= {"pad": "<pad>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
    _save(core, folder, ["input_ids", "attention_mask"], tokens)


def _unigram(folder: Path, *, pair: str) -> None:
    """Write SentencePiece's unigram pieces, as XLM-R, DeBERTa-v2 and T5 have them."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *(f"▁{word}" for word in WORDS)]
    letters = sorted(set("".join(WORDS)))
    weighed = [(piece, -float(i)) for i, piece in enumerate([*pieces, *letters])]
    core = Tokenizer(models.Unigram(vocab=weighed, unk_id=3))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.post_processor = processors.TemplateProcessing(
        single=pair.partition(" </s>")[0] + " </s>",
        pair=pair,
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokens = {"pad": "<pad>", "eos": "</s>", "unk": "<unk>", "cls": "<s>", "sep": "</s>"}
    _save(core, folder, ["input_ids", "attention_mask"], tokens)


def _save(core: Tokenizer, folder: Path, names: list[str], tokens: dict[str, str]) -> None:
    PreTrainedTokenizerFast(
        tokenizer_object=core,
        model_input_names=names,
        **{f"{name}_token": token for name, token in tokens.items()},
    ).save_pretrained(folder)


def _network(folder: Path, family: str, head: str = "ForMaskedLM", **changes: Any) -> None:
    _plain_network(folder, family, head, **{**SIZES, "pad_token_id": 0, **changes})


def _plain_network(folder: Path, family: str, head: str, **options: Any) -> None:
    config = getattr(transformers, f"{family}Config")(**options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        getattr(transformers, f"{family}{head}")(config).save_pretrained(folder)


def _bert(folder: Path, head: str = "ForMaskedLM", *, pad: bool = True, **changes: Any) -> None:
    _network(folder, "Bert", head, **changes)
    _wordpiece(folder, types=True, pad=pad)


def _klue_roberta(folder: Path) -> None:
    _network(folder, "Roberta", type_vocab_size=1, pad_token_id=1)
    _wordpiece(folder, types=True, first=["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"])


def _roberta(folder: Path) -> None:
    _network(folder, "Roberta", type_vocab_size=1, pad_token_id=1)
    _bytes(folder, ends=True)


def _electra(folder: Path) -> None:
    _network(folder, "Electra", "ForPreTraining", embedding_size=16)
    _wordpiece(folder, types=True)


def _deberta(folder: Path) -> None:
    relative = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0}
    _network(folder, "DebertaV2", pad_token_id=1, position_buckets=16, **relative)
    _unigram(folder, pair="<s> $A </s> $B </s>")


def _xlm_r(folder: Path) -> None:
    _network(folder, "XLMRoberta", type_vocab_size=1, pad_token_id=1)
    _unigram(folder, pair="<s> $A </s> </s> $B </s>")


def _modernbert(folder: Path) -> None:
    special = {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    _network(folder, "ModernBert", local_attention=16, **special)
    _wordpiece(folder, types=False)


def _gpt2(folder: Path) -> None:
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": POSITIONS}
    _plain_network(folder, "GPT2", "LMHeadModel", vocab_size=300, **_ENDS, **sizes)
    _bytes(folder, ends=False)


def _llama(folder: Path) -> None:
    sizes = {name: size for name, size in SIZES.items() if name != "vocab_size"}
    _plain_network(folder, "Llama", "ForCausalLM", vocab_size=300, **_ENDS, **sizes)
    _bytes(folder, ends=False)


def _t5(folder: Path) -> None:
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}
    special = {"pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    _plain_network(
        folder, "T5", "ForConditionalGeneration", vocab_size=len(VOCABULARY), **sizes, **special
    )
    _unigram(folder, pair="$A </s> $B </s>")


SHAPES: dict[str, Callable[[Path], None]] = {
    "BERT": _bert,
    "RoBERTa with a BERT tokenizer that makes token types": _klue_roberta,
    "RoBERTa with its own tokenizer": _roberta,
    "ELECTRA": _electra,
    "DeBERTa-v2": _deberta,
    "XLM-R": _xlm_r,
    "ModernBERT": _modernbert,
    "GPT-2": _gpt2,
    "Llama": _llama,
    "T5": _t5,
    "BERT with a classifier of three labels (NLI)": lambda folder: _bert(
        folder, "ForSequenceClassification", num_labels=3
    ),
    "BERT without a padding token": lambda folder: _bert(folder, pad=False),
    "BERT with fewer embeddings than tokens": lambda folder: _bert(
        folder, vocab_size=len(VOCABULARY) - 10
    ),
}
"""What is written into a folder, by the name that docs/models.md has for it."""

ALIKE = tuple(name for name in SHAPES if name.startswith(("BERT", "RoBERTa", "ELECTRA", "XLM-R")))
"""Shapes with the sizes above, whose layers are all of one kind."""
