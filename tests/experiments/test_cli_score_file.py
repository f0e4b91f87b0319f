"""``kosim score --pairs``, ``--min-score``, ``--symmetric``, and calls that compute nothing."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kosim.encoders.bundle import MINI_CROSS
from kosim.encoders.loading import load
from kosim.encoders.training.config import LOSS_NAMES
from kosim.encoders.training.losses import TRAINING_BY_KIND
from kosim.experiments.data import scored_pairs
from tests.checkout import environment
from tests.experiments.tiny_artifacts import answer, refusal

PAIRS = [(f"거실 불 {n} 꺼 줘", f"조명 {n % 3} 꺼 줄래") for n in range(11)]


@pytest.fixture(scope="module")
def cross(encoders: dict[str, Path]) -> Path:
    return encoders["cross"]


def write(path: Path) -> Path:
    frame = pd.DataFrame(PAIRS, columns=["문장1", "문장2"])
    frame["memo"] = [f'a, "{n}"' for n in range(len(frame))]
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".tsv":
        frame.to_csv(path, index=False, sep="\t", quoting=csv.QUOTE_NONE)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True, force_ascii=False)
    return path


def read(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_dict("records")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    if path.suffix == ".csv":
        return list(csv.DictReader(path.open(encoding="utf-8", newline="")))
    lines = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("csv", "tsv"), ("tsv", "parquet"), ("parquet", "jsonl"), ("jsonl", "csv")],
)
def test_a_file_of_pairs_gets_the_scores_of_score(
    cross: Path, tmp_path: Path, given: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scored_pairs, "_TOGETHER", 4)
    pairs, out = write(tmp_path / f"pairs.{given}"), tmp_path / f"scored.{wanted}"
    assert "Scored 11 pairs" in answer("score", cross, "--pairs", pairs, "--out", out)
    rows, encoder = read(out), load(cross)
    scores = np.array([float(str(row[scored_pairs.SCORE])) for row in rows])
    np.testing.assert_allclose(scores, encoder.score(PAIRS), atol=1e-5)
    assert [(row["문장1"], row["문장2"]) for row in rows] == PAIRS
    assert rows[3]["memo"] == 'a, "3"'
    similar = [str(row[scored_pairs.SIMILAR]).lower() == "true" for row in rows]
    assert similar == (scores >= encoder.threshold).tolist()


@pytest.mark.parametrize("wanted", ["csv", "parquet"])
def test_a_column_that_comes_late_is_not_dropped(cross: Path, tmp_path: Path, wanted: str) -> None:
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / f"scored.{wanted}"
    rows = [{"sentence1": "가", "sentence2": "나"}, {"sentence1": "가", "sentence2": "다", "n": 1}]
    pairs.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    said = refusal("score", cross, "--pairs", pairs, "--out", out)
    assert "a later row has a column 'n'" in said
    assert sorted(tmp_path.iterdir()) == [pairs]


def test_values_of_two_types_are_one_line(cross: Path, tmp_path: Path) -> None:
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "scored.parquet"
    rows = [{"sentence1": "가", "sentence2": "나", "n": value} for value in (1, "하나")]
    pairs.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert "change their type" in refusal("score", cross, "--pairs", pairs, "--out", out)


def test_a_file_of_pairs_is_scored_whole_or_not_at_all(cross: Path, tmp_path: Path) -> None:
    pairs, out = tmp_path / "pairs.csv", tmp_path / "scored.csv"
    pairs.write_text("sentence1,sentence2\n가,나\n다,\n", encoding="utf-8")
    assert "line 3: sentence2 is None" in refusal("score", cross, "--pairs", pairs, "--out", out)
    assert sorted(tmp_path.iterdir()) == [pairs]
    pairs.write_text("sentence1,sentence2\n가,나\n", encoding="utf-8")
    answer("score", cross, "--pairs", pairs, "--out", out)
    before = out.read_bytes()
    assert "exists already" in refusal("score", cross, "--pairs", pairs, "--out", out)
    assert out.read_bytes() == before
    answer("score", cross, "--pairs", pairs, "--out", out, "--overwrite")
    assert "kosim_score already" in refusal(
        "score", cross, "--pairs", out, "--out", tmp_path / "x.csv"
    )
    assert "no known suffix" in refusal("score", cross, "--pairs", pairs, "--out", tmp_path / "x")
    assert "goes with --out" in refusal("score", cross, "--pairs", pairs)
    assert "two sentences" in refusal("score", cross, "하나")


def test_columns_of_a_file_are_named(cross: Path, tmp_path: Path) -> None:
    pairs, out = tmp_path / "pairs.csv", tmp_path / "scored.jsonl"
    pairs.write_text("x,y\n가,나\n", encoding="utf-8")
    assert "--columns" in refusal("score", cross, "--pairs", pairs, "--out", out)
    answer("score", cross, "--pairs", pairs, "--out", out, "--columns", "x,y")
    assert read(out)[0]["y"] == "나"


def test_symmetric_is_the_mean_of_both_orders() -> None:
    encoder = load(MINI_CROSS, device="cpu")
    first, second = "비가 오니?", "내일 눈이 와"
    raw = encoder.score([(first, second), (second, first)], raw=True)
    expected = float(encoder.calibration(np.array([raw.mean()], dtype=np.float32))[0])
    for pair in ((first, second), (second, first)):
        told = json.loads(answer("score", MINI_CROSS, *pair, "--symmetric", "--json"))
        assert told["score"] == pytest.approx(expected, abs=1e-4)
    (hit,) = encoder.rank(first, [second], symmetric=True)
    assert hit.score == pytest.approx(expected, abs=1e-4)


def test_min_score_leaves_out_what_scores_below(tmp_path: Path) -> None:
    corpus, index = tmp_path / "corpus.txt", tmp_path / "index"
    texts = ["거실 불을 꺼 줘", "거실 조명 꺼", "오늘 환율이 얼마야", "비가 오나요"]
    corpus.write_text("\n".join(texts), encoding="utf-8")
    answer("index", "build", corpus, "--encoder", "mini-bi", "--out", index)
    query = "거실 불 꺼 줘"
    for call in (
        ("rerank", "--reranker", "mini-cross", "--query", query, corpus),
        ("search", index, query, "--reranker", "mini-cross"),
        ("search", index, query),
    ):
        hits = json.loads(answer(*call, "--json"))["hits"]
        kept = json.loads(answer(*call, "--min-score", "2.5", "--json"))["hits"]
        assert 0 < len(kept) < len(hits)
        assert kept == [hit for hit in hits if hit["score"] >= 2.5]
    assert "--symmetric" in refusal("search", index, query, "--symmetric")
    refusal("search", index, query, "--min-score", "7")


def test_names_of_losses_are_those_that_there_are() -> None:
    for kind, training in TRAINING_BY_KIND.items():
        assert set(LOSS_NAMES[kind]) == set(training.losses)
        assert LOSS_NAMES[kind][0] == training.default_loss


def test_a_call_that_computes_nothing_imports_no_torch() -> None:
    code = (
        "import sys\nfrom kosim.experiments.cli import main\n"
        "for call in (['compare', 'nope'], ['train', '--help'], ['score', 'a']):\n"
        "    try:\n        main(call)\n"
        "    except SystemExit:\n        assert 'torch' not in sys.modules, call\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "there is no" in ended.stderr or "nope" in ended.stderr
    assert "--learning-rate" in ended.stdout


def test_saved_encoders_are_compared_and_a_file_is_taken_as_pairs(
    encoders: dict[str, Path], tmp_path: Path
) -> None:
    test = tmp_path / "test.csv"
    rows = [f"문장 {n} 하나,다른 말 {n} 둘,{n % 6}" for n in range(60)]
    test.write_text("sentence1,sentence2,score\n" + "\n".join(rows) + "\n", encoding="utf-8")
    saved = ("--bi", encoders["bi"], "--cross", encoders["cross"])
    told = answer("compare", *saved, "--test", test, "--out", tmp_path / "run", "--json")
    assert set(json.loads(told)["encoders"]) == {"bi", "cross"}
    plan = answer("compare", test, "--backbone", "scratch", "--dry-run")
    assert plan.startswith("test: ")
    assert "train" in plan.lower()
    assert "and --train name training pairs" in refusal("compare", test, "--train", test)
