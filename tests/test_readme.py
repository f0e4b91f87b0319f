"""Every command and example of the README runs, in order, as written; the Korean one has no other.

KoELECTRA and KLUE-STS are stand-ins in a hub cache, in their own layouts. The comparisons get
further options that make them short; `make demo` and `make test` are run by .ci/run.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub.constants
import pandas as pd
import pytest
from click.testing import CliRunner

from kosim.experiments.cli import main
from kosim.experiments.data.datasets import KLUE_REVISION, load_sample
from tests.checkout import ROOT, environment
from tests.encoders.tiny import write_hub_cache, write_koelectra
from tests.serving.running import running

PRETRAINING = ["--steps", "2", "--batch-tokens", "512", "--sentences", "200", "--held-out", "20"]
SHORT = {
    "compare": ["--limit", "50", "--epochs", "1"],
    "pretrain": [*PRETRAINING, "--size", "tiny"],
    "distill": PRETRAINING,
    "plan": ["--sample", "20", "--vectors", "200", "--pairs", "10"],
    "tune bi": ["--limit", "50", "--space", "space.toml"],
    "compare-tokenizers": [
        *("--tokenizers", "syllable:300,jamo:100", "--size", "tiny", "--pretraining-steps", "2"),
        *("--sentences", "200", "--limit", "50", "--epochs", "1", "--seeds", "1"),
        *("--resamples", "400"),
    ],
}
SETUP = ["make demo", "make test"]


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the fenced blocks as (language, content)."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One command of the README, or one example in Python."""

    name: str
    language: str
    text: str


def read_steps() -> list[Step]:
    """Return the commands and examples in their order, without those that set up."""
    steps: list[Step] = []
    for language, content in blocks((ROOT / "README.md").read_text("utf-8")):
        if language == "python":
            steps.append(Step(f"{len(steps):02}-python", language, content))
        for line in content.splitlines() if language == "bash" else ():
            if line not in SETUP:
                words = [word for word in shlex.split(line)[:3] if word[0].isalpha()]
                steps.append(Step(f"{len(steps):02}-{'-'.join(words)}", language, line))
    return steps


STEPS = read_steps()


class Walkthrough:
    """The README from its beginning: what a step needs, the steps before it have written."""

    def __init__(self) -> None:
        self._done = 0

    def reach(self, number: int) -> None:
        """Run the steps before ``number`` that were not run, and that one."""
        while self._done <= number:
            step = STEPS[self._done]
            self._done += 1
            run_step(step)


@pytest.fixture(scope="module")
def walkthrough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walkthrough]:
    """A walk through the README in a folder with the files that it names."""
    with pytest.MonkeyPatch.context() as patch:
        make_workplace(tmp_path_factory.mktemp("readme"), patch)
        yield Walkthrough()


def make_workplace(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Write the files that the READMEs name, and a hub cache with stand-ins; work there."""
    train = load_sample("train").frame
    letters = [*train.sentence1, *train.sentence2]  # what it cannot read it does not train on
    koelectra = write_koelectra(folder / "koelectra", letters=letters)
    hub = folder / "hub"
    hub.mkdir()
    write_hub_cache(hub, koelectra)
    frames = {split: load_sample(split).frame for split in ("train", "test")}  # type: ignore[arg-type]
    _write_klue(hub, frames)
    patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(hub))
    work = folder / "work"
    work.mkdir()
    patch.chdir(work)
    for name, split, rows in (("train", "train", 60), ("pairs", "train", 60), ("test", "test", 40)):
        part = frames[split].sample(rows, random_state=1).rename(columns={"label": "score"})
        part[["sentence1", "sentence2", "score", "source"]].to_csv(f"{name}.csv", index=False)
    sentences = "거실 조명을 꺼 줘\n내일 날씨 알려 줘\n주방 불을 켜 줘\n창문을 닫아 줘\n"
    Path("sentences.txt").write_text(sentences, encoding="utf-8")
    Path("space.toml").write_text("epochs = { values = [1, 2] }\n", encoding="utf-8")
    Path("more.csv").write_text("id,text\na1,불을 모두 꺼 줘\na2,비가 오니\n", encoding="utf-8")
    corpus = dict.fromkeys([*frames["train"].sentence1, *frames["train"].sentence2])
    Path("corpus.txt").write_text("\n".join(corpus), encoding="utf-8")
    groups = [
        f"{n},{who} {n}번 {act}" for n in range(6) for who in ("나는", "내가") for act in "가나"
    ]
    Path("groups.csv").write_text("\n".join(["group,text", *groups]) + "\n", encoding="utf-8")
    shutil.copytree(koelectra, "my-sbert")
    shutil.copytree(koelectra, "my-bert")
    return work


def _write_klue(hub: Path, frames: dict[str, pd.DataFrame]) -> None:
    """Write made-up pairs where the hub's KLUE-STS would be cached."""
    snapshot = hub / "datasets--klue--klue" / "snapshots" / KLUE_REVISION / "sts"
    snapshot.mkdir(parents=True)
    for split, rows in (("train", frames["train"]), ("validation", frames["test"])):
        part = rows.sample(60, random_state=2)
        pd.DataFrame(
            {
                "sentence1": part.sentence1,
                "sentence2": part.sentence2,
                "source": "made-up",
                "labels": [{"label": x, "real-label": x} for x in part.label],
            }
        ).to_parquet(snapshot / f"{split}-00000-of-00001.parquet")


def launched(arguments: list[str]) -> None:
    """Run torchrun, of this environment, on the commands of this checkout."""
    command = [sys.executable, "-m", "torch.distributed.run", *arguments]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, (arguments, ended.stderr)


def run_step(step: Step) -> None:
    """Run one command or example in the present folder."""
    if step.language == "python":
        exec(compile(step.text, "README.md", "exec"), {})
        return
    program, *arguments = shlex.split(step.text)
    if program == "torchrun":
        launched(arguments)
        return
    assert program == "kosim", step.text
    if arguments[0] == "serve":
        with running(*arguments[1:]) as server:
            assert server.end() == 0, step.text
        return
    short = SHORT.get(" ".join(arguments[:2])) or SHORT.get(arguments[0], [])
    short = [] if "--no-train" in arguments else short
    result = CliRunner().invoke(main, arguments + short)
    # A cross-encoder after one epoch may see no similar sentences, which depth refuses.
    nothing_to_keep = arguments[0] == "depth" and "a hit of at least 2.5" in result.output
    assert result.exit_code == 0 or nothing_to_keep, (step.text, result.output, result.exception)


@pytest.mark.cluster  # `kosim serve --ray` starts one
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(len(STEPS)), ids=[step.name for step in STEPS])
def test_a_command_or_example_runs(number: int, walkthrough: Walkthrough) -> None:
    walkthrough.reach(number)


def test_there_are_commands_and_examples() -> None:
    assert len(STEPS) > 30
    assert {step.language for step in STEPS} == {"bash", "python"}


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_a_readme_starts_with_the_two_set_up_commands(name: str) -> None:
    language, first = blocks((ROOT / name).read_text("utf-8"))[0]
    assert language == "bash"
    assert first.splitlines() == SETUP


def test_both_readmes_teach_the_same_commands() -> None:
    commands = {
        name: [
            line
            for language, content in blocks((ROOT / name).read_text("utf-8"))
            if language == "bash"
            for line in content.splitlines()
        ]
        for name in ("README.md", "README.ko.md")
    }
    assert commands["README.md"] == commands["README.ko.md"]


def test_the_korean_readme_shows_no_other_examples() -> None:
    english, korean = (
        [
            ast.dump(ast.parse(content))  # comments are translated
            for language, content in blocks((ROOT / name).read_text("utf-8"))
            if language == "python"
        ]
        for name in ("README.md", "README.ko.md")
    )
    assert korean
    assert set(korean) <= set(english)
