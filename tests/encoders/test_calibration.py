"""Calibration: a strictly increasing map into (0, 5), whatever it was fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.isotonic import IsotonicRegression

from kosim.encoders.calibration import MonotoneCalibration

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
labels = st.floats(0, 5)
# No deadline: other jobs may hold the machine.
settings.register_profile("calibration", deadline=None, max_examples=50)
settings.load_profile("calibration")

data = st.lists(st.tuples(finite, labels), min_size=1, max_size=200)


def fit(pairs: list[tuple[float, float]]) -> MonotoneCalibration:
    raw, gold = zip(*pairs, strict=True)
    return MonotoneCalibration.fit(raw, gold)


@given(data, st.lists(finite, min_size=2, max_size=50))
def test_never_decreases_and_stays_inside_the_scale(
    pairs: list[tuple[float, float]], raw: list[float]
) -> None:
    scores = fit(pairs)(np.sort(raw))
    assert (np.diff(scores) >= 0).all()
    assert ((scores > 0) & (scores < 5)).all()


@given(st.lists(st.tuples(st.floats(-1, 1, width=32), labels), min_size=2, max_size=200))
def test_knots_and_slopes_rise(pairs: list[tuple[float, float]]) -> None:
    made = fit(pairs)
    assert (np.diff(made.raw) > 0).all()
    assert (np.diff(made.score) > 0).all()
    assert 0 < made.lower_slope < np.inf
    assert 0 < made.upper_slope < np.inf


@given(data)
def test_json_round_trip_is_exact(pairs: list[tuple[float, float]]) -> None:
    made = fit(pairs)
    assert MonotoneCalibration.model_validate_json(made.model_dump_json()) == made


def test_rises_strictly_from_tail_to_tail() -> None:
    random = np.random.default_rng(0)
    raw = random.uniform(0.5, 1, 800)
    made = MonotoneCalibration.fit(raw, np.clip(random.normal(8 * raw - 4, 1), 0, 5))
    assert (np.diff(made(np.linspace(-1, 2, 2_000))) > 0).all()


def test_recovers_a_monotone_map() -> None:
    raw = np.linspace(0, 1, 4_000)
    truth = 0.3 + 4.4 * raw**2
    error = np.abs(MonotoneCalibration.fit(raw, truth)(raw) - truth)
    assert error.max() < 0.12


def test_recovers_a_monotone_map_through_noise() -> None:
    random = np.random.default_rng(1)
    raw = random.uniform(0, 1, 4_000)
    truth = 1 + 3 * raw
    noisy = np.clip(truth + random.normal(0, 0.8, len(raw)), 0, 5)
    error = MonotoneCalibration.fit(raw, noisy)(raw) - truth
    assert np.sqrt(np.mean(error**2)) < 0.15


def test_errs_about_as_little_as_isotonic_regression() -> None:
    random = np.random.default_rng(2)
    raw, fresh = random.uniform(0, 1, 1_000), random.uniform(0, 1, 1_000)

    def gold(values: np.ndarray) -> np.ndarray:
        return np.clip(random.normal(5 / (1 + np.exp(-8 * (values - 0.5))), 0.7), 0, 5)

    known, unseen = gold(raw), gold(fresh)
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(raw, known).predict(fresh)
    ours = MonotoneCalibration.fit(raw, known)(fresh)
    assert np.mean((ours - unseen) ** 2) < 1.05 * np.mean((isotonic - unseen) ** 2)


def test_constant_raw_values_map_to_the_mean_label() -> None:
    made = MonotoneCalibration.fit([0.7] * 100, np.tile([1.0, 3.0], 50))
    assert made(0.7) == pytest.approx(2)
    assert made(0.6) < made(0.7) < made(0.8)


def test_contrary_labels_still_give_a_rising_map() -> None:
    raw = np.linspace(0, 1, 400)
    made = MonotoneCalibration.fit(raw, 5 - 5 * raw)
    assert (np.diff(made(raw)) > 0).all()


def test_constant_labels_do_not_flatten_the_map() -> None:
    made = MonotoneCalibration.fit(np.linspace(0, 1, 100), [5.0] * 100)
    assert made(0.2) < made(0.8) < 5


def test_identity_spreads_0_to_1_over_the_scale() -> None:
    np.testing.assert_allclose(
        MonotoneCalibration.identity()([0, 0.5, 1]), [0.02, 2.5, 4.98], rtol=1e-6
    )


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_keeps_the_shape(shape: tuple[int, ...]) -> None:
    scores = MonotoneCalibration.identity()(np.full(shape, 0.5))
    assert scores.shape == shape
    assert scores.dtype == np.float32


@pytest.mark.parametrize(
    "change",
    [
        {"raw": (0.0, 0.0)},
        {"score": (3.0, 2.0)},
        {"score": (0.0, 2.0)},
        {"score": (1.0, 5.0)},
        {"raw": (0.0,)},
        {"raw": (), "score": ()},
        {"lower_slope": 0.0},
        {"upper_slope": -1.0},
        {"raw": (0.0, float("nan"))},
    ],
    ids=str,
)
def test_knots_that_do_not_rise_are_refused(change: dict[str, object]) -> None:
    sound = {"raw": (0.0, 1.0), "score": (1.0, 4.0), "lower_slope": 3.0, "upper_slope": 3.0}
    MonotoneCalibration.model_validate(sound)
    with pytest.raises(ValidationError):
        MonotoneCalibration.model_validate({**sound, **change})
