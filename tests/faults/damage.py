"""Damaged bytes in every kind of file: refused, named by ``verify``, or without effect.

``python -m tests.faults.damage --trials 5000``; every trial copies a folder, changes a few bytes of
one of its files, and reads it in a process of its own.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kosim.encoders.errors import KosimError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.sharding.folder import Shards
from kosim.index.sharding.split import split_index
from tests.faults.operations import (
    BLOCK,
    ENCODES,
    OLD,
    SEGMENT_ROWS,
    arguments,
    as_json,
    load_encoders,
    old_index,
    read_policy,
    save_encoder,
    save_policy,
)
from tests.faults.server import in_child
from tests.index.lexical_stand_ins import Words
from tests.index.vectors import unit_vectors

_PAIRS = [("가 나", "다 라"), ("query", "가"), ("비 라", "나 가")]
_UNCHECKED = ("write.lock", ".lock", "README.md")
"""Files that hold nothing that is read."""


@dataclass(frozen=True)
class Subject:
    """Files of a kind: ``prepare`` writes them into a folder, ``read`` returns what they give.

    ``read`` raises a `KosimError` where they are refused, and returns None where a check names
    what is wrong with them.
    """

    prepare: Callable[[Path], object]
    read: Callable[[Path], Any]


def _found(index: CorpusIndex, lexical: Path) -> list[Any] | None:
    if index.verify():
        return None
    rows = index.rows()
    _, nearest = index.search(unit_vectors(5, seed=4), 7)
    words = LexicalIndex(lexical, analyzer=Words()).search(
        index.snapshot, ["10의 판", "60의 1번째 판"], 9
    )
    documents = [(one.id, one.text, dict(one.extra)) for one in index.documents(rows)]
    return [documents, index.vectors(rows).tolist(), nearest.tolist(), words.rows.tolist()]


def _index(work: Path) -> Any:
    return _found(CorpusIndex.open(work / "index"), work / "index")


def _hnsw(work: Path) -> None:
    old_index(work)
    CorpusIndex.open(work / "index").compact(type="hnsw", segment_rows=SEGMENT_ROWS)
    index = CorpusIndex.open(work / "index")
    index.remove(["7"])
    LexicalIndex(work / "index", analyzer=Words()).prepare(index.snapshot)


def _cut(work: Path) -> None:
    old_index(work)
    split_index(CorpusIndex.open(work / "index"), work / "shards", shards=2)
    shutil.rmtree(work / "index")


def _shards(work: Path) -> Any:
    shards = Shards.open(work / "shards")
    found = [_found(index, index.folder) for index in shards.indexes.values()]
    return None if None in found else [found, shards.first_generation]


def _policy(work: Path) -> None:
    (work / "index").mkdir(parents=True)
    save_policy(work)


def _half_a_build(work: Path) -> None:
    from kosim.index.build import build_index

    def ending() -> Any:
        documents, _ = arguments(OLD)
        yield from documents[: 3 * BLOCK + 4]
        raise KosimError("the corpus ends here")

    try:
        build_index(ending(), ENCODES, work / "index", name="runs/bi", block_size=BLOCK)
    except KosimError:
        return


def _build(work: Path) -> Any:
    from kosim.index.build import build_index

    documents, _ = arguments(OLD)
    build_index(documents, ENCODES, work / "index", name="runs/bi", block_size=BLOCK)
    return _index(work)


def _encoder(work: Path) -> Any:
    from kosim.encoders.loading import load

    encoder = load(work / "encoder", device="cpu")
    return [encoder.score(_PAIRS).tolist(), encoder.threshold, encoder.fingerprint()]


def _exported(work: Path) -> Any:
    from kosim.encoders.loading import load

    encoder = load(work / "encoder", backend="onnx")
    return [np.round(encoder.score(_PAIRS), 4).tolist(), encoder.fingerprint()]


def _export(work: Path) -> None:
    save_encoder("old", work / "encoder")
    _exported(work)


SUBJECTS = {
    "index": Subject(old_index, _index),
    "hnsw index": Subject(_hnsw, _index),
    "shards": Subject(_cut, _shards),
    "policy": Subject(_policy, read_policy),
    "unfinished build": Subject(_half_a_build, _build),
    "encoder": Subject(lambda work: save_encoder("old", work / "encoder"), _encoder),
    "export": Subject(_export, _exported),
}


@dataclass
class Report:
    """What was damaged, how reading it ended, and what was silently wrong."""

    ends: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ends = ", ".join(f"{name} {count:,}" for name, count in sorted(self.ends.items()))
        return f"{self.ends.total():,} damaged files ({ends}); {len(self.failures):,} failures"


def damage(path: Path, draw: random.Random) -> str:
    """Change a file and say how."""
    content = bytearray(path.read_bytes())
    kind = draw.choice(("flip", "zero", "cut", "grow", "empty", "overwrite"))
    at = draw.randrange(len(content)) if content else 0
    if kind == "flip" and content:
        content[at] ^= 1 << draw.randrange(8)
    elif kind == "zero":
        content[at : at + 64] = bytes(len(content[at : at + 64]))
    elif kind == "cut":
        del content[at:]
    elif kind == "grow":
        content += draw.randbytes(draw.randint(1, 64))
    elif kind == "empty":
        content.clear()
    else:
        content[at : at + 16] = draw.randbytes(len(content[at : at + 16]))
    path.write_bytes(content)
    return f"{kind} at {at}"


def sweep(folder: Path, names: list[str], *, trials: int, seconds: float, seed: int = 0) -> Report:
    """Damage files of the subjects in turn."""
    draw, report = random.Random(seed), Report()
    expected: dict[str, str] = {}
    for name in names:
        kept = folder / f"sound {name}"
        end = in_child(lambda name=name, kept=kept: SUBJECTS[name].prepare(kept) and None)  # type: ignore[misc]
        if end["end"] != "done":
            raise AssertionError(end)
        work = folder / "work"
        shutil.copytree(kept, work)
        expected[name] = _read(name, work)["value"]
        shutil.rmtree(work)
    deadline = time.monotonic() + seconds
    for number in range(trials):
        if time.monotonic() > deadline:
            break
        name = names[number % len(names)]
        work = folder / "work"
        shutil.copytree(folder / f"sound {name}", work)
        files = [
            path
            for path in sorted(work.rglob("*"))
            if path.is_file() and path.name not in _UNCHECKED and path.suffix != ".lock"
        ]
        path = draw.choice(files)
        how = f"{path.relative_to(work)}: {damage(path, draw)}"
        end = _read(name, work)
        problem = _problem(end, expected[name], report)
        if problem is not None:
            report.failures.append(f"{name}, {how}: {problem}")
        shutil.rmtree(work)
    return report


def _problem(end: dict[str, Any], expected: str, report: Report) -> str | None:
    if end["end"] == "refused":
        report.ends["refused"] += 1
        return "more than one line" if "\n" in end["message"] else None
    if end["end"] != "done":
        report.ends["crashed"] += 1
        return str(end.get("traceback", end))
    if end["value"] == as_json(None):
        report.ends["named by verify"] += 1
        return None
    if end["value"] != expected:
        report.ends["silently wrong"] += 1
        return "silently wrong"
    report.ends["without effect"] += 1
    return None


def _read(name: str, work: Path) -> dict[str, Any]:
    return in_child(lambda: as_json(SUBJECTS[name].read(work)))


def main() -> int:
    """Run the sweep that the arguments describe and say what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5_000, help="Files to damage.")
    parser.add_argument("--minutes", type=float, default=20, help="Time limit.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the damage.")
    parser.add_argument("subjects", nargs="*", help=f"Of: {', '.join(SUBJECTS)}.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kosim-damage-") as name:
        load_encoders(Path(name))
        report = sweep(
            Path(name),
            options.subjects or list(SUBJECTS),
            trials=options.trials,
            seconds=60 * options.minutes,
            seed=options.seed,
        )
    sys.stdout.write("".join(f"{failure}\n" for failure in report.failures))
    sys.stdout.write(f"{report}\n")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
