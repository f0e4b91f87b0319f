"""A killed run goes on from its last whole checkpoint to the result it would have had."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from encoders.base import PairEncoder
from encoders.errors import TrainingError
from encoders.loading import KINDS
from encoders.training import TrainingConfig, TrainingResult, train
from tests.encoders.tiny import labelled_pairs

TRAIN, VALIDATION = labelled_pairs(64, seed=1), labelled_pairs(40, seed=2)
CONFIG = TrainingConfig(epochs=3, learning_rate=2e-3, batch_size=16, warmup=0.2)


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


def make(kind: str, backbone: Path) -> PairEncoder:
    return KINDS[kind].from_backbone(str(backbone), device="cpu")


def killed_run(
    kind: str, backbone: Path, folder: Path, *, step: int, config: TrainingConfig = CONFIG
) -> None:
    with pytest.raises(Killed):
        train(
            make(kind, backbone), TRAIN, VALIDATION, config, folder=folder, callbacks=[Kill(step)]
        )


def resumed_run(
    kind: str, backbone: Path, folder: Path, *, config: TrainingConfig = CONFIG
) -> tuple[PairEncoder, TrainingResult, int]:
    encoder, count = make(kind, backbone), Count()
    result = train(
        encoder, TRAIN, VALIDATION, config, folder=folder, resume=True, callbacks=[count]
    )
    return encoder, result, count.steps


def agree(
    one: tuple[PairEncoder, TrainingResult], other: tuple[PairEncoder, TrainingResult]
) -> None:
    """Check that two runs ended in the same weights, curves and choices."""
    different = [
        name
        for name, tensor in one[0].model.state_dict().items()
        if not torch.equal(tensor, other[0].model.state_dict()[name])
    ]
    assert different == []
    assert one[0].calibration == other[0].calibration
    unlike = {"seconds": 0.0}
    assert one[1].model_copy(update=unlike) == other[1].model_copy(update=unlike)


@pytest.fixture(scope="module")
def uninterrupted(koelectra: Path) -> dict[str, tuple[PairEncoder, TrainingResult]]:
    """The runs that were never killed."""
    runs = {}
    for kind in KINDS:
        encoder = make(kind, koelectra)
        runs[kind] = (encoder, train(encoder, TRAIN, VALIDATION, CONFIG))
    return runs


@pytest.mark.parametrize("step", [5, 8], ids=["epoch 2", "epoch 3"])
def test_resumed_run_ends_as_the_uninterrupted_one(
    kind: str, koelectra: Path, tmp_path: Path, uninterrupted: Any, step: int
) -> None:
    killed_run(kind, koelectra, tmp_path, step=step)
    encoder, result, steps = resumed_run(kind, koelectra, tmp_path)
    assert steps == 12 - 4 * (step // 4)  # four steps an epoch; only the missing epochs are trained
    agree((encoder, result), uninterrupted[kind])


def test_finished_run_resumes_to_its_result(
    kind: str, koelectra: Path, tmp_path: Path, uninterrupted: Any
) -> None:
    train(make(kind, koelectra), TRAIN, VALIDATION, CONFIG, folder=tmp_path)
    encoder, result, steps = resumed_run(kind, koelectra, tmp_path)
    assert steps == 0
    agree((encoder, result), uninterrupted[kind])


def test_resume_without_checkpoints_starts_at_the_beginning(
    kind: str, koelectra: Path, tmp_path: Path, uninterrupted: Any
) -> None:
    encoder, result, _ = resumed_run(kind, koelectra, tmp_path / "new")
    agree((encoder, result), uninterrupted[kind])


def test_unfinished_checkpoint_is_ignored(
    kind: str, koelectra: Path, tmp_path: Path, uninterrupted: Any
) -> None:
    killed_run(kind, koelectra, tmp_path, step=5)
    shutil.copytree(tmp_path / "checkpoint-4", tmp_path / "checkpoint-8")
    (tmp_path / "checkpoint-8" / "trainer_state.json").unlink()
    encoder, result, steps = resumed_run(kind, koelectra, tmp_path)
    assert steps == 8
    agree((encoder, result), uninterrupted[kind])


def test_checkpoint_with_half_a_state_is_ignored(
    kind: str, koelectra: Path, tmp_path: Path, uninterrupted: Any
) -> None:
    killed_run(kind, koelectra, tmp_path, step=5)
    shutil.copytree(tmp_path / "checkpoint-4", tmp_path / "checkpoint-8")
    state = tmp_path / "checkpoint-8" / "trainer_state.json"
    state.write_text(state.read_text()[:100])
    encoder, result, steps = resumed_run(kind, koelectra, tmp_path)
    assert steps == 8
    agree((encoder, result), uninterrupted[kind])


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "finished"])
def test_patience_survives_a_kill(kind: str, koelectra: Path, tmp_path: Path, kill: bool) -> None:
    config = CONFIG.model_copy(update={"epochs": 8, "patience": 2, "learning_rate": 5e-2})
    encoder = make(kind, koelectra)
    whole = train(encoder, TRAIN, VALIDATION, config, folder=tmp_path / "whole")
    epochs = len(whole.history)
    assert epochs == whole.best_epoch + 2 < 8
    if kill:
        killed_run(kind, koelectra, tmp_path / "killed", step=4 * epochs - 3, config=config)
    folder = tmp_path / ("killed" if kill else "whole")
    again, result, _ = resumed_run(kind, koelectra, folder, config=config)
    agree((again, result), (encoder, whole))


def test_damaged_checkpoint_is_one_clear_error(kind: str, koelectra: Path, tmp_path: Path) -> None:
    killed_run(kind, koelectra, tmp_path, step=5)
    weights = tmp_path / "checkpoint-4" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="checkpoint") as caught:
        resumed_run(kind, koelectra, tmp_path)
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
    kind: str, koelectra: Path, tmp_path: Path, small_files: Any, share: float
) -> None:
    size = (koelectra / "model.safetensors").stat().st_size
    encoder = make(kind, koelectra)
    small_files(int(size * share))
    with pytest.raises(TrainingError, match="could not be written") as caught:
        train(encoder, TRAIN, VALIDATION, CONFIG, folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_checkpoints_kept_are_the_best_and_the_last(koelectra: Path, tmp_path: Path) -> None:
    result = train(make("bi", koelectra), TRAIN, VALIDATION, CONFIG, folder=tmp_path)
    kept = {int(path.name.rpartition("-")[2]) for path in tmp_path.glob("checkpoint-*")}
    assert {4 * result.best_epoch, 12} <= kept
    assert len(kept) <= 2
    last = json.loads((tmp_path / "checkpoint-12" / "trainer_state.json").read_text())
    assert last["global_step"] == 12


def test_temporary_checkpoints_are_removed(
    koelectra: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    train(make("bi", koelectra), TRAIN, VALIDATION, CONFIG.model_copy(update={"epochs": 1}))
    assert list(tmp_path.glob("kosim-*")) == []


def test_random_batches_resume_too(koelectra: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"group_by_length": False})
    encoder = make("bi", koelectra)
    whole = train(encoder, TRAIN, VALIDATION, config)
    killed_run("bi", koelectra, tmp_path, step=5, config=config)
    again, result, _ = resumed_run("bi", koelectra, tmp_path, config=config)
    agree((again, result), (encoder, whole))
