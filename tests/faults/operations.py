"""What is done to an index or encoder while faults happen, and what must be there afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kosim.index.adaptive.policy import CandidatePolicy, PolicyIdentity
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.sharding.folder import Shards
from kosim.index.sharding.split import split_index
from kosim.index.store import commit
from tests.index.lexical_stand_ins import Words
from tests.index.vectors import DIMENSION, ENCODER

SEGMENT_ROWS = 40
BLOCK = 16

Content = dict[str, int]
"""The version of each document: its text and its vector follow from its id and version."""


def document(name: str, version: int) -> Document:
    """Return a document of a version."""
    return Document(name, f"{name}의 {version}번째 판", {"판": version})


def vector(name: str, version: int) -> np.ndarray:
    """Return its vector."""
    values = np.random.default_rng([int(name), version]).standard_normal(DIMENSION)
    return (values / np.linalg.norm(values)).astype(np.float32)


def arguments(content: Content) -> tuple[list[Document], np.ndarray]:
    """Return documents and their vectors."""
    vectors = np.stack([vector(name, version) for name, version in content.items()])
    return [document(name, version) for name, version in content.items()], vectors


def blocks(content: Content, size: int = 20) -> Iterator[tuple[list[Document], np.ndarray]]:
    """Yield documents and vectors as `CorpusIndex.create` takes them."""
    documents, vectors = arguments(content)
    for start in range(0, len(documents), size):
        yield documents[start : start + size], vectors[start : start + size]


class TextEncoder:
    """What `build_index` asks of a bi-encoder; a text's vector follows from the text."""

    kind = "bi"
    precision = "fp32"
    dimension = DIMENSION
    name = ENCODER.name

    def fingerprint(self) -> str:
        return ENCODER.fingerprint

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([vector(*self._parts(text)) for text in texts])

    @staticmethod
    def _parts(text: str) -> tuple[str, int]:
        name, _, rest = text.partition("의 ")
        return name, int(rest.partition("번째")[0])


ENCODES: Any = TextEncoder()
OLD: Content = {str(number): 1 for number in range(90)}
NEW: Content = {str(number): 2 for number in range(30, 110)}
ADDED: Content = {str(number): 3 for number in range(200, 212)}
MANY: Content = {str(number): 4 for number in range(300, 400)}


def old_index(work: Path) -> None:
    """Write an index of three segments with removals, and a log."""
    folder = work / "index"
    CorpusIndex.create(folder, ENCODER, blocks(OLD), segment_rows=SEGMENT_ROWS)
    index = CorpusIndex.open(folder)
    index.remove(["3", "50", "51"])
    index.add(*arguments({"150": 1, "151": 1}))
    index.remove(["150"])
    LexicalIndex(folder, analyzer=Words()).prepare(index.snapshot)


def read_index(folder: Path) -> dict[str, Any]:
    """Return what an index holds; nothing may be wrong with it."""
    index = CorpusIndex.open(folder)
    problems = index.verify()
    if problems:
        raise AssertionError(f"verify: {problems}")
    rows = index.rows()
    documents, vectors = index.documents(rows), index.vectors(rows)
    found: dict[str, Any] = {}
    for one, stored in zip(documents, vectors, strict=True):
        version = int(one.extra["판"])
        if one != document(one.id, version) or not np.array_equal(stored, vector(one.id, version)):
            raise AssertionError(f"document {one.id} is not what was added: {one}")
        found[one.id] = version
    if len(found) != len(documents):
        raise AssertionError("an id is there twice")
    if documents:
        scores, nearest = index.search(vectors[:3], 1)
        if nearest[:, 0].tolist() != rows[:3].tolist() or not np.allclose(scores, 1, atol=1e-5):
            raise AssertionError("a document is not found by its own vector")
        words = LexicalIndex(folder, analyzer=Words())
        lexical = words.search(index.snapshot, [documents[0].text], 1)
        if lexical.rows[0, 0] != rows[0]:
            raise AssertionError("a document is not found by its own words")
    return found


def index_at(name: str) -> Callable[[Path], Any]:
    """Return a reader of the index of that name: None where there is none."""

    def read(work: Path) -> Any:
        return read_index(work / name) if (work / name).exists() else None

    return read


def read_shards(work: Path) -> Any:
    """Return what shards hold, and the index that they were cut from."""
    shards = work / "shards"
    cut = None
    if shards.exists():
        cut = [read_index(index.folder) for index in Shards.open(shards).indexes.values()]
    return [read_index(work / "index"), cut]


def read_words(work: Path) -> Any:
    """Return what is found by words, all of it stored or not."""
    index = CorpusIndex.open(work / "index")
    words = LexicalIndex(work / "index", analyzer=Words())
    found = words.search(index.snapshot, ["10의 판", "150의", "60의 1번째 판"], 9)
    if problems := words.verify(index.snapshot):
        raise AssertionError(f"verify: {problems}")
    return [found.rows.tolist(), found.scores.round(4).tolist()]


def save_policy(work: Path) -> None:
    """Fit and write a policy of candidates."""
    random = np.random.default_rng(3)
    cosines = -np.sort(-random.random((30, 20)), axis=1)
    identity = PolicyIdentity("f" * 64, "e" * 64, documents=89, generation=1)
    policy = CandidatePolicy.fit(cosines, random.random((30, 20)), identity, floor=0.5)
    policy.save(work / "index")


def read_policy(work: Path) -> Any:
    """Return a hash of the policy, None where there is none."""
    folder = work / "index" / "policies"
    if not folder.is_dir() or not any(folder.glob("[!.]*")):
        return None
    policy = CandidatePolicy.load(work / "index", "f" * 64, "e" * 64)
    return hashlib.sha256(policy.cosines.tobytes() + policy.scores.tobytes()).hexdigest()


def _with_index(run: Callable[[CorpusIndex], object]) -> Callable[[Path], None]:
    def call(work: Path) -> None:
        run(CorpusIndex.open(work / "index"))

    return call


def _create(work: Path) -> None:
    CorpusIndex.create(work / "index", ENCODER, blocks(OLD), segment_rows=SEGMENT_ROWS)


def _overwrite(work: Path) -> None:
    CorpusIndex.create(
        work / "index", ENCODER, blocks(NEW), overwrite=True, segment_rows=SEGMENT_ROWS
    )


def _build(work: Path) -> None:
    from kosim.index.build import build_index

    documents, _ = arguments(OLD)
    build_index(documents, ENCODES, work / "index", name="runs/bi", block_size=BLOCK)


def _extend(work: Path) -> None:
    from kosim.index.build import extend_index

    documents, _ = arguments(MANY)
    extend_index(CorpusIndex.open(work / "index"), documents, ENCODES, block_size=BLOCK)


def _words(work: Path) -> None:
    LexicalIndex(work / "index", analyzer=Words()).prepare(
        CorpusIndex.open(work / "index").snapshot
    )


def _without_words(work: Path) -> None:
    CorpusIndex.create(work / "index", ENCODER, blocks(OLD), segment_rows=SEGMENT_ROWS)
    CorpusIndex.open(work / "index").add(*arguments({"150": 1}))


def _split(work: Path) -> None:
    split_index(CorpusIndex.open(work / "index"), work / "shards", shards=2, overwrite=True)


def _old_shards(work: Path) -> None:
    old_index(work)
    split_index(CorpusIndex.open(work / "index"), work / "shards", shards=3)


_encoders: dict[str, Any] = {}


def load_encoders(folder: Path) -> None:
    """Make the encoders whose saving is disturbed; before the first process is forked off."""
    import torch

    from kosim.encoders.bi import BiEncoder
    from tests.encoders.tiny import write_koelectra

    torch.set_num_threads(1)

    backbone = write_koelectra(folder / "koelectra")
    for name, prompt in (("old", None), ("new", "query: ")):
        encoder = BiEncoder.from_backbone(str(backbone), prompt=prompt, device="cpu")
        _encoders[name] = encoder


def save_encoder(name: str, folder: Path) -> None:
    """Save one of them: "old" or "new"."""
    _encoders[name].save(folder, overwrite=True)


def _save(name: str) -> Callable[[Path], None]:
    return lambda work: save_encoder(name, work / "encoder")


def read_encoder(work: Path) -> Any:
    """Return what a saved encoder is, file by file: a cut one would fit a manifest that is cut."""
    from kosim.encoders.artifact import read_manifest

    folder = work / "encoder"
    if not folder.exists():
        return None
    files = {name: sha for name, sha in read_manifest(folder).files.items() if name != "README.md"}
    return [read_manifest(folder).fingerprint, files]


@dataclass(frozen=True)
class Operation:
    """One change that is committed whole or not at all.

    ``prepare`` writes what is there before; ``read`` returns what is there, JSON values, and
    raises where something is wrong. ``needs_torch``: it takes a process that has loaded torch,
    of which every fork costs more.
    """

    name: str
    prepare: Callable[[Path], None]
    run: Callable[[Path], None]
    read: Callable[[Path], Any]
    needs_torch: bool = False


def _nothing(work: Path) -> None:
    work.mkdir(exist_ok=True)


_index = index_at("index")
OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("create", _nothing, _create, _index),
        Operation("overwrite", old_index, _overwrite, _index),
        Operation("build", _nothing, _build, _index, needs_torch=True),
        Operation("add", old_index, _with_index(lambda i: i.add(*arguments(ADDED))), _index),
        Operation(
            "replace",
            old_index,
            _with_index(
                lambda i: i.add(*arguments({**ADDED, "5": 3, "151": 3}), on_duplicate="replace")
            ),
            _index,
        ),
        Operation("long add", old_index, _with_index(lambda i: i.add(*arguments(MANY))), _index),
        Operation("extend", old_index, _extend, _index, needs_torch=True),
        Operation("remove", old_index, _with_index(lambda i: i.remove(["7", "45", "151"])), _index),
        Operation(
            "compact",
            old_index,
            _with_index(lambda i: i.compact(type="flat", segment_rows=SEGMENT_ROWS)),
            _index,
        ),
        Operation(
            "compact hnsw",
            old_index,
            _with_index(lambda i: i.compact(type="hnsw", segment_rows=SEGMENT_ROWS)),
            _index,
        ),
        Operation("words", _without_words, _words, read_words),
        Operation("split", old_index, _split, read_shards),
        Operation("split again", _old_shards, _split, read_shards),
        Operation("policy", old_index, save_policy, read_policy),
        Operation("save", _nothing, _save("new"), read_encoder, needs_torch=True),
        Operation("save again", _save("old"), _save("new"), read_encoder, needs_torch=True),
    )
}


def shorten_limits() -> None:
    """Let a small addition be too long for the log."""
    commit.LOG_DOCUMENTS = 60


def as_json(value: Any) -> str:
    """Return a value that two states can be compared by."""
    return json.dumps(value, sort_keys=True)
