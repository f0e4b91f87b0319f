"""Write the files of ``tests/old`` with the code of version 0.1, at commit be1618b.

Run it from the root of a checkout of that commit, with the libraries of the present environment::

    git worktree add ../old be1618b
    cd ../old && PYTHONPATH=. python …/tests/old/write_files.py …/tests/old

Sentences come from the bundled sample; the encoders have one layer of width 16. The result is
``files.tar.xz``, and ``values.json``, which records what the old code read from the files.
"""

# ruff: noqa: I001  # the old code's import names

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

import pandas as pd
import torch
from transformers import ElectraForSequenceClassification

from encoders.bi import BiEncoder
from encoders.cross import CrossEncoder
from encoders.loading import load
from encoders.scratch import build_scratch_backbone
from experiments.data.partition import load_training
from experiments.settings import CompareSettings, read_settings
from experiments.tuning.settings import TuneSettings, data_fingerprint
from experiments.tuning.space import read_space
from experiments.tuning.study import begin_study, open_storage, settings_of
from experiments.tuning.worker import work
from index.build import BuildProgress, build_index
from index.corpus import read_corpus
from index.corpus_index import CorpusIndex
from index.searcher import Searcher
from index.sharding.folder import Shards
from index.sharding.sharded_index import ShardedIndex
from index.store import commit
import optuna

MODES = ("dense", "lexical", "hybrid")
INDEXES = ("flat.index", "hnsw.index", "shards.index")
BLOCK = 16
"""Documents encoded at a time in the build that is interrupted."""

DEPTH = (
    "depth flat.index --reranker run/cross/seed-1 --encoder run/bi/seed-1 --queries queries.txt "
    "--depths 5,10,20 --sample-top 30 --exhaustive-sample 0 -k 3 --fit-queries 60 --fit-depth 20 "
    "--latency-queries 1 --out depth"
)
COMPARISON = """\
name = "old"
seeds = [1]

[data]
train = "train.tsv"
test = "test.tsv"

[evaluation]
resamples = 200

[encoders.bi]
kind = "bi"
backbone = "backbone"
max_length = 48
training = { epochs = 3, learning_rate = 0.002, batch_size = 16 }

[encoders.cross]
kind = "cross"
backbone = "backbone"
max_length = 48
training = { epochs = 3, learning_rate = 0.002, batch_size = 16 }
"""


class _KilledError(Exception):
    """Stands for a kill between two blocks or trials."""


def kosim(arguments: str) -> None:
    """Run a command of the old code in the present folder."""
    root = os.environ["PYTHONPATH"]
    command = [sys.executable, "-m", "experiments.cli", *arguments.split()]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": root})


def write_texts(sample: Path) -> None:
    """Write training and test pairs, a corpus with two values beside each text, and queries."""
    for name, rows in (("train", 120), ("test", 40)):
        pairs = pd.read_csv(sample / f"{name}.tsv", sep="\t", quoting=3)
        pairs = pairs.sample(rows, random_state=1)
        pairs.to_csv(f"{name}.tsv", sep="\t", index=False, quoting=3)
    pairs = pd.read_csv(sample / "train.tsv", sep="\t", quoting=3)
    texts = list(dict.fromkeys([*pairs.sentence1, *pairs.sentence2]))[::7][:80]
    corpus = pd.DataFrame({"id": [f"d{n}" for n in range(80)], "text": texts, "page": range(80)})
    corpus[:60].to_csv("corpus.csv", index=False)
    corpus[60:66].to_csv("more.csv", index=False)
    corpus[66:70].to_csv("later.csv", index=False)
    Path("queries.txt").write_text("\n".join(corpus.text[70:76]) + "\n", encoding="utf-8")


def spread_weights(backbone: Path) -> None:
    """Make random weights so large that scores differ clearly, also those of a head."""
    torch.manual_seed(6)
    model = ElectraForSequenceClassification.from_pretrained(backbone, num_labels=1)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim == 2:
                weights.mul_(50 if "classifier" in name else 8)
    model.save_pretrained(backbone)


def write_index(name: str, *, log: int) -> None:
    """Build an index, then add and remove; after ``log`` additions they become a segment."""
    bi = load("run/bi/seed-1", device="cpu")
    kind = name.removesuffix(".index")
    kosim(
        f"index build corpus.csv --id-column id --encoder run/bi/seed-1 --type {kind} --lexical "
        f"--out {name}"
    )
    commit.LOG_DOCUMENTS = log
    index = CorpusIndex.open(name)
    more = list(read_corpus("more.csv", id_column="id"))
    for document in more[:4]:
        index.add([document], bi.encode([document.text]))
    index.remove(["d3", "d61"])
    index.add(more[4:], bi.encode([document.text for document in more[4:]]))
    index.remove(["d40", "d64"])
    index.lexical.prepare()


def write_unfinished_build(name: str) -> None:
    """Begin a build and leave it after its second block of four."""

    def killed(progress: BuildProgress) -> None:
        if progress.documents >= 2 * BLOCK:
            raise _KilledError

    bi = load("run/bi/seed-1", device="cpu")
    corpus = read_corpus("corpus.csv", id_column="id")
    try:
        build_index(corpus, bi, name, name="run/bi/seed-1", progress=killed, block_size=BLOCK)
    except _KilledError:
        Path(f"{name}.building", "lock").unlink()


def write_study() -> dict[str, Any]:
    """Begin a grid of two trials and leave it after the first."""
    Path("space.toml").write_text("epochs = { values = [1, 2] }\n", encoding="utf-8")

    comparison = CompareSettings.parse(read_settings("compare.toml"))
    settings = TuneSettings(
        kind="bi", comparison=comparison, space=read_space("space.toml"), sampler="grid"
    )
    data = data_fingerprint(load_training(comparison.data))
    storage = open_storage("study.db")
    begin_study(storage, "old-bi", settings, data, resume=False)

    def killed(trial: optuna.trial.FrozenTrial) -> None:
        raise _KilledError

    with contextlib.suppress(_KilledError):
        work(storage, "old-bi", report=killed)
    study = optuna.load_study(storage=storage, study_name="old-bi")
    assert settings_of(study) == settings
    return {"values": [trial.value for trial in study.get_trials()], "data": data}


def searched(folder: str) -> dict[str, Any]:
    """Return the hits of every query in every mode, with and without reranking."""
    bi, cross = load("run/bi/seed-1", device="cpu"), load("run/cross/seed-1", device="cpu")
    assert isinstance(bi, BiEncoder)
    if folder == "shards.index":
        index: Any = ShardedIndex(Shards.open(folder))
    else:
        index = CorpusIndex.open(folder)
    queries = Path("queries.txt").read_text(encoding="utf-8").splitlines()
    found: dict[str, Any] = {}
    for mode in MODES:
        for name, reranker in (("retrieved", None), ("reranked", cross)):
            results = Searcher(index, bi, reranker).search(
                queries,
                k=5,
                candidates=20,
                mode=mode,  # type: ignore[arg-type]
            )
            found[f"{mode} {name}"] = [
                [[hit.id, hit.score] for hit in result.hits] for result in results
            ]
    return found


def values() -> dict[str, Any]:
    """Return what the old code reads from the files."""
    test = pd.read_csv("test.tsv", sep="\t", quoting=3)[:10]
    pairs = list(zip(test.sentence1, test.sentence2, strict=True))
    encoders = {kind: load(f"run/{kind}/seed-1", device="cpu") for kind in ("bi", "cross")}
    bi, cross = encoders["bi"], encoders["cross"]
    assert isinstance(bi, BiEncoder) and isinstance(cross, CrossEncoder)
    indexes = {name: CorpusIndex.open(name) for name in INDEXES if name != "shards.index"}
    queries = Path("queries.txt").read_text(encoding="utf-8").splitlines()
    flat = indexes["flat.index"]
    automatic = Searcher(flat, bi, cross).search(queries, k=3, candidates="auto", chance=0.5)
    return {
        "encoders": {
            kind: {
                "fingerprint": encoder.fingerprint(),
                "threshold": encoder.threshold,
                "raw": encoder.score(pairs, raw=True).tolist(),
                "scores": encoder.score(pairs).tolist(),
            }
            for kind, encoder in encoders.items()
        },
        "vectors": bi.encode([first for first, _ in pairs[:3]]).tolist(),
        "documents": {name: sorted(index.ids(index.places())) for name, index in indexes.items()},
        "searches": {name: searched(name) for name in INDEXES},
        "automatic": [
            {"reranked": result.reranked, "hits": [[hit.id, hit.score] for hit in result.hits]}
            for result in automatic
        ],
    }


def anonymous(file: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out whose file it was."""
    file.uid = file.gid = 0
    file.uname = file.gname = ""
    return file


def write_all(sample: Path, out: Path) -> None:
    """Write the files into the present, empty folder, and pack them."""
    write_texts(sample)
    train = pd.read_csv("train.tsv", sep="\t", quoting=3)
    build_scratch_backbone(
        [*train.sentence1, *train.sentence2],
        Path("backbone"), vocabulary=250, hidden=16, layers=1, heads=2, seed=6,
    )  # fmt: skip
    spread_weights(Path("backbone"))
    Path("compare.toml").write_text(COMPARISON, encoding="utf-8")
    kosim("compare compare.toml --out run")
    write_index("flat.index", log=1024)
    write_index("hnsw.index", log=4)
    kosim(DEPTH)
    kosim("index shard flat.index --shards 2 --out shards.index")
    write_unfinished_build("half.index")
    recorded = {**values(), "study": write_study(), "block": BLOCK}
    for page in Path().rglob("report.html"):
        page.unlink()  # large, and rendered from results.json
    (out / "values.json").write_text(json.dumps(recorded, ensure_ascii=False, indent=1) + "\n")
    with tarfile.open(out / "files.tar.xz", "w:xz") as archive:
        archive.add(".", filter=anonymous)


def main() -> None:
    """Write everything into a new folder and pack it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out.resolve()
    sample = Path("experiments/sample").resolve()
    os.environ["PYTHONPATH"] = str(Path.cwd())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_all(sample, out)


if __name__ == "__main__":
    main()
