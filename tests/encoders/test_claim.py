"""A training goes on with its own checkpoints alone, and is alone in its folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kosim.encoders.errors import KosimError, StorageError, TrainingError
from kosim.encoders.records import LabelledPairs
from kosim.encoders.sole_writer import sole_writer
from kosim.encoders.training.claim import Claim, pairs_digest
from kosim.encoders.training.run import train
from tests.checkout import environment
from tests.encoders.test_resuming import Count, killed_run
from tests.encoders.tiny import TRAIN, VALIDATION, config, tiny_encoder

CONFIG = config(epochs=3, warmup=0.2)
STEP = len(TRAIN) // CONFIG.batch_size * 2


def relabelled(pairs: LabelledPairs) -> LabelledPairs:
    return LabelledPairs(pairs.sentence1, pairs.sentence2, 5.0 - pairs.labels, pairs.sources)


CHANGES = {
    "epochs 3, not 4": {"config": CONFIG.model_copy(update={"epochs": 4})},
    "seed .*, not 9": {"config": CONFIG.model_copy(update={"seed": 9})},
    "learning_rate": {"config": CONFIG.model_copy(update={"learning_rate": 1e-4})},
    "other training pairs": {"train": TRAIN.take(range(len(TRAIN) - 1))},
    "other training pairs$": {"train": relabelled(TRAIN)},
    "other validation pairs": {"validation": relabelled(VALIDATION)},
}


@pytest.fixture(scope="module")
def checkpoints(koelectra: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed") / "run"
    killed_run("cross", koelectra, folder, step=STEP, settings=CONFIG)
    assert list(folder.glob("checkpoint-*"))
    return folder


def claim(encoder: object, **changes: object) -> Claim:
    return Claim.of(
        encoder,  # type: ignore[arg-type]
        changes.get("train", TRAIN),  # type: ignore[arg-type]
        changes.get("validation", VALIDATION),  # type: ignore[arg-type]
        changes.get("config", CONFIG),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("difference", list(CHANGES))
def test_what_differs_is_named(difference: str, checkpoints: Path, koelectra: Path) -> None:
    encoder = tiny_encoder("cross", koelectra)
    with pytest.raises(TrainingError, match=f"another training .*{difference.rstrip('$')}"):
        claim(encoder, **CHANGES[difference]).start(checkpoints, resume=True, discard=False)


def test_another_kind_or_backbone_is_named(checkpoints: Path, koelectra: Path) -> None:
    with pytest.raises(TrainingError, match="kind cross, not bi"):
        claim(tiny_encoder("bi", koelectra)).start(checkpoints, resume=True, discard=False)


def test_the_same_training_goes_on(checkpoints: Path, koelectra: Path) -> None:
    found = claim(tiny_encoder("cross", koelectra)).start(checkpoints, resume=True, discard=False)
    assert found is not None
    tracker = CONFIG.model_copy(update={"report_to": "none"})
    again = claim(tiny_encoder("cross", koelectra), config=tracker)
    assert again.start(checkpoints, resume=True, discard=False) == found


def test_train_refuses_before_it_trains(koelectra: Path, tmp_path: Path) -> None:
    killed_run("cross", koelectra, tmp_path, step=STEP, settings=CONFIG)
    before = sorted(tmp_path.rglob("*"))
    count, encoder = Count(), tiny_encoder("cross", koelectra)
    with pytest.raises(TrainingError, match="other training pairs"):
        train(
            encoder,
            relabelled(TRAIN),
            VALIDATION,
            CONFIG,
            folder=tmp_path,
            resume=True,
            callbacks=[count],
        )
    assert count.steps == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_discarding_trains_from_the_start(koelectra: Path, tmp_path: Path) -> None:
    killed_run("cross", koelectra, tmp_path, step=STEP, settings=CONFIG)
    count, encoder = Count(), tiny_encoder("cross", koelectra)
    other = CONFIG.model_copy(update={"epochs": 1})
    result = train(
        encoder,
        TRAIN,
        VALIDATION,
        other,
        folder=tmp_path,
        resume=True,
        discard=True,
        callbacks=[count],
    )
    assert len(result.history) == 1
    assert count.steps == result.steps > 0


def test_checkpoints_that_do_not_say_what_they_are_of_are_refused(
    koelectra: Path, tmp_path: Path
) -> None:
    killed_run("cross", koelectra, tmp_path, step=STEP, settings=CONFIG)
    (tmp_path / "training.json").unlink()
    with pytest.raises(TrainingError, match="an unknown one"):
        claim(tiny_encoder("cross", koelectra)).start(tmp_path, resume=True, discard=False)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '{"format": 99}', "\xff"])
def test_a_damaged_record_is_an_error_of_ours(
    content: str, checkpoints: Path, koelectra: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(checkpoints, folder)
    (folder / "training.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(KosimError):
        claim(tiny_encoder("cross", koelectra)).start(folder, resume=True, discard=False)


def test_the_holder_of_a_folder_is_named(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from kosim.encoders.sole_writer import sole_writer\n"
        "with sole_writer(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "run")]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with (
                pytest.raises(StorageError, match=f"in use by process {holder.pid} on .* since 2"),
                sole_writer(tmp_path / "run"),
            ):
                pass
        finally:
            holder.kill()
    with sole_writer(tmp_path / "run"):  # whoever was killed holds nothing
        pass


def test_the_digest_tells_pairs_apart() -> None:
    swapped = LabelledPairs(TRAIN.sentence2, TRAIN.sentence1, TRAIN.labels, TRAIN.sources)
    digests = [pairs_digest(one) for one in (TRAIN, VALIDATION, swapped, relabelled(TRAIN))]
    assert len(set(digests)) == 4
    assert pairs_digest(TRAIN.take(range(len(TRAIN)))) == digests[0]
