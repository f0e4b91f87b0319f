"""What may be tuned, and which trials follow from it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from kosim.encoders.errors import ConfigError
from kosim.experiments.settings import CompareSettings, EncoderSettings
from kosim.experiments.tuning.plan import LISTING, base_values, plan_trials
from kosim.experiments.tuning.settings import TuneSettings
from kosim.experiments.tuning.space import (
    DOCUMENTED,
    check_space,
    parse_space,
    read_space,
    value_of,
    with_values,
)
from tests.experiments.conftest import small_settings

SPACE = {"epochs": {"values": [1, 2]}, "learning_rate": {"values": [1e-4, 5e-4, 1e-3]}}

ENCODER = EncoderSettings(kind="bi")


def settings(space: dict[str, Any] = SPACE, **changes: Any) -> TuneSettings:
    return TuneSettings(
        kind="bi",
        comparison=CompareSettings.parse(small_settings()),
        space=parse_space(space),
        **changes,
    )


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({}, "no parameter"),
        ({"learnin_rate": {"values": [1]}}, "'learnin_rate', which is not a hyperparameter"),
        ({"epochs": {"values": []}}, "space epochs: .*list of values is empty"),
        ({"epochs": {"low": 5, "high": 2}}, "space epochs: .*from 5 to 2 is empty"),
        ({"epochs": {"low": 5}}, "either values, or low and high"),
        ({"epochs": {"values": [1], "low": 1, "high": 2}}, "either values, or low and high"),
        ({"warmup": {"low": 0, "high": 0.4, "log": True}}, "begins above 0"),
        ({"warmup": {"low": 0, "high": 0.4, "step": 0}}, "step 0 is not above 0"),
        ({"epochs": [1, 2]}, "give a table"),
        ({"epochs": {"values": [2, 2]}}, "appears twice"),
        ({"epochs": {"values": [2], "unit": "pass"}}, "unit: unknown setting"),
    ],
)
def test_impossible_space_is_refused(space: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_space(space)


@pytest.mark.parametrize(
    "space",
    [
        {"epochs": {"values": [0, 2]}},
        {"warmup": {"low": 0, "high": 1}},
        {"loss": {"values": ["x"]}},
    ],
)
def test_values_that_an_encoder_cannot_take_are_refused(space: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"space {next(iter(space))}: "):
        check_space(parse_space(space), EncoderSettings(kind="bi"))


def test_space_of_a_file_is_that_of_the_documented_one(tmp_path: Path) -> None:
    import tomli_w

    file = tmp_path / "space.toml"
    file.write_text(tomli_w.dumps(DOCUMENTED), encoding="utf-8")
    assert read_space(str(file), ENCODER) == read_space("documented", ENCODER)
    file.write_text("epochs = [", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_space(str(file), ENCODER)
    with pytest.raises(ConfigError, match="neither a file nor 'around' or 'documented'"):
        read_space(str(tmp_path / "none.toml"), ENCODER)


def test_documented_ranges_are_those_of_the_table() -> None:
    space = read_space("documented", ENCODER)
    assert space["epochs"].grid("epochs") == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    assert space["warmup"].grid("warmup") == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert space["max_length"].grid("max_length") == [80, 120]


@pytest.mark.parametrize("kind", ["bi", "cross"])
@pytest.mark.parametrize("rate", [5e-4, 5e-5, 0.3])
@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "one-factor"])
def test_space_around_begins_with_the_encoders_own_values(
    kind: str, rate: float, sampler: str
) -> None:
    """Also for small networks, whose rates are ten times those of the documented table."""
    raw = small_settings()
    raw["encoders"][kind]["training"] = {"learning_rate": rate, "warmup": 0.15, "batch_size": 24}
    comparison = CompareSettings.parse(raw)
    space = read_space("around", comparison.encoders[kind], listed=sampler in LISTING)
    trials = None if sampler in LISTING else 3
    tuned = TuneSettings.model_validate(
        {
            "kind": kind,
            "comparison": comparison,
            "space": space,
            "sampler": sampler,
            "trials": trials,
        }
    )
    own = {"learning_rate": rate, "warmup": 0.15, "batch_size": 24}
    planned = [trial.values for trial in plan_trials(tuned)]
    assert (own in planned) if sampler == "grid" else (planned[0] == own)
    rates = [values["learning_rate"] for values in planned if "learning_rate" in values]
    assert all(rate / 3.01 <= float(each) <= min(3.01 * rate, 0.5) for each in rates)


def test_values_reach_the_settings_they_belong_to() -> None:
    changed = with_values(
        EncoderSettings(kind="bi"), {"epochs": 3, "max_length": 80, "pooling": "cls"}
    )
    assert (changed.training.epochs, changed.max_length, changed.pooling) == (3, 80, "cls")
    assert [value_of(changed, name) for name in ("epochs", "max_length")] == [3, 80]
    assert changed.training.learning_rate == EncoderSettings(kind="bi").training.learning_rate


def test_grid_is_the_product() -> None:
    planned = plan_trials(settings(sampler="grid"))
    expected = [{"epochs": e, "learning_rate": r} for e, r in product([1, 2], [1e-4, 5e-4, 1e-3])]
    assert [trial.values for trial in planned] == expected
    assert len(plan_trials(settings(sampler="grid", trials=4))) == 4


def test_grid_of_a_range_without_a_step_is_refused() -> None:
    space = {"learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}}
    with pytest.raises(ConfigError, match="learning_rate is a range without a step"):
        plan_trials(settings(space, sampler="grid"))


def test_random_draws_begin_with_the_base_and_depend_on_the_seed_alone() -> None:
    space = {**SPACE, "warmup": {"low": 0.0, "high": 0.4}}
    one, two, other = (
        plan_trials(settings(space, sampler="random", trials=30, seed=seed)) for seed in (1, 1, 2)
    )
    assert one == two != other
    assert one[0].values == {"epochs": 2, "learning_rate": 5e-4, "warmup": 0.2}
    assert {trial.values["epochs"] for trial in one} == {1, 2}
    assert all(0 <= trial.values["warmup"] <= 0.4 for trial in one)  # type: ignore[operator]


def test_base_outside_the_space_is_not_forced_into_it() -> None:
    planned = plan_trials(settings({"epochs": {"values": [1, 4]}}, sampler="tpe", trials=3))
    assert [trial.values for trial in planned] == [{}, {}, {}]


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        ({"values": [1e-4, 5e-4]}, [1e-4], [2e-4]),
        ({"low": 0.0, "high": 0.4}, [0.0, 0.17, 0.4], [-0.1, 0.41]),
        ({"low": 0.0, "high": 0.4, "step": 0.1}, [0.0, 0.1 + 0.2, 0.4], [0.15, 0.5]),
    ],
)
def test_a_domain_holds_its_values_alone(
    domain: dict[str, Any], inside: list[float], outside: list[float]
) -> None:
    made = parse_space({"warmup": domain})["warmup"]
    assert [made.holds(value) for value in inside] == [True] * len(inside)
    assert [made.holds(value) for value in outside] == [False] * len(outside)


def test_one_factor_changes_one_value_at_a_time_and_crosses_two() -> None:
    space = {**SPACE, "weight_decay": {"values": [0.0, 0.1]}}
    tuned = settings(space, sampler="one-factor")
    planned, base = plan_trials(tuned), base_values(tuned)
    changed = [
        (trial.purpose, {name for name in base if trial.values[name] != base[name]})
        for trial in planned
    ]
    assert changed == [
        ("base", set()),
        ("epochs", {"epochs"}),
        ("learning_rate", {"learning_rate"}),
        ("learning_rate", {"learning_rate"}),
        ("weight_decay", {"weight_decay"}),
        ("epochs by weight_decay", {"epochs", "weight_decay"}),
    ]
    assert len({tuple(trial.values.items()) for trial in planned}) == len(planned)


def test_one_factor_takes_all_its_trials() -> None:
    with pytest.raises(ConfigError, match="takes 4 trials, and --trials is 2"):
        plan_trials(settings(sampler="one-factor", trials=2))


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_search_without_a_number_of_trials_is_refused(sampler: Any) -> None:
    with pytest.raises(ConfigError, match="give --trials"):
        plan_trials(settings(sampler=sampler))


def test_settings_survive_the_storage() -> None:
    tuned = settings(sampler="grid", prune="median")
    assert TuneSettings.from_json(tuned.to_json()) == tuned


def test_a_saved_encoder_is_not_tuned() -> None:
    raw = small_settings(encoders={"bi": {"kind": "bi", "artifact": "models/bi"}})
    with pytest.raises(ConfigError, match="models/bi, which is not trained"):
        TuneSettings(kind="bi", comparison=CompareSettings.parse(raw), space=parse_space(SPACE))


def test_a_config_without_that_kind_is_refused() -> None:
    raw = small_settings()
    del raw["encoders"]["cross"]
    with pytest.raises(ConfigError, match="no cross-encoder to tune"):
        TuneSettings(kind="cross", comparison=CompareSettings.parse(raw), space=parse_space(SPACE))
