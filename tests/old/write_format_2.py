"""Write indexes of format 2 with the last code that stores float32 vectors only, commit cc3c47e.

Run it from the root of a checkout of that commit, with the libraries of the present environment::

    git worktree add ../old cc3c47e
    cd ../old && PYTHONPATH=. python …/tests/old/write_format_2.py …/tests/old

The encoder and the first documents are those of ``files.tar.xz``. The result is
``format-2.tar.xz``: an index of two segments and a log, with removed documents in all of them; one
of compressed vectors; a build that was killed; and ``found.json``, what the old code found.
"""

from __future__ import annotations

import argparse
import json
import os
import tarfile
import tempfile
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

import pandas as pd

from kosim.encoders.bi import BiEncoder
from kosim.encoders.loading import load
from kosim.index.build import BuildProgress, build_index
from kosim.index.corpus import read_corpus
from kosim.index.corpus_index import CorpusIndex
from kosim.index.searcher import Searcher
from kosim.index.store import commit
from kosim.index.vectors.ivfpq import IvfpqFinder

ENCODER = "run/bi/seed-1"
BLOCK = 16
COMPRESSED = 300
"""Documents of the compressed index: FAISS trains 256 centroids on no fewer."""


class _KilledError(Exception):
    """Stands for a kill between two blocks."""


def write_graph(bi: BiEncoder) -> None:
    """Build a graph, then add and remove; four additions become a segment, two stay in the log."""
    corpus = list(read_corpus("corpus.csv", id_column="id"))
    index = build_index(corpus, bi, "hnsw.index", type="hnsw", name=ENCODER)
    commit.LOG_DOCUMENTS = 4
    more = list(read_corpus("more.csv", id_column="id"))
    for document in more[:4]:
        index.add([document], bi.encode([document.text]))
    index.remove(["d3", "d61"])
    index.add(more[4:], bi.encode([document.text for document in more[4:]]))
    index.remove(["d40", "d64"])


def write_compressed(bi: BiEncoder, sample: Path) -> None:
    """Build an index of fewer documents than one has that compresses its vectors."""
    IvfpqFinder.minimum_rows = COMPRESSED
    texts = pd.read_csv(sample, sep="\t", quoting=3).sentence1.drop_duplicates()[:COMPRESSED]
    build_index(list(texts), bi, "ivfpq.index", type="ivfpq", name=ENCODER)


def write_unfinished_build(bi: BiEncoder) -> None:
    """Begin a build and leave it after its second block of four."""

    def killed(progress: BuildProgress) -> None:
        if progress.documents >= 2 * BLOCK:
            raise _KilledError

    try:
        corpus = read_corpus("corpus.csv", id_column="id")
        build_index(corpus, bi, "half.index", name=ENCODER, progress=killed, block_size=BLOCK)
    except _KilledError:
        Path("half.index.building", "lock").unlink(missing_ok=True)


def found(bi: BiEncoder, name: str) -> dict[str, object]:
    """Return the ids of an index and the hits of every query."""
    index = CorpusIndex.open(name)
    queries = Path("queries.txt").read_text(encoding="utf-8").splitlines()
    results = Searcher(index, bi).search(queries, k=5)
    return {
        "ids": sorted(index.ids(index.rows())),
        "hits": [[[hit.id, hit.score] for hit in result.hits] for result in results],
    }


def anonymous(file: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out whose file it was."""
    file.uid = file.gid = 0
    file.uname = file.gname = ""
    return file


def main() -> None:
    """Write everything into a new folder and pack it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out.resolve()
    sample = Path("experiments/sample/train.tsv").resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with tarfile.open(out / "files.tar.xz") as archive:
            archive.extractall(".", filter="data")
        for old in ("hnsw.index", "half.index.building"):
            Path(old).rename(f"{old}.1")
        bi = load(ENCODER, device="cpu")
        assert isinstance(bi, BiEncoder)
        write_graph(bi)
        write_compressed(bi, sample)
        write_unfinished_build(bi)
        recorded = {name: found(bi, name) for name in ("hnsw.index", "ivfpq.index")}
        Path("found.json").write_text(json.dumps(recorded), encoding="utf-8")
        with tarfile.open(out / "format-2.tar.xz", "w:xz") as archive:
            for name in ("hnsw.index", "ivfpq.index", "half.index.building", "found.json"):
                archive.add(name, filter=anonymous)


if __name__ == "__main__":
    main()
