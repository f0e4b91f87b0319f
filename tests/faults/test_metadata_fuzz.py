"""Any content of the files that describe others: an error of ours, or what is really there."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kosim.encoders.artifact import MANIFEST as ENCODER_MANIFEST
from kosim.encoders.artifact import read_manifest
from kosim.encoders.compute.export_store import ExportStore
from kosim.encoders.errors import KosimError
from kosim.encoders.network_files import check_kind, check_sizes
from kosim.encoders.provenance import read_provenance
from kosim.encoders.storage import content_checksum
from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.retrieval.queries import judged_task
from kosim.index.corpus import read_corpus
from kosim.index.corpus_index import CorpusIndex
from kosim.index.sharding.folder import Shards
from kosim.index.sharding.split import split_index
from kosim.index.store.manifest import MANIFEST, SHARDS
from kosim.index.store.spool import Spool, SpoolSettings
from tests.encoders.tiny import tiny_encoder, write_koelectra
from tests.faults.operations import OLD, arguments, old_index, read_policy, read_words, save_policy
from tests.index.vectors import unit_vectors

FUZZED = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["../../x", "a" * 64, "", "\ud800", "/etc/passwd", "\x1b[2J", "cross", "flat"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def edited(draw: st.DrawFn, content: Any) -> Any:
    """Return JSON with one to three of its values replaced, removed, repeated or put in."""
    content = json.loads(json.dumps(content))
    for _ in range(draw(st.integers(1, 3))):
        node = content
        while isinstance(node, dict | list) and node:
            key = draw(
                st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node)))
            )
            child = node[key]
            if isinstance(child, dict | list) and child and draw(st.booleans()):
                node = child
                continue
            change = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
            if change == "replace":
                node[key] = draw(VALUES)
            elif change == "remove":
                del node[key]
            elif isinstance(node, dict):
                node[draw(st.text(max_size=6))] = draw(VALUES)
            else:
                node.append(draw(VALUES))
            break
    return content


class Subject:
    """A file of JSON that describes others, and what reads it."""

    def __init__(self, path: Path, read: Callable[[], Any], *, stamped: bool = False) -> None:
        self.path = path
        self.read = read
        self.sound = path.read_bytes()
        self.content = json.loads(self.sound)
        self.stamped = stamped

    def write(self, content: Any) -> None:
        """Put other content there, with the checksum that a forger would give it."""
        if self.stamped and isinstance(content, dict):
            content = {**content, "checksum": content_checksum(content)}
        self.path.write_text(json.dumps(content))


def _searched(index: CorpusIndex) -> None:
    """What an index gives must be what was put in, whatever its manifest says."""
    index.verify()
    documents, vectors = arguments(OLD)
    known = {document.id: document.text for document in documents}
    _, rows = index.search(unit_vectors(2, seed=1), 3)
    for document in index.documents(rows[rows >= 0]):
        assert known.get(document.id, document.text) == document.text
    assert len(vectors)


def _words_or_named(work: Path) -> None:
    """Search by words; what is wrong with the postings must be named by verify."""
    try:
        read_words(work)
    except AssertionError as error:
        if not str(error).startswith("verify: "):
            raise


@pytest.fixture(scope="module")
def subjects() -> Iterator[dict[str, Subject]]:
    """A file of each kind in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="kosim-fuzz-") as name:
        work = Path(name)
        old_index(work)
        shutil.copytree(work / "index", work / "whole")
        split_index(CorpusIndex.open(work / "whole"), work / "shards", shards=2)
        save_policy(work)
        policy = next((work / "index" / "policies").glob("[!.]*"))
        backbone = write_koelectra(work / "backbone")
        (backbone / ENCODER_MANIFEST).write_text(
            json.dumps({"format": 1, "text_step": None, "made": [{"step": "x"}], "versions": {}})
        )
        tiny_encoder("bi", backbone).save(work / "encoder")
        config = shutil.copytree(work / "encoder", work / "other")

        def opened() -> None:
            manifest = read_manifest(work / "encoder")
            check_kind(work / "encoder", manifest.kind, error=KosimError)
            manifest.encoder_arguments(work / "encoder")

        def sizes() -> None:
            check_kind(Path(config), "bi", error=KosimError)
            check_sizes(Path(config), error=KosimError)

        settings = SpoolSettings("f" * 64, "fp32", "runs/bi", 8, 16)
        with Spool.opened(work / "spool", settings):
            pass

        def spool() -> None:
            with Spool.opened(work / "spool", settings):
                pass

        run = work / "run"
        run.mkdir()
        (run / "results.json").write_text(json.dumps({"format": 1, "name": "x", "encoders": {}}))
        export = work / "exports" / "fp32"
        export.mkdir(parents=True)
        record = {"format": 4, "measured": "0" * 64, "fingerprint": "1" * 64}
        (export / "export.json").write_text(
            json.dumps({**record, "versions": {}, "files": {"model.onnx": "2" * 64}})
        )

        def exported() -> None:
            store = ExportStore("0" * 64)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(store, "_roots", lambda: [work / "exports"])
                patch.setattr("kosim.encoders.compute.export_store._versions", dict)
                assert store.find("fp32") is None

        yield {
            "kosim.json": Subject(work / "encoder" / ENCODER_MANIFEST, opened, stamped=True),
            "kosim.json of a backbone": Subject(
                backbone / ENCODER_MANIFEST, lambda: read_provenance(backbone)
            ),
            "config.json": Subject(Path(config) / "config.json", sizes),
            "modules.json": Subject(Path(config) / "modules.json", sizes),
            "manifest.json": Subject(
                work / "index" / MANIFEST,
                lambda: _searched(CorpusIndex.open(work / "index")),
                stamped=True,
            ),
            "shards.json": Subject(
                work / "shards" / SHARDS,
                lambda: [_searched(one) for one in Shards.open(work / "shards").indexes.values()],
            ),
            "policy.json": Subject(policy / "policy.json", lambda: read_policy(work)),
            "manifest of postings": Subject(
                next((work / "index" / "lexical").glob("0*/manifest.json")),
                lambda: _words_or_named(work),
            ),
            "build.json": Subject(work / "spool" / "build.json", spool),
            "results.json": Subject(run / "results.json", lambda: COMPARISON.read(run)),
            "export.json": Subject(export / "export.json", exported),
        }


IDS = ["하나", "둘"]
NAMES = (
    *("kosim.json", "kosim.json of a backbone", "config.json", "modules.json", "manifest.json"),
    *(
        "shards.json",
        "policy.json",
        "manifest of postings",
        "build.json",
        "results.json",
        "export.json",
    ),
)


def _check(subject: Subject) -> None:
    try:
        subject.read()
    except KosimError as error:
        assert "\n" not in str(error)
    finally:
        subject.path.write_bytes(subject.sound)


@pytest.mark.parametrize("name", NAMES)
@FUZZED
@given(data=st.data())
def test_edited_values(subjects: dict[str, Subject], name: str, data: st.DataObject) -> None:
    subject = subjects[name]
    subject.write(data.draw(edited(subject.content)))
    _check(subject)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@settings(FUZZED, max_examples=150)
@given(data=st.data())
def test_many_edited_values(subjects: dict[str, Subject], name: str, data: st.DataObject) -> None:
    subject = subjects[name]
    subject.write(data.draw(edited(subject.content)))
    _check(subject)


@pytest.mark.parametrize("name", NAMES)
@FUZZED
@given(data=st.data())
def test_damaged_bytes(subjects: dict[str, Subject], name: str, data: st.DataObject) -> None:
    subject = subjects[name]
    content = bytearray(subject.sound)
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    subject.path.write_bytes(content)
    _check(subject)


@FUZZED
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".txt", ".csv", ".jsonl", ".tsv"]))
def test_any_bytes_as_corpus_queries_and_judgments(content: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, sound = Path(name) / f"odd{suffix}", Path(name) / "sound.tsv"
        path.write_bytes(content)
        sound.write_text("query_id\ttext\n하나\t둘\n")
        reads: list[Callable[[], Any]] = [lambda: list(read_corpus(path))]
        reads += [
            lambda: judged_task(path, sound, IDS, IDS),
            lambda: judged_task(sound, path, IDS, IDS),
        ]
        for read in reads:
            try:
                read()
            except KosimError as error:
                assert "\n" not in str(error)
