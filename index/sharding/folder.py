"""A folder of shards: what they are, and whether they belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import CorpusIndexError, printable
from kosim.encoders.storage import named, put_back, read_versioned_json, write_json
from kosim.index.corpus_index import CorpusIndex
from kosim.index.store.manifest import MANIFEST, SHARDS, FileName

FORMAT: Literal[1] = 1


class ShardEntry(BaseModel):
    """One shard: the name of its folder, and how many documents it was written with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: FileName
    documents: int = Field(ge=0)


class ShardsManifest(BaseModel):
    """The content of ``shards.json``.

    ``first_generation`` is that of the index that was cut, 1 otherwise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    format: Literal[1] = FORMAT
    first_generation: int = Field(ge=1, default=1, alias="made")
    encoder: EncoderIdentity
    shards: tuple[ShardEntry, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Shards:
    """The shards of an index, all there and of one encoder, by name and in order.

    Each is a normal index, which can also be looked after by itself.
    """

    folder: Path
    encoder: EncoderIdentity
    first_generation: int
    indexes: dict[str, CorpusIndex]

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a folder of shards, or a normal index as the only shard.

        Raises:
            CorpusIndexError: it is neither, a shard is missing or damaged, or was made with
                another encoder.
        """
        folder = named(Path(folder))
        put_back(folder)
        if (folder / MANIFEST).is_file():
            index = CorpusIndex.open(folder)
            return cls(
                folder, index.encoder, index.first_generation, {folder.resolve().name: index}
            )
        manifest = _read_manifest(folder)
        encoder = manifest.encoder
        indexes = {entry.name: _opened(folder, entry.name) for entry in manifest.shards}
        if len(indexes) < len(manifest.shards):
            raise CorpusIndexError(f"{folder / SHARDS} names a shard twice; restore it")
        for name, index in indexes.items():
            if not _same(index.encoder, encoder):
                raise CorpusIndexError(
                    f"shard {name} of {folder} was made with the encoder {_name(index.encoder)}, "
                    f"the others with {_name(encoder)}; put back the shard that belongs there, or "
                    "make the shards again with `kosim index shard`"
                )
        return cls(folder, encoder, manifest.first_generation, indexes)

    def __len__(self) -> int:
        """Return the number of living documents."""
        return sum(len(index) for index in self.indexes.values())


def write_shards_manifest(
    folder: Path, encoder: EncoderIdentity, first_generation: int, indexes: dict[str, CorpusIndex]
) -> None:
    """Write ``shards.json``.

    Raises:
        StorageError: it cannot be written.
    """
    manifest = ShardsManifest(
        first_generation=first_generation,
        encoder=encoder,
        shards=tuple(
            ShardEntry(name=name, documents=len(index)) for name, index in indexes.items()
        ),
    )
    write_json(folder / SHARDS, manifest.model_dump(mode="json", by_alias=True))


def check_one_encoder(indexes: list[CorpusIndex]) -> None:
    """Check that all indexes are of one encoder, with as many dimensions.

    Raises:
        CorpusIndexError: one is of another; both indexes and encoders are named.
    """
    first = indexes[0]
    for other in indexes[1:]:
        if not _same(other.encoder, first.encoder):
            raise CorpusIndexError(
                f"{other.folder} was made with the encoder {_name(other.encoder)}, {first.folder} "
                f"with {_name(first.encoder)}; the shards of an index need one encoder: build one "
                "of them again"
            )


def _same(one: EncoderIdentity, other: EncoderIdentity) -> bool:
    return (one.fingerprint, one.dimension) == (other.fingerprint, other.dimension)


def _name(encoder: EncoderIdentity) -> str:
    known = f"{encoder.fingerprint[:12]}, {encoder.dimension} dimensions"
    return printable(f"{encoder.name} ({known})")


def _opened(folder: Path, name: str) -> CorpusIndex:
    path = folder / name
    if not path.is_dir():
        raise CorpusIndexError(
            f"shard {name} of {folder} is missing: {path} does not exist; restore it, or make the "
            "shards again with `kosim index shard`"
        )
    try:
        return CorpusIndex.open(path)
    except CorpusIndexError as error:
        raise CorpusIndexError(f"shard {name} of {folder}: {error}") from error


def _read_manifest(folder: Path) -> ShardsManifest:
    path = folder / SHARDS
    try:
        is_there = path.exists()
    except OSError as error:
        raise CorpusIndexError(f"cannot read {path}: {error.strerror}") from error
    if not is_there:
        raise CorpusIndexError(
            f"{folder} is not an index: it has neither {MANIFEST} nor {SHARDS}; make one with "
            "`kosim index build` or `kosim index shard`"
        )
    return read_versioned_json(path, ShardsManifest, newest=FORMAT, error=CorpusIndexError)


def shard_problems(folder: Path) -> list[str]:
    """Return what is wrong with a folder of shards or with one of them: nothing if all is sound."""
    try:
        indexes = Shards.open(folder).indexes
    except CorpusIndexError as error:
        return [str(error)]
    return [f"{name}: {problem}" for name, index in indexes.items() for problem in index.verify()]
