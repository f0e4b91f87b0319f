"""The commands: what they print, and one clear line with exit code 2 for every bad input."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kosim.experiments.cli import main
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.data.datasets import load_sample
from tests.encoders.tiny import write_koelectra
from tests.experiments.conftest import resample_less

Run = tuple[Path, ComparisonResults]
ROWS = "\n".join(f"문장 {i}번입니다\t다른 문장 {i}\t{i % 6}" for i in range(60))


def kosim(*arguments: str | Path, text: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=text)


def refusal(*arguments: str | Path, text: str | None = None) -> str:
    """Run a command that must be refused: one line on standard error, exit code 2."""
    result = kosim(*arguments, text=text)
    assert result.exit_code == 2, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("Error: ")
    assert "Traceback" not in result.stderr
    return line


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text(f"sentence1\tsentence2\tscore\n{ROWS}\n", encoding="utf-8")
    return path


@pytest.fixture
def bi(small_run: Run) -> Path:
    return small_run[0] / "bi" / "seed-1"


@pytest.fixture
def cross(small_run: Run) -> Path:
    return small_run[0] / "cross" / "seed-1"


def test_help_lists_the_commands_without_loading_them() -> None:
    result = kosim("--help")
    assert result.exit_code == 0
    for command in ("compare", "train", "evaluate", "data", "score", "rerank"):
        assert command in result.output


@pytest.mark.parametrize("command", ["compare", "train", "evaluate", "data", "score", "rerank"])
def test_every_command_has_help(command: str) -> None:
    result = kosim(command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_score_prints_a_score_and_a_verdict(cross: Path) -> None:
    result = kosim("score", cross, "불 켜 줘", "조명 켜 줘", "--json")
    answer = json.loads(result.stdout)
    assert 0 <= answer["score"] <= 5
    assert answer["similar"] == (answer["score"] >= answer["threshold"])


def test_explain_prints_values_that_sum_to_the_score(cross: Path) -> None:
    pair = (cross, "불 켜 줘", "조명 켜 줘")
    answer = json.loads(kosim("explain", *pair, "--json").stdout)
    values = [each["value"] for name in ("units1", "units2") for each in answer[name]]
    assert sum(values) == pytest.approx(answer["score"] - answer["base"])
    assert [each["text"] for each in answer["units2"]] == ["조명", "켜", "줘"]
    shown = kosim("explain", *pair, "--masking", "mask").stdout
    assert "exact; left out means masked" in " ".join(shown.split())
    assert "조명" in shown


def test_rerank_reads_standard_input_and_skips_blank_lines(bi: Path) -> None:
    lines = "\n거실 불 꺼 줘\n\n내일 날씨\n"
    result = kosim("rerank", "--encoder", bi, "--query", "불 꺼", "--json", text=lines)
    hits = json.loads(result.stdout)["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2]
    assert {hit["line"]: hit["text"] for hit in hits} == {2: "거실 불 꺼 줘", 4: "내일 날씨"}
    assert hits[0]["raw"] >= hits[1]["raw"]


def test_evaluate_gives_the_figures_of_the_comparison(
    small_run: Run, bi: Path, tmp_path: Path
) -> None:
    frame = load_sample("test").frame.rename(columns={"label": "score"})
    file = tmp_path / "test.csv"
    frame[["sentence1", "sentence2", "score", "source"]].to_csv(file, index=False)
    result = kosim("evaluate", bi, "--test", file, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    expected = small_run[1].encoders["bi"].seeds["1"].test
    assert found["test"]["pearson"]["value"] == pytest.approx(expected["pearson"].value)
    assert found["test"]["f1_tuned"]["value"] == pytest.approx(expected["f1_tuned"].value)


def test_evaluate_chooses_a_threshold_on_validation_pairs(
    bi: Path, tmp_path: Path, pairs: Path
) -> None:
    goal = ("--validation", pairs, "--recall-at-least", "0.5")
    result = kosim("evaluate", bi, "--test", pairs, *goal, "--json")
    assert result.exit_code == 0, result.output
    chosen = json.loads(result.stdout)["chosen"]
    assert chosen["test"]["recall"]["value"] >= 0.5  # the same pairs here
    assert "60 of 60 validation pairs are test pairs too" in result.stderr
    assert (
        "chosen for a recall of at least 0.5"
        in kosim("evaluate", bi, "--test", pairs, *goal).stdout
    )
    assert "--validation FILE" in refusal("evaluate", bi, "--test", pairs, "--cost", "5:1")
    assert "give one of" in refusal("evaluate", bi, "--test", pairs, *goal, "--cost", "5:1")


def test_data_tells_what_is_noted_from_what_is_removed(tmp_path: Path) -> None:
    rows = [f"하나 {n},둘 {n},{n % 6}" for n in range(30)]
    for name, more in (("train", ["갑,을,0", "갑,을,5"]), ("test", ["갑,을,3"])):
        lines = ["sentence1,sentence2,label", *(rows if name == "train" else []), *more]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = (tmp_path / "train.csv", "--test", tmp_path / "test.csv", "--test-label-scale", "0:5")
    shown = kosim("data", *files).stdout
    assert "removed: pair in test" in shown
    assert "noted: conflicting labels" in shown
    assert "removed: conflicting labels" not in shown


def test_data_reports_as_json(pairs: Path) -> None:
    result = kosim("data", pairs, "--json")
    assert json.loads(result.stdout)["train"]["read"] == 60


def test_data_counts_what_a_backbone_cannot_read(pairs: Path, small_run: Run) -> None:
    backbone = write_koelectra(pairs.parent / "koelectra", letters="문장")
    options = (pairs, "--backbone", backbone)
    found = json.loads(kosim("data", *options, "--json").stdout)["unknown_tokens"]
    assert found["share"] == found["unknown"] / found["tokens"] > 0.3
    shown = kosim("data", *options).stdout
    assert f"{found['share']:.1%} of the {found['tokens']:,} tokens are unknown" in shown
    data = json.loads((small_run[0] / "data.json").read_text(encoding="utf-8"))
    assert 0 <= data["tokens"]["bi"]["unknown_share"] < 0.3
    assert "unknown share" in (small_run[0] / "report.md").read_text(encoding="utf-8")


def test_train_writes_an_artifact_that_score_opens(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    options = ("--train", pairs, "--backbone", "scratch", "--epochs", "1", "--max-length", "32")
    result = kosim("train", "cross", *options, "--loss", "mse", "--out", out)
    assert result.exit_code == 0, result.output
    assert "The last epoch was the best one: the encoder was still learning" in result.stderr
    assert kosim("score", out, "하나", "둘").exit_code == 0
    assert "exists already" in refusal("train", "cross", *options, "--out", out)


@pytest.mark.slow
def test_compare_with_training_prints_json_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resample_less(monkeypatch)
    result = kosim(
        "compare",
        *("--limit", "80", "--epochs", "1", "--out", tmp_path / "run", "--json"),
    )
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)["encoders"]) == {"bi", "cross"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("a,b\n1,2\n", "no sentence columns"),
        ("sentence1,sentence2,score\n가,나,많이\n", '--label-scale "많이=?"'),
        ("sentence1,sentence2,score\n가,나,1\n다,라,많이\n", "row 2: score '많이' is not a number"),
        ("sentence1,sentence2,score\n가,나,9\n", "state it, such as --label-scale 0:9"),
        (
            "sentence1,sentence2,score\n" + "가,나,0\n" * 30 + "가,나,9\n",
            "row 31: label 9 is outside",
        ),
        ("sentence1,sentence2,score\n가,,3\n", "row 1: a sentence is missing"),
    ],
)
def test_a_bad_test_file_is_one_line(tmp_path: Path, bi: Path, content: str, said: str) -> None:
    file = tmp_path / "test.csv"
    file.write_text(content, encoding="utf-8")
    assert said in refusal("evaluate", bi, "--test", file)


def test_a_file_in_no_known_encoding_is_named(tmp_path: Path, bi: Path) -> None:
    file = tmp_path / "test.csv"
    file.write_bytes("sentence1,sentence2,score\n가,나,3\n".encode() + b"\xff\xfe\xff,\x80,3\n")
    assert "UTF-8" in refusal("evaluate", bi, "--test", file)


def test_a_missing_file_is_named(bi: Path) -> None:
    assert "nowhere.csv" in refusal("evaluate", bi, "--test", "nowhere.csv")


def test_a_folder_that_is_no_encoder_is_named(tmp_path: Path) -> None:
    assert "not a saved encoder" in refusal("score", tmp_path, "하나", "둘")


def test_a_damaged_encoder_is_refused(bi: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bi, copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "damaged" in refusal("score", copy, "하나", "둘")


def test_a_blank_sentence_or_query_is_refused(bi: Path) -> None:
    assert "empty" in refusal("score", bi, " ", "둘")
    assert "query is empty" in refusal("rerank", "--encoder", bi, "--query", " ", text="하나\n")


def test_rerank_of_nothing_is_refused(bi: Path) -> None:
    refusal("rerank", "--encoder", bi, "--query", "하나", text="\n\n")


def test_all_problems_of_a_config_are_said_at_once(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        'speed = 3\n[data]\ndataset = "sample"\n[encoders.bi]\nkind = "bi"\n'
        'training = { epochs = 0, loss = "bce" }\n',
        encoding="utf-8",
    )
    line = refusal("compare", config)
    assert "speed: unknown setting" in line
    assert "epochs" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-recipe"], "neither a file nor one of"),
        (["--seeds", "1,1"], "distinct"),
        (["--seeds", "one"], "seeds"),
        (["--epochs", "0"], "epochs"),
        (["--no-train"], "--no-train goes with"),
        (["--train", "a.csv"], "cannot read a.csv: No such file"),
        (["--train", "nowhere.csv", "--test", "nowhere.csv"], "nowhere.csv"),
        (["--limit", "3"], "too few"),
        (["--backbone", "./nowhere"], "backbone ./nowhere does not exist"),
        (["--backbone", "no/such-model"], "no/such-model"),
    ],
)
def test_compare_refuses_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    assert said in refusal("compare", *arguments, "--out", tmp_path / "run")


def test_a_backbone_without_a_tokenizer_is_refused(small_run: Run, tmp_path: Path) -> None:
    backbone = tmp_path / "backbone"
    shutil.copytree(small_run[0] / "backbone", backbone)
    for name in ("tokenizer.json", "vocab.txt"):
        (backbone / name).unlink(missing_ok=True)
    line = refusal("compare", "--backbone", backbone, "--out", tmp_path / "run")
    assert "no tokenizer" in line


def test_an_existing_out_is_refused(small_run: Run) -> None:
    assert "exists already" in refusal("compare", "--out", small_run[0])


def test_a_training_set_with_one_label_is_refused(tmp_path: Path) -> None:
    constant = tmp_path / "constant.tsv"
    rows = [line.rsplit("\t", 1)[0] + "\t4" for line in ROWS.splitlines()]
    constant.write_text("sentence1\tsentence2\tscore\n" + "\n".join(rows), encoding="utf-8")
    line = refusal(
        "train", "bi", "--train", constant, "--backbone", "scratch", "--out", tmp_path / "m"
    )
    assert "constant label" in line
    assert not (tmp_path / "m").exists()


def test_a_full_disk_leaves_nothing_that_looks_whole(
    bi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    line = refusal("compare", "--no-train", "--bi", bi, "--out", tmp_path / "run")
    assert "No space left" in line
    assert not list((tmp_path / "run").glob("results.json"))
