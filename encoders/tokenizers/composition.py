"""Texts in Unicode's composed form (NFC), whatever reads them.

A Korean text that is not composed, as macOS writes file names, looks the same and has other
characters: tokenizers make ``[UNK]`` of its words. Composing is therefore a part of the tokenizer's
own pipeline, which every caller passes, whether it scores, trains, counts or exports, and which
``tokenizer.json`` keeps for other programs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tokenizers import normalizers

from kosim.encoders.errors import BackboneError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_COMPOSING = ("NFC", "NFKC")
_OWN = "_kosim_own_normalizer"


def compose_before(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make a fast tokenizer compose every text before it does anything else; once is enough.

    Raises:
        BackboneError: the tokenizer has no fast form.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise BackboneError(
            f"the tokenizer {type(tokenizer).__name__} has no fast form; convert it to a "
            "tokenizer.json, or give another backbone"
        )
    own = backend.normalizer
    if _composes(own):
        return
    setattr(tokenizer, _OWN, own)
    backend.normalizer = composing(own)


def composing(own: Any) -> Any:
    """Return a normalizer that composes before it does what ``own`` does, if it does not yet."""
    if _composes(own):
        return own
    return normalizers.Sequence([normalizers.NFC()] if own is None else [normalizers.NFC(), own])


@contextmanager
def uncomposed(tokenizer: PreTrainedTokenizerBase) -> Iterator[None]:
    """Take away what `compose_before` added, for the time of a ``with`` statement."""
    if not hasattr(tokenizer, _OWN):
        yield
        return
    backend = tokenizer.backend_tokenizer
    composing, own = backend.normalizer, getattr(tokenizer, _OWN)
    backend.normalizer = own
    try:
        yield
    finally:
        backend.normalizer = composing


def pipeline_content(tokenizer: PreTrainedTokenizerBase, *, composed: bool = True) -> Any:
    """Return all that a tokenizer does to a text, as JSON has it, for a fingerprint.

    Where a call cuts and pads is left out, because the last call sets it.

    Args:
        tokenizer: a fast one.
        composed: include the composing that `compose_before` added. Encoders that were
            saved before it existed have fingerprints without it.
    """
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content.pop("truncation", None)
    content.pop("padding", None)
    if not composed and hasattr(tokenizer, _OWN):
        content["normalizer"] = _content(getattr(tokenizer, _OWN))
    return content


def _composes(normalizer: Any) -> bool:
    content = _content(normalizer)
    while content is not None and content["type"] == "Sequence":
        content = next(iter(content["normalizers"]), None)
    return content is not None and content["type"] in _COMPOSING


def _content(normalizer: Any) -> Any:
    return None if normalizer is None else json.loads(normalizer.__getstate__())
