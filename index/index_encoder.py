"""The encoder of an index: where it is, and whether a given one is the same."""

from __future__ import annotations

from pathlib import Path

from kosim.encoders.bundle import saved_encoder
from kosim.encoders.errors import ConfigError, CorpusIndexError
from kosim.encoders.foreign import is_foreign
from kosim.encoders.interface import Encoder, SentenceEncoder
from kosim.index.searchable import HoldsVectors


def check_opened(**given: object) -> None:
    """Check that none of some named encoders and indexes is a mere name or path.

    Raises:
        ConfigError: one is; how to open it is said.
    """
    for name, one in given.items():
        if isinstance(one, str | Path):
            opening = "kosim.CorpusIndex.open" if name == "index" else "kosim.load"
            raise ConfigError(f"{name} is the name {str(one)!r}; give {opening}({str(one)!r})")


def check_bi(encoder: Encoder) -> None:
    """Check that an encoder makes the vectors of single sentences.

    Raises:
        ConfigError: it is a cross-encoder.
    """
    if encoder.kind != "bi":
        raise ConfigError(
            f"{encoder.backbone.path} is a {encoder.kind}-encoder; an index needs a bi-encoder (a "
            "cross-encoder can rerank)"
        )


def check_encoder(index: HoldsVectors, encoder: SentenceEncoder) -> None:
    """Check that an index holds the vectors of ``encoder``.

    Raises:
        CorpusIndexError: it holds those of another one; both are named.
    """
    given, expected = encoder.fingerprint(), index.encoder.fingerprint
    if given != expected:
        raise CorpusIndexError(
            f"{index.folder} was made with the encoder {index.encoder.name} "
            f"({expected[:12]}), not with the given one, of backbone {encoder.backbone.name} "
            f"({given[:12]}); search with the former, or build an index with the latter"
        )


def encoder_folder(index: HoldsVectors, *, option: str) -> Path:
    """Return the folder of the encoder that made an index.

    Args:
        index: the index.
        option: where a user can say that the encoder was moved.

    Raises:
        CorpusIndexError: it is not there any more.
    """
    folder = saved_encoder(index.encoder.name)
    if not folder.is_dir() and not is_foreign(folder):
        raise CorpusIndexError(
            f"{index.folder} was made with the encoder {folder} "
            f"({index.encoder.fingerprint[:12]}), which no longer exists; say where it is "
            f"with {option}"
        )
    return folder
