"""Every error that kosim raises on purpose.

A message names the value that was wrong and says what to do about it, in one
line where possible: the command line prints it as it is and exits with 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KosimError(Exception):
    """Base of all errors that kosim raises on purpose."""


class ConfigError(KosimError):
    """A setting is unknown, impossible or contradicts another one."""


class DataError(KosimError):
    """A data file is missing, unreadable, or holds values that cannot be used."""


class DuplicateIdError(DataError):
    """A document is to be added under an id that an index has already."""


class BackboneError(KosimError):
    """A pretrained backbone is not there, is incomplete, or cannot be loaded."""


class ArtifactError(KosimError):
    """A saved artifact is not one, is damaged, or is of a newer format."""


class StorageError(KosimError):
    """An artifact or file could not be written whole (full disk, no permission, already there)."""


class UnconfirmedWriteError(StorageError):
    """Something was written and is in force, but a last step could not confirm that it lasts."""


class TrainingError(KosimError):
    """Training could not be carried out or its best checkpoint could not be restored."""


class UndefinedMetricError(KosimError):
    """A metric has no value on this data, such as a correlation with constant labels."""


class QualityError(KosimError):
    """An export changes scores more than is allowed."""


class MissingExtraError(KosimError):
    """A feature needs an optional package that is not installed."""


class CorpusIndexError(KosimError):
    """An index is not one, is damaged, of a newer format, or does not belong to an encoder."""


class IndexLockedError(CorpusIndexError):
    """Another process writes to the index and held the lock until the timeout."""


class ClusterError(KosimError):
    """A cluster is not there, its nodes differ, or its workers fail again and again."""


class RankError(KosimError):
    """The main process of a training on several failed; it says itself what was wrong."""


class ShardMissingError(ClusterError):
    """Nobody answers for a shard of an index."""


def left_out(error: ModuleNotFoundError, what: str) -> MissingExtraError:
    """Return what to say where ``what`` needs a package that an installation leaves out.

    Raises:
        ModuleNotFoundError: it is one of kosim's own modules that is missing.
    """
    package = (error.name or "").partition(".")[0]
    if package in ("", "kosim"):
        raise error
    return MissingExtraError(
        f"{what} needs {package}, which this installation leaves out: pip install kosim"
    )


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return a question that names what is spelled like ``given``, or nothing."""
    close = difflib.get_close_matches(given, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


_LONGEST_NAME = 300


def printable(text: object) -> str:
    """Return a text as one line that a terminal shows: others' names hold what they like."""
    shown = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in str(text)
    )
    if len(shown) > _LONGEST_NAME:
        shown = f"{shown[: _LONGEST_NAME // 2]}…{shown[-_LONGEST_NAME // 2 :]}"
    return shown
