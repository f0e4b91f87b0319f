"""The comparison, end to end: data, training, evaluation, significance, cost, verdict, report."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import TrainerCallback

from kosim.encoders.artifact import library_versions
from kosim.encoders.base import Kind
from kosim.encoders.errors import DataError, UndefinedMetricError
from kosim.encoders.storage import atomic_file, write_json, write_text
from kosim.encoders.training import ranks
from kosim.encoders.training.losses import TRAINING_BY_KIND
from kosim.experiments.comparison.contenders import load_contender, train_contender
from kosim.experiments.comparison.cost import measure, project
from kosim.experiments.comparison.disagreements import largest_disagreements
from kosim.experiments.comparison.evaluation import (
    ScoredContender,
    compare_all,
    evaluate,
    evaluate_sources,
    seed_spread,
    swap_asymmetry,
)
from kosim.experiments.comparison.render import render_html, render_markdown
from kosim.experiments.comparison.verdict import compute_verdict
from kosim.experiments.data.data_report import data_report, describe_split, token_lengths
from kosim.experiments.data.datasets import RawPairs
from kosim.experiments.data.partition import Partition, load_partition
from kosim.experiments.settings import SCRATCH, CompareSettings
from kosim.experiments.statistics.ceiling import split_half_reliability
from kosim.experiments.study.environment import describe_environment
from kosim.experiments.study.run_folder import RESULTS, open_run

FORMAT = 1
PREDICTIONS = "predictions.parquet"
SCRATCH_NOTE = (
    "a small ELECTRA with random weights and a vocabulary made on the spot from the training "
    "sentences; it knows no Korean beyond them"
)

Results = dict[str, Any]
Announce = Callable[[str], object]


def compare(
    settings: CompareSettings,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    announce: Announce = lambda stage: None,
) -> Results:
    """Train and evaluate all contenders and write the run's folder.

    Of the processes that torchrun started all train; the main one does everything else, and all
    return the same.

    Args:
        settings: what to compare.
        out: the folder of the run.
        resume: go on with a killed run of the same settings.
        overwrite: replace an earlier run.
        callbacks: transformers' hooks into every training.
        announce: called with a short description as each stage begins.

    Returns:
        The content of ``results.json``.

    Raises:
        KosimError: of the kind that fits what was wrong; nothing half-written looks whole.
    """
    folder = Path(out)

    def begin() -> Partition:
        announce("reading and cleaning the data")
        partition = load_partition(settings.data)
        open_run(folder, settings, resume=resume, overwrite=overwrite)
        return partition

    partition = ranks.on_main(begin)
    ranks.check_shared(folder)
    for name, contender in settings.encoders.items():
        for seed in settings.seeds if contender.artifact is None else ():
            announce(f"{name}, seed {seed}: training")
            train_contender(
                name, settings, partition.training, seed=seed, out=folder, callbacks=callbacks
            )
    return ranks.on_main(lambda: _evaluate_run(settings, partition, folder, announce))


def _evaluate_run(
    settings: CompareSettings, partition: Partition, folder: Path, announce: Announce
) -> Results:
    """Evaluate what was trained, and write all that is written of it."""
    runs = [
        _evaluate_contender(name, settings, partition, folder, announce=announce)
        for name in settings.encoders
    ]
    data = _describe_data(partition, runs)
    write_json(folder / "data.json", data)
    predictions = _predictions(settings.seeds, partition, runs)
    with atomic_file(folder / PREDICTIONS) as partial:
        predictions.to_parquet(partial, index=False)
    announce("testing the differences")
    results = _assemble(settings, partition, data, runs)
    announce("writing the report")
    write_text(folder / "report.md", render_markdown(results))
    write_text(folder / "report.html", render_html(results, predictions))
    # Last, because its presence says that the run is whole.
    write_json(folder / RESULTS, results)
    return results


@dataclass(frozen=True)
class _Run:
    """One contender after its seeds were trained and scored."""

    scored: ScoredContender
    trainings: Sequence[Mapping[str, Any] | None]
    tokens: Results
    cost: Results
    backbone: str
    revision: str | None


def _evaluate_contender(
    name: str,
    settings: CompareSettings,
    partition: Partition,
    folder: Path,
    *,
    announce: Announce,
) -> _Run:
    """Load one contender of each seed, score the test pairs and measure its cost."""
    pairs = partition.test.pairs.pairs
    swapped_pairs = [(second, first) for first, second in pairs]
    scores, swapped, thresholds, trainings = [], [], [], []
    # A saved encoder is one encoder, however many seeds the others have.
    given = settings.encoders[name].artifact is not None
    for seed in settings.seeds[:1] if given else settings.seeds:
        announce(f"{name}, seed {seed}: scoring the test pairs")
        encoder = load_contender(name, settings, seed=seed, out=folder)
        scores.append(encoder.score(pairs))
        swapped.append(encoder.score(swapped_pairs))
        thresholds.append(encoder.threshold)
        trainings.append(encoder.training)
    announce(f"{name}: measuring its speed")
    return _Run(
        scored=ScoredContender(
            name=name,
            kind=encoder.kind,
            scores=np.array(scores, dtype=np.float64),
            thresholds=np.array(thresholds),
            swapped=np.array(swapped, dtype=np.float64) if encoder.order_matters else None,
        ),
        trainings=trainings,
        tokens=token_lengths(
            partition.test.pairs,
            lambda firsts, seconds: encoder.token_lengths(list(zip(firsts, seconds, strict=True))),
            encoder.max_length,
        ),
        cost=measure(encoder, pairs),
        backbone=encoder.backbone.name,
        revision=encoder.backbone.revision,
    )


def _describe_data(partition: Partition, runs: Sequence[_Run]) -> Results:
    test, training = partition.test, partition.training
    if training is None:
        report = {"test": describe_split(test.raw, {})}
        report["used"] = {"test": len(test.pairs)}
    else:
        report = data_report(training.raw, test.raw, removed=training.removed)
        report["used"] = {
            "train": len(training.train),
            "validation": len(training.validation),
            "test": len(test.pairs),
        }
    report["tokens"] = {run.scored.name: run.tokens for run in runs}
    return report


def _predictions(seeds: Sequence[int], partition: Partition, runs: Sequence[_Run]) -> pd.DataFrame:
    """Return one row a seed and test pair; a saved encoder says the same for every seed."""
    test, n = partition.test.pairs, len(partition.test.pairs)
    frame = pd.DataFrame(
        {
            "seed": np.repeat(list(seeds), n),
            "sentence1": list(test.sentence1) * len(seeds),
            "sentence2": list(test.sentence2) * len(seeds),
            "source": list(test.sources) * len(seeds),
            "label": np.tile(test.labels, len(seeds)),
        }
    )
    for run in runs:
        scores = run.scored.scores
        frame[run.scored.name] = np.broadcast_to(scores, (len(seeds), n)).ravel()
    return frame


def _assemble(
    settings: CompareSettings, partition: Partition, data: Results, runs: Sequence[_Run]
) -> Results:
    contenders = [run.scored for run in runs]
    differences = compare_all(contenders, partition.test.pairs.labels, settings.evaluation)
    by_kind = {contender.kind: contender.name for contender in reversed(contenders)}
    results: Results = {
        "format": FORMAT,
        "kosim_version": library_versions()["kosim"],
        "name": settings.name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "config": settings.model_dump(mode="json"),
        "encoders": {
            run.scored.name: _describe_contender(run, settings, partition) for run in runs
        },
        "difference": _main_difference(differences, contenders),
        "pairwise": differences,
        "ceiling": _ceiling(partition.test.raw),
        "disagreements": largest_disagreements(
            partition.test.pairs, contenders, rows=settings.evaluation.examples
        ),
        "cost": project(
            {run.scored.name: run.cost for run in runs},
            bi=by_kind.get("bi"),
            cross=by_kind.get("cross"),
            candidates=settings.evaluation.rerank_candidates,
        ),
        "data": data,
        "environment": describe_environment(),
    }
    results["verdict"] = compute_verdict(results)
    return results


def _main_difference(
    differences: Sequence[Results], contenders: Sequence[ScoredContender]
) -> Results | None:
    """Return the first difference between two kinds, else the first, else None."""
    kinds = {contender.name: contender.kind for contender in contenders}
    mixed = [found for found in differences if kinds[found["first"]] != kinds[found["second"]]]
    return next(iter([*mixed, *differences]), None)


def _describe_contender(run: _Run, settings: CompareSettings, partition: Partition) -> Results:
    scored, labels, evaluation = run.scored, partition.test.pairs.labels, settings.evaluation
    contender = settings.encoders[scored.name]
    seeds = {}
    for row, training in enumerate(run.trainings):
        seeds[str(settings.seeds[row])] = {
            "test": evaluate(scored.of_seed(row), labels, evaluation),
            "threshold": float(scored.thresholds[row]),
            **_describe_training(scored.kind, training, contender.trials),
        }
    seconds = [seed["train_seconds"] for seed in seeds.values()]
    return {
        "kind": scored.kind,
        "backbone": run.backbone,
        "revision": run.revision,
        "backbone_note": SCRATCH_NOTE if contender.backbone == SCRATCH else None,
        "loss": next((seed["loss"] for seed in seeds.values()), None),
        "parameters": run.cost["parameters"],
        "test": evaluate(scored, labels, evaluation),
        "by_source": evaluate_sources(scored, partition.test.pairs, evaluation),
        "train_seconds": None if None in seconds else sum(seconds),
        "pairs_per_second": run.cost["pairs_per_second"],
        "swap_asymmetry": swap_asymmetry(scored, labels),
        "seed_spread": seed_spread(
            scored, {seed: described["test"] for seed, described in seeds.items()}
        ),
        "seeds": seeds,
    }


def _describe_training(kind: Kind, training: Mapping[str, Any] | None, trials: int) -> Results:
    if training is None:
        return {
            "best_epoch": None,
            "epochs": None,
            "steps": None,
            "trials": 0,
            "train_seconds": None,
            "loss": None,
            "history": [],
            "notices": [],
        }
    return {
        "best_epoch": training["best_epoch"],
        "epochs": len(training["history"]),
        "steps": training.get("steps") or None,
        "trials": trials,
        "best_epochs": training["best_epochs"],
        "select": training["config"]["select"],
        "loss": training["config"]["loss"] or TRAINING_BY_KIND[kind].default_loss,
        "train_seconds": training["seconds"],
        "history": training["history"],
        "processes": training.get("processes", 1),
        "notices": training.get("notices", []),
    }


def _ceiling(test: RawPairs) -> Results | None:
    """Return the noise ceiling of the test labels, where their raw annotations are known."""
    if "annotations" not in test.frame:
        return None
    try:
        return asdict(split_half_reliability(list(test.frame["annotations"])))
    except (DataError, UndefinedMetricError) as error:
        return {"undefined": str(error)}
