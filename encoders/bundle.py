"""The models that come with the package, and the names by which they are given."""

from __future__ import annotations

from pathlib import Path

MINI = "mini"
"""The bundled backbone: an ELECTRA of our own, small enough for the package."""

BUNDLED_ENCODERS = MINI_BI, MINI_CROSS = "mini-bi", "mini-cross"
"""The bundled encoders, which were trained from `MINI` on KLUE-STS."""

BUNDLED_NAMES = (MINI, *BUNDLED_ENCODERS)
"""All that can be a backbone: an encoder may be trained further."""

BUNDLED = Path(__file__).parent / "bundled"


def saved_encoder(name: str | Path) -> Path:
    """Return the folder of a saved encoder, which is given by its path or, if bundled, by name.

    A folder of the user's that has such a name is given by its path: ``./mini-bi``. What is
    returned is no name, so that it stays the same when it is asked for again.
    """
    if str(name) in BUNDLED_ENCODERS:
        return BUNDLED / str(name)
    path = Path(name)
    return path.absolute() if str(path) in BUNDLED_ENCODERS else path


def name_of(folder: str | Path) -> str:
    """Return the name of a bundled encoder's folder, and the path of any other as it was given.

    Where an installation keeps the bundled encoders means nothing elsewhere.
    """
    path = Path(folder)
    return path.name if is_bundled(path) else str(folder)


def is_bundled(folder: Path) -> bool:
    """Say whether a folder lies in the package, where nothing is to be written."""
    return folder.resolve().parent == BUNDLED.resolve()
