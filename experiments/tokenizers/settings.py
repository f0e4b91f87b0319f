"""The settings of a comparison of tokenizers."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from kosim.encoders.pretraining.run import PretrainingConfig
from kosim.encoders.tokenizers.training import TokenizerKind
from kosim.encoders.training.config import TrainingConfig
from kosim.experiments.settings import RunSettings

VOCABULARIES: dict[TokenizerKind, int] = {
    "wordpiece": 8_000,
    "morpheme": 8_000,
    "unigram": 8_000,
    "syllable": 3_000,
    "jamo": 250,
}
"""The tokenizers that are compared unless others are asked for."""


class TokenizerSettings(RunSettings):
    """Everything that decides the outcome of ``kosim compare-tokenizers``."""

    corpus: str = Field(
        description="Text with one sentence per line, for the vocabularies and the pretraining."
    )
    tokenizers: dict[TokenizerKind, int] = Field(
        default_factory=lambda: dict(VOCABULARIES),
        min_length=2,
        description="The size of each one's vocabulary.",
    )
    pretraining: PretrainingConfig = Field(default_factory=PretrainingConfig)
    bi: TrainingConfig = Field(default_factory=TrainingConfig)
    cross: TrainingConfig = Field(default_factory=TrainingConfig)
    max_length: int = Field(
        256, ge=8, le=512, description="Maximum number of tokens; longer inputs are cut."
    )
    ready: str | None = Field(
        None, description="Ready-made backbone to measure too, with and without morphemes."
    )

    @field_validator("tokenizers")
    @classmethod
    def _in_one_order(cls, value: dict[TokenizerKind, int]) -> dict[TokenizerKind, int]:
        return {kind: value[kind] for kind in VOCABULARIES if kind in value}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.data.dataset is None and not (self.data.train and self.data.test):
            raise ValueError("give a data set, or files for train and test")
        return self
