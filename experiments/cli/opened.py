"""What the search commands open: an index and the encoders that go with it."""

from __future__ import annotations

from pathlib import Path

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.compute_options import ComputeOptions
from kosim.index.corpus_index import CorpusIndex
from kosim.index.index_encoder import check_encoder, encoder_folder


def open_bi_encoder(folder: str | Path, compute: ComputeOptions) -> BiEncoder:
    """Open a saved bi-encoder.

    Raises:
        ConfigError: it is a cross-encoder.
        ArtifactError: it is no encoder, or damaged.
    """
    encoder = compute.load(folder)
    if not isinstance(encoder, BiEncoder):
        raise ConfigError(
            f"{folder} is a {encoder.kind}-encoder; an index needs a bi-encoder (a cross-encoder "
            "can be its --reranker)"
        )
    return encoder


def open_index_encoder(
    index: CorpusIndex, given: Path | None, compute: ComputeOptions
) -> BiEncoder:
    """Open the encoder that made an index, from where it was or where it is ``given``.

    Raises:
        CorpusIndexError: it is not where it was, or another one is there.
        ConfigError: it is a cross-encoder.
        ArtifactError: it is no encoder, or damaged.
    """
    folder = given or encoder_folder(index, option="--encoder")
    encoder = open_bi_encoder(folder, compute)
    check_encoder(index, encoder)
    return encoder


def open_reranker(folder: Path | None, compute: ComputeOptions) -> PairEncoder | None:
    """Open the encoder that is to rerank, of either kind; None where there is to be none.

    Raises:
        ArtifactError: it is no encoder, or damaged.
    """
    return None if folder is None else compute.load(folder)
