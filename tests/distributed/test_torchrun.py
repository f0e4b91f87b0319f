"""Two processes that torchrun started train as one does, and go on after a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from kosim.encoders.training.result import TrainingResult
from kosim.experiments.data.datasets import load_sample
from tests.checkout import ROOT, environment
from tests.distributed import together
from tests.encoders.tiny import write_koelectra
from tests.experiments.conftest import small_settings

pytestmark = pytest.mark.torchrun

LOSSES = {"cosine": "bi", "mse": "cross", "bce": "cross", "cosent": "bi"}
SAME = [loss for loss in LOSSES if loss != "cosent"]
KILLED_AT = 6  # of 12 steps, four an epoch: in the second epoch


def torchrun(*arguments: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run a module by torch's own launcher, on loopback and a free port."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*launcher, f"--nproc-per-node={processes}", "-m", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=560,
    )


def together_on(folder: Path, plans: Sequence[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    """Run trainings on two processes, one after the other."""
    for plan in plans:
        Path(plan["folder"]).mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps(list(plans)))
    return torchrun("tests.distributed.together", str(folder / "plan.json"))


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A backbone without dropout, so that processes can be compared exactly."""
    return str(write_koelectra(tmp_path_factory.mktemp("calm") / "koelectra", dropout=0))


@pytest.fixture(scope="module")
def runs(calm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run for each loss on one process, ``LOSS-1``, and on two, ``LOSS-2``.

    And of two runs with dropout: ``whole``, and ``cut``, whose main process was killed. Processes
    take longer to start than to train, so the same two train all.
    """
    folder = tmp_path_factory.mktemp("runs")
    for loss, kind in LOSSES.items():
        place = folder / f"{loss}-1"
        place.mkdir()
        together.run(place, kind=kind, backbone=calm, loss=loss)
    dropping = {"kind": "bi", "backbone": str(write_koelectra(folder / "koelectra")), "epochs": 3}
    ended = together_on(
        folder,
        [
            *(
                {"folder": str(folder / f"{loss}-2"), "kind": kind, "backbone": calm, "loss": loss}
                for loss, kind in LOSSES.items()
            ),
            {**dropping, "folder": str(folder / "whole")},
            {**dropping, "folder": str(folder / "cut"), "kill": KILLED_AT, "killed": [0]},
        ],
    )
    assert ended.returncode != 0  # and before the time is over
    assert {path.name for path in folder.glob("whole/rank-*")} == {"rank-0.json", "rank-1.json"}, (
        ended.stderr
    )
    return folder


@pytest.mark.parametrize("loss", LOSSES)
def test_ranks_see_together_what_one_process_sees(runs: Path, loss: str) -> None:
    one = read(runs / f"{loss}-1", "inputs-0.json")
    both = [read(runs / f"{loss}-2", f"inputs-{rank}.json") for rank in (0, 1)]
    assert len(one) == len(both[0]) == len(both[1])
    for call, *shares in zip(one, *both, strict=True):
        if len(call) < 16:  # an incomplete batch is computed whole by every rank
            assert sorted(shares[0]) == sorted(shares[1]) == sorted(call)
        else:
            assert [len(share) for share in shares] == [8, 8]
            assert sorted(shares[0] + shares[1]) == sorted(call)


@pytest.mark.parametrize("loss", SAME)
def test_two_processes_learn_what_one_learns(runs: Path, loss: str) -> None:
    one, two = (
        TrainingResult.model_validate(read(runs / f"{loss}-{n}", "result.json")) for n in (1, 2)
    )
    assert (one.processes, two.processes) == (1, 2)
    for alone, shared in zip(one.history, two.history, strict=True):
        ours, theirs = shared.model_dump(), alone.model_dump()
        # Two near scores that change places move a correlation of ranks more than one of values.
        assert ours.pop("spearman") == pytest.approx(theirs.pop("spearman"), abs=5e-3)
        assert ours == pytest.approx(theirs, abs=1e-3)
    np.testing.assert_allclose(
        np.load(runs / f"{loss}-2" / "scores.npy"),
        np.load(runs / f"{loss}-1" / "scores.npy"),
        atol=1e-3,
    )
    assert two.notices == []


def test_a_loss_that_compares_pairs_says_that_it_did_so_within_a_process(runs: Path) -> None:
    assert read(runs / "cosent-1", "result.json")["notices"] == []
    (notice,) = read(runs / "cosent-2", "result.json")["notices"]
    assert "loss cosent compares the pairs of a batch" in notice
    assert "on 2 processes" in notice
    assert "8 of 16" in notice


@pytest.mark.parametrize("loss", LOSSES)
def test_all_ranks_end_with_the_same(runs: Path, loss: str) -> None:
    main, other = (read(runs / f"{loss}-2", f"rank-{rank}.json") for rank in (0, 1))
    assert main == other


def test_a_dead_main_process_ends_the_run_which_goes_on_to_the_result_of_an_unkilled_one(
    runs: Path, tmp_path: Path
) -> None:
    whole, cut = runs / "whole", runs / "cut"
    assert not (cut / "result.json").exists()
    assert not (cut / "rank-1.json").exists()
    assert [path.name for path in (cut / "checkpoints").glob("checkpoint-*")] == ["checkpoint-4"]
    backbone = str(runs / "koelectra")
    plan = {"folder": str(cut), "kind": "bi", "backbone": backbone, "epochs": 3, "resume": True}
    ended = together_on(tmp_path, [plan])
    assert ended.returncode == 0, ended.stderr
    for rank in (0, 1):
        seen = read(whole, f"inputs-{rank}.json")
        assert read(cut, f"inputs-{rank}.json") == seen[len(seen) // 3 :]  # epochs 2 and 3
        assert read(cut, f"rank-{rank}.json") == read(whole, f"rank-{rank}.json")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``train.csv`` and ``test.csv``."""
    folder = tmp_path_factory.mktemp("pairs")
    for split in ("train", "test"):
        part = load_sample(split).frame.sample(60, random_state=1)  # type: ignore[arg-type]
        part[["sentence1", "sentence2", "label"]].to_csv(folder / f"{split}.csv", index=False)
    return folder


def test_a_batch_that_cannot_be_shared_is_refused(pairs: Path, tmp_path: Path) -> None:
    options = ["--train", str(pairs / "train.csv"), "--backbone", "scratch", "--batch-size", "15"]
    ended = torchrun(
        "kosim", "train", "bi", *options, "--device", "cpu", "--out", str(tmp_path / "bi")
    )
    assert ended.returncode != 0
    assert ended.stderr.count("batch_size is 15, which 2 processes cannot share evenly") == 1
    assert not (tmp_path / "bi").exists()


def test_compare_on_two_processes_writes_and_prints_once(pairs: Path, tmp_path: Path) -> None:
    files = {split: str(pairs / f"{split}.csv") for split in ("train", "test")}
    config, out = tmp_path / "config.toml", tmp_path / "run"
    config.write_text(tomli_w.dumps(small_settings(data=files)), encoding="utf-8")
    ended = torchrun("kosim", "compare", str(config), "--device", "cpu", "--out", str(out))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("Report:") == 1
    assert {path.name for path in out.iterdir() if path.name != ".lock"} == {
        *("config.toml", "data.json", "predictions.parquet", "results.json"),
        *("report.md", "report.html", "backbone", "bi", "cross"),
    }
    results = read(out, "results.json")
    runs = [run for encoder in results["encoders"].values() for run in encoder["seeds"].values()]
    assert [run["processes"] for run in runs] == [2, 2]


def test_other_commands_are_for_one_process(tmp_path: Path) -> None:
    ended = torchrun("kosim", "evaluate", str(tmp_path), "--test", "test.csv")
    assert ended.returncode != 0
    assert ended.stderr.count("`evaluate` is for one; call it without torchrun") == 1
