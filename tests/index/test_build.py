"""Building and extending an index: what is in it, and what a kill, a change or an error leaves."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import BUNDLED, MINI_BI
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import (
    ConfigError,
    DataError,
    IndexLockedError,
    StorageError,
)
from kosim.encoders.loading import load
from kosim.index.build import BuildProgress, build_index
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.index_encoder import encoder_folder
from kosim.index.mining import mine_texts
from tests.encoders.tiny import WORDS
from tests.index.builds import (
    BLOCK,
    CORPUS,
    Watched,
    assert_holds,
    build,
    checksum,
    content,
    names,
)


@pytest.mark.parametrize("count", [1, BLOCK, BLOCK + 1, 30])
def test_index_holds_the_corpus(bi: BiEncoder, tmp_path: Path, count: int) -> None:
    index = build(tmp_path / "index", bi, CORPUS[:count])
    assert_holds(index, CORPUS[:count], bi)
    assert index.encoder.fingerprint == bi.fingerprint()
    assert index.encoder.name == str(bi.backbone.path.resolve())
    assert names(tmp_path) == ["index"]


@pytest.mark.parametrize("given", ["name", "folder", None])
def test_a_bundled_encoder_is_remembered_by_its_name(tmp_path: Path, given: str | None) -> None:
    encoder = cast(BiEncoder, load(MINI_BI))
    names = {"name": MINI_BI, "folder": str(BUNDLED / MINI_BI), None: None}
    index = build(tmp_path / "index", encoder, CORPUS[:3], name=names[given])
    assert index.encoder.name == MINI_BI
    assert encoder_folder(index, option="--encoder") == BUNDLED / MINI_BI


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
    with pytest.raises(StorageError, match="is not an unfinished build"):
        build(tmp_path / "index", bi)
    assert (tmp_path / "index.building" / "thesis.txt").exists()


def test_an_index_below_a_file_is_refused_before_the_corpus_is_read(
    bi: BiEncoder, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    corpus = iter(CORPUS)
    with pytest.raises(StorageError, match="file is not a folder; choose another"):
        build_index(corpus, bi, tmp_path / "file" / "index")
    assert list(corpus) == list(CORPUS)


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
    with pytest.raises(DataError, match="id 'd1' appears twice"):
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


def test_a_cross_encoder_makes_no_index(cross: CrossEncoder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a cross-encoder; an index needs a bi-encoder"):
        build_index(["가"], cross, tmp_path / "index")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="is a cross-encoder; an index needs a bi-encoder"):
        mine_texts([Document("1", "가")], cross)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"type": "annoy"}, {"block_size": 0}])
def test_impossible_setting_is_refused_before_encoding(
    bi: BiEncoder, tmp_path: Path, options: dict[str, Any]
) -> None:
    watched = Watched(bi)
    with pytest.raises(ConfigError):
        build(tmp_path / "index", watched, **options)
    assert not watched.calls
