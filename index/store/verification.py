"""Reading everything that an index has on the disk, and saying what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kosim.encoders.errors import CorpusIndexError
from kosim.index.adaptive.policy_file import read_policy
from kosim.index.lexical.postings import damaged_files
from kosim.index.store.acknowledgement import acknowledgement_problems
from kosim.index.store.identifiers import hash_ids
from kosim.index.store.opening import open_snapshot
from kosim.index.store.snapshot import Snapshot

_ATTEMPTS = 10
WORDS = "lexical"
"""Where the postings of an index lie in it."""
POLICIES = "policies"
"""Where its candidate policies lie."""
_BLOCK = 65_536


def problems(folder: Path) -> list[str]:
    """Return what is wrong with an index as it was committed: nothing if it is sound.

    Checked are the manifest and its checksum, the size and SHA-256 of every file, the documents as
    Arrow data, the tables of id hashes, the CRCs of the log and that it holds everything that was
    acknowledged, that no two living documents have one id, the stored postings of words and the
    candidate policies.
    """
    found: list[str] = []
    for _ in range(_ATTEMPTS):
        try:
            snapshot = open_snapshot(folder)
        except CorpusIndexError as error:
            return [str(error)]
        try:
            found = [p for segment in snapshot.segments for p in segment.problems()]
            found += _beside(snapshot)
            return found or list(_repeated_ids(snapshot))
        except FileNotFoundError as error:
            found = [f"{error.filename or error} is missing"]
        except OSError as error:
            return [f"cannot read {error.filename or folder}: {error.strerror or error}"]
        except CorpusIndexError as error:
            return [str(error)]
        if open_snapshot(folder, snapshot).manifest_stamp == snapshot.manifest_stamp:
            break
    return found


def _beside(snapshot: Snapshot) -> Iterator[str]:
    """Yield what is wrong with the files that no segment has."""
    if snapshot.manifest.acknowledgement is not None:
        yield from acknowledgement_problems(snapshot.folder / snapshot.manifest.acknowledgement)
    for segment in snapshot.segments:
        postings = snapshot.folder / WORDS / segment.name
        if postings.is_dir():
            yield from damaged_files(postings)
    for policy in sorted((snapshot.folder / POLICIES).glob("[!.]*")):
        try:
            read_policy(policy)
        except CorpusIndexError as error:
            yield str(error)


def _repeated_ids(snapshot: Snapshot) -> Iterator[str]:
    rows = snapshot.rows()
    if not len(rows):
        return
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    hashes = np.concatenate([hash_ids(snapshot.ids(block)) for block in blocks])
    order = np.argsort(hashes, kind="stable")
    equal = np.flatnonzero(np.diff(hashes[order]) == 0)
    suspects = rows[order[np.union1d(equal, equal + 1)]]
    for name, count in Counter(snapshot.ids(suspects)).items():
        if count > 1:
            yield f"{snapshot.folder}: id {name!r} is there {count} times"
