"""Made-up results of a comparison, in the shape of ``results.json``, and variants of them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from kosim.experiments.comparison.evaluation import ScoredContender, plot_scores

HOSTILE = "<script>alert('x')</script> | [a](b) *c* `d` $e_1$"
SOURCES = ("숙박 후기", "정책 뉴스", "smart-home")


def metric(value: float, half: float = 0.02) -> dict[str, float]:
    """A value with its interval."""
    return {"value": value, "low": value - half, "high": min(value + half, 1.0)}


def gap(value: float, half: float, p_value: float) -> dict[str, float]:
    """A difference with its interval and p-value."""
    return {"value": value, "low": value - half, "high": value + half, "p_value": p_value}


def history(final: float) -> list[dict[str, float]]:
    """Five epochs: the validation loss is lowest at 2, Pearson highest at 4, F1 at 3."""
    validation = (0.052, 0.041, 0.043, 0.046, 0.051)
    rise = (-0.09, -0.03, -0.01, 0.0, -0.002)
    f1 = (-0.14, -0.07, -0.04, -0.06, -0.05)
    return [
        {
            "epoch": epoch,
            "train_loss": 0.09 / epoch**0.9,
            "validation_loss": validation[epoch - 1],
            "pearson": final + rise[epoch - 1],
            "spearman": final - 0.01 + rise[epoch - 1],
            "f1": final + f1[epoch - 1],
        }
        for epoch in range(1, 6)
    ]


def seed(pearson: float, f1: float, threshold: float) -> dict[str, Any]:
    """One training run."""
    return {
        "test": {
            "pearson": metric(pearson),
            "spearman": metric(pearson - 0.012),
            "f1": metric(f1, 0.03),
            "f1_tuned": metric(f1 + 0.006, 0.03),
        },
        "threshold": threshold,
        "best_epoch": 4,
        "select": "pearson",
        "train_seconds": 612.0,
        "history": history(pearson + 0.01),
        "best_epochs": {"loss": 2, "pearson": 4, "f1": 3},
    }


def scores(threshold: float) -> dict[str, Any]:
    """The plots of 300 made-up scores around their labels."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0.0, 0.4, 0.8, 1.2, 2.0, 2.6, 3.0, 3.4, 4.0, 4.4, 5.0], size=300)
    found = np.clip(labels + rng.normal(0, 0.75, 300), 0, 5)
    contender = ScoredContender("made up", "bi", found[None], np.array([threshold]))
    return plot_scores(contender, labels).model_dump()


def encoder(kind: str, pearson: float, f1: float, threshold: float, speed: float) -> dict[str, Any]:
    """One contender with one seed."""
    by_source = {
        source: {
            "n": n,
            "pearson": metric(pearson + shift, 0.03),
            "f1": metric(f1 + shift, 0.05),
        }
        for source, n, shift in zip(SOURCES, (173, 171, 175), (0.02, -0.04, 0.01), strict=True)
    }
    return {
        "kind": kind,
        "backbone": "e5-small-ko",
        "backbone_note": None,
        "loss": {"bi": "cosine", "cross": "mse"}[kind],
        "parameters": 34_700_000,
        "test": {
            "pearson": metric(pearson),
            "spearman": metric(pearson - 0.012),
            "f1": metric(f1, 0.03),
            "precision": metric(f1 + 0.02, 0.035),
            "recall": metric(f1 - 0.015, 0.04),
            "f1_tuned": metric(f1 + 0.006, 0.03),
            "precision_tuned": metric(f1 - 0.01, 0.035),
            "recall_tuned": metric(f1 + 0.02, 0.04),
        },
        "by_source": by_source,
        "train_seconds": 612.0,
        "pairs_per_second": speed,
        "swap_asymmetry": None,
        "seed_spread": None,
        "scores": scores(threshold),
        "seeds": {"1": seed(pearson, f1, threshold)},
    }


def comparison(first: str, second: str, value: float, p_value: float) -> dict[str, Any]:
    """The metrics of one contender minus another."""
    return {
        "first": first,
        "second": second,
        "pearson": gap(value, 0.015, p_value) | {"pairs_needed": None},
        "spearman": gap(value - 0.001, 0.016, p_value),
        "f1": gap(value + 0.002, 0.034, 0.31),
        "f1_tuned": gap(value + 0.003, 0.033, 0.28),
    }


def corpus_row(sentences: int) -> dict[str, Any]:
    """What search and all pairs cost at one corpus size."""
    pairs = sentences * (sentences - 1) / 2
    return {
        "sentences": sentences,
        "all_pairs": {
            "bi_seconds": sentences / 260 + pairs / 4e7,
            "cross_seconds": pairs / 85,
        },
        "query": {
            "bi_seconds": 0.006 + sentences / 4e7,
            "rerank_seconds": 0.006 + sentences / 4e7 + min(sentences, 100) / 85,
            "cross_seconds": sentences / 85,
        },
        "extrapolated": sentences > 1_000,
    }


def split_report(read: int, kept: int) -> dict[str, Any]:
    """What the data report says of one split."""
    return {
        "name": "klue-sts",
        "scale": "0:5",
        "read": read,
        "kept": kept,
        "removed": {"missing": {"n": 0, "rows": []}, "duplicate": {"n": 7, "rows": [12, 40]}},
        "labels": {
            "mean": 2.49,
            "positive_share": 0.424,
            "histogram": {"edges": [0.0, 2.5, 5.0], "counts": [290, 229]},
        },
        "characters": {"mean": 31.2, "p95": 61.0},
        "by_source": {
            source: {"n": 173, "mean_label": 2.5, "positive_share": 0.42} for source in SOURCES
        },
    }


def example_results() -> dict[str, Any]:
    """A cross-encoder that beats a bi-encoder by 0.019 on 519 pairs of three sources."""
    encoders = {
        "bi": encoder("bi", 0.880, 0.812, 2.87, 171.0),
        "cross": encoder("cross", 0.899, 0.826, 3.12, 85.0),
    }
    encoders["cross"]["swap_asymmetry"] = {
        "mean_absolute": 0.121,
        "p95_absolute": 0.402,
        "max_absolute": 1.31,
        "verdict_flips": 0.021,
        "pearson_symmetric": 0.902,
    }
    difference = comparison("cross", "bi", 0.019, 0.012)
    difference["mcnemar"] = {
        "only_cross_right": 31,
        "only_bi_right": 22,
        "p_value": 0.22,
        "threshold": 3.0,
    }
    difference["williams_p_value"] = 0.011
    return {
        "format": 1,
        "kosim_version": "0.1.0",
        "name": "quickstart",
        "created": "2026-11-23T15:00:00+00:00",
        "encoders": encoders,
        "difference": difference,
        "pairwise": [copy.deepcopy(difference)],
        "ceiling": {"split_half": 0.94, "reliability": 0.97, "best_pearson": 0.985},
        "disagreements": [
            {
                "sentence1": "숙소가 역에서 걸어서 5분이라 짐이 많아도 편했습니다.",
                "sentence2": "역에서 숙소까지 걸어서 50분이 걸려 짐을 끌기 힘들었어요.",
                "source": SOURCES[0],
                "label": 0.8,
                "bi": 4.31,
                "cross": 1.12,
                "why": "encoders",
            },
            {
                "sentence1": HOSTILE,
                "sentence2": "거실 불 꺼 줘",
                "source": SOURCES[2],
                "label": 4.0,
                "bi": 1.2,
                "cross": 1.4,
                "why": "label",
            },
        ],
        "cost": {
            "device": "cpu",
            "threads": 2,
            "encoders": {
                "bi": {
                    "pairs_per_second": 171.0,
                    "sentences_per_second": 342.0,
                    "single_pair_ms": {"p50": 11.2, "p95": 14.9},
                    "parameters": 34_700_000,
                },
                "cross": {
                    "pairs_per_second": 85.0,
                    "single_pair_ms": {"p50": 13.4, "p95": 18.3},
                    "parameters": 34_700_000,
                },
            },
            "corpus": [corpus_row(n) for n in (100, 1_000, 10_000, 100_000)],
            "rerank_candidates": 100,
            "break_even": {"query_sentences": 104, "all_pairs_sentences": 12},
            "out_of_reach": {"query_one_second": 85, "all_pairs_one_hour": 782},
        },
        "data": {
            "train": split_report(11_668, 11_650),
            "test": split_report(519, 519),
            "leakage": {
                "pairs": {"n": 0, "rows": []},
                "sentences": {"distinct": 2, "n": 3, "rows": [17, 204, 900]},
            },
            "used": {"train": 10_484, "validation": 1_166, "test": 519},
            "tokens": {"bi": {"limit": 128, "mean": 21.4, "cut_share": 0.0}},
        },
        "environment": {
            "python": "3.11.2",
            "torch": "2.13.0",
            "cpu": "x86_64, AVX2",
            "threads": 2,
        },
    }


def undecided_results() -> dict[str, Any]:
    """A difference of 0.004 that chance explains; 4,100 pairs would show it."""
    results = example_results()
    results["encoders"]["cross"]["test"]["pearson"] = metric(0.884)
    results["difference"] |= comparison("cross", "bi", 0.004, 0.21)
    results["difference"]["pearson"]["pairs_needed"] = 4_100
    return results


def bi_wins_results() -> dict[str, Any]:
    """A bi-encoder that beats the cross-encoder by 0.031."""
    results = example_results()
    results["encoders"]["cross"] |= encoder("cross", 0.849, 0.826, 3.12, 85.0)
    results["difference"] |= comparison("cross", "bi", -0.031, 0.0004)
    return results


def one_encoder_results(kind: str = "bi") -> dict[str, Any]:
    """One contender that was not trained, and no difference."""
    results = example_results()
    results["encoders"] = {kind: results["encoders"][kind]}
    results["difference"], results["pairwise"] = None, []
    contender = results["encoders"][kind]
    contender["train_seconds"] = None
    run = contender["seeds"]["1"]
    contender["seeds"]["1"] = {"test": run["test"], "threshold": 2.9, "best_epoch": None}
    contender["seeds"]["1"] |= {"history": [], "train_seconds": None, "loss": None}
    for row in results["disagreements"]:
        del row["cross" if kind == "bi" else "bi"]
    return results


def three_encoders_results() -> dict[str, Any]:
    """Two cross-encoders that cannot be told apart, and a bi-encoder that both beat."""
    results = example_results()
    results["encoders"]["cross-large"] = encoder("cross", 0.904, 0.83, 3.0, 21.0)
    results["pairwise"] = [
        comparison("cross", "bi", 0.019, 0.012),
        comparison("cross-large", "bi", 0.024, 0.002),
        comparison("cross-large", "cross", 0.005, 0.4),
    ]
    for entry, adjusted in zip(results["pairwise"], (0.024, 0.006, 0.4), strict=True):
        for metric_name in ("pearson", "spearman", "f1", "f1_tuned"):
            entry[metric_name]["p_adjusted"] = adjusted
    for row in results["disagreements"]:
        row["cross-large"] = 2.5
    return results


def no_sources_results() -> dict[str, Any]:
    """Data without sources, ceiling and cost, on few pairs, from a stand-in backbone."""
    results = example_results()
    for contender in results["encoders"].values():
        contender["by_source"] = {}
        contender["backbone_note"] = "a small ELECTRA trained from scratch"
    results["ceiling"], results["cost"], results["data"] = None, {}, {"test": {"kept": 60}}
    return results


def seeds_results() -> dict[str, Any]:
    """Three seeds, whose spread is larger than the difference."""
    results = example_results()
    for name, values in {"bi": (0.865, 0.880, 0.895), "cross": (0.897, 0.899, 0.901)}.items():
        contender = results["encoders"][name]
        contender["seeds"] = {
            str(number): seed(value, value - 0.07, 2.8 + number / 10)
            for number, value in enumerate(values, start=1)
        }
        contender["seed_spread"] = {
            "pearson": {
                "mean": float(np.mean(values)),
                "sd": float(np.std(values, ddof=1)),
                "min": min(values),
                "max": max(values),
            }
        }
    return results


def settled(results: dict[str, Any]) -> dict[str, Any]:
    """The same with three seeds that agree, so that nothing is to be warned of."""
    for contender in results["encoders"].values():
        run = contender["seeds"]["1"]
        contender["seeds"] = {number: copy.deepcopy(run) for number in ("1", "2", "3")}
    return results


def undefined_results() -> dict[str, Any]:
    """F1 without a value, since no label is positive, and one source with constant labels."""
    results = example_results()
    why = {"undefined": "no label reaches 3.0, so there is nothing to find; lower it"}
    for contender in results["encoders"].values():
        contender["test"] |= {"f1": dict(why), "precision": None}
        contender["by_source"][SOURCES[1]]["pearson"] = {"undefined": "constant labels"}
    results["difference"] |= {"f1": dict(why), "mcnemar": None}
    results["ceiling"] = {"undefined": "one annotator a pair"}
    return results


VARIANTS = {
    "example": example_results,
    "undecided": undecided_results,
    "bi wins": bi_wins_results,
    "bi alone": one_encoder_results,
    "cross alone": lambda: one_encoder_results("cross"),
    "three": three_encoders_results,
    "no sources": no_sources_results,
    "seeds": seeds_results,
    "settled": lambda: settled(example_results()),
    "undefined": undefined_results,
}
