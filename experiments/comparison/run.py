"""The comparison, end to end: data, training, evaluation, significance, cost, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import TrainerCallback

from kosim.encoders.adoption import calibrate
from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import DataError, UndefinedMetricError
from kosim.encoders.language import Language, Line, both
from kosim.encoders.records import Kind
from kosim.encoders.storage import atomic_file, write_json
from kosim.encoders.training import ranks
from kosim.encoders.training.losses import TRAINING_BY_KIND
from kosim.encoders.unknown_tokens import unknown_share
from kosim.experiments.comparison.contenders import load_contender, train_contender
from kosim.experiments.comparison.cost import measure, project
from kosim.experiments.comparison.differences import compare_all, mean_of_both
from kosim.experiments.comparison.disagreements import (
    explain_disagreements,
    largest_disagreements,
)
from kosim.experiments.comparison.evaluation import (
    ScoredContender,
    Scores,
    evaluate,
    evaluate_sources,
    plot_scores,
    score_pairs,
    seed_spread,
    swap_asymmetry,
)
from kosim.experiments.comparison.facts import SCRATCH_NOTE
from kosim.experiments.comparison.preflight import check_run
from kosim.experiments.comparison.reliability import reliability
from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.comparison.results import (
    CeilingResults,
    ComparisonResults,
    ContenderResults,
    EncoderCost,
    MeanOfBoth,
    PairedComparison,
    SeedResults,
)
from kosim.experiments.comparison.slices import compare_slices
from kosim.experiments.comparison.trivial import trivial_predictor
from kosim.experiments.data.cleaning import distinct_numbers
from kosim.experiments.data.data_report import (
    data_report,
    describe_part,
    describe_split,
    token_lengths,
)
from kosim.experiments.data.pairs import RawPairs
from kosim.experiments.data.partition import Partition, load_partition
from kosim.experiments.settings import SCRATCH, CompareSettings
from kosim.experiments.statistics.ceiling import split_half_reliability
from kosim.experiments.study.figures import Undefined
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.study.results import header
from kosim.experiments.study.run_folder import open_run

PREDICTIONS = "predictions.parquet"


def compare(
    settings: CompareSettings,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    progress: Progress = silent,
    language: Language = "en",
) -> ComparisonResults:
    """Train and evaluate all contenders and write the run's folder.

    Of the processes that torchrun started all train; the main one does everything else, and all
    return the same.

    Args:
        settings: what to compare.
        out: the folder of the run.
        resume: go on with a killed run of the same settings.
        overwrite: replace an earlier run.
        callbacks: transformers' hooks into every training.
        progress: told what is being done.
        language: of the report.

    Returns:
        What ``results.json`` holds.

    Raises:
        KosimError: of the kind that fits what was wrong; nothing half-written looks whole.
    """
    folder = Path(out)
    with ExitStack() as held:

        def begin() -> Partition:
            progress(Line("reading and cleaning the data", "데이터를 읽고 정리"))
            partition = load_partition(settings.data)
            run_folder = open_run(
                folder,
                settings,
                resume=resume,
                overwrite=overwrite,
                ready=lambda: check_run(settings, partition.training, folder),
            )
            held.enter_context(run_folder)
            return partition

        partition = ranks.on_main(begin)
        ranks.check_shared(folder)
        for name, contender in settings.encoders.items():
            for seed in settings.seeds if contender.artifact is None else ():
                progress(both("{at}: training", "{at}: 학습", at=_named(name, seed)))
                train_contender(
                    name, settings, partition.training, seed=seed, out=folder, callbacks=callbacks
                )

        def end() -> ComparisonResults:
            results = _evaluate_run(settings, partition, folder, progress)
            progress(Line("writing the report", "보고서 작성"))
            COMPARISON.write(results, folder, language=language)
            return results

        return ranks.on_main(end)


def _named(name: str, seed: int) -> Line:
    return both("{name}, seed {seed}", "{name}, 시드 {seed}", name=name, seed=seed)


def _evaluate_run(
    settings: CompareSettings, partition: Partition, folder: Path, progress: Progress
) -> ComparisonResults:
    """Evaluate what was trained, and write the data report and the predictions."""
    runs = [
        _evaluate_contender(name, settings, partition, folder, progress)
        for name in settings.encoders
    ]
    data = _describe_data(partition, runs)
    write_json(folder / "data.json", data)
    predictions = _predictions(settings.seeds, partition, runs)
    with atomic_file(folder / PREDICTIONS) as partial:
        predictions.to_parquet(partial, index=False)
    progress(Line("testing the differences", "차이 검정"))
    results = _assemble(settings, partition, data, runs)
    progress(Line("explaining the largest disagreements", "가장 크게 갈린 쌍 설명"))
    return explain_disagreements(
        results, lambda name: _open(name, settings, partition, folder, seed=settings.seeds[0])
    )


@dataclass(frozen=True)
class _Run:
    """One contender after its seeds were trained and scored."""

    scored: ScoredContender
    trainings: Sequence[Mapping[str, Any] | None]
    tokens: dict[str, Any]
    cost: EncoderCost
    backbone: str
    revision: str | None
    calibrated: bool


def _open(
    name: str, settings: CompareSettings, partition: Partition, folder: Path, *, seed: int
) -> BiEncoder | CrossEncoder:
    """Open a contender, fitted to the labels where there are some to fit it to."""
    encoder = load_contender(name, settings, seed=seed, out=folder)
    if partition.training is not None and not encoder.calibrated:
        calibrate(encoder, partition.training.validation)
    return encoder


def _evaluate_contender(
    name: str, settings: CompareSettings, partition: Partition, folder: Path, progress: Progress
) -> _Run:
    """Load one contender of each seed, score the test pairs and measure its cost."""
    pairs = partition.test.pairs.pairs
    swapped_pairs = [(second, first) for first, second in pairs]
    scores, swapped, thresholds, trainings = [], [], [], []
    # A saved encoder is one encoder, however many seeds the others have.
    given = settings.encoders[name].artifact is not None
    for seed in settings.seeds[:1] if given else settings.seeds:
        progress(both("{at}: scoring the test pairs", "{at}: 평가 쌍 채점", at=_named(name, seed)))
        encoder = _open(name, settings, partition, folder, seed=seed)
        scores.append(score_pairs(encoder, pairs))
        if encoder.order_matters:
            swapped.append(score_pairs(encoder, swapped_pairs))
        thresholds.append(encoder.threshold)
        trainings.append(encoder.training)
    progress(both("{name}: measuring its speed", "{name}: 속도 측정", name=name))
    return _Run(
        scored=ScoredContender(
            name=name,
            kind=encoder.kind,
            scores=np.array(scores),
            thresholds=np.array(thresholds),
            swapped=np.array(swapped) if encoder.order_matters else None,
            copies=distinct_numbers(partition.test.pairs),
        ),
        trainings=trainings,
        tokens={
            **token_lengths(
                partition.test.pairs,
                lambda firsts, seconds: encoder.token_lengths(
                    list(zip(firsts, seconds, strict=True))
                ),
                encoder.max_length,
            ),
            "unknown_share": unknown_share(
                encoder.tokenizer,
                [*partition.test.pairs.sentence1, *partition.test.pairs.sentence2],
            ).share,
        },
        cost=measure(encoder, pairs),
        backbone=encoder.backbone.name,
        revision=encoder.backbone.revision,
        calibrated=encoder.calibrated,
    )


def _describe_data(partition: Partition, runs: Sequence[_Run]) -> dict[str, Any]:
    test, training = partition.test, partition.training
    if training is None:
        report: dict[str, Any] = {"test": describe_split(test.raw, {})}
        report["used"] = {"test": len(test.pairs)}
    else:
        report = data_report(training.raw, test.raw, removed=training.removed)
        report["validation"] = describe_part(training.validation, "validation")
        if test.split_off is not None:
            report["test_split_off"] = dict(test.split_off)
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
    settings: CompareSettings,
    partition: Partition,
    data: dict[str, Any],
    runs: Sequence[_Run],
) -> ComparisonResults:
    contenders = [run.scored for run in runs]
    differences = compare_all(contenders, partition.test.pairs.labels, settings.evaluation)
    main = _main_difference(differences, contenders)
    by_kind = {contender.kind: contender.name for contender in reversed(contenders)}
    return ComparisonResults(
        **header(settings.name),
        config=settings.model_dump(mode="json"),
        encoders={run.scored.name: _describe_contender(run, settings, partition) for run in runs},
        difference=main,
        pairwise=differences,
        mean_of_both=_mean_of_both(main, runs, partition.test.pairs.labels, settings),
        ceiling=_ceiling(partition.test.raw),
        disagreements=largest_disagreements(
            partition.test.pairs, contenders, rows=settings.evaluation.examples
        ),
        slices=compare_slices(main, contenders, settings, partition.test),
        cost=project(
            {run.scored.name: run.cost for run in runs},
            bi=by_kind.get("bi"),
            cross=by_kind.get("cross"),
            candidates=settings.evaluation.candidates,
        ),
        trivial=trivial_predictor(partition),
        data=data,
    )


def _main_difference(
    differences: Sequence[PairedComparison], contenders: Sequence[ScoredContender]
) -> PairedComparison | None:
    """Return the first difference between two kinds, else the first, else None."""
    kinds = {contender.name: contender.kind for contender in contenders}
    mixed = [found for found in differences if kinds[found.first] != kinds[found.second]]
    return next(iter([*mixed, *differences]), None)


def _mean_of_both(
    main: PairedComparison | None, runs: Sequence[_Run], labels: Scores, settings: CompareSettings
) -> MeanOfBoth | None:
    """Return what the mean of the main difference's two scores reaches, where it has a meaning."""
    if main is None:
        return None
    compared = [run for run in runs if run.scored.name in (main.first, main.second)]
    of_kind = {run.scored.kind: run.scored for run in compared if run.calibrated}
    if len(of_kind) < 2:
        return None
    return mean_of_both(of_kind["bi"], of_kind["cross"], labels, settings.evaluation)


def _describe_contender(
    run: _Run, settings: CompareSettings, partition: Partition
) -> ContenderResults:
    scored, labels, evaluation = run.scored, partition.test.pairs.labels, settings.evaluation
    contender = settings.encoders[scored.name]
    seeds = {
        str(settings.seeds[row]): SeedResults(
            test=evaluate(scored.of_seed(row), labels, evaluation),
            threshold=float(scored.thresholds[row]),
            constant=scored.distinct > 1 and bool(np.ptp(scored.scores[row]) == 0),
            **_describe_training(scored.kind, training, contender.trials),
        )
        for row, training in enumerate(run.trainings)
    }
    seconds = [seed.train_seconds for seed in seeds.values() if seed.train_seconds is not None]
    return ContenderResults(
        kind=scored.kind,
        backbone=run.backbone,
        revision=run.revision,
        backbone_note=SCRATCH_NOTE.en if contender.backbone == SCRATCH else None,
        calibrated=run.calibrated,
        loss=next((seed.loss for seed in seeds.values()), None),
        parameters=run.cost.parameters,
        test=evaluate(scored, labels, evaluation),
        by_source=evaluate_sources(scored, partition.test.pairs, evaluation),
        train_seconds=sum(seconds) if len(seconds) == len(seeds) else None,
        pairs_per_second=run.cost.pairs_per_second,
        swap_asymmetry=swap_asymmetry(scored, labels),
        seed_spread=seed_spread(scored, [seed.test for seed in seeds.values()]),
        scores=plot_scores(scored, labels),
        reliability=reliability(scored, labels, evaluation),
        seeds=seeds,
    )


def _describe_training(
    kind: Kind, training: Mapping[str, Any] | None, trials: int
) -> dict[str, Any]:
    if training is None:
        return {}
    return {
        "ceiling": training["config"]["epochs"],
        "patience": training["config"]["patience"],
        "train_pairs": training.get("train_pairs"),
        "train_digest": training.get("train_digest"),
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


def _ceiling(test: RawPairs) -> CeilingResults | Undefined | None:
    """Return the noise ceiling of the test labels, where their raw annotations are known."""
    if "annotations" not in test.frame:
        return None
    try:
        return CeilingResults(**asdict(split_half_reliability(list(test.frame["annotations"]))))
    except (DataError, UndefinedMetricError) as error:
        return Undefined(str(error))
