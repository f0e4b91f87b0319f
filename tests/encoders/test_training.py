"""Training: what is learnt, what is kept, and that it reproduces; for both kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn
from transformers import TrainerCallback

from encoders.base import PairEncoder
from encoders.calibration import MonotoneCalibration
from encoders.errors import ConfigError, DataError, TrainingError
from encoders.loading import KINDS, load
from encoders.recipes import RECIPES, BiTrainer, CrossTrainer
from encoders.records import DECISION_THRESHOLD, LabelledPairs
from encoders.training import CRITERIA, Criterion, TrainingConfig, TrainingResult, train
from tests.encoders.tiny import PROMPT, labelled_pairs, write_koelectra

TRAIN, VALIDATION = labelled_pairs(64, seed=1), labelled_pairs(40, seed=2)
LOSSES = [(kind, loss) for kind, recipe in RECIPES.items() for loss in recipe.losses]

Weights = dict[str, torch.Tensor]


def config(**changes: Any) -> TrainingConfig:
    return TrainingConfig(**{"epochs": 2, "learning_rate": 2e-3, "batch_size": 16, **changes})


def weights(model: nn.Module) -> Weights:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Watch(TrainerCallback):
    """Remembers each epoch's weights and the number of steps."""

    def __init__(self) -> None:
        self.epochs: dict[int, Weights] = {}
        self.steps = 0

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.epochs[round(state.epoch)] = weights(rest["model"])
        self.steps = state.global_step


class Fresh:
    """Makes untrained encoders of one kind."""

    def __init__(self, kind: str, backbone: Path) -> None:
        self.kind = kind
        self.backbone = backbone

    def __call__(self, **options: Any) -> PairEncoder:
        return KINDS[self.kind].from_backbone(str(self.backbone), device="cpu", **options)


@pytest.fixture
def fresh(kind: str, koelectra: Path) -> Fresh:
    return Fresh(kind, koelectra)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone without dropout."""
    return write_koelectra(tmp_path_factory.mktemp("calm") / "koelectra", dropout=0)


@pytest.fixture(scope="module")
def trained(
    koelectra: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[PairEncoder, TrainingResult, Watch]]:
    """One run of each kind, for the tests that only look at it."""
    runs = {}
    for kind in KINDS:
        encoder, watch = Fresh(kind, koelectra)(), Watch()
        result = train(encoder, TRAIN, VALIDATION, config(epochs=3), callbacks=[watch])
        runs[kind] = (encoder, result, watch)
    return runs


@pytest.mark.parametrize(("kind", "loss"), LOSSES, indirect=["kind"])
def test_every_loss_falls(kind: str, calm: Path, loss: str) -> None:
    settings = config(loss=loss, epochs=3, learning_rate=5e-4)
    result = train(Fresh(kind, calm)(), TRAIN, VALIDATION, settings)
    assert result.history[-1].train_loss < result.history[0].train_loss


@pytest.mark.parametrize(
    ("loss", "activation"), [("mse", nn.Identity), (None, nn.Sigmoid)], ids=["mse", "default"]
)
@pytest.mark.parametrize("kind", ["cross"], indirect=True)
def test_activation_matches_the_loss_and_is_kept(
    fresh: Fresh, tmp_path: Path, loss: str | None, activation: type[nn.Module]
) -> None:
    encoder = fresh()
    train(encoder, TRAIN, VALIDATION, config(loss=loss, epochs=1))
    encoder.save(tmp_path / "artifact")
    again = load(tmp_path / "artifact", device="cpu")
    assert type(encoder.model.activation_fn) is type(again.model.activation_fn) is activation
    np.testing.assert_allclose(
        again.score(VALIDATION.pairs, raw=True),
        encoder.score(VALIDATION.pairs, raw=True),
        atol=1e-6,
    )


def test_result_describes_the_run(kind: str, trained: Any) -> None:
    encoder, result, _ = trained[kind]
    assert [row.epoch for row in result.history] == [1, 2, 3]
    assert (result.train_pairs, result.validation_pairs) == (len(TRAIN), len(VALIDATION))
    assert result.threshold == encoder.threshold
    assert encoder.training == result.model_dump(mode="json")
    assert result.seconds > 0


def test_weights_are_those_of_the_best_epoch(kind: str, trained: Any) -> None:
    encoder, result, watch = trained[kind]
    assert same(weights(encoder.model), watch.epochs[result.best_epoch])


def test_history_holds_what_independent_libraries_find(kind: str, trained: Any) -> None:
    encoder, result, _ = trained[kind]
    raw = encoder.score(VALIDATION.pairs, raw=True)
    row = result.history[result.best_epoch - 1]
    assert row.pearson == pytest.approx(np.corrcoef(raw, VALIDATION.labels)[0, 1], abs=1e-5)


def test_calibration_is_fitted_on_the_best_epochs_validation_scores(
    kind: str, trained: Any
) -> None:
    encoder, _, _ = trained[kind]
    raw = encoder.score(VALIDATION.pairs, raw=True)
    expected = MonotoneCalibration.fit(raw, VALIDATION.labels)
    np.testing.assert_allclose(encoder.calibration(raw), expected(raw), atol=1e-3)


def test_threshold_has_the_best_f1_of_all_on_validation(kind: str, trained: Any) -> None:
    encoder, _, _ = trained[kind]
    scores = encoder.score(VALIDATION.pairs)
    similar = VALIDATION.labels >= DECISION_THRESHOLD

    def f1(threshold: float) -> float:
        said = scores >= threshold
        return float(2 * (said & similar).sum() / (said.sum() + similar.sum()))

    assert f1(encoder.threshold) == pytest.approx(max(f1(score) for score in scores))


@pytest.mark.parametrize("select", CRITERIA)
def test_epoch_is_selected_by_the_criterion(fresh: Fresh, select: Criterion) -> None:
    encoder, watch = fresh(), Watch()
    settings = config(select=select, epochs=4, learning_rate=2e-2)
    result = train(encoder, TRAIN, VALIDATION, settings, callbacks=[watch])
    values = {
        name: [getattr(row, field) for row in result.history] for name, field in CRITERIA.items()
    }
    first_best = {
        name: 1 + (np.argmin(value) if name == "loss" else np.argmax(value))
        for name, value in values.items()
    }
    assert result.best_epochs == first_best
    assert result.best_epoch == first_best[select]
    assert same(weights(encoder.model), watch.epochs[result.best_epoch])


def test_same_seed_gives_the_same_weights(fresh: Fresh, kind: str, trained: Any) -> None:
    encoder = fresh()
    torch.rand(3)  # the state that other work left must not matter
    result = train(encoder, TRAIN, VALIDATION, config(epochs=3))
    before, expected, _ = trained[kind]
    assert same(weights(encoder.model), weights(before.model))
    assert result.history == expected.history
    assert encoder.calibration == before.calibration


def test_other_seed_gives_other_weights(fresh: Fresh, kind: str, trained: Any) -> None:
    encoder = fresh()
    train(encoder, TRAIN, VALIDATION, config(epochs=3, seed=2))
    assert not same(weights(encoder.model), weights(trained[kind][0].model))


def test_training_prints_nothing(fresh: Fresh, capsys: pytest.CaptureFixture[str]) -> None:
    train(fresh(), TRAIN, VALIDATION, config(epochs=1))
    assert capsys.readouterr().out == ""


def test_patience_stops_early(fresh: Fresh) -> None:
    # Epochs of hardly any learning: no later one is better than the best by chance for long.
    settings = config(epochs=12, patience=1, learning_rate=1e-1)
    result = train(fresh(), TRAIN, VALIDATION, settings)
    assert len(result.history) == result.best_epoch + 1 < 12


@pytest.mark.parametrize("kind", ["cross"], indirect=True)
def test_swap_augmentation_doubles_the_steps(fresh: Fresh) -> None:
    watch = Watch()
    settings = config(epochs=1, swap_augmentation=True)
    train(fresh(), TRAIN, VALIDATION, settings, callbacks=[watch])
    assert watch.steps == 2 * len(TRAIN) / settings.batch_size


@pytest.mark.parametrize("kind", ["bi"], indirect=True)
def test_swap_augmentation_of_a_bi_encoder_is_refused(fresh: Fresh) -> None:
    with pytest.raises(ConfigError, match="swap_augmentation has no effect on a bi-encoder"):
        train(fresh(), TRAIN, VALIDATION, config(swap_augmentation=True))


def test_gradient_accumulation_takes_the_steps_of_larger_batches(kind: str, calm: Path) -> None:
    fresh = Fresh(kind, calm)
    whole, parts, watch = fresh(), fresh(), Watch()
    settings = config(epochs=1, group_by_length=False)
    train(whole, TRAIN, VALIDATION, settings)
    halves = settings.model_copy(update={"batch_size": 8, "gradient_accumulation": 2})
    train(parts, TRAIN, VALIDATION, halves, callbacks=[watch])
    assert watch.steps == 4
    np.testing.assert_allclose(
        parts.score(VALIDATION.pairs, raw=True),
        whole.score(VALIDATION.pairs, raw=True),
        atol=2e-3,
    )


@pytest.mark.parametrize("kind", ["bi"], indirect=True)
def test_incomplete_accumulation_still_steps(fresh: Fresh) -> None:
    watch = Watch()
    settings = config(epochs=2, gradient_accumulation=3)
    result = train(fresh(), TRAIN, VALIDATION, settings, callbacks=[watch])
    assert watch.steps == 4  # four batches an epoch: three together, then the one left over
    assert [row.epoch for row in result.history] == [1, 2]


def test_bf16_trains(fresh: Fresh) -> None:
    encoder = fresh()
    train(encoder, TRAIN, VALIDATION, config(epochs=1, precision="bf16"))
    assert {weight.dtype for weight in encoder.model.parameters()} == {torch.float32}


class LongestInput(TrainerCallback):
    """Remembers the most tokens of an input during an epoch of training."""

    tokens = 0

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.hook = rest["model"][0].register_forward_pre_hook(self.look)

    def look(self, module: object, inputs: tuple[dict[str, torch.Tensor]]) -> None:
        self.tokens = max(self.tokens, inputs[0]["input_ids"].shape[1])

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.hook.remove()


def test_prompt_is_trained_with(koelectra: Path) -> None:
    longest = LongestInput()
    encoder = Fresh("bi", koelectra)(prompt=PROMPT)
    train(encoder, TRAIN, VALIDATION, config(epochs=1), callbacks=[longest])
    assert longest.tokens == encoder.token_lengths(TRAIN.pairs).max()


def test_unknown_loss_is_refused(fresh: Fresh, kind: str) -> None:
    other = "cosine" if kind == "cross" else "bce"
    with pytest.raises(ConfigError, match=f"loss '{other}' is not one of a {kind}-encoder"):
        train(fresh(), TRAIN, VALIDATION, config(loss=other))


@pytest.mark.parametrize("part", ["training", "validation"])
def test_constant_labels_are_refused(encoder: PairEncoder, part: str) -> None:
    constant = LabelledPairs.from_lists(TRAIN.pairs, [2.0] * len(TRAIN))
    given = (constant, VALIDATION) if part == "training" else (TRAIN, constant)
    with pytest.raises(DataError, match=f"all {part} labels are 2"):
        train(encoder, *given, config())


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pairs_are_refused(encoder: PairEncoder, count: int) -> None:
    with pytest.raises(DataError, match=f"there are {count} validation pairs"):
        train(encoder, TRAIN, VALIDATION.take(range(count)), config())


@pytest.mark.parametrize(("label", "side"), [(-1, "below"), (1, "at least")])
def test_validation_labels_on_one_side_are_refused(
    encoder: PairEncoder, label: int, side: str
) -> None:
    one_side = VALIDATION.take(np.flatnonzero(label * (VALIDATION.labels - 3) > 0))
    with pytest.raises(DataError, match=f"all validation labels are {side} 3"):
        train(encoder, TRAIN, one_side, config())


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"learning_rate": 0},
        {"warmup": 1},
        {"batch_size": 0},
        {"patience": 0},
        {"select": "spearman"},
        {"precision": "fp16"},
        {"learning_rates": 1e-5},
    ],
    ids=str,
)
def test_impossible_setting_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        config(**change)


class Poison(TrainerCallback):
    """Makes a weight NaN after the given epoch, as diverging training does."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if round(state.epoch) == self.after:
            with torch.no_grad():
                for weight in rest["model"].parameters():
                    weight.fill_(float("nan"))


@pytest.mark.parametrize("select", CRITERIA)
@pytest.mark.parametrize("kind", ["bi"], indirect=True)
def test_divergence_at_once_is_one_clear_error(fresh: Fresh, select: Criterion) -> None:
    with pytest.raises(TrainingError, match="lower the learning rate") as caught:
        train(fresh(), TRAIN, VALIDATION, config(select=select), callbacks=[Poison(after=1)])
    assert "\n" not in str(caught.value)


def test_divergence_after_a_good_epoch_is_an_error(fresh: Fresh) -> None:
    with pytest.raises(TrainingError, match="lower the learning rate"):
        train(fresh(), TRAIN, VALIDATION, config(), callbacks=[Poison(after=2)])


class Damage(TrainerCallback):
    """Cuts the weights of every checkpoint as soon as it is written."""

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        for file in Path(args.output_dir).glob("checkpoint-*/*.safetensors"):
            file.write_bytes(file.read_bytes()[:-100])


def test_best_checkpoint_that_is_damaged_is_an_error(fresh: Fresh) -> None:
    with pytest.raises(TrainingError, match="cannot be loaded again") as caught:
        train(fresh(), TRAIN, VALIDATION, config(), callbacks=[Damage()])
    assert "\n" not in str(caught.value)


def test_best_weights_that_were_not_restored_are_an_error(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    for trainer in (BiTrainer, CrossTrainer):
        # What the trainer does when the checkpoint cannot be read: it logs and goes on.
        monkeypatch.setattr(trainer, "_load_best_model", lambda self: None)
    settings = config(epochs=4, patience=1, learning_rate=1e-1)
    with pytest.raises(TrainingError, match="was not restored"):
        train(fresh(), TRAIN, VALIDATION, settings)
