"""What is remembered of an encoder wherever its vectors or scores are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class EncoderIdentity:
    """The encoder that something on the disk belongs to.

    ``fingerprint`` decides whether an encoder is the same; ``name``, the artifact's folder, is
    for messages and for opening it again; ``dimension`` is that of its vectors.
    """

    fingerprint: str
    name: str
    dimension: Annotated[int, Field(ge=1, le=65_536)]
