"""Silver pairs: mined from a corpus, labelled by teachers, drawn to cover the scale."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kosim.encoders.bi import BiEncoder
from kosim.encoders.distillation.teacher import keep_about, teacher_vectors
from kosim.encoders.errors import ConfigError, DataError, StorageError
from kosim.encoders.language import Line
from kosim.encoders.loading import load
from kosim.encoders.pretraining.backbone_folder import texts_fingerprint
from kosim.encoders.pretraining.corpus import read_sentences
from kosim.encoders.records import LabelledPairs
from kosim.encoders.storage import atomic_file
from kosim.encoders.tokenizers.kiwi import kiwi_version
from kosim.experiments.data.cleaning import clean_training
from kosim.experiments.data.pairs import RawPairs, load_pairs
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.teaching.candidates import find_candidates
from kosim.experiments.teaching.kept_out import KeptOut
from kosim.experiments.teaching.sampling import draw, score_bins
from kosim.experiments.teaching.settings import BINS, EVEN, SilverSettings
from kosim.experiments.teaching.teachers import CHANGED, Teacher, label, labels_folder

CANDIDATES, LABELLED, SILVER = "candidates.parquet", "labelled.parquet", "silver.parquet"
WORK = "mining"
"""The folder of a run that holds what a killed mining goes on from."""

COLUMNS = ["sentence1", "sentence2", "label", "source"]
"""The columns of a table of silver pairs that do not depend on its teachers."""

_SECONDS = "mining_seconds"


@dataclass(frozen=True)
class Corpus:
    """The sentences that pairs are made of, and how many were left out of how many."""

    sentences: list[str]
    read: int
    left_out: int


@dataclass(frozen=True)
class Silver:
    """Silver pairs, and what is to be known of them.

    ``table`` has the columns sentence1, sentence2, label, source and one for each teacher.
    """

    table: pd.DataFrame
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def pairs(self) -> LabelledPairs:
        """The pairs with their labels; the sources say how they were found."""
        return LabelledPairs.from_table(self.table, COLUMNS)


def read_corpus_sentences(settings: SilverSettings, kept_out: KeptOut) -> Corpus:
    """Return the corpus sentences that pairs are made of, without those to be kept out.

    Raises:
        DataError: the corpus cannot be read, or cannot give as many pairs as are asked for.
    """
    every = read_sentences(str(settings.corpus))
    distinct = KeptOut().clear(every)
    allowed = kept_out.clear(distinct)
    random = np.random.default_rng(settings.sample_seed)
    chosen = np.sort(random.permutation(len(allowed))[: settings.to_read])
    count = len(chosen)
    if settings.silver is None and count * (count - 1) // 2 < settings.pairs:
        without = len(distinct) - len(allowed)
        kept = f", without {without:,} that are to be kept out" if without else ""
        raise DataError(
            f"{settings.corpus} has {len(allowed):,} distinct sentences to use{kept}, and "
            f"{count:,} of them make only {count * (count - 1) // 2:,} of the {settings.pairs:,} "
            "pairs asked for; give a larger corpus, a smaller number of pairs, or more --sentences"
        )
    return Corpus([allowed[row] for row in chosen], len(every), len(distinct) - len(allowed))


def open_miner(settings: SilverSettings) -> BiEncoder:
    """Open the bi-encoder that finds pairs, and see that what the sources need is there.

    Raises:
        ArtifactError: it is not there, no encoder, or damaged.
        ConfigError: it is a cross-encoder, or not calibrated, so that its cosines are no scores.
        MissingExtraError: BM25 is asked for and kiwipiepy is not installed.
    """
    if "bm25" in settings.sources:
        kiwi_version("finding pairs by words")
    miner = load(settings.miner, device=settings.device)
    if not isinstance(miner, BiEncoder):
        raise ConfigError(f"miner {settings.miner} is a cross-encoder; give a bi-encoder")
    if not miner.calibrated:
        raise ConfigError(
            f"miner {settings.miner} is not calibrated: its cosines do not say how alike two "
            f"sentences are on 0-5; calibrate it with `kosim adopt {settings.miner} --validation "
            "FILE --out DIR`"
        )
    return miner


def mine_candidates(
    settings: SilverSettings,
    corpus: Corpus,
    kept_out: KeptOut,
    folder: Path,
    *,
    progress: Progress = silent,
) -> tuple[pd.DataFrame, float]:
    """Return the pairs that are to be labelled, and the seconds of the call that ended mining.

    A killed run goes on with the miner's vectors.

    Raises:
        StorageError: the folder holds pairs of another corpus or miner, or cannot be written.
        KosimError: the miner is of no use, see `open_miner`.
        DataError: the corpus gives fewer pairs than are asked for.
    """
    began = time.monotonic()
    miner = open_miner(settings)
    texts = texts_fingerprint(corpus.sentences)
    keep_about(
        folder,
        {"corpus": texts, "miner": miner.fingerprint(), "exclusions": _digest(kept_out)},
        remedy=CHANGED,
    )
    target = folder / CANDIDATES
    if target.is_file():
        found = read_parquet(target)
        return found, float(found.attrs.get(_SECONDS, 0.0))
    stage = Line("encoding the corpus", "말뭉치 인코딩")
    vectors = teacher_vectors(
        miner,
        corpus.sentences,
        texts,
        folder / "vectors",
        progress=lambda done, total: progress(stage, done, total),
    )
    found = find_candidates(
        corpus.sentences,
        vectors,
        miner.calibration,
        count=settings.to_label,
        sources=settings.sources,
        kept_out=kept_out,
        random=np.random.default_rng(settings.sample_seed),
        progress=progress,
    )
    if len(found) < settings.pairs:
        shutil.rmtree(folder)  # so that the call can be made again with other settings
        raise DataError(
            f"{settings.corpus} gives {len(found):,} pairs by {', '.join(settings.sources)}, fewer "
            f"than the {settings.pairs:,} asked for; give a larger corpus, more --sentences or "
            "--candidates, or fewer pairs"
        )
    seconds = time.monotonic() - began
    write_parquet(found, target, {_SECONDS: seconds})
    return found, seconds


def label_candidates(
    candidates: pd.DataFrame,
    teachers: Sequence[Teacher],
    folder: Path,
    *,
    symmetric: bool = False,
    hard_margin: float | None = None,
    progress: Progress = silent,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the candidates with a column for each teacher and their mean, and what it cost.

    Pairs by vectors that the miner scores at least ``hard_margin`` above that mean get the source
    ``hard``.
    """
    pairs = list(zip(candidates["sentence1"], candidates["sentence2"], strict=True))
    columns, cost = {}, {}
    for teacher in teachers:
        labels = label(
            teacher,
            pairs,
            labels_folder(folder, teacher),
            symmetric=symmetric,
            progress=progress,
        )
        columns[teacher.name] = labels.scores
        cost[teacher.name] = {"pairs": labels.labelled, "seconds": labels.seconds}
    mean = np.mean(list(columns.values()), axis=0, dtype=np.float64)
    labelled = candidates.assign(label=mean, **columns)
    if hard_margin is not None:
        hard = (labelled["mined"] - mean >= hard_margin) & (labelled["source"] == "vectors")
        labelled.loc[hard, "source"] = "hard"
    return labelled, cost


def draw_silver(
    labelled: pd.DataFrame, settings: SilverSettings, teachers: Sequence[str] = ()
) -> Silver:
    """Return the silver pairs of a table of labelled pairs, in random order."""
    facts: dict[str, Any] = {"labelled": len(labelled), "mix": settings.mix}
    if settings.max_disagreement is not None and len(teachers) > 1:
        marks = labelled[list(teachers)].to_numpy()
        agreed = np.ptp(marks, axis=1) <= settings.max_disagreement
        facts["disagreed"] = int((~agreed).sum())
        labelled = labelled[agreed].reset_index(drop=True)
    random = np.random.default_rng((settings.sample_seed, 1))
    rows = draw(
        labelled["label"].to_numpy(),
        list(labelled["source"]),
        settings.pairs,
        mix=settings.mix,
        random=random,
    )
    table = labelled.iloc[random.permutation(rows)].reset_index(drop=True)
    columns = ["sentence1", "sentence2", "label", *teachers, "source"]
    return Silver(table[columns], {**facts, **describe(table)})


def describe(table: pd.DataFrame) -> dict[str, Any]:
    """Return how many pairs a table has in all, by point of the scale, and by source."""
    counts = np.bincount(score_bins(table["label"].to_numpy()), minlength=BINS)
    return {
        "pairs": len(table),
        "bins": counts.tolist(),
        "sources": {str(k): int(n) for k, n in table["source"].value_counts().sort_index().items()},
    }


def make_silver(
    settings: SilverSettings,
    corpus: Corpus,
    teachers: Sequence[Teacher],
    kept_out: KeptOut,
    folder: Path,
    *,
    output: Path | None = None,
    progress: Progress = silent,
) -> Silver:
    """Mine, label and draw silver pairs, and write them to ``folder``; a killed run goes on.

    ``labelled.parquet`` holds all pairs that were labelled, ``silver.parquet`` those drawn; with
    ``output`` they go there, and what mining found stays in ``folder``.

    Raises:
        KosimError: of the kind that fits what was wrong.
    """
    work = folder / WORK
    candidates, mined = mine_candidates(settings, corpus, kept_out, work, progress=progress)
    labelled, cost = label_candidates(
        candidates,
        teachers,
        work / "labels",
        symmetric=settings.symmetric,
        hard_margin=settings.hard_margin if "hard" in settings.sources else None,
        progress=progress,
    )
    names = [teacher.name for teacher in teachers]
    output = output or folder
    origin = {
        "teachers": [teacher.record() for teacher in teachers],
        "corpus": texts_fingerprint(corpus.sentences),
    }
    write_parquet(labelled, output / LABELLED, origin)
    silver = draw_silver(labelled, settings, names)
    if not len(silver.table):
        agreed = "" if settings.max_disagreement is None else " on which the teachers agree"
        raise DataError(
            f"of {len(labelled):,} labelled pairs none{agreed} has a label of the wanted mix; give "
            "another mix, or allow more disagreement"
        )
    write_parquet(silver.table, output / SILVER, origin)
    facts = {
        **silver.facts,
        **origin,
        "sentences": len(corpus.sentences),
        "read": corpus.read,
        "left_out": corpus.left_out,
        "mining_seconds": mined,
        "labelling": cost,
    }
    return Silver(silver.table, facts)


def read_silver(settings: SilverSettings, kept_out: KeptOut) -> Silver:
    """Return silver pairs of a file that an earlier run wrote; all of them, or those drawn of it.

    Raises:
        DataError: the file cannot be read, or no pair of it may be used.
    """
    raw = read_labelled(str(settings.silver))
    pairs, _ = clean_training(raw)
    allowed = [kept_out.allows(one, other) for one, other in pairs.pairs]
    columns = as_table(pairs)[np.array(allowed, dtype=bool)].reset_index(drop=True)
    if not len(columns):
        raise DataError(f"{settings.silver} has no pair that may be used; give other silver pairs")
    facts = {**labelled_by(str(settings.silver)), "left_out": len(raw.frame) - len(columns)}
    if len(columns) <= settings.pairs and tuple(settings.mix) == EVEN:
        return Silver(columns, {**describe(columns), **facts, "mix": None})
    silver = draw_silver(columns, settings)
    if not len(silver.table):
        raise DataError(f"{settings.silver} has no pair of the wanted mix; give another mix")
    return Silver(silver.table, {**silver.facts, **facts})


def read_labelled(path: str) -> RawPairs:
    """Return the pairs of a file that are labelled from 0 to 5, as teachers label them.

    Raises:
        DataError: the file cannot be read, or has labels of another scale.
    """
    raw = load_pairs(path, scale="0:5")
    given = raw.frame["given"].dropna()
    problem = ""
    if len(given) and not 0 <= given.min() <= given.max() <= 5:
        problem = f"run from {given.min():g} to {given.max():g}"
    elif set(given) == {0.0, 1.0}:
        problem = "are 0 and 1 alone"
    if problem:
        raise DataError(
            f"labels of {path} {problem}, but silver and extra pairs are labelled from 0 to 5; "
            "rescale them"
        )
    return raw


def labelled_by(path: str) -> dict[str, Any]:
    """Return which teachers labelled a file's pairs of which corpus, as far as the file says."""
    try:
        origin = pd.read_parquet(path, columns=["label"]).attrs
    except (OSError, ValueError):  # no Parquet file
        return {}
    return {name: origin[name] for name in ("teachers", "corpus") if name in origin}


def as_table(pairs: LabelledPairs) -> pd.DataFrame:
    """Return labelled pairs as a table of silver pairs."""
    columns = (pairs.sentence1, pairs.sentence2, pairs.labels, pairs.sources)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def read_parquet(path: Path) -> pd.DataFrame:
    """Return a table that `write_parquet` wrote.

    Raises:
        StorageError: it is damaged.
    """
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}; remove it and resume") from error


def write_parquet(table: pd.DataFrame, path: Path, attrs: Mapping[str, Any] | None = None) -> None:
    """Write a table with what is to be known of it, whole or not at all."""
    noted = table.copy(deep=False)
    noted.attrs.clear()
    noted.attrs.update(attrs or {})
    with atomic_file(path) as partial:
        noted.to_parquet(partial, index=False)


def _digest(kept_out: KeptOut) -> str:
    lines = [*sorted(kept_out.sentences), "", *sorted(kept_out.pairs)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
