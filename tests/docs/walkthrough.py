"""A walk through a page of the documentation: its commands and examples, in order, as written.

KoELECTRA and KLUE-STS are stand-ins in a hub cache, in their own layouts. What trains or measures
for long gets further options that make it short.
"""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import huggingface_hub.constants
import pandas as pd
import pytest
from click.testing import CliRunner

from kosim.experiments.cli import main
from kosim.experiments.data.datasets import KLUE_REVISION, load_sample
from tests.checkout import ROOT
from tests.encoders.tiny import COMMIT, write_hub_cache, write_koelectra
from tests.experiments.alone_tasks import in_this_process
from tests.experiments.conftest import build_less, leave_undrawn, resample_less
from tests.serving.running import running

TRAINING = ["--limit", "50", "--epochs", "1"]
PRETRAINING = ["--steps", "2", "--batch-tokens", "512", "--sentences", "200", "--held-out", "20"]
SHORT = {
    "compare": TRAINING,
    "train": TRAINING,
    "pretrain": [*PRETRAINING, "--size", "tiny"],
    "distill": PRETRAINING,
    "teach": [*TRAINING, "--silver-epochs", "1", "--pairs", "40", "--resamples", "400"],
    "plan": ["--sample", "20", "--vectors", "200", "--pairs", "10"],
    "depth": ["--latency-queries", "1", "--limit-queries", "5"],
    "data --find-noise": ["--folds", "2", "--epochs", "1", "--backbone", "scratch"],
    "tune bi": ["--limit", "50", "--space", "space.toml"],
    "compare-tokenizers": [
        *("--tokenizers", "syllable:300,jamo:100", "--size", "tiny", "--pretraining-steps", "2"),
        *("--sentences", "200", "--limit", "50", "--epochs", "1", "--seeds", "1"),
        *("--resamples", "400"),
    ],
}
SETUP = ("make ", "pip install ", ". .venv/")
"""How the lines begin that set an environment up, which the tests have."""


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the fenced blocks as (language, content)."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[str]:
    """Return the lines of a page that are commands, with those that set up."""
    found = blocks(path.read_text("utf-8"))
    return [line for language, text in found if language == "bash" for line in text.splitlines()]


@dataclass(frozen=True)
class Step:
    """One command, or one example in Python, and the output that the page shows below it."""

    name: str
    language: str
    text: str
    shown: str | None = None


def read_steps(path: Path, *, with_output: bool = False) -> list[Step]:
    """Return the steps of a page in their order, without those that set up."""
    steps: list[Step] = []
    found = blocks(path.read_text("utf-8"))
    for (language, content), (following, shown) in zip(found, [*found[1:], ("", "")], strict=True):
        if language == "python":
            steps.append(Step(f"{len(steps):02}-python", language, content))
        lines = content.splitlines() if language == "bash" else []
        for line in lines:
            if not line.startswith(SETUP):
                words = [word for word in shlex.split(line)[:3] if word[0].isalpha()]
                last = with_output and following == "text" and line == lines[-1]
                name = f"{len(steps):02}-{'-'.join(words)}".replace("/", ".")
                steps.append(Step(name, language, line, shown if last else None))
    return steps


@dataclass
class Walkthrough:
    """A page from its beginning: what a step needs, the steps before it have written."""

    steps: list[Step]
    done: int = field(default=0, init=False)

    def reach(self, number: int) -> None:
        """Run the steps before ``number`` that were not run, and that one."""
        while self.done <= number:
            step = self.steps[self.done]
            self.done += 1
            run_step(step)


THIRD_PARTY = {"intfloat/multilingual-e5-small": "mini-bi", "BAAI/bge-reranker-v2-m3": "mini-cross"}
"""Models on the hub that the pages name, and the bundled encoders that stand in for them."""


def make_hub(folder: Path) -> Path:
    """Write a hub cache with stand-ins for the models and KLUE-STS, and return its folder."""
    frames = {split: load_sample(split).frame for split in ("train", "test")}  # type: ignore[arg-type]
    train = frames["train"]
    letters = [*train.sentence1, *train.sentence2]  # what it cannot read it does not train on
    koelectra = write_koelectra(folder / "koelectra", letters=letters)
    hub = folder / "hub"
    hub.mkdir()
    write_hub_cache(hub, koelectra)
    _write_klue(hub, frames)
    for hub_id, bundled in THIRD_PARTY.items():
        model = hub / f"models--{hub_id.replace('/', '--')}"
        ours = shutil.ignore_patterns("kosim.json", "card.toml", "onnx")
        shutil.copytree(
            ROOT / "encoders/bundled" / bundled, model / "snapshots" / COMMIT, ignore=ours
        )
        (model / "refs").mkdir()
        (model / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    return hub


def make_workplace(folder: Path, hub: Path, patch: pytest.MonkeyPatch) -> Path:
    """Write what the pages presume, the examples of a checkout and a backbone; work there."""
    patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(hub))
    measure_here(patch)
    build_less(patch)
    leave_undrawn(patch)
    resample_less(patch)
    patch.chdir(folder)
    if (folder / "examples").is_symlink():
        return folder
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "space.toml").write_text("epochs = { values = [1, 2] }\n", encoding="utf-8")
    for name in ("my-sbert", "my-bert"):
        shutil.copytree(hub.parent / "koelectra", folder / name)
    return folder


def measure_here(patch: pytest.MonkeyPatch) -> None:
    """Let commands measure in this process, without the seconds in which others start."""
    for module in ("bench", "planning.measuring"):
        patch.setattr(f"kosim.experiments.speed.{module}.alone", in_this_process)


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


def run_step(step: Step) -> None:
    """Run one command or example in the present folder."""
    if step.language == "python":
        exec(compile(step.text, step.name, "exec"), {})
        return
    program, *arguments = shlex.split(step.text)
    assert program == "kosim", step.text
    if arguments[0] == "serve":
        with running(*arguments[1:]) as server:
            assert server.end() == 0, step.text
        return
    short = SHORT.get(" ".join(arguments[:2])) or SHORT.get(arguments[0], [])
    short = [] if "--bi" in arguments else short
    result = CliRunner().invoke(main, arguments + short)
    # A cross-encoder after one epoch may see no similar sentences, which depth refuses.
    nothing_to_keep = arguments[0] == "depth" and "a hit of at least 2.5" in result.output
    assert result.exit_code == 0 or nothing_to_keep, (step.text, result.output, result.exception)
    if step.shown is not None:
        checker, flags = doctest.OutputChecker(), doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert checker.check_output(step.shown, result.stdout, flags), (step.text, result.stdout)
