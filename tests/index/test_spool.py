"""The spool of a build: a block is there whole or not at all, and damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import (
    StorageError,
)
from kosim.index.store.block import Block, Columns
from kosim.index.store.spool import Spool, SpoolSettings
from tests.index.builds import CORPUS, Watched, assert_holds, build


def _spooled(folder: Path) -> SpoolSettings:
    settings = SpoolSettings("f", "fp32", "e", 2, 4)
    with Spool.opened(folder, settings) as spool:
        for number in range(3):
            vectors = np.tile(np.float32([1, 0]), (4, 1))
            block = Block.of_documents(CORPUS[4 * number : 4 * number + 4], vectors, 2)
            spool.write(number, block)
    return settings


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _swap(path: Path) -> None:
    other = path.with_name(path.name.replace("1", "2"))
    kept = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


DAMAGES = {"flipped": _flip, "swapped": _swap, "cut": _cut, "missing": Path.unlink}


@pytest.mark.parametrize("suffix", ["json", "jsonl", "npy"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_block_is_named_and_not_taken_for_finished(
    tmp_path: Path, damage: str, suffix: str
) -> None:
    settings = _spooled(tmp_path / "s")
    if damage == "swapped" and suffix == "npy":
        vectors = np.tile(np.float32([0, 1]), (4, 1))
        with Spool.opened(tmp_path / "s", settings) as spool:
            spool.write(2, Block.of_documents(CORPUS[8:12], vectors, 2))
    DAMAGES[damage](tmp_path / "s" / f"block-000001.{suffix}")
    with Spool.opened(tmp_path / "s", settings) as spool:
        assert spool.holds(0, Columns.checked(CORPUS[:4]))
        assert not spool.holds(1, Columns.checked(CORPUS[4:8]))
        with pytest.raises(StorageError, match=r"block 1 of .* is damaged .*encodes that block"):
            list(spool.blocks(3))


def test_a_missing_block_is_not_the_end_of_a_build(tmp_path: Path) -> None:
    settings = _spooled(tmp_path / "s")
    (tmp_path / "s" / "block-000001.json").unlink()
    with Spool.opened(tmp_path / "s", settings) as spool:
        assert spool.finished == 3
        spool.write(1, Block.of_documents(CORPUS[4:8], np.tile(np.float32([1, 0]), (4, 1)), 2))
        assert [name for block in spool.blocks(3) for name in block.ids] == [
            document.id for document in CORPUS[:12]
        ]


@pytest.mark.parametrize("suffix", ["json", "jsonl", "npy"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "missing"])
def test_a_build_encodes_damaged_blocks_anew(
    bi: BiEncoder, tmp_path: Path, damage: str, suffix: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "index", Watched(bi, fails_at=3))
    DAMAGES[damage](tmp_path / "index.building" / f"block-000001.{suffix}")
    watched = Watched(bi)
    index = build(tmp_path / "index", watched)
    assert watched.calls == 2  # the damaged block and the fourth
    assert_holds(index, CORPUS, bi)


def test_damaged_settings_are_named(tmp_path: Path) -> None:
    settings = SpoolSettings("f", "fp32", "e", 2, 4)
    with Spool.opened(tmp_path / "s", settings):
        pass
    (tmp_path / "s" / "build.json").write_text("{")
    with (
        pytest.raises(StorageError, match=r"build\.json is damaged"),
        Spool.opened(tmp_path / "s", settings),
    ):
        pass


def test_spool_says_what_it_is(tmp_path: Path) -> None:
    with Spool.opened(tmp_path / "s", SpoolSettings("f", "fp32", "e", 2, 4)):
        begun = json.loads((tmp_path / "s" / "build.json").read_text())
    assert begun["fingerprint"] == "f" and begun["format"] == 2
