"""``kosim.json`` of a tokenizer or a backbone: its text step, and how it was made.

That of a saved encoder says much more; see `encoders.artifact`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kosim.encoders.artifact import FORMAT as NEWEST
from kosim.encoders.artifact import MANIFEST, library_versions
from kosim.encoders.errors import BackboneError
from kosim.encoders.storage import read_versioned_json, write_json
from kosim.encoders.tokenizers.text_step import TEXT_STEPS

_FORMAT = 1


class Provenance(BaseModel):
    """What the model's own files do not say: ``steps`` has an entry for each step of its making."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    format: int = _FORMAT
    text_step: str | None = None
    steps: list[dict[str, Any]] = Field(default_factory=list, alias="made")
    versions: dict[str, str] = Field(default_factory=library_versions)

    def then(self, step: dict[str, Any]) -> Provenance:
        """Return this with one more entry, and the versions of now."""
        return Provenance(text_step=self.text_step, steps=[*self.steps, step])

    def write(self, folder: Path) -> None:
        """Write it into a folder that is being filled."""
        write_json(folder / MANIFEST, self.model_dump(mode="json", by_alias=True))


def read_provenance(folder: Path) -> Provenance:
    """Read what ``folder`` says of itself; a saved encoder's manifest serves too.

    Returns:
        An empty one where there is no ``kosim.json``.

    Raises:
        BackboneError: the file is damaged, of a newer format, or names a step that is unknown.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return Provenance()
    found = read_versioned_json(
        path,
        Provenance,
        newest=NEWEST,
        error=BackboneError,
        remedy="restore or remake the folder",
    )
    if found.text_step is not None and found.text_step not in TEXT_STEPS:
        raise BackboneError(
            f"{path} names the text step {found.text_step!r}, which this version of kosim does "
            "not know; upgrade kosim"
        )
    return found
