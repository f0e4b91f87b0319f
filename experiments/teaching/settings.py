"""The settings of a run in which encoders teach encoders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from kosim.encoders.bundle import MINI_BI
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import ConfigError
from kosim.encoders.records import Kind
from kosim.experiments.settings import DataSettings, EncoderSettings, StudySettings

Source = Literal["vectors", "bm25", "random", "hard"]
Order = Literal["silver-then-gold", "mixed"]
SOURCES: tuple[Source, ...] = ("vectors", "bm25", "random", "hard")

BINS = 5
"""Scores are counted by whole points: 0 to 1, ... 4 to 5."""

EVEN = (1.0,) * BINS

_LABELLED_PER_PAIR = 2
_SENTENCES_PER_PAIR = 5


def parse_mix(text: str) -> list[float]:
    """Return the weights of the five bins of scores that ``LOW:WEIGHT,...`` names; 0 elsewhere.

    Raises:
        ConfigError: it names another bin, one bin twice, or no number.
    """
    weights = dict.fromkeys(range(BINS), 0.0)
    seen = set()
    try:
        for entry in text.split(","):
            low, weight = entry.split(":")
            bin_ = int(low)
            if bin_ not in weights or bin_ in seen:
                raise ValueError
            seen.add(bin_)
            weights[bin_] = float(weight)
    except ValueError:
        raise ConfigError(
            f"the mix is {text!r}; give LOW:WEIGHT for each point of the scale, such as "
            "0:1,1:1,2:1,3:2,4:2"
        ) from None
    return list(weights.values())


class SilverSettings(StudySettings):
    """Which silver pairs are made: sentence pairs that encoders label instead of people."""

    teachers: list[str] = Field(
        default_factory=list, description="Encoders that label the pairs; their mean is the label."
    )
    corpus: str | None = Field(None, description="Text with one sentence per line.")
    silver: str | None = Field(
        None, description="File of labelled pairs to use instead of mining and labelling."
    )
    exclude: list[str] = Field(
        default_factory=list,
        description="File of sentences, or of pairs, that must be in no training pair.",
    )
    pairs: int = Field(20_000, ge=10, description="Number of silver pairs.")
    candidates: int | None = Field(
        None, ge=10, description="Number of pairs that are labelled and then drawn from."
    )
    mix: list[float] = Field(
        default_factory=lambda: list(EVEN),
        min_length=BINS,
        max_length=BINS,
        description="Weight of each point of the scale among the silver pairs.",
    )
    sources: list[Source] = Field(
        default_factory=lambda: list(SOURCES),
        min_length=1,
        description="How pairs are found: vectors, bm25, random, hard.",
    )
    hard_margin: float = Field(
        1.0,
        gt=0,
        le=5,
        description="Points by which the miner scores a hard pair above the teachers, at least.",
    )
    sentences: int | None = Field(
        None, ge=2, description="Number of corpus sentences that pairs are made of."
    )
    miner: str = Field(MINI_BI, description="Bi-encoder whose vectors find pairs.")
    max_disagreement: float | None = Field(
        None,
        gt=0,
        le=5,
        description="Drop pairs whose labels by two teachers are further apart, in points.",
    )
    symmetric: bool = Field(
        False, description="Label a pair by the mean of both orders of its sentences."
    )
    backend: Backend | None = Field(None, description="Library that computes the teachers.")
    teacher_precision: Precision = Field(
        "fp32", description="Arithmetic of the teachers; int8 is the fastest (see kosim export)."
    )
    sample_seed: int = Field(0, ge=0, description="Seed of the pairs that are drawn.")

    @field_validator("mix")
    @classmethod
    def _weights(cls, value: list[float]) -> list[float]:
        if min(value) < 0 or not 0 < sum(value) < math.inf:
            raise ValueError("weights must not be negative or infinite, and one must be above 0")
        return value

    @field_validator("sources")
    @classmethod
    def _findable(cls, value: list[Source]) -> list[Source]:
        if "hard" in value and "vectors" not in value:
            raise ValueError("hard pairs are among those found by vectors; name vectors too")
        return list(dict.fromkeys(value))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.silver is None and not (self.teachers and self.corpus):
            raise ValueError("give a teacher and a corpus, or a file of silver pairs")
        if self.silver is not None and self.teachers:
            raise ValueError(
                "pairs of a silver file are labelled already; leave out the teachers, or the file"
            )
        if self.silver is not None and self.max_disagreement is not None:
            raise ValueError(
                "pairs of a silver file have one label each, on which no teachers disagree; leave "
                "out max_disagreement, or the file"
            )
        if self.max_disagreement is not None and len(self.teachers) < 2:
            raise ValueError("one teacher disagrees with none; leave out max_disagreement")
        if self.silver is not None and (told := self._told(_OF_LABELLING)):
            raise ValueError(
                f"pairs of a silver file are found and labelled already; leave out "
                f"{', '.join(told)}, or the file"
            )
        if self.candidates is not None and self.candidates < self.pairs:
            raise ValueError(
                f"{self.candidates} candidates are fewer than the {self.pairs} pairs asked for"
            )
        return self

    def _told(self, names: Sequence[str]) -> list[str]:
        """Return those settings that were given another value than their default."""
        fields = type(self).model_fields
        return [
            name
            for name in names
            if getattr(self, name) != fields[name].get_default(call_default_factory=True)
        ]

    @property
    def to_label(self) -> int:
        """The number of pairs that are labelled."""
        return self.candidates or _LABELLED_PER_PAIR * self.pairs

    @property
    def to_read(self) -> int:
        """The number of corpus sentences that pairs are made of, at most."""
        return self.sentences or _SENTENCES_PER_PAIR * self.pairs


_OF_LABELLING = (
    *("candidates", "sources", "miner", "symmetric", "hard_margin", "backend"),
    "teacher_precision",
)
"""Settings of how silver pairs are found and labelled."""


class TeachSettings(SilverSettings):
    """Everything that decides the outcome of ``kosim teach``."""

    data: DataSettings | None = None
    extra: list[str] = Field(
        default_factory=list, description="File of further labelled pairs, learnt as silver pairs."
    )
    minimal_pairs: int = Field(
        0, ge=0, description="Number of minimal pairs that rules make of the corpus sentences."
    )
    students: dict[Kind, EncoderSettings] = Field(min_length=1)
    order: Order = Field(
        "silver-then-gold",
        description="Whether gold pairs are learnt after the silver pairs or mixed with them.",
    )
    silver_epochs: int | None = Field(
        None, ge=1, description="Maximum passes over the silver pairs."
    )
    baseline: bool = Field(
        False, description="Also train students on the gold pairs alone, to measure the gain."
    )
    rounds: int = Field(
        1, ge=1, description="Maximum number of rounds in which each kind teaches the other."
    )

    @model_validator(mode="after")
    def _can_take_turns(self) -> Self:
        if self.silver_epochs is not None and self.order == "mixed":
            raise ValueError(
                "mixed pairs are learnt together, for the epochs of the training; leave out "
                "silver_epochs"
            )
        if self.rounds > 1 and len(self.students) == 1:
            raise ValueError("one kind takes no turns; leave out rounds, or teach both")
        return self


def students_of(kind: str, fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the fields of each student; where both are taught, the bi-encoder's own go to it."""
    if kind != "both":
        return {kind: {**fields, "kind": kind}}
    shared = {name: value for name, value in fields.items() if name not in ("pooling", "prompt")}
    if isinstance(training := shared.get("training"), Mapping):
        shared["training"] = {k: value for k, value in training.items() if k != "matryoshka"}
    return {"bi": {**fields, "kind": "bi"}, "cross": {**shared, "kind": "cross"}}
