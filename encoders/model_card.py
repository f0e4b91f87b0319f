"""The card of an encoder: its data, recipe, results and limits, in Korean and English."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kosim.encoders.errors import ArtifactError

CARD = "card.toml"
"""Written for readers beside the artifact's other files; no score depends on it."""

_LARGEST = 100_000
"""Bytes of a card that is read."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Said(_Part):
    """A phrase in both languages."""

    en: str
    ko: str


class CardResult(_Part):
    """A figure that was measured on ``n`` items of a data set, with its interval."""

    metric: str
    data: Said
    n: int = Field(ge=1)
    value: float = Field(allow_inf_nan=False)
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)


class ModelCard(_Part):
    """What the maker of an encoder tells those who use it."""

    licence: str
    data: Said
    recipe: Said
    results: tuple[CardResult, ...] = ()
    limits: tuple[Said, ...] = ()


def read_card(folder: Path) -> ModelCard | None:
    """Return the card of an encoder's folder, None where there is none.

    Raises:
        ArtifactError: the card is not TOML, too large, or a field of it is wrong.
    """
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ArtifactError(
                f"{path} is larger than {_LARGEST:,} bytes; shorten it or remove it"
            )
        return ModelCard.model_validate(tomllib.loads(content.decode("utf-8")))
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ArtifactError(f"{path}: {field}: {first['msg']}; correct it or remove it") from error
    except ValueError as error:  # also of its encoding and of TOML
        raise ArtifactError(f"{path} is not TOML: {error}; correct it or remove it") from error
