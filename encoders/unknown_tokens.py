"""How much of some texts a tokenizer cannot read: the share of its unknown token."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from transformers import PreTrainedTokenizerBase

from kosim.encoders.compute.text_reader import TextReader
from kosim.encoders.errors import BackboneError

REFUSED = 0.3
"""Share of unknown tokens from which nothing useful is learnt: three words of ten are lost."""

WARNED = 0.05
"""Share of unknown tokens from which a vocabulary does not suit the texts well."""

_MOST = 20_000
"""Distinct texts that are looked at; more do not change the share."""


@dataclass(frozen=True)
class UnknownShare:
    """What a tokenizer makes of some texts.

    ``tokens`` counts its tokens without the special ones around a text, ``unknown`` those that
    stand for something it cannot read, ``example`` is the text with the most of them.
    """

    tokens: int
    unknown: int
    example: str = ""

    @property
    def share(self) -> float:
        """The share of unknown tokens, from 0 to 1; 0 where there is no token at all."""
        return self.unknown / self.tokens if self.tokens else 0.0

    def __str__(self) -> str:
        return f"{self.share:.1%} of the tokens are unknown"


def unknown_share(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> UnknownShare:
    """Count the unknown tokens of texts, each distinct one once, of the first 20,000.

    Args:
        tokenizer: a fast one; its text step is applied.
        texts: such as the sentences of training pairs.
    """
    unknown = tokenizer.unk_token_id
    chosen = list(islice(dict.fromkeys(texts), _MOST))
    reader = TextReader.of(tokenizer, max_length=512)  # where it cuts, which no part is
    encoded = [one.ids for one in reader.parts(chosen)]
    # An unknown token that is the padding or end token too, as GPT-2 has it, is none.
    none = unknown is None or unknown in (tokenizer.pad_token_id, tokenizer.eos_token_id)
    counts = [0 if none else ids.count(unknown) for ids in encoded]
    most = max(range(len(chosen)), key=counts.__getitem__, default=None)
    example = chosen[most] if most is not None and counts[most] else ""
    return UnknownShare(sum(map(len, encoded)), sum(counts), example)


def check_readable(
    found: UnknownShare, tokenizer: PreTrainedTokenizerBase, name: str
) -> str | None:
    """Refuse a tokenizer that cannot read the texts; return a notice where it reads them badly.

    Args:
        found: what `unknown_share` counted.
        tokenizer: the same one, for the advice.
        name: what a message calls its backbone.

    Raises:
        BackboneError: at least `REFUSED` of the tokens are unknown.
    """
    if found.share < WARNED:
        return None
    said = (
        f"the tokenizer of {name} makes {tokenizer.unk_token} of {found.share:.0%} of the tokens "
        f"of the training pairs, such as in {found.example[:40]!r}"
    )
    if found.share < REFUSED:
        return f"{said}; a vocabulary that knows these words would read more of them"
    raise BackboneError(f"{said}, so that hardly anything can be learnt; {_advice(tokenizer)}")


def _advice(tokenizer: PreTrainedTokenizerBase) -> str:
    normalizer = tokenizer.backend_tokenizer.normalizer
    content = "" if normalizer is None else normalizer.__getstate__().decode()
    steps = [json.loads(content)] if content else []
    while steps:
        step = steps.pop()
        steps += step.get("normalizers", [])
        lowers = step["type"] == "BertNormalizer" and step["lowercase"]
        if lowers and step["strip_accents"] is not False:
            return (
                "it lowers the case and strips accents, which takes Hangul apart: write "
                '{"do_lower_case": false} into its tokenizer_config.json'
            )
    return "give a backbone with a Korean vocabulary, or the vocabulary that belongs to this one"
