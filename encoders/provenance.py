"""``kosim.json`` of a tokenizer or a backbone: its text step, and how it was made.

That of a saved encoder says much more; see `encoders.artifact`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kosim.encoders.artifact import FORMAT, MANIFEST, library_versions
from kosim.encoders.errors import BackboneError
from kosim.encoders.storage import write_json
from kosim.encoders.tokenizers.text_step import TEXT_STEPS


class Provenance(BaseModel):
    """What the model's own files do not say; ``made`` is one entry for each step of its making."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    text_step: str | None = None
    made: list[dict[str, Any]] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=library_versions)

    def then(self, step: dict[str, Any]) -> Provenance:
        """Return this with one more entry, and the versions of now."""
        return Provenance(text_step=self.text_step, made=[*self.made, step])

    def write(self, folder: Path) -> None:
        """Write it into a folder that is being filled."""
        write_json(folder / MANIFEST, self.model_dump(mode="json"))


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
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Provenance.model_validate(content)
    except ValueError as error:  # also what json, UTF-8 and pydantic raise
        reason = str(error).splitlines()[0]
        raise BackboneError(f"{path} is damaged: {reason}; restore or remake the folder") from error
    if found.format > FORMAT:
        raise BackboneError(f"{path} is of format {found.format}, newer than {FORMAT}; upgrade")
    if found.text_step is not None and found.text_step not in TEXT_STEPS:
        raise BackboneError(
            f"{path} names the text step {found.text_step!r}, which this version of kosim does "
            "not know; upgrade kosim"
        )
    return found
