"""A killed run goes on from its last whole checkpoint to the result it would have had."""

from __future__ import annotations

import json
import resource
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import TrainingError
from kosim.encoders.loading import KINDS
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.result import TrainingResult
from kosim.encoders.training.run import train
from tests.encoders.tiny import TRAIN, VALIDATION, config, tiny_encoder

CONFIG = config(epochs=3, warmup=0.2)
IMPATIENT = config(epochs=8, patience=2, learning_rate=5e-2, warmup=0.1)


class Killed(BaseException):
    """Not an Exception, as KeyboardInterrupt is not: nothing may handle it."""


class Kill(TrainerCallback):
    """Ends the run at the first step after ``step``, in the middle of an epoch."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if state.global_step > self.step:
            raise Killed


class Count(TrainerCallback):
    """Counts the steps of this process."""

    def __init__(self) -> None:
        self.steps = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.steps += 1


def killed_run(
    kind: str, backbone: Path, folder: Path, *, step: int, settings: TrainingConfig = CONFIG
) -> None:
    with pytest.raises(Killed):
        train(
            tiny_encoder(kind, backbone),
            TRAIN,
            VALIDATION,
            settings,
            folder=folder,
            callbacks=[Kill(step)],
        )


def resumed_run(
    kind: str, backbone: Path, folder: Path, *, settings: TrainingConfig = CONFIG
) -> tuple[PairEncoder, TrainingResult, int]:
    encoder, count = tiny_encoder(kind, backbone), Count()
    result = train(
        encoder, TRAIN, VALIDATION, settings, folder=folder, resume=True, callbacks=[count]
    )
    return encoder, result, count.steps


@dataclass
class Run:
    """A run that was never killed."""

    encoder: PairEncoder
    result: TrainingResult
    folder: Path


def whole_runs(backbone: Path, folder: Path, settings: TrainingConfig) -> dict[str, Run]:
    runs = {}
    for kind in KINDS:
        encoder = tiny_encoder(kind, backbone)
        result = train(encoder, TRAIN, VALIDATION, settings, folder=folder / kind)
        runs[kind] = Run(encoder, result, folder / kind)
    return runs


@pytest.fixture(scope="module")
def whole(koelectra: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """All epochs, for each kind."""
    return whole_runs(koelectra, tmp_path_factory.mktemp("whole"), CONFIG)


@pytest.fixture(scope="module")
def stopped(koelectra: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Stopped early, for each kind."""
    return whole_runs(koelectra, tmp_path_factory.mktemp("stopped"), IMPATIENT)


def agree(encoder: PairEncoder, result: TrainingResult, whole: Run) -> None:
    """Check that a run ended in the weights, curves and choices of a whole one."""
    expected = whole.encoder.model.state_dict()
    different = [
        name
        for name, tensor in encoder.model.state_dict().items()
        if not torch.equal(tensor, expected[name])
    ]
    assert different == []
    assert encoder.calibration == whole.encoder.calibration
    untimed = {"seconds": 0.0}
    assert result.model_copy(update=untimed) == whole.result.model_copy(update=untimed)


def test_resumed_run_ends_as_the_uninterrupted_one(
    kind: str, koelectra: Path, tmp_path: Path, whole: dict[str, Run]
) -> None:
    killed_run(kind, koelectra, tmp_path, step=5)
    encoder, result, steps = resumed_run(kind, koelectra, tmp_path)
    assert steps == 8  # four an epoch; the first is not trained again
    agree(encoder, result, whole[kind])


def test_the_time_before_a_kill_counts(kind: str, koelectra: Path, tmp_path: Path) -> None:
    killed_run(kind, koelectra, tmp_path, step=5)
    path = tmp_path / "checkpoint-4" / "trainer_state.json"
    state = json.loads(path.read_text())
    noted = [row["elapsed_seconds"] for row in state["log_history"]]
    assert 0 < noted[0] <= noted[-1]
    state["log_history"][-1]["elapsed_seconds"] = 1_000.0
    path.write_text(json.dumps(state))
    began = time.monotonic()
    _, result, _ = resumed_run(kind, koelectra, tmp_path)
    assert 1_000 < result.seconds < 1_000 + time.monotonic() - began


def test_finished_run_resumes_to_its_result(
    kind: str, koelectra: Path, whole: dict[str, Run]
) -> None:
    encoder, result, steps = resumed_run(kind, koelectra, whole[kind].folder)
    assert steps == 0
    agree(encoder, result, whole[kind])


def test_resume_without_checkpoints_starts_at_the_beginning(
    koelectra: Path, tmp_path: Path, whole: dict[str, Run]
) -> None:
    encoder, result, _ = resumed_run("bi", koelectra, tmp_path / "new")
    agree(encoder, result, whole["bi"])


@pytest.mark.parametrize("written", [None, 0, 100], ids=str)
def test_unfinished_checkpoint_is_ignored(
    koelectra: Path, tmp_path: Path, whole: dict[str, Run], written: int | None
) -> None:
    killed_run("bi", koelectra, tmp_path, step=5)
    shutil.copytree(tmp_path / "checkpoint-4", tmp_path / "checkpoint-8")
    state = tmp_path / "checkpoint-8" / "trainer_state.json"
    content = state.read_text()
    state.unlink()
    if written is not None:
        state.write_text(content[:written])
    encoder, result, steps = resumed_run("bi", koelectra, tmp_path)
    assert steps == 8
    agree(encoder, result, whole["bi"])


def test_patience_survives_a_kill(
    kind: str, koelectra: Path, tmp_path: Path, stopped: dict[str, Run]
) -> None:
    epochs = len(stopped[kind].result.history)
    assert epochs == stopped[kind].result.best_epoch + 2 < IMPATIENT.epochs
    # In the last epoch: one of the two that were no better lies before the kill.
    killed_run(kind, koelectra, tmp_path, step=4 * epochs - 3, settings=IMPATIENT)
    encoder, result, steps = resumed_run(kind, koelectra, tmp_path, settings=IMPATIENT)
    assert steps == 4
    agree(encoder, result, stopped[kind])


def test_run_that_stopped_early_resumes_to_its_result(
    kind: str, koelectra: Path, stopped: dict[str, Run]
) -> None:
    encoder, result, steps = resumed_run(kind, koelectra, stopped[kind].folder, settings=IMPATIENT)
    assert steps == 0
    agree(encoder, result, stopped[kind])


def test_damaged_checkpoint_is_one_clear_error(koelectra: Path, tmp_path: Path) -> None:
    killed_run("bi", koelectra, tmp_path, step=5)
    weights = tmp_path / "checkpoint-4" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="remove the damaged checkpoint") as caught:
        resumed_run("bi", koelectra, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.fixture
def small_files() -> Iterator[Any]:
    """Let no file grow beyond a size: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("share", [0.5, 1.5], ids=["weights", "optimizer"])
def test_disk_that_fills_up_is_one_clear_error(
    koelectra: Path, tmp_path: Path, small_files: Any, share: float
) -> None:
    size = (koelectra / "model.safetensors").stat().st_size
    encoder = tiny_encoder("bi", koelectra)
    small_files(int(size * share))
    with pytest.raises(TrainingError, match="could not be written") as caught:
        train(encoder, TRAIN, VALIDATION, CONFIG, folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_checkpoints_kept_are_the_best_and_the_last(kind: str, whole: dict[str, Run]) -> None:
    kept = {int(path.name.rpartition("-")[2]) for path in whole[kind].folder.glob("checkpoint-*")}
    assert {4 * whole[kind].result.best_epoch, 12} <= kept
    assert len(kept) == 2


def test_temporary_checkpoints_are_removed(
    koelectra: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    train(tiny_encoder("bi", koelectra), TRAIN, VALIDATION, config(epochs=1))
    assert list(tmp_path.glob("kosim-*")) == []


def test_random_batches_resume_too(koelectra: Path, tmp_path: Path) -> None:
    settings = config(epochs=3, group_by_length=False)
    encoder = tiny_encoder("bi", koelectra)
    result = train(encoder, TRAIN, VALIDATION, settings)
    killed_run("bi", koelectra, tmp_path, step=5, settings=settings)
    again, resumed, _ = resumed_run("bi", koelectra, tmp_path, settings=settings)
    agree(again, resumed, Run(encoder, result, tmp_path))
