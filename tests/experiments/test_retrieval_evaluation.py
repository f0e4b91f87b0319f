"""The retrieval evaluation end to end, on tiny encoders and made-up sentences."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from kosim.encoders.bi import BiEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.loading import load
from kosim.experiments.cli import main
from kosim.experiments.retrieval.finding import compute_finding
from kosim.experiments.retrieval.metrics import ndcg
from kosim.experiments.retrieval.rankings import reranked, without_own
from kosim.experiments.retrieval.results import RetrievalResults
from tests.encoders.tiny import WORDS


def kosim(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refusal(*arguments: str | Path) -> str:
    """Run a command that must be refused: one line on standard error, exit code 2."""
    result = kosim(*arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


def sentences(groups: int, each: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Return (group, sentence): the sentences of a group share all words but one."""
    random = np.random.default_rng(seed)
    made = []
    for group in range(groups):
        base = random.choice(WORDS, 6)
        for number in range(each):
            words = base.copy()
            words[number % 6] = WORDS[(group + number) % len(WORDS)]
            made.append((f"g{group:02d}", " ".join(words)))
    return made


@pytest.fixture(scope="module")
def encoders(
    encoders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Return the tiny encoders with calibrations, which mixing their scores needs."""
    folder = tmp_path_factory.mktemp("calibrated")
    labels = np.linspace(0, 5, 21)
    for kind, raw in (("bi", labels / 5), ("cross", 4 * labels - 10)):
        encoder: Any = load(encoders[kind])
        encoder.calibration = MonotoneCalibration.fit(raw, labels)
        encoder.save(folder / kind)
    return {kind: folder / kind for kind in ("bi", "cross")}


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("groups") / "groups.tsv"
    lines = ["group\ttext", *("\t".join(row) for row in sentences(15, 4))]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def evaluated(
    groups: Path, encoders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("runs") / "retrieval"
    result = kosim(
        *("evaluate-retrieval", "--groups", groups, "--held-out-groups", "8", "--seed", "1"),
        *("--encoder", encoders["bi"], "--reranker", encoders["cross"]),
        *("--candidates", "5,20", "--latency-queries", "3", "--resamples", "999"),
        *("--out", folder, "--json"),
    )
    assert result.exit_code == 0, (result.output, result.exception)
    return folder, json.loads(result.stdout)


def test_every_way_to_search_is_a_row(evaluated: tuple[Path, dict[str, Any]]) -> None:
    results = evaluated[1]
    keys = [row["key"] for row in results["rows"]]
    assert keys[-5:] == ["dense", "rerank-5", "rerank-20", "rerank-5-0.5", "rerank-20-0.5"]
    assert ("lexical" in keys) != bool(results["left_out"])
    for row in results["rows"]:
        assert row["latency_ms"]["p50"] > 0
        for figure in row["metrics"].values():
            assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert results["task"]["queries"] == 32
    assert results["task"]["groups"] == 8
    assert results["task"]["documents"] == 60


def test_the_figures_are_those_of_brute_force(
    evaluated: tuple[Path, dict[str, Any]], groups: Path, encoders: dict[str, Path]
) -> None:
    results = evaluated[1]
    held_out = kosim(
        *("evaluate-retrieval", "--groups", groups, "--held-out-groups", "8", "--seed", "1"),
        "--list-held-out",
    )
    asked = set(held_out.stdout.strip().splitlines())
    rows = sentences(15, 4)
    names, texts = [name for name, _ in rows], [text for _, text in rows]
    bi, cross = load(encoders["bi"]), load(encoders["cross"])
    assert isinstance(bi, BiEncoder)
    assert isinstance(cross, CrossEncoder)
    vectors = bi.encode(texts)
    values: dict[str, list[float]] = {"dense": [], "rerank-5": [], "rerank-5-0.5": []}
    for query, text in enumerate(texts):
        if text not in asked:
            continue
        cosines = vectors @ vectors[query]
        cosines[query] = -np.inf
        order = np.argsort(-cosines, kind="stable")[:-1]
        pairs = [(text, texts[i]) for i in order[:5]]
        by = {
            "dense": -np.arange(5),
            "rerank-5": cross.score(pairs, raw=True),
            "rerank-5-0.5": (bi.score(pairs) + cross.score(pairs)) / 2,
        }
        for key, scores in by.items():
            ranked = np.concatenate([order[:5][np.argsort(-scores, kind="stable")], order[5:]])
            gains = np.array([[float(names[i] == names[query]) for i in ranked]])
            values[key].append(float(ndcg(gains, np.ones((1, 3)), 10)[0]))
    for row in results["rows"]:
        if row["key"] in values:
            expected = np.mean(values[row["key"]])
            assert row["metrics"]["ndcg@10"]["value"] == pytest.approx(expected, abs=1e-6)


def test_reranking_everything_within_ten_leaves_recall_at_a_hundred(
    evaluated: tuple[Path, dict[str, Any]],
) -> None:
    rows = {row["key"]: row["metrics"] for row in evaluated[1]["rows"]}
    assert rows["rerank-5"]["recall@10"] == rows["dense"]["recall@10"]
    assert rows["rerank-20"]["recall@100"] == rows["dense"]["recall@100"]


def test_no_more_is_reranked_than_the_corpus_holds(
    groups: Path, encoders: dict[str, Path], tmp_path: Path
) -> None:
    result = kosim(
        *("evaluate-retrieval", "--groups", groups, "--encoder", encoders["bi"]),
        *("--reranker", encoders["cross"], "--candidates", "5,70,100", "--resamples", "99"),
        *("--interpolation", "0", "--latency-queries", "1", "--out", tmp_path / "run", "--json"),
    )
    rows = json.loads(result.stdout)["rows"]
    documents = json.loads(result.stdout)["task"]["documents"]
    assert documents < 70
    assert [row["depth"] for row in rows if row["depth"]] == [5, documents]


def test_the_report_is_written_in_three_forms(evaluated: tuple[Path, dict[str, Any]]) -> None:
    folder, results = evaluated
    assert json.loads((folder / "results.json").read_text(encoding="utf-8")) == results
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    said = re.sub("</?span.*?>", "", page)
    assert results["finding"]["ko"]["headline"] in said
    assert results["finding"]["en"]["headline"] in said
    assert "recall@100" in (folder / "report.md").read_text(encoding="utf-8")


def test_a_report_is_only_replaced_when_asked(
    evaluated: tuple[Path, dict[str, Any]], groups: Path, encoders: dict[str, Path]
) -> None:
    line = refusal(
        *("evaluate-retrieval", "--groups", groups, "--encoder", encoders["bi"]),
        *("--out", evaluated[0]),
    )
    assert "exists already" in line


def test_queries_and_relevance_files_over_an_index(
    tmp_path: Path, encoders: dict[str, Path]
) -> None:
    rows = sentences(10, 2, seed=3)
    corpus = tmp_path / "corpus.tsv"
    corpus.write_text(
        "id\ttext\n" + "".join(f"d{i}\t{text}\n" for i, (_, text) in enumerate(rows)),
        encoding="utf-8",
    )
    queries, relevance = tmp_path / "q.tsv", tmp_path / "r.tsv"
    queries.write_text(
        "query_id\ttext\n" + "".join(f"q{i}\t{rows[2 * i][1]}\n" for i in range(10)), "utf-8"
    )
    relevance.write_text(
        "query_id\tdocument_id\trelevance\n"
        + "".join(f"q{i}\td{2 * i}\t2\nq{i}\td{2 * i + 1}\t1\n" for i in range(10)),
        "utf-8",
    )
    index = tmp_path / "index"
    built = kosim("index", "build", corpus, "--encoder", encoders["bi"], "--out", index)
    assert built.exit_code == 0, built.output
    found = []
    for documents in (("--corpus", corpus), ("--index", index)):
        result = kosim(
            *("evaluate-retrieval", "--queries", queries, "--relevance", relevance, *documents),
            *("--encoder", encoders["bi"], "--latency-queries", "1", "--resamples", "999"),
            *("--out", tmp_path / documents[0], "--json"),
        )
        assert result.exit_code == 0, (result.output, result.exception)
        found.append(json.loads(result.stdout))
    dense = [next(row for row in each["rows"] if row["key"] == "dense") for each in found]
    # The query's text is a judged document here: it is the best hit, not left out.
    assert dense[0]["metrics"]["mrr@10"]["value"] == 1
    assert dense[0]["metrics"] == dense[1]["metrics"]
    assert any("no --reranker" in reason for reason in found[0]["left_out"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--groups", "nowhere.tsv"], "nowhere.tsv"),
        (["--groups", "GROUPS", "--held-out-groups", "99"], "cannot hold out 99 of 15"),
        (["--groups", "GROUPS", "--candidates", "0"], "each at least 1"),
        (["--groups", "GROUPS", "--candidates", "ten"], "whole numbers"),
        (["--groups", "GROUPS", "--queries-per-group", "0"], "0 queries per group"),
        (["--groups", "GROUPS", "--held-out-groups", "1"], "at least 2 groups"),
        (["--groups", "GROUPS", "--latency-queries", "0"], "cannot be timed"),
        (["--groups", "GROUPS", "--interpolation", "1"], "0<=x<1"),
        ([], "say what to ask"),
        (["--queries", "q.tsv"], "go together"),
        (["--queries", "q.tsv", "--relevance", "r.tsv"], "--corpus FILE or --index"),
        (
            ["--queries", "q", "--relevance", "r", "--corpus", "c", "--held-out-groups", "2"],
            "--groups",
        ),
        (["--groups", "GROUPS", "--index", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    groups: Path,
    encoders: dict[str, Path],
    arguments: list[str],
    said: str,
) -> None:
    given = [str(groups) if argument == "GROUPS" else argument for argument in arguments]
    options = ("--encoder", encoders["bi"], "--out", tmp_path / "out")
    assert said in refusal("evaluate-retrieval", *given, *options)
    assert not (tmp_path / "out").exists()


def test_an_encoder_is_needed_and_must_be_a_bi_encoder(
    groups: Path, encoders: dict[str, Path]
) -> None:
    assert "--encoder is missing" in refusal("evaluate-retrieval", "--groups", groups)
    line = refusal("evaluate-retrieval", "--groups", groups, "--encoder", encoders["cross"])
    assert "bi-encoder" in line


def test_own_rows_are_left_out_and_the_rest_moves_up() -> None:
    rows = np.array([[4, 7, 2, -1], [1, 2, 3, 4]])
    assert without_own(rows, [{7}, set()], 3).tolist() == [[4, 2, -1], [1, 2, 3]]


def test_reranking_keeps_ties_and_what_lies_deeper_in_order() -> None:
    rows = np.array([[10, 11, 12, 13]])
    scores = np.array([[1.0, 2.0, 2.0, 9.0]])
    assert reranked(rows, scores, 3).tolist() == [[11, 12, 10, 13]]
    assert reranked(rows, scores, 4).tolist() == [[13, 11, 12, 10]]


def row(key: str, value: float, depth: int | None = None, share: float = 0.0) -> dict[str, Any]:
    figure = {"value": value, "low": value - 0.01, "high": value + 0.01}
    return {
        "key": key,
        "mode": "dense",
        "depth": depth,
        "interpolation": share,
        "metrics": {"ndcg@10": figure},
        "latency_ms": {"p50": 10.0 * (depth or 1), "p95": 20.0, "queries": 5},
    }


def test_the_finding_names_the_smallest_depth_that_is_as_good() -> None:
    def pair(first: str, second: str, value: float, p: float) -> dict[str, Any]:
        figure = {"value": value, "low": value - 0.02, "high": value + 0.02, "p_value": p}
        return {"first": first, "second": second, "ndcg@10": figure}

    results = {
        "name": "retrieval",
        "created": "2026-11-24T02:07:36+00:00",
        "kosim_version": "0.1.0",
        "primary": "ndcg@10",
        "rows": [row("dense", 0.7), row("rerank-10", 0.79, 10), row("rerank-50", 0.8, 50)],
        "comparisons": [
            pair("dense", "rerank-10", -0.09, 0.001),
            pair("dense", "rerank-50", -0.10, 0.001),
            pair("rerank-10", "rerank-50", -0.01, 0.4),
        ],
        "task": {"queries": 500, "groups": 50, "documents": 900},
        "left_out": [],
    }
    finding = compute_finding(RetrievalResults.model_validate(results)).to_json()
    assert finding["best"] == "rerank-50"
    assert "not surely above: bi-encoder, then cross-encoder on 10" in finding["en"]["headline"]
    said = " ".join(finding["en"]["sentences"])
    assert "finds better than the bi-encoder alone (nDCG@10 +0.100 [0.080, 0.120]" in said
    assert "Depth 10 cannot be told from the best, 50 (+0.010" in said
    assert not finding["en"]["warnings"]
    assert len(finding["ko"]["sentences"]) == len(finding["en"]["sentences"])


@pytest.mark.parametrize(
    ("share", "said", "korean"),
    [
        (0.5, "10 hits by the mean of both encoders' scores finds", "두 인코더 점수의 평균으로"),
        (0.3, "by both encoders' scores (0.3 of the bi-encoder's) finds", "바이인코더 0.3"),
    ],
)
def test_the_finding_says_by_which_scores_hits_were_reranked(
    share: float, said: str, korean: str
) -> None:
    mixed = f"rerank-10-{share:g}"
    gap = {"value": -0.1, "low": -0.12, "high": -0.08, "p_value": 0.001}
    results = {
        "name": "retrieval",
        "created": "2026-11-29T02:07:36+00:00",
        "kosim_version": "0.2.0",
        "primary": "ndcg@10",
        "rows": [row("dense", 0.7), row("rerank-10", 0.69, 10), row(mixed, 0.8, 10, share)],
        "comparisons": [
            {"first": "dense", "second": mixed, "ndcg@10": gap},
            {"first": "rerank-10", "second": mixed, "ndcg@10": gap},
        ],
        "task": {"queries": 500, "groups": 50, "documents": 900},
        "left_out": [],
    }
    finding = compute_finding(RetrievalResults.model_validate(results)).to_json()
    assert finding["best"] == mixed
    assert said in " ".join(finding["en"]["sentences"])
    assert korean in " ".join(finding["ko"]["sentences"])


def test_encoders_without_a_calibration_are_not_mixed(
    tmp_path: Path, groups: Path, encoders: dict[str, Path]
) -> None:
    bi = load(encoders["bi"])
    assert isinstance(bi, BiEncoder)
    bi.calibration = MonotoneCalibration.identity()
    bi.save(tmp_path / "bi")
    result = kosim(
        *("evaluate-retrieval", "--groups", groups, "--encoder", tmp_path / "bi"),
        *("--reranker", encoders["cross"], "--candidates", "5", "--latency-queries", "1"),
        *("--resamples", "999", "--out", tmp_path / "out", "--json"),
    )
    results = json.loads(result.stdout)
    assert [row["key"] for row in results["rows"]][-2:] == ["dense", "rerank-5"]
    assert any("an encoder is not calibrated" in reason for reason in results["left_out"])
