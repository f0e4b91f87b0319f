"""Training of all our kinds of tokenizers, and what they look like on disk."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tokenizers
from transformers import PreTrainedTokenizerFast

from kosim.encoders.classic_layout import write_classic_tokenizer
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.provenance import Provenance
from kosim.encoders.storage import atomic_folder
from kosim.encoders.tokenizers.characters import learn_jamo, learn_syllables
from kosim.encoders.tokenizers.input_format import SPECIAL, in_bert_format
from kosim.encoders.tokenizers.text_step import MorphemeSegmentation, apply_before, make_text_step
from kosim.encoders.tokenizers.unigram import learn_unigram
from kosim.encoders.tokenizers.wordpiece import learn_wordpiece

COVERAGE = 0.9998
"""Share of a corpus' characters that are worth knowing; the rest are mostly typing errors."""

TokenizerKind = Literal["wordpiece", "morpheme", "unigram", "syllable", "jamo"]


@dataclass(frozen=True)
class _Learner:
    """How a kind is learnt, what is done to texts before, and what its pieces are called."""

    learn: Callable[[set[str], int], tokenizers.Tokenizer]
    pieces: str
    text_step: str | None = None


KINDS: dict[TokenizerKind, _Learner] = {
    "wordpiece": _Learner(learn_wordpiece, "word pieces"),
    "morpheme": _Learner(learn_wordpiece, "word pieces", MorphemeSegmentation.name),
    "unigram": _Learner(learn_unigram, "pieces"),
    "syllable": _Learner(learn_syllables, "syllables"),
    "jamo": _Learner(learn_jamo, "jamo"),
}
"""All that differs by kind."""


@dataclass(frozen=True)
class TrainedTokenizer:
    """A tokenizer that applies its text step, and how it was made."""

    tokenizer: PreTrainedTokenizerFast
    provenance: Provenance

    def save(self, folder: Path, *, overwrite: bool = False) -> None:
        """Write the tokenizer's own files and ``kosim.json``, whole or not.

        Raises:
            StorageError: the folder exists and ``overwrite`` is false, or cannot be written.
        """
        with atomic_folder(folder, overwrite=overwrite) as partial:
            self.tokenizer.save_pretrained(partial)
            write_classic_tokenizer(partial)
            self.provenance.write(partial)


def train_tokenizer(
    texts: Iterable[str],
    kind: TokenizerKind,
    vocabulary: int,
    *,
    coverage: float = COVERAGE,
    corpus: str | None = None,
) -> TrainedTokenizer:
    """Learn a vocabulary of exactly ``vocabulary`` pieces; the order of the texts is nothing.

    Args:
        texts: the corpus, a text each; blank ones and repetitions count for nothing.
        kind: wordpiece; morpheme (word pieces of Kiwi's morphemes); unigram; syllable; jamo.
        vocabulary: the pieces, the five special ones included.
        coverage: share of the corpus' characters that stay known; rarer ones become [UNK].
        corpus: what to call the corpus in ``kosim.json``.

    Raises:
        ConfigError: the kind is unknown or a number impossible.
        DataError: the corpus is empty, has too many distinct characters for the vocabulary, or
            too few pieces.
        MissingExtraError: the kind needs Kiwi, which is not installed.
    """
    learner = _check(kind, vocabulary, coverage)
    step = make_text_step(learner.text_step) if learner.text_step else None
    # Composed, as every tokenizer reads them; see `composition`.
    stripped = (unicodedata.normalize("NFC", text).strip() for text in texts)
    distinct = {text for text in stripped if text}
    if not distinct:
        raise DataError("the corpus holds no text; a vocabulary needs sentences to learn from")
    if step is not None:
        distinct = set(step.apply(sorted(distinct)))
    known = without(distinct, rare_characters(distinct, coverage))
    try:
        core = learner.learn(known, vocabulary)
    except Exception as error:  # the library's trainers have no error of their own
        reason = str(error).splitlines()[0]
        raise DataError(
            f"no vocabulary of {vocabulary:,} {learner.pieces} could be learnt: {reason}"
        ) from error
    _check_size(core.get_vocab_size(), vocabulary, learner, known)
    tokenizer = in_bert_format(core)
    apply_before(tokenizer, learner.text_step)
    entry: dict[str, Any] = {
        "step": "tokenizer",
        "kind": kind,
        "vocabulary": vocabulary,
        "coverage": coverage,
        "corpus": corpus,
        "texts": len(distinct),
    }
    if step is not None:
        entry["text_step_version"] = step.version
    return TrainedTokenizer(tokenizer, Provenance(text_step=learner.text_step, steps=[entry]))


def _check(kind: str, vocabulary: int, coverage: float) -> _Learner:
    if kind not in KINDS:
        raise ConfigError(f"tokenizer kind {kind!r} is unknown; choose from {', '.join(KINDS)}")
    if not len(SPECIAL) < vocabulary < 1 << 16:
        raise ConfigError(
            f"a vocabulary of {vocabulary} is not possible; give more than the {len(SPECIAL)} "
            f"special tokens and fewer than {1 << 16:,}"
        )
    if not 0 < coverage <= 1:
        raise ConfigError(f"coverage is {coverage:g}; give a share above 0, at most 1")
    return KINDS[kind]


def _check_size(size: int, wanted: int, learner: _Learner, texts: set[str]) -> None:
    if size < wanted:
        raise DataError(
            f"the corpus has only {size - len(SPECIAL):,} distinct {learner.pieces}, so that a "
            f"vocabulary of {wanted:,} cannot be reached; ask for at most {size:,}, or give more "
            "text"
        )
    if size > wanted:
        raise DataError(
            f"a vocabulary of {wanted:,} cannot hold the {len(set(''.join(texts))):,} characters "
            f"of the corpus, alone and inside words; ask for at least {size:,}, or lower the "
            "coverage"
        )


def rare_characters(texts: Collection[str], coverage: float = COVERAGE) -> set[str]:
    """Return the characters left over when the most frequent ones cover ``coverage`` of the texts.

    Ties are decided by the number of the character, so that the order of the texts is nothing.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    needed = coverage * counts.total()
    covered, rare = 0, set()
    for character, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        if covered >= needed:
            rare.add(character)
        covered += count
    return rare


def without(texts: Collection[str], characters: Collection[str]) -> set[str]:
    """Return the distinct texts with a space instead of each of ``characters``."""
    table = {ord(character): " " for character in characters}
    return {text.translate(table) for text in texts}
