"""An index that a cluster builds is the one that one process builds, whoever dies meanwhile.

Workers compute exported encoders, for which they need not import torch.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ray.cluster_utils import Cluster

from benchmarks.local_cluster import processes
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import ClusterError, ConfigError, DataError, StorageError
from kosim.encoders.loading import load
from kosim.index.build import BuildProgress, build_index
from kosim.index.corpus import BadLines
from kosim.index.corpus_files import CorpusFiles
from kosim.index.corpus_index import CorpusIndex
from kosim.index.distributed import nodes
from kosim.index.distributed.build import build_index_on_cluster
from kosim.index.distributed.connection import connected
from tests.encoders.tiny import WORDS

BLOCK = 16


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three files: text, CSV with extra columns, and text with a bad line."""
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(1)
    lines = [" ".join(random.choice(WORDS, random.integers(2, 9))) for _ in range(300)]
    (folder / "a.txt").write_text("\n".join(lines[:120]) + "\n", encoding="utf-8")
    (folder / "inner").mkdir()
    rows = [f"r{number},{line},{number}" for number, line in enumerate(lines[120:230])]
    (folder / "b.csv").write_text("\n".join(["id,text,n", *rows]) + "\n", encoding="utf-8")
    rest = [*lines[230:250], "", *lines[250:]]
    (folder / "inner" / "c.txt").write_text("\n".join(rest) + "\n", encoding="utf-8")
    (folder / "_SUCCESS").touch()
    return folder


def build(exported: dict[str, Path], source: CorpusFiles, out: Path, **options: Any) -> CorpusIndex:
    return build_index_on_cluster(source, exported["bi"], out, block_size=BLOCK, **options)


def same(found: CorpusIndex, expected: CorpusIndex) -> None:
    """Documents in the same order, vectors alike but for rounding, and the same answers."""
    places = np.arange(len(expected))
    assert len(found) == len(expected)
    assert found.documents(places) == expected.documents(places)
    vectors = expected.vectors(places)
    np.testing.assert_allclose(found.vectors(places), vectors, atol=1e-5)
    for index in (found, expected):
        assert index.verify() == []
    scores, tops = expected.search(vectors[::7], 10)
    found_scores, found_tops = found.search(vectors[::7], 10)
    np.testing.assert_allclose(found_scores, scores, atol=1e-5)
    ties = np.isclose(np.diff(scores, axis=1), 0, atol=1e-5).any(axis=1)
    np.testing.assert_array_equal(found_tops[~ties], tops[~ties])


@pytest.fixture(scope="session")
def alone(
    corpus: Path, exported: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> CorpusIndex:
    """What a single process makes of the corpus."""
    source = CorpusFiles.find(corpus, bad_lines="skip")
    out = tmp_path_factory.mktemp("alone") / "index"
    return build_index(source.documents(), load(exported["bi"]), out, block_size=64)


def test_the_index_is_that_of_one_process(
    cluster: Cluster, corpus: Path, exported: dict[str, Path], alone: CorpusIndex, tmp_path: Path
) -> None:
    told: list[BuildProgress] = []
    skipped = BadLines()
    source = CorpusFiles.find(corpus, bad_lines="skip")
    index = build(exported, source, tmp_path / "index", progress=told.append, skipped=skipped)
    same(index, alone)
    assert index.ids([0, 120, 230]) == ["a.txt:1", "r0", "inner/c.txt:1"]
    assert told[-1] == BuildProgress(300, 0)
    assert skipped.count == 1
    assert "c.txt: line 21" in skipped.first[0]
    assert not (tmp_path / "index.building").exists()


def test_a_model_of_others_is_taken_and_cut_texts_are_counted(
    cluster: Cluster, encoders: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = Path(shutil.copytree(encoders["bi"], tmp_path / "foreign"))
    (foreign / "kosim.json").unlink()
    long = " ".join(WORDS * 5)
    texts = [WORDS[0], long, *WORDS[1:20], long + WORDS[3], *WORDS[20:], WORDS[1] + long]
    (tmp_path / "corpus.txt").write_text("\n".join(texts), encoding="utf-8")
    source = CorpusFiles.find(tmp_path / "corpus.txt")
    with caplog.at_level(logging.WARNING, logger="kosim"):
        index = build_index_on_cluster(source, foreign, tmp_path / "index", block_size=BLOCK)
    assert "texts cut at the 128 tokens that the bi-encoder reads: 3" in caplog.text
    encoder = load(foreign)
    assert isinstance(encoder, BiEncoder)
    vectors = index.vectors(np.arange(len(index)))
    np.testing.assert_allclose(vectors, encoder.encode(texts), atol=1e-5)


def workers() -> list[psutil.Process]:
    """Return the processes in which encoders are at work."""
    return processes(".*BlockEncoder")


def test_a_killed_worker_loses_and_doubles_nothing(
    cluster: Cluster, corpus: Path, exported: dict[str, Path], alone: CorpusIndex, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill(progress: BuildProgress) -> None:
        if not killed and progress.documents >= 2 * BLOCK:
            process = workers()[0]
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)

    source = CorpusFiles.find(corpus, bad_lines="skip")
    index = build(exported, source, tmp_path / "index", progress=kill)
    assert killed
    assert not psutil.pid_exists(killed[0])
    same(index, alone)


def test_a_killed_driver_goes_on(
    cluster: Cluster, corpus: Path, exported: dict[str, Path], alone: CorpusIndex, tmp_path: Path
) -> None:
    class Killed(BaseException):
        pass

    def kill(progress: BuildProgress) -> None:
        if progress.documents >= 5 * BLOCK:
            raise Killed

    source = CorpusFiles.find(corpus, bad_lines="skip")
    with pytest.raises(Killed):
        build(exported, source, tmp_path / "index", progress=kill)
    assert not (tmp_path / "index").exists()
    told: list[BuildProgress] = []
    index = build(exported, source, tmp_path / "index", progress=told.append)
    assert told[-1].resumed >= 5 * BLOCK
    same(index, alone)


def test_a_changed_corpus_is_refused(
    cluster: Cluster, exported: dict[str, Path], tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(WORDS[:3] * 10), encoding="utf-8")

    def kill(progress: BuildProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(exported, CorpusFiles.find(corpus), tmp_path / "index", progress=kill)
    corpus.write_text("\n".join(WORDS[3:6] * 10), encoding="utf-8")
    with pytest.raises(DataError, match="corpus was changed"):
        build(exported, CorpusFiles.find(corpus), tmp_path / "index")


def test_bad_lines_name_file_and_line(
    cluster: Cluster, corpus: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"c\.txt: line 21"):
        build(exported, CorpusFiles.find(corpus), tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_what_cannot_be_built_is_said_before_anything_starts(
    cluster: Cluster, corpus: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    source = CorpusFiles.find(corpus)
    with pytest.raises(ConfigError, match="standard input"):
        build(exported, CorpusFiles.find("-"), tmp_path / "index")
    with pytest.raises(ConfigError, match="cross-encoder"):
        build_index_on_cluster(source, exported["cross"], tmp_path / "index")
    with pytest.raises(ConfigError, match="tree"):
        build(exported, source, tmp_path / "index", type="tree")
    (tmp_path / "index").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        build(exported, source, tmp_path / "index")


def test_nodes_of_other_versions_are_named(
    cluster: Cluster,
    corpus: Path,
    exported: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = nodes.versions()
    monkeypatch.setattr(
        "kosim.index.distributed.build.versions", lambda: {**real, "torch": "9.9.9"}
    )
    with pytest.raises(ClusterError, match=r"node .* has torch .*, the driver 9\.9\.9"):
        build(exported, CorpusFiles.find(corpus), tmp_path / "index")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": Path("/nowhere/encoder")}, "cannot see the encoder /nowhere/encoder"),
        ({"encoder": Path("/")}, "cannot read the encoder"),
        ({"fingerprint": "0" * 64}, "another encoder"),
        ({"files": ("/nowhere/corpus.txt",)}, "cannot see /nowhere/corpus.txt"),
        ({"token": Path("/nowhere/out/token")}, "that all nodes share"),
    ],
)
def test_what_a_node_lacks_is_named(
    cluster: Cluster,
    exported: dict[str, Path],
    tmp_path: Path,
    change: dict[str, Any],
    message: str,
) -> None:
    with nodes.token_in(tmp_path) as token:
        needed = {
            "versions": nodes.versions(),
            "encoder": exported["bi"],
            "fingerprint": load(exported["bi"]).fingerprint(),
            "files": (),
            "token": token,
        }
        assert nodes.check_nodes(nodes.Requirements(**needed)) == 2
        started = time.monotonic()
        with pytest.raises(ClusterError, match=message):
            nodes.check_nodes(nodes.Requirements(**{**needed, **change}))
        assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "nothing answers at 127.0.0.1:1"),
        ("nonsense", "give host:port"),
        ("ray://127.0.0.1:10001", "give host:port"),
    ],
)
def test_no_cluster_at_an_address(
    address: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # other tests' cluster stays
    with pytest.raises(ClusterError, match=message), connected(address):
        pass
