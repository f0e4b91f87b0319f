"""Building and extending an index: what is in it, and what a kill, a change or an error leaves."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kosim.encoders.base import FloatArray
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import (
    ConfigError,
    CorpusIndexError,
    DataError,
    IndexLockedError,
    KosimError,
    StorageError,
)
from kosim.index import build as build_module
from kosim.index.build import BuildProgress, build_index, extend_index
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.store.block import Block, Columns
from kosim.index.store.spool import Spool, SpoolSettings
from tests.encoders.tiny import WORDS

BLOCK = 8


class Watched(BiEncoder):
    """A bi-encoder that counts what it encodes, and fails before the block of that number."""

    def __init__(self, encoder: BiEncoder, *, fails_at: int | None = None) -> None:
        super().__init__(encoder.model, backbone=encoder.backbone)
        self.encoded: list[str] = []
        self.calls = 0
        self.fails_at = fails_at

    def encode(
        self, texts: Sequence[str], *, batch_size: int = 64, progress: bool = False
    ) -> FloatArray:
        if self.calls == self.fails_at:
            raise KeyboardInterrupt
        self.calls += 1
        self.encoded += texts
        return super().encode(texts, batch_size=batch_size, progress=progress)


def documents(count: int, *, prefix: str = "d", seed: int = 0) -> list[Document]:
    """Return documents of one to six words, with an extra value each."""
    random = np.random.default_rng(seed)
    return [
        Document(f"{prefix}{i}", " ".join(random.choice(WORDS, random.integers(1, 7))), {"n": i})
        for i in range(count)
    ]


CORPUS = documents(30)


def build(
    folder: Path, encoder: BiEncoder, corpus: Sequence[Document] = CORPUS, **options: Any
) -> CorpusIndex:
    return build_index(iter(corpus), encoder, folder, **{"block_size": BLOCK, **options})


def content(index: CorpusIndex) -> tuple[list[Document], FloatArray]:
    places = index.rows()
    return index.documents(places), index.vectors(places)


def assert_holds(index: CorpusIndex, corpus: Sequence[Document], encoder: BiEncoder) -> None:
    """Check documents, and vectors against those of one encoding of everything."""
    found, vectors = content(index)
    assert found == list(corpus)
    wanted = encoder.encode([document.text for document in corpus])
    np.testing.assert_allclose(vectors, wanted, atol=1e-5)
    assert index.verify() == []


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def checksum(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "lock" not in path.name
    }


@pytest.mark.parametrize("count", [1, BLOCK, BLOCK + 1, 30])
def test_index_holds_the_corpus(bi: BiEncoder, tmp_path: Path, count: int) -> None:
    index = build(tmp_path / "index", bi, CORPUS[:count])
    assert_holds(index, CORPUS[:count], bi)
    assert index.encoder.fingerprint == bi.fingerprint()
    assert index.encoder.name == str(bi.backbone.path.resolve())
    assert names(tmp_path) == ["index"]


def test_text_that_repeats_in_a_block_is_encoded_once(bi: BiEncoder, tmp_path: Path) -> None:
    seen: list[int] = []
    original = bi.runtime.run

    def spy(batch: Any) -> Any:
        seen.append(len(batch["input_ids"]))
        return original(batch)

    twice = [Document(str(i), WORDS[i % 3]) for i in range(6)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bi.runtime, "run", spy)
        index = build(tmp_path / "index", bi, twice)
    assert seen == [3]
    assert len(index) == 6


def test_progress_counts_documents(bi: BiEncoder, tmp_path: Path) -> None:
    told: list[BuildProgress] = []
    build(tmp_path / "index", bi, progress=told.append)
    assert told == [BuildProgress(n, 0) for n in (8, 16, 24, 30)]


def test_interrupted_build_goes_on_where_it_stopped(bi: BiEncoder, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "index", Watched(bi, fails_at=2))
    assert not (tmp_path / "index").exists()
    told: list[BuildProgress] = []
    again = Watched(bi)
    index = build(tmp_path / "index", again, progress=told.append)
    assert again.encoded == [document.text for document in CORPUS[2 * BLOCK :]]
    assert told[-1] == BuildProgress(30, 16)
    whole = build(tmp_path / "whole", bi)
    np.testing.assert_array_equal(index.vectors(index.rows()), whole.vectors(whole.rows()))
    assert content(index)[0] == CORPUS
    assert names(tmp_path) == ["index", "whole"]


def _killed_at_sync(folder: Path, encoder: BiEncoder, number: int) -> int | None:
    """Build in a process that is killed before it flushes for the n-th time; its exit code."""

    def run() -> None:
        flush, left = os.fsync, number

        def fsync(descriptor: int) -> None:
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            flush(descriptor)

        os.fsync = fsync
        build(folder, encoder)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(60)
    return process.exitcode


def test_build_killed_at_any_write_is_finished_by_the_next(bi: BiEncoder, tmp_path: Path) -> None:
    whole = build(tmp_path / "whole", bi)
    for number in range(1, 200, 4):
        folder = tmp_path / f"index{number}"
        code = _killed_at_sync(folder, bi, number)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        index = CorpusIndex.open(folder) if folder.exists() else build(folder, bi)
        assert index.verify() == []
        assert content(index)[0] == CORPUS
        np.testing.assert_array_equal(index.vectors(index.rows()), whole.vectors(whole.rows()))
    assert code == 0
    assert number > 24


def test_resuming_with_a_changed_corpus_is_refused(bi: BiEncoder, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "index", Watched(bi, fails_at=2))
    changed = [*CORPUS[:9], Document("d9", "다른 글", {"n": 9}), *CORPUS[10:]]
    with pytest.raises(DataError, match=r"documents 9 to 16 differ.*'d8'.*remove that folder"):
        build(tmp_path / "index", bi, changed)
    assert_holds(build(tmp_path / "index", bi), CORPUS, bi)


def test_resuming_with_a_shorter_corpus_is_refused(bi: BiEncoder, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "index", Watched(bi, fails_at=2))
    with pytest.raises(DataError, match="ends after 8 documents, and more are encoded"):
        build(tmp_path / "index", bi, CORPUS[:BLOCK])


def test_resuming_with_another_encoder_is_refused(
    bi: BiEncoder, koelectra: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "index", Watched(bi, fails_at=2))
    other = BiEncoder.from_backbone(str(koelectra), max_length=32, device="cpu")
    with pytest.raises(StorageError) as caught:
        build(tmp_path / "index", other)
    for encoder in (bi, other):
        assert encoder.fingerprint()[:12] in str(caught.value)


def test_moved_encoder_goes_on(bi: BiEncoder, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "index", Watched(bi, fails_at=2), name="/here")
    again = Watched(bi)
    assert build(tmp_path / "index", again, name="/there").encoder.name == "/there"
    assert again.calls == 2


def test_two_builds_of_one_index_do_not_mix(bi: BiEncoder, tmp_path: Path) -> None:
    def corpus() -> Iterator[Document]:
        yield from CORPUS[:20]
        with pytest.raises(IndexLockedError, match="filled by another process"):
            build(tmp_path / "index", bi)
        yield from CORPUS[20:]

    index = build_index(corpus(), bi, tmp_path / "index", block_size=BLOCK)
    assert len(index) == 30


def test_folder_in_the_way_of_the_spool_is_kept(bi: BiEncoder, tmp_path: Path) -> None:
    (tmp_path / "index.building").mkdir()
    (tmp_path / "index.building" / "thesis.txt").write_text("x")
    with pytest.raises(StorageError, match="is no unfinished build"):
        build(tmp_path / "index", bi)
    assert (tmp_path / "index.building" / "thesis.txt").exists()


def test_existing_index_is_replaced_only_by_choice(bi: BiEncoder, tmp_path: Path) -> None:
    build(tmp_path / "index", bi)
    before = checksum(tmp_path / "index")
    with pytest.raises(StorageError, match="exists already"):
        build(tmp_path / "index", bi, CORPUS[:3])
    assert checksum(tmp_path / "index") == before
    assert len(build(tmp_path / "index", bi, CORPUS[:3], overwrite=True)) == 3


@pytest.mark.parametrize("place", [3, 25])
def test_id_that_stands_twice_is_refused(bi: BiEncoder, tmp_path: Path, place: int) -> None:
    twice = [*CORPUS[:place], Document("d1", "다른 글"), *CORPUS[place:]]
    with pytest.raises(DataError, match="id 'd1' stands twice"):
        build(tmp_path / "index", bi, twice)
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    "document, part",
    [
        (Document("x", " "), "document 'x'"),
        (Document("", "글"), "the id"),
        (Document("x", "글", {"set": {1}}), "extra values of id 'x'"),
        (Document("x", "글", {"n": float("nan")}), "extra values of id 'x'"),
    ],
)
def test_document_that_cannot_be_stored_is_refused(
    bi: BiEncoder, tmp_path: Path, document: Document, part: str
) -> None:
    with pytest.raises(DataError, match=part):
        build(tmp_path / "index", bi, [*CORPUS[:10], document])


def test_empty_corpus_leaves_nothing(bi: BiEncoder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the corpus is empty"):
        build(tmp_path / "index", bi, [])
    assert not names(tmp_path)


@pytest.mark.parametrize("options", [{"type": "annoy"}, {"block_size": 0}])
def test_impossible_setting_is_refused_before_encoding(
    bi: BiEncoder, tmp_path: Path, options: dict[str, Any]
) -> None:
    watched = Watched(bi)
    with pytest.raises(ConfigError):
        build(tmp_path / "index", watched, **options)
    assert not watched.calls


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


MORE = documents(20, prefix="m", seed=1)


def extend(
    index: CorpusIndex, encoder: BiEncoder, corpus: Sequence[Document] = MORE, **options: Any
) -> int:
    return extend_index(index, iter(corpus), encoder, **{"block_size": BLOCK, **options})


@pytest.mark.parametrize("count", [3, 20])
def test_added_documents_are_there(bi: BiEncoder, tmp_path: Path, count: int) -> None:
    index = build(tmp_path / "index", bi)
    assert extend(index, bi, MORE[:count]) == count
    assert_holds(CorpusIndex.open(tmp_path / "index"), [*CORPUS, *MORE[:count]], bi)
    assert names(tmp_path) == ["index"]


@pytest.mark.parametrize("count", [3, 20])
def test_known_id_is_refused_and_nothing_added(bi: BiEncoder, tmp_path: Path, count: int) -> None:
    index = build(tmp_path / "index", bi)
    before = checksum(tmp_path / "index")
    with pytest.raises(DataError, match="id 'd5' is in "):
        extend(index, bi, [*MORE[: count - 1], Document("d5", "다른 글")])
    assert checksum(tmp_path / "index") == before


@pytest.mark.parametrize("count", [3, 20])
def test_known_id_is_replaced_by_choice(bi: BiEncoder, tmp_path: Path, count: int) -> None:
    index = build(tmp_path / "index", bi)
    new = [Document("d5", WORDS[0]), *MORE[: count - 2], Document("d5", WORDS[1])]
    extend(index, bi, new, on_duplicate="replace")
    assert len(index) == 30 + count - 2
    place = index.locate(["d5"])
    assert index.texts(place) == [WORDS[1]]
    np.testing.assert_allclose(index.vectors(place), bi.encode([WORDS[1]]), atol=1e-5)


@pytest.mark.parametrize("count", [3, 20])
def test_id_twice_in_an_addition_is_refused(bi: BiEncoder, tmp_path: Path, count: int) -> None:
    index = build(tmp_path / "index", bi)
    with pytest.raises(DataError, match="id 'm0' stands twice"):
        extend(index, bi, [*MORE[:count], MORE[0]])
    assert len(index) == 30


def test_bad_text_in_a_late_block_adds_nothing(bi: BiEncoder, tmp_path: Path) -> None:
    index = build(tmp_path / "index", bi)
    before = checksum(tmp_path / "index")
    with pytest.raises(DataError, match="document 'bad'"):
        extend(index, bi, [*MORE, Document("bad", "")])
    assert checksum(tmp_path / "index") == before
    assert names(tmp_path) == ["index"]


def test_failure_between_commits_says_what_stays(
    bi: BiEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = build(tmp_path / "index", bi)
    monkeypatch.setattr(build_module, "ATOMIC", BLOCK)
    add, calls = index.add_block, 0

    def full(*arguments: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StorageError("the disk is full")
        add(*arguments, **options)

    monkeypatch.setattr(index, "add_block", full)
    with pytest.raises(StorageError, match="disk is full; the first 8 of 20 documents"):
        extend(index, bi)
    assert_holds(CorpusIndex.open(tmp_path / "index"), [*CORPUS, *MORE[:BLOCK]], bi)


def test_other_encoder_may_not_add(bi: BiEncoder, koelectra: Path, tmp_path: Path) -> None:
    index = build(tmp_path / "index", bi)
    other = BiEncoder.from_backbone(str(koelectra), max_length=32, device="cpu")
    with pytest.raises(CorpusIndexError) as caught:
        extend(index, other)
    for encoder in (bi, other):
        assert encoder.fingerprint()[:12] in str(caught.value)
    assert len(index) == 30


@pytest.mark.parametrize(
    "corpus, options, part",
    [([], {}, "corpus is empty"), (MORE, {"on_duplicate": "keep"}, "on_duplicate is 'keep'")],
)
def test_impossible_addition_is_refused(
    bi: BiEncoder, tmp_path: Path, corpus: list[Document], options: dict[str, Any], part: str
) -> None:
    index = build(tmp_path / "index", bi)
    with pytest.raises(KosimError, match=part):
        extend(index, bi, corpus, **options)
