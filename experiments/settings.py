"""The settings of a comparison: one TOML file holds all of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import (
    AliasChoices,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from kosim.encoders.backbone import KOELECTRA, SCRATCH_WIDTH, hidden_size
from kosim.encoders.errors import ConfigError, did_you_mean
from kosim.encoders.pair_columns import ColumnChoice, PairColumns
from kosim.encoders.records import Kind, PoolingMode
from kosim.encoders.settings import Settings as Settings
from kosim.encoders.settings import parse_settings as parse_settings
from kosim.encoders.training.config import LOSS_NAMES, TrainingConfig
from kosim.encoders.training.defaults import defaults
from kosim.experiments.data.label_scale import AUTO, LabelScale

TEST_SHARE = 0.2
"""Share of the pairs of one file that a comparison splits off as its test set."""

_LARGEST_TOML = 1 << 20
RECIPE_NAMES = ("quickstart", "klue-koelectra-base", "klue-koelectra-best")
SCRATCH = "scratch"
"""The backbone that is made on the spot from the training sentences."""


class DataSettings(Settings):
    """Which pairs are learnt from and which are the test."""

    dataset: Literal["klue-sts", "sample"] | None = Field(
        None, description="Known data set with its own test pairs."
    )
    train: str | None = Field(None, description="File of training pairs.")
    test: str | None = Field(None, description="File of test pairs.")
    columns: str | list[str] | dict[str, str] | None = Field(
        None,
        description="Columns of the two sentences, the label and the source, by name or number; "
        "common names are found without it.",
    )
    test_columns: str | list[str] | dict[str, str] | None = Field(
        None, description="Columns of the test file, where they differ."
    )
    encoding: str | None = Field(
        None, description="Encoding of the files; recognised if UTF-8, UTF-16 or cp949."
    )
    label_scale: str = Field(
        AUTO,
        description="Scale of the labels: LOW:HIGH, binary, or words with their labels, such as "
        "유사=5,비유사=0; recognised by default.",
    )
    test_label_scale: str | None = Field(
        None, description="Scale of the test file's labels, where it differs."
    )
    test_share: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the training pairs that becomes the test set where no test file is "
        "given; a comparison takes 0.2.",
    )
    validation_share: float = Field(
        0.1, gt=0, lt=1, description="Share of the training pairs used for validation."
    )
    split_seed: int = Field(
        42, ge=0, description="Seed of the split into training, validation and test."
    )
    limit: int | None = Field(None, ge=1, description="Maximum number of training pairs.")
    remove_sentence_leakage: bool = Field(
        False, description="Also remove training pairs that share a sentence with the test."
    )
    corrections: str | None = Field(
        None,
        description="Table of corrected labels of the training pairs, as kosim data --find-noise "
        "writes it.",
    )
    exclude: str | None = Field(
        None,
        description="File of sentences, one per line; pairs with one are not used for training.",
    )

    @field_validator("label_scale", "test_label_scale")
    @classmethod
    def _known_scale(cls, value: str | None) -> str | None:
        try:
            if value not in (None, AUTO):
                LabelScale.parse(str(value))
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("columns", "test_columns")
    @classmethod
    def _nameable(cls, value: ColumnChoice | None) -> ColumnChoice | None:
        try:
            PairColumns.parse(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.dataset is not None and (self.train or self.test):
            raise ValueError("give either a data set or files for train and test, not both")
        if self.dataset is None and not (self.train or self.test):
            raise ValueError("give a data set, or files for train and test")
        return self


def without_unused(content: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of an encoder; of a saved one, without a training that it never had."""
    if content.get("artifact") is None:
        return content
    return {name: content[name] for name in ("kind", "artifact") if name in content}


class EncoderSettings(Settings):
    """One contender: what it is made from and how it is trained."""

    kind: Kind = Field(description="Kind of the encoder: bi or cross.")
    artifact: str | None = Field(
        None, description="Saved encoder to compare as it is, without training."
    )
    backbone: str = Field(KOELECTRA, description="Backbone: a folder, a hub id, mini, or scratch.")
    revision: str | None = Field(
        None, description="Commit, tag or branch of the backbone on the hub."
    )
    max_length: int = Field(
        128, ge=8, description="Maximum number of tokens; longer inputs are cut."
    )
    pooling: PoolingMode | None = Field(
        None, description="Pooling of a bi-encoder: mean, cls or max."
    )
    prompt: str | None = Field(
        None,
        description="Text put before every sentence of a bi-encoder; by default as the backbone "
        "does.",
    )
    text_step: str | None = Field(
        None, description="Split texts into morphemes first; by default as the backbone does."
    )
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    trials: int = Field(
        1, ge=1, description="Trainings on the validation pairs of which this one was the best."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_training(cls, content: Any) -> Any:
        """Give a training that is not told everything the defaults of its kind and backbone."""
        if not isinstance(content, Mapping) or content.get("kind") not in list(LOSS_NAMES):
            return content
        told = content.get("training") or {}
        if not isinstance(told, Mapping):
            return content
        chosen = defaults(content["kind"], _width(content, told))
        return {**content, "training": {**chosen, **told}}

    @model_serializer(mode="wrap")
    def _without_unused(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out of a saved encoder how it would be trained: it never was so."""
        return without_unused(write(self))

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if self.kind == "cross" and (self.pooling or self.prompt):
            raise ValueError("pooling and prompt belong to a bi-encoder")
        if self.kind == "cross" and self.training.matryoshka:
            raise ValueError("matryoshka cuts the vectors of a bi-encoder; leave it out")
        losses = LOSS_NAMES[self.kind]
        if self.training.loss is not None and self.training.loss not in losses:
            raise ValueError(
                f"loss {self.training.loss!r} is not one of a {self.kind}-encoder "
                f"({', '.join(losses)})"
            )
        return self


def _width(content: Mapping[str, Any], told: Mapping[str, Any]) -> int | None:
    """Return the width of the backbone's network where a default depends on it and it is known."""
    backbone = content.get("backbone") or KOELECTRA
    if "learning_rate" in told or content.get("artifact") or backbone == KOELECTRA:
        return None
    if backbone == SCRATCH:
        return SCRATCH_WIDTH
    return hidden_size(str(backbone), revision=content.get("revision"))


class EvaluationSettings(Settings):
    """How figures and their uncertainty are computed."""

    level: float = Field(0.95, gt=0.5, lt=1, description="Confidence level of every interval.")
    resamples: int = Field(10_000, ge=200, description="Number of bootstrap resamples.")
    seed: int = Field(0, ge=0, description="Seed of the bootstrap.")
    examples: int = Field(
        10, ge=0, description="Pairs listed of each kind of disagreement; 0 keeps texts out."
    )
    slices: list[str] = Field(
        default_factory=list,
        description="Columns of the test file by whose values results are sliced, besides source, "
        "label, length, overlap and what distinguishes the sentences.",
    )
    candidates: int = Field(
        100,
        ge=1,
        validation_alias=AliasChoices("candidates", "rerank_candidates"),
        description="Candidates that are reranked in the cost estimate.",
    )

    @field_validator("slices")
    @classmethod
    def _named(cls, value: list[str]) -> list[str]:
        names = [name.strip() for name in value]
        if "" in names:
            raise ValueError("a column for slices has no name; name it or leave it out")
        return list(dict.fromkeys(names))


class StudySettings(Settings):
    """What every run that trains encoders is told."""

    name: str = Field("comparison", description="Name of the run in the report.")
    seeds: list[int] = Field(
        [1], min_length=1, description="Seeds of the training runs, one run for each."
    )
    device: str | None = Field(None, description="Torch device; by default the best available.")
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) != len(value) or min(value) < 0:
            raise ValueError("seeds must be distinct whole numbers from 0 on")
        return value

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Self:
        """Check raw settings; see `parse_settings`."""
        return parse_settings(cls, content)

    def to_toml(self) -> str:
        """Return the settings as TOML that `read_settings` accepts."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


class RunSettings(StudySettings):
    """What every run that trains and compares encoders is told."""

    data: DataSettings


class CompareSettings(RunSettings):
    """Everything that decides the outcome of ``kosim compare``."""

    encoders: dict[str, EncoderSettings] = Field(min_length=1)

    @field_validator("encoders")
    @classmethod
    def _plain_names(cls, value: dict[str, EncoderSettings]) -> dict[str, EncoderSettings]:
        reserved = {"seed", "sentence1", "sentence2", "source", "label"}
        for name in value:
            if not name.replace("-", "").replace("_", "").isalnum() or name in reserved:
                raise ValueError(f"encoder name {name!r} must be a plain word")
        return value

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        trains = any(encoder.artifact is None for encoder in self.encoders.values())
        if trains and self.data.dataset is None and not self.data.train:
            raise ValueError("training needs data.train, or a data set")
        if self.data.dataset is None and not self.data.test:
            if not trains:
                raise ValueError(
                    "saved encoders are compared on test pairs; give data.test (--test FILE), or "
                    "a data set"
                )
            if self.data.test_share is None:
                # Whoever loads these pairs, a trial or the comparison, keeps the same ones apart.
                split = self.data.model_copy(update={"test_share": TEST_SHARE})
                object.__setattr__(self, "data", split)
        if self.evaluation.slices and len(self.encoders) < 2:
            raise ValueError("evaluation.slices compare two encoders; give two, or leave them out")
        return self


def read_settings(name: str) -> dict[str, Any]:
    """Return the raw settings of a shipped recipe or a TOML file, to be overridden and checked.

    Raises:
        ConfigError: there is no such recipe or file, or it is not TOML.
    """
    if name in RECIPE_NAMES:
        recipes = resources.files("kosim.experiments") / "recipes"
        return tomllib.loads((recipes / f"{name}.toml").read_text("utf-8"))
    suggestion = did_you_mean(name, RECIPE_NAMES)
    return read_toml(name, "config", f"one of {', '.join(RECIPE_NAMES)}{suggestion}")


def is_pairs(name: str) -> bool:
    """Say whether a name is that of a file of pairs, rather than of a recipe or a TOML file."""
    return name not in RECIPE_NAMES and Path(name).is_file() and Path(name).suffix != ".toml"


def named_after(data: str | Path) -> str:
    """Return the name of a run on a file or data set: its own, without folders and endings."""
    name = Path(data).name.removesuffix(".gz")
    return Path(name).stem.strip(".")[:60] or "comparison"


def read_comparison(name: str) -> dict[str, Any]:
    """Return raw settings as `read_settings` does; a file of pairs means the quickstart on it."""
    if not is_pairs(name):
        return read_settings(name)
    return {**read_settings("quickstart"), "name": named_after(name), "data": {"train": name}}


def read_toml(name: str, what: str, otherwise: str) -> dict[str, Any]:
    """Read a TOML file of at most 1 MiB.

    Args:
        name: a plain file.
        what: it is, for messages.
        otherwise: what may be given in its place.

    Raises:
        ConfigError: there is no such file, or it is not TOML.
    """
    path = Path(name)
    try:
        if not path.is_file():  # also a named pipe, which would never end
            raise ConfigError(f"{what} {name} is neither a file nor {otherwise}")
        with path.open("rb") as file:
            content = file.read(_LARGEST_TOML + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {what} {name}: {error.strerror}") from error
    if len(content) > _LARGEST_TOML:
        raise ConfigError(f"{what} {name} is larger than {_LARGEST_TOML >> 20} MiB")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} {name} is not UTF-8: {error.reason}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{what} {name} is not valid TOML: {error}") from error
