"""The commands that make tokenizers and backbones: what they write, print and refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kosim.experiments.cli import main
from tests.encoders.pretraining_fixtures import write_corpus, write_tokenizer
from tests.encoders.tiny import write_koelectra


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    write_corpus(folder)
    write_tokenizer(folder)
    write_koelectra(folder / "teacher")
    return folder


def kosim(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(result: Result) -> str:
    """Return the last line, which is an error of ours."""
    assert result.exit_code == 2, result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("Error: ")
    return line


def test_a_tokenizer_is_trained(place: Path) -> None:
    out = place / "unigram"
    arguments = ("tokenizer", "train", place / "corpus.txt", "--kind", "unigram")
    result = kosim(*arguments, "--vocab-size", 66, "--out", out)
    assert result.exit_code == 0, result.output
    assert (out / "tokenizer.json").is_file()
    assert "exists already" in refused(kosim(*arguments, "--vocab-size", 66, "--out", out))
    line = refused(kosim(*arguments, "--vocab-size", 60_000, "--out", place / "none"))
    assert "cannot be reached" in line
    assert not (place / "none").exists()


def test_a_backbone_is_pretrained_and_taught(place: Path) -> None:
    small = ("--steps", 2, "--batch-tokens", 512, "--held-out", 40, "--evaluations", 1)
    corpus, tokenizer = place / "corpus.txt", place / "tokenizer"
    made = kosim(
        *("pretrain", corpus, "--tokenizer", tokenizer, "--size", "tiny"),
        *(*small, "--out", place / "rtd"),
    )
    assert made.exit_code == 0, made.output
    assert "area under the precision-recall curve 0." in " ".join(made.stdout.split())
    taught = kosim(
        *("distill", corpus, "--teacher", place / "teacher", "--student", place / "rtd"),
        *(*small, "--sentences", 200, "--objective", "similarity", "--out", place / "taught"),
    )
    assert taught.exit_code == 0, taught.output
    assert "rank correlation of cosines" in " ".join(taught.stdout.split())
    assert not list(place.glob(".*.work"))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["pretrain", "corpus.txt", "--tokenizer", "missing"], "missing does not exist"),
        (["pretrain", "missing.txt", "--tokenizer", "tokenizer"], "cannot read missing.txt"),
        (
            [
                "pretrain",
                "corpus.txt",
                "--tokenizer",
                "tokenizer",
                "--steps",
                "1",
                "--minutes",
                "1",
            ],
            "steps and minutes both say",
        ),
        (
            ["distill", "corpus.txt", "--teacher", "./missing", "--student", "teacher"],
            "missing does not exist",
        ),
        (
            ["distill", "corpus.txt", "--teacher", "teacher", "--student", "mini"],
            "the bundled backbone mini is not part of this installation",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line(
    command: list[str], said: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr("kosim.encoders.backbone.BUNDLED", place / "nowhere")
    assert said in refused(kosim(*command, "--out", "none"))
    assert not list(place.glob("*none*"))
