"""What a corpus is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Document:
    """One sentence of a corpus.

    ``id`` is unique in an index; two documents may have the same ``text``. ``extra`` holds the
    other columns of its record, JSON values by name, and comes back with every hit.
    """

    id: str
    text: str
    extra: Mapping[str, Any] = field(default_factory=dict)
