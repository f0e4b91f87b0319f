"""Training: what is learnt, what is kept, and that it reproduces; for both kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.loading import KINDS, load
from kosim.encoders.records import DECISION_THRESHOLD
from kosim.encoders.training.config import CRITERIA, Criterion
from kosim.encoders.training.losses import TRAINING_BY_KIND
from kosim.encoders.training.result import TrainingResult
from kosim.encoders.training.run import train
from kosim.encoders.training.validation import Patience
from tests.encoders.tiny import PROMPT, TRAIN, VALIDATION, config, tiny_encoder, write_koelectra

LOSSES = [(kind, loss) for kind, recipe in TRAINING_BY_KIND.items() for loss in recipe.losses]

Weights = dict[str, torch.Tensor]


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
        encoder, watch = tiny_encoder(kind, koelectra), Watch()
        result = train(encoder, TRAIN, VALIDATION, config(epochs=3), callbacks=[watch])
        runs[kind] = (encoder, result, watch)
    return runs


@pytest.mark.parametrize(("kind", "loss"), LOSSES, indirect=["kind"])
def test_every_loss_falls(kind: str, calm: Path, loss: str) -> None:
    settings = config(loss=loss, epochs=3, learning_rate=5e-4)
    result = train(tiny_encoder(kind, calm), TRAIN, VALIDATION, settings)
    assert result.history[-1].train_loss < result.history[0].train_loss


@pytest.mark.parametrize(
    ("loss", "activation"), [("mse", nn.Identity), (None, nn.Sigmoid)], ids=["mse", "default"]
)
@pytest.mark.parametrize("kind", ["cross"], indirect=True)
def test_activation_matches_the_loss_and_is_kept(
    fresh: PairEncoder, tmp_path: Path, loss: str | None, activation: type[nn.Module]
) -> None:
    train(fresh, TRAIN, VALIDATION, config(loss=loss, epochs=1))
    fresh.save(tmp_path / "artifact")
    again = load(tmp_path / "artifact", device="cpu")
    assert type(fresh.model.activation_fn) is type(again.model.activation_fn) is activation
    np.testing.assert_allclose(
        again.score(VALIDATION.pairs, raw=True),
        fresh.score(VALIDATION.pairs, raw=True),
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
def test_epoch_is_selected_by_the_criterion(fresh: PairEncoder, select: Criterion) -> None:
    watch = Watch()
    settings = config(select=select, epochs=4, learning_rate=2e-2)
    result = train(fresh, TRAIN, VALIDATION, settings, callbacks=[watch])
    values = {
        name: [getattr(row, field) for row in result.history] for name, field in CRITERIA.items()
    }
    first_best = {
        name: 1 + (np.argmin(value) if name == "loss" else np.argmax(value))
        for name, value in values.items()
    }
    assert result.best_epochs == first_best
    assert result.best_epoch == first_best[select]
    assert same(weights(fresh.model), watch.epochs[result.best_epoch])


def test_same_seed_gives_the_same_weights(fresh: PairEncoder, kind: str, trained: Any) -> None:
    torch.rand(3)  # the state that other work left must not matter
    result = train(fresh, TRAIN, VALIDATION, config(epochs=3))
    before, expected, _ = trained[kind]
    assert same(weights(fresh.model), weights(before.model))
    assert result.history == expected.history
    assert fresh.calibration == before.calibration


def test_other_seed_gives_other_weights(fresh: PairEncoder, kind: str, trained: Any) -> None:
    train(fresh, TRAIN, VALIDATION, config(epochs=3, seed=2))
    assert not same(weights(fresh.model), weights(trained[kind][0].model))


def test_training_prints_nothing(fresh: PairEncoder, capsys: pytest.CaptureFixture[str]) -> None:
    train(fresh, TRAIN, VALIDATION, config(epochs=1))
    assert capsys.readouterr().out == ""


def test_patience_stops_early(fresh: PairEncoder) -> None:
    # Epochs of hardly any learning: no later one is better than the best by chance for long.
    settings = config(epochs=12, patience=1, learning_rate=1e-1)
    result = train(fresh, TRAIN, VALIDATION, settings)
    assert len(result.history) == result.best_epoch + 1 < 12


@pytest.mark.parametrize(
    ("warmup", "stops"), [(0.0, 4), (1.0, 4), (1.2, 7), (2.0, 7), (3.0, 7), (20.0, None)]
)
def test_patience_waits_until_the_learning_rate_has_risen(warmup: float, stops: int | None) -> None:
    # KLUE-STS from mini: the first value is passed only once the learning rate falls again.
    values = [0.9368, 0.9356, 0.9351, 0.9365, 0.9361, 0.9363, 0.9364, 0.9372, 0.9373]
    patience = Patience(3, metric="eval_pearson", greater_is_better=True, warmup=warmup)
    state, control = TrainerState(), TrainerControl()
    for epoch, value in enumerate(values, start=1):
        state.log_history.append({"epoch": epoch, "eval_pearson": value})
        patience.on_evaluate(None, state, control)
        if control.should_training_stop:
            break
    assert (epoch if control.should_training_stop else None) == stops


@pytest.mark.parametrize("kind", ["cross"], indirect=True)
def test_swap_augmentation_doubles_the_steps(fresh: PairEncoder) -> None:
    watch = Watch()
    settings = config(epochs=1, swap_augmentation=True)
    train(fresh, TRAIN, VALIDATION, settings, callbacks=[watch])
    assert watch.steps == 2 * len(TRAIN) / settings.batch_size


def test_gradient_accumulation_takes_the_steps_of_larger_batches(kind: str, calm: Path) -> None:
    whole, parts, watch = tiny_encoder(kind, calm), tiny_encoder(kind, calm), Watch()
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
def test_incomplete_accumulation_still_steps(fresh: PairEncoder) -> None:
    watch = Watch()
    settings = config(epochs=2, gradient_accumulation=3)
    result = train(fresh, TRAIN, VALIDATION, settings, callbacks=[watch])
    assert watch.steps == 4  # four batches an epoch: three together, then the one left over
    assert [row.epoch for row in result.history] == [1, 2]


def test_an_encoder_trained_in_bf16_computes_in_full_precision(
    fresh: PairEncoder, tmp_path: Path
) -> None:
    """The trainer's autocast stayed around the model: in memory a bi-encoder scored in bf16."""
    result = train(fresh, TRAIN, VALIDATION, config(epochs=1, precision="bf16"))
    assert {weight.dtype for weight in fresh.model.parameters()} == {torch.float32}
    fresh.save(tmp_path / "saved")
    scores = load(tmp_path / "saved").score(VALIDATION.pairs, raw=True)
    np.testing.assert_array_equal(fresh.score(VALIDATION.pairs, raw=True), scores)
    expected = stats.pearsonr(VALIDATION.labels, scores.astype(np.float64)).statistic
    assert result.history[0].pearson == pytest.approx(expected, abs=1e-6)
    # sentence-transformers' own call, too
    plain = type(fresh.model)(str(tmp_path / "saved"), device="cpu")
    texts = {"bi": list(VALIDATION.sentence1), "cross": list(VALIDATION.pairs)}[fresh.kind]
    call = {"bi": "encode", "cross": "predict"}[fresh.kind]
    found, of_saved = (getattr(model, call)(texts) for model in (fresh.model, plain))
    np.testing.assert_allclose(found, of_saved, atol=1e-6)


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
    encoder = BiEncoder.from_backbone(str(koelectra), prompt=PROMPT, device="cpu")
    train(encoder, TRAIN, VALIDATION, config(epochs=1), callbacks=[longest])
    assert longest.tokens == encoder.token_lengths(TRAIN.pairs).max()
