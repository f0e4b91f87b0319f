"""What mining the most similar pairs costs, beside scoring every pair with the cross-encoder.

Three measurements:

* the job: ``kosim mine CORPUS --encoder BI --reranker CROSS`` as a whole process, from its
  start to its answer, models loaded and sentences encoded included;
* the throughput of the cross-encoder on random pairs of the same sentences, from which the
  time of every pair of the corpus follows: n (n - 1) / 2 inferences, as many again where both
  orders are scored. That time is extrapolated, not measured;
* the recall: on a random sample of sentences every pair is scored with the cross-encoder, and
  mining with the same settings is asked for the same number of pairs.

The exhaustive symmetric ranking of the sample is exact without scoring both orders of all
pairs: with scores of at most 1 (the logistic function), a pair whose one order scores ``a``
averages at most ``(a + 1) / 2``, so that only pairs which can still reach the top are scored in
the other order. A pair counts as found when its score is at least that of the last pair of the
exhaustive top: saturated scores tie. With ``--work`` the scores are kept block by block, and a
killed run goes on.

    python -m benchmarks.mining ../shared/data/parakqc/paraKQC_v1.txt --text-at 2 \
        --encoder BI --reranker CROSS --sample 1000
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
import torch

from kosim.encoders.base import FloatArray, PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.runtime import Precision
from kosim.encoders.errors import ConfigError, KosimError
from kosim.encoders.loading import load
from kosim.encoders.pretraining.backbone_folder import texts_fingerprint
from kosim.encoders.storage import atomic_file, write_json, write_text
from kosim.encoders.tables import read_lines
from kosim.experiments.study.environment import describe_environment
from kosim.experiments.study.notation import amount, duration
from kosim.index.documents import Document
from kosim.index.mining import mine_texts
from kosim.index.reranking import score_pairs

RESULTS = Path(__file__).parent / "results"
_THROUGHPUT_PAIRS = 2000
_BLOCK = 20_000


def time_job(
    sentences: list[str], encoder: str, reranker: str, precision: str, top: int, candidates: int
) -> float:
    """Return the seconds of the command over the sentences, process start included."""
    with tempfile.TemporaryDirectory(prefix="kosim-") as scratch:
        corpus = Path(scratch) / "corpus.txt"
        corpus.write_text("\n".join(sentences) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "kosim", "mine", str(corpus)]
        command += ["--encoder", encoder, "--reranker", reranker, "--json"]
        command += ["--precision", precision, "--top", str(top)]
        command += ["--candidates", str(candidates)]
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - started


def inferences_per_second(cross: PairEncoder, sentences: list[str], *, seed: int) -> float:
    """Return how many random pairs of the sentences the cross-encoder scores in a second."""
    random = np.random.default_rng(seed)
    drawn = random.integers(0, len(sentences), size=(_THROUGHPUT_PAIRS, 2))
    pairs = [(sentences[first], sentences[second]) for first, second in drawn]
    cross.score(pairs[:64], raw=True)
    started = time.perf_counter()
    score_pairs(cross, pairs)
    return len(pairs) / (time.perf_counter() - started)


def exhaustive_top(
    cross: PairEncoder, sentences: list[str], top: int, *, work: Path | None
) -> tuple[FloatArray, float]:
    """Return the ``top`` highest symmetric scores among all pairs, best first, and the seconds.

    Args:
        cross: the reranker.
        sentences: n texts.
        top: how many scores are wanted.
        work: where whole blocks of scores are kept for a run that goes on; the seconds of a block
            are kept with it.

    Raises:
        ConfigError: a score exceeds 1, so that the bound does not hold.
    """
    pairs = list(combinations(sentences, 2))
    # Scores of another encoder, precision or sample are never taken for these.
    scored = f"{cross.fingerprint()[:16]}-{cross.precision}-{texts_fingerprint(sentences)[:16]}"
    kept = work and work / scored
    forward = np.empty(len(pairs), dtype=np.float32)
    seconds = 0.0
    for start in range(0, len(pairs), _BLOCK):
        block = pairs[start : start + _BLOCK]
        scores, took = score_block(cross, block, kept=kept and kept / f"{start}.npz")
        forward[start : start + len(block)] = scores
        seconds += took
        done = start + len(block)
        left = seconds / done * (len(pairs) - done)
        click.echo(f"  {done:,} of {len(pairs):,} pairs, {duration(left).en} left", err=True)
    started = time.perf_counter()
    if forward.max() > 1:
        raise ConfigError(f"a score is {forward.max():g}; the bound needs scores of at most 1")
    order = np.argsort(-forward, kind="stable")
    scores = np.empty(0, dtype=np.float32)
    for start in range(0, len(order), 4 * top):
        ceiling = (forward[order[start]] + 1) / 2
        if len(scores) >= top and ceiling < scores[top - 1]:
            break
        chosen = order[start : start + 4 * top]
        backward = score_pairs(cross, [pairs[position][::-1] for position in chosen])
        scores = np.sort(np.concatenate([scores, (forward[chosen] + backward) / 2]))[::-1]
    return scores[:top], seconds + time.perf_counter() - started


def score_block(
    cross: PairEncoder, pairs: list[tuple[str, str]], *, kept: Path | None
) -> tuple[FloatArray, float]:
    """Return the scores of a block and the seconds they took, from ``kept`` if they are there."""
    if kept is not None and kept.is_file():
        with np.load(kept) as before:
            return before["scores"], float(before["seconds"])
    started = time.perf_counter()
    scores = score_pairs(cross, pairs)
    seconds = time.perf_counter() - started
    if kept is not None:
        with atomic_file(kept) as partial, partial.open("wb") as file:
            np.savez(file, scores=scores, seconds=seconds)
    return scores, seconds


def measure_recall(
    bi: BiEncoder,
    cross: PairEncoder,
    sentences: list[str],
    *,
    top: int,
    depths: list[int],
    work: Path | None,
) -> dict[str, Any]:
    """Return the share of the exhaustive top that mining finds, by its number of candidates."""
    truth, seconds = exhaustive_top(cross, sentences, top, work=work)
    documents = [Document(str(number), text) for number, text in enumerate(sentences, 1)]
    recalls = {}
    for candidates in depths:
        mined = mine_texts(documents, bi, reranker=cross, top=top, candidates=candidates)
        # Scores depend in their last digits on the batch in which a pair stood.
        found = sum((pair.rerank_score or 0.0) >= truth[-1] - 1e-6 for pair in mined)
        recalls[str(candidates)] = min(found, top) / top
    return {
        "sentences": len(sentences),
        "pairs": len(sentences) * (len(sentences) - 1) // 2,
        "top": top,
        "last_score": float(truth[-1]),
        "exhaustive_seconds": seconds,
        "recall_by_candidates": recalls,
    }


def read_sentences(path: Path, column: int | None) -> list[str]:
    """Return the lines of a file, or one of their tab-separated cells."""
    lines = [line for line in read_lines(path) if line.strip()]
    return lines if column is None else [line.split("\t")[column].strip() for line in lines]


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--text-at", type=int, help="Which tab-separated cell of a line is the sentence.")
@click.option("--encoder", required=True, help="A saved bi-encoder.")
@click.option("--reranker", required=True, help="A saved cross-encoder.")
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    default="fp32",
    show_default=True,
    help="Of both encoders.",
)
@click.option("--sentences", default=10_000, show_default=True, help="Of the job.")
@click.option("--top", default=100, show_default=True, help="Pairs wanted.")
@click.option("--candidates", default=1000, show_default=True, help="Pairs reranked in the job.")
@click.option("--sample", default=0, show_default=True, help="Sentences compared exhaustively.")
@click.option("--rounds", default=3, show_default=True, help="Of job and throughput.")
@click.option("--seed", default=1, show_default=True, help="Of samples.")
@click.option("--work", type=click.Path(path_type=Path), help="Keep the sample's scores here.")
@click.option("--out", default="mining", show_default=True, help="Name of the results.")
def main(
    corpus: Path,
    text_at: int | None,
    encoder: str,
    reranker: str,
    precision: Precision,
    sentences: int,
    top: int,
    candidates: int,
    sample: int,
    rounds: int,
    seed: int,
    work: Path | None,
    out: str,
) -> None:
    """Measure mining over CORPUS and write results/OUT.json and .md."""
    try:
        texts = read_sentences(corpus, text_at)[:sentences]
        bi, cross = load(encoder, precision=precision), load(reranker, precision=precision)
        if not isinstance(bi, BiEncoder):
            raise ConfigError(f"{encoder} is no bi-encoder; vectors need one")
        jobs, speeds = [], []
        for number in range(rounds):
            jobs.append(time_job(texts, encoder, reranker, precision, top, candidates))
            speeds.append(inferences_per_second(cross, texts, seed=seed + number))
            click.echo(f"job {jobs[-1]:.1f} s, {speeds[-1]:.0f} inferences a second", err=True)
        pairs = len(texts) * (len(texts) - 1) // 2
        results: dict[str, Any] = {
            "sentences": len(texts),
            "pairs": pairs,
            "precision": precision,
            "top": top,
            "candidates": candidates,
            "job_seconds": jobs,
            "inferences_per_second": speeds,
            "exhaustive_seconds_extrapolated": [pairs / speed for speed in speeds],
            "ratios": [pairs / speed / job for job, speed in zip(jobs, speeds, strict=True)],
            "threads": torch.get_num_threads(),
            "environment": describe_environment(),
        }
        if sample:
            drawn = np.random.default_rng(seed).choice(len(texts), size=sample, replace=False)
            depths = sorted({top, 2 * top, 5 * top, candidates})
            chosen = [texts[position] for position in np.sort(drawn)]
            results["recall"] = measure_recall(bi, cross, chosen, top=top, depths=depths, work=work)
    except KosimError as error:
        raise click.ClickException(str(error)) from error
    write_json(RESULTS / f"{out}.json", results)
    write_text(RESULTS / f"{out}.md", to_markdown(results))


def to_markdown(results: dict[str, Any]) -> str:
    """Return the results as a page."""
    ratio = float(np.median(results["ratios"]))
    extrapolated = float(np.median(results["exhaustive_seconds_extrapolated"]))
    lines = [
        "# Mining the most similar pairs",
        "",
        f"{results['sentences']:,} sentences, {results['pairs']:,} pairs; the best "
        f"{results['top']} of {results['candidates']:,} reranked candidates. Medians of "
        f"{len(results['ratios'])} rounds on {results['threads']} threads, in "
        f"{results['precision']}.",
        "",
        "| | |",
        "|---|---|",
        "| `kosim mine`, whole process | "
        f"{duration(float(np.median(results['job_seconds']))).en} |",
        "| cross-encoder, inferences a second | "
        f"{amount(float(np.median(results['inferences_per_second'])))} |",
        f"| every pair once, extrapolated | {duration(extrapolated).en} |",
        f"| ratio | {ratio:,.0f} |",
        f"| ratio, both orders of every pair as the job scores them | {2 * ratio:,.0f} |",
        "",
    ]
    if recall := results.get("recall"):
        lines += [
            f"All {recall['pairs']:,} pairs of {recall['sentences']:,} sampled sentences were "
            f"scored in {duration(recall['exhaustive_seconds']).en}. Share of their top "
            f"{recall['top']} that mining finds:",
            "",
            "| candidates | recall |",
            "|---|---|",
            *(
                f"| {depth} | {value:.2f} |"
                for depth, value in recall["recall_by_candidates"].items()
            ),
            "",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
