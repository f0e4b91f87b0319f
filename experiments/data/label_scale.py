"""The scale on which a data file states its labels, and the way from there to 0-5."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.language import Line, both
from kosim.encoders.metrics import Floats
from kosim.encoders.records import LABEL_HIGH, LABEL_LOW
from kosim.encoders.tables import printable

AUTO = "auto"
"""The scale is recognised by the labels."""

MOST_MISTAKES = 0.05
"""Share of labels that may lie outside a scale, as mistakes do, when the scale is recognised."""

ENOUGH_LABELS = 20
"""So many labels of which none is below 1 are no chance on 0-5, where the lowest is the most
frequent one."""

_MOST_WORDS = 20
_NO_WORD = re.compile(r"[\d,=]|^$")
_SIMILAR = {
    *("유사", "유사함", "같음", "동일", "동의", "예", "네", "참", "맞음", "일치"),
    *("yes", "y", "o", "similar", "same", "duplicate", "paraphrase", "equivalent", "positive"),
    "entailment",
}
_DISSIMILAR = {
    *("비유사", "유사하지 않음", "다름", "상이", "아니오", "아니요", "거짓", "틀림", "불일치"),
    *("no", "n", "x", "dissimilar", "different", "not duplicate", "unrelated", "negative"),
    "contradiction",
}


@dataclass(frozen=True)
class LabelScale:
    """The scale on which a file states its labels.

    It is ``LOW:HIGH``, or ``binary`` (0 and 1 only), or ``WORD=LABEL,...``: ``words`` that stand
    for labels on 0-5.
    """

    low: float = LABEL_LOW
    high: float = LABEL_HIGH
    binary: bool = False
    words: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> LabelScale:
        """Read ``LOW:HIGH``, such as ``0:5``, ``binary``, or words, such as ``유사=5,비유사=0``.

        Raises:
            ConfigError: ``text`` is none of them, LOW is not below HIGH, a word appears twice, or
                the label of a word is not on 0-5.
        """
        if text == "binary":
            return cls(0.0, 1.0, binary=True)
        if "=" in text:
            return cls(words=_parsed_words(text))
        try:
            low, high = (float(end) for end in text.split(":"))
        except ValueError:
            low = high = np.nan
        if not -np.inf < low < high < np.inf:
            raise ConfigError(
                f"label scale {text!r} is neither LOW:HIGH with LOW below HIGH, such as 0:5, "
                "nor binary, nor words with their labels on 0-5, such as 유사=5,비유사=0"
            )
        return cls(low, high)

    def __str__(self) -> str:
        if self.words:
            return ",".join(f"{word}={label:g}" for word, label in self.words.items())
        return "binary" if self.binary else f"{self.low:g}:{self.high:g}"

    def __hash__(self) -> int:
        return hash(str(self))

    def contains(self, values: Floats) -> npt.NDArray[np.bool_]:
        """Tell for each of n values whether the scale has it; NaN is in no scale."""
        if self.binary:
            return np.isin(values, (self.low, self.high))
        return (values >= self.low) & (values <= self.high)

    def to_labels(self, values: Floats) -> Floats:
        """Map n values linearly to 0-5, also those that the scale does not contain."""
        share = (values - self.low) / (self.high - self.low)
        return LABEL_LOW + share * (LABEL_HIGH - LABEL_LOW)

    def from_labels(self, labels: Floats) -> Floats:
        """Map n labels on 0-5 to this scale: the inverse of `to_labels`."""
        share = (labels - LABEL_LOW) / (LABEL_HIGH - LABEL_LOW)
        return self.low + share * (self.high - self.low)


def comparable_word(word: object) -> str:
    """Return the form in which equal words for labels are equal."""
    return " ".join(unicodedata.normalize("NFKC", str(word)).casefold().split())


def _parsed_words(text: str) -> dict[str, float]:
    words: dict[str, float] = {}
    for part in text.split(","):
        word, _, label = part.rpartition("=")
        word = comparable_word(word)
        try:
            value = float(label)
        except ValueError:
            value = np.nan
        if not word or word in words or not LABEL_LOW <= value <= LABEL_HIGH:
            raise ConfigError(
                f"label scale {text!r}: {part.strip()!r} is not a word with a label of its own on "
                f"{LABEL_LOW:g}-{LABEL_HIGH:g}, such as 유사=5"
            )
        words[word] = value
    return words


def suggested_words(values: Iterable[object]) -> str | None:
    """Return the option that says what words in place of labels mean, or None for no such words.

    A word whose meaning is not known gets ``?`` for its label.
    """
    words = list(dict.fromkeys(comparable_word(value) for value in values))
    if not 1 <= len(words) <= _MOST_WORDS or any(_NO_WORD.search(word) for word in words):
        return None
    meant = [
        f"{printable(word)}={5 if word in _SIMILAR else 0 if word in _DISSIMILAR else '?'}"
        for word in words
    ]
    return f'--label-scale "{",".join(meant)}"'


def recognised_scale(values: Floats, where: str) -> tuple[LabelScale, Line | None]:
    """Return the scale of n labels, and what to say about it.

    0-5 is the scale unless the labels show another: only 0 and 1 (``binary``); none above 1, but
    some in its upper half (``0:1``, or ``-1:1`` with negative ones); none below 1, but both 1 and 5
    among at least `ENOUGH_LABELS` (``1:5``); some above 50 (``0:100``). Up to `MOST_MISTAKES` of
    the labels may lie outside 0-5, or outside 0-100, as mistakes do.

    Args:
        values: the labels as they are stated, NaN where missing.
        where: what the message calls the file.

    Raises:
        DataError: no scale is certain.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return LabelScale(), None
    said = both(
        "{where}: its labels go from {low} to {high}",
        "{where}: 정답은 {low}에서 {high}까지",
        where=where,
        low=f"{known.min():g}",
        high=f"{known.max():g}",
    )
    if known.min() >= -1 and 0 < known.max() <= 1 and _share(known < 0) > MOST_MISTAKES:
        return _named("-1:1", said)
    if _share((known < LABEL_LOW) | (known > LABEL_HIGH)) <= MOST_MISTAKES:
        inside = known[(known >= LABEL_LOW) & (known <= LABEL_HIGH)]
        return _up_to_five(inside, said)
    inside = known[(known >= 0) & (known <= 100)]
    if _share((known < 0) | (known > 100)) <= MOST_MISTAKES and inside.max() > 50:
        return _named("0:100", said)
    raise DataError(
        f"{said}; which scale that is cannot be told: state it, such as --label-scale "
        f"{min(np.floor(known.min()), 0):g}:{np.ceil(known.max()):g}"
    )


def _up_to_five(labels: Floats, said: Line) -> tuple[LabelScale, Line | None]:
    """Return the scale of labels that all lie on 0-5."""
    up_to_one = labels[labels <= 1]
    of_two_values = set(up_to_one.tolist()) == {0.0, 1.0}
    name = "binary" if of_two_values else "0:1"
    spans = len(up_to_one) > 0 and up_to_one.min() < 0.5 < up_to_one.max()
    if spans and len(up_to_one) == len(labels):
        return _named(name, said)
    if spans and _share(labels > 1) <= MOST_MISTAKES:
        raise DataError(
            f"{said}, but {len(up_to_one):,} of {len(labels):,} to 1; state the scale: "
            f"--label-scale {name}, or --label-scale 0:5"
        )
    if labels.max() <= 1:
        return LabelScale(), _doubted(said, Line("highest", "가장 높은"), "0:1")
    if labels.min() == 1 and labels.max() == LABEL_HIGH:
        if len(labels) >= ENOUGH_LABELS:
            return _named("1:5", said)
        return LabelScale(), _doubted(said, Line("lowest", "가장 낮은"), "1:5")
    return LabelScale(), None


def _doubted(said: Line, end: Line, scale: str) -> Line:
    return both(
        "{said} and were read on 0-5; is 1 the {end}? --label-scale {scale}",
        "{said}이며 0~5로 읽었습니다. 1이 {end} 값이면 --label-scale {scale} 옵션을 주십시오",
        said=said,
        end=end,
        scale=scale,
    )


def _named(scale: str, said: Line) -> tuple[LabelScale, Line]:
    return LabelScale.parse(scale), both(
        "{said}: they were read as --label-scale {scale}",
        "{said}이므로 --label-scale {scale} 기준으로 읽었습니다",
        said=said,
        scale=scale,
    )


def _share(found: npt.NDArray[np.bool_]) -> float:
    return float(found.mean())
