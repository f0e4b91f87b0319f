"""What a study is about: everything that its workers must agree on."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from kosim.encoders.errors import ConfigError
from kosim.encoders.records import Kind
from kosim.experiments.data.partition import TrainingSet
from kosim.experiments.settings import CompareSettings, EncoderSettings, Settings, parse_settings
from kosim.experiments.tuning.space import Domain, check_space

Sampler = Literal["tpe", "grid", "random", "one-factor"]
Pruning = Literal["median", "hyperband"]
Metric = Literal["pearson", "f1"]


class TuneSettings(Settings):
    """The settings of a study; they are kept in its storage, where every worker reads them."""

    kind: Kind = Field(description="bi or cross.")
    comparison: CompareSettings = Field(description="The data, the seeds and the base values.")
    space: dict[str, Domain] = Field(description="What varies.")
    sampler: Sampler = Field("tpe", description="How the values of a trial are chosen.")
    trials: int | None = Field(
        None, ge=1, description="Trials; of a grid and of one-factor all, when None."
    )
    metric: Metric = Field("pearson", description="Validation value that is maximised.")
    prune: Pruning | None = Field(None, description="How hopeless trials are ended early.")
    seed: int = Field(0, ge=0, description="Of the sampler.")

    @model_validator(mode="after")
    def _tunable(self) -> Self:
        check_space(self.space, self.base)
        return self

    @property
    def name(self) -> str:
        """The comparison's name of the encoder that is tuned: the first of its kind."""
        return first_of_kind(self.comparison, self.kind)

    @property
    def base(self) -> EncoderSettings:
        """The settings of that encoder before tuning; its epoch is chosen by the metric."""
        encoder = self.comparison.encoders[self.name]
        if encoder.artifact is not None:
            raise ConfigError(
                f"{self.name} is the saved encoder {encoder.artifact}, which is not trained; give "
                "a backbone to tune"
            )
        training = encoder.training.model_copy(update={"select": self.metric})
        return encoder.model_copy(update={"training": training})

    @property
    def seeds(self) -> list[int]:
        """The seeds of every trial; its value is their mean."""
        return self.comparison.seeds

    def to_json(self) -> str:
        """Return the settings as the storage keeps them."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ConfigError: it wrote something else.
        """
        try:
            raw = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"the settings of the study are damaged: {error}") from error
        if not isinstance(raw, dict):
            raise ConfigError("the settings of the study are damaged: they are not a JSON object")
        return parse_settings(cls, raw)


def first_of_kind(comparison: CompareSettings, kind: Kind) -> str:
    """Return the name of the first encoder of a kind.

    Raises:
        ConfigError: there is none.
    """
    for name, encoder in comparison.encoders.items():
        if encoder.kind == kind:
            return name
    raise ConfigError(f"the config has no {kind}-encoder to tune")


def data_fingerprint(pairs: TrainingSet) -> str:
    """Return a SHA-256 over the training and validation pairs and their labels, in order."""
    digest = hashlib.sha256()
    for part in (pairs.train, pairs.validation):
        rows: list[Any] = [list(part.sentence1), list(part.sentence2), part.labels.tolist()]
        digest.update(json.dumps(rows, ensure_ascii=False).encode())
    return digest.hexdigest()
