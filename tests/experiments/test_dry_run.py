"""The plan of a comparison: what it would do, without doing it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from kosim.encoders.errors import ConfigError
from kosim.experiments.cli import main
from kosim.experiments.comparison.dry_run import plan_comparison
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.settings import CompareSettings
from tests.checkout import ROOT
from tests.experiments.conftest import small_settings

Run = tuple[Path, ComparisonResults]


def test_a_plan_names_pairs_and_steps_of_the_run(small_run: Run) -> None:
    _, results = small_run
    plan = plan_comparison(CompareSettings.parse(small_settings(seeds=[1, 2])))
    assert plan.pairs == results.data["used"]
    for name, contender in plan.contenders.items():
        done = results.encoders[name].seeds["1"]
        assert contender.cost is not None
        assert contender.cost.steps == done.steps
        assert contender.cost.epochs == done.epochs == len(done.history)
        assert contender.seconds == pytest.approx(2 * contender.cost.seconds)
    assert plan.seconds == pytest.approx(math.fsum(c.seconds for c in plan.contenders.values()))


def test_trials_before_the_comparison_take_their_time_too() -> None:
    plan = plan_comparison(CompareSettings.parse(small_settings(seeds=[1, 2])), trials=3)
    for contender in plan.contenders.values():
        assert contender.cost is not None
        assert contender.seconds == pytest.approx((3 + 1) * 2 * contender.cost.seconds)


def test_a_plan_of_one_trial_is_refused_as_the_search_would_be() -> None:
    with pytest.raises(ConfigError, match="at least 2 trials"):
        plan_comparison(CompareSettings.parse(small_settings()), trials=1)


def test_saved_encoders_are_not_timed(small_run: Run) -> None:
    folder, _ = small_run
    saved = {
        kind: {"kind": kind, "artifact": str(folder / kind / "seed-1")} for kind in ("bi", "cross")
    }
    plan = plan_comparison(CompareSettings.parse(small_settings(encoders=saved)))
    assert plan.seconds == 0
    assert all(contender.cost is None for contender in plan.contenders.values())


def test_the_command_prints_the_plan_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["compare", "--dry-run", "--json", "--limit", "80", "--backbone", "scratch"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert plan["pairs"] == {"train": 72, "validation": 8, "test": 480}
    assert plan["contenders"]["cross"]["cost"]["steps"] == 10 * math.ceil(72 / 16)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("told", "named"),
    [
        (["--epochs", "3"], "--epochs"),
        (["--backbone", "mini"], "--backbone"),
        (["--learning-rate", "1e-4", "--max-length", "64"], "--learning-rate, --max-length"),
        (["--tune", "3"], "--tune"),
        (["--limit", "9"], "--limit"),
    ],
)
def test_saved_encoders_take_no_options_of_training(told: list[str], named: str) -> None:
    saved = ["--bi", "mini-bi", "--cross", "mini-cross", "--test", "test.csv"]
    result = CliRunner().invoke(main, ["compare", "--dry-run", *saved, *told])
    assert result.exit_code == 2
    assert f"{named} would say how to train" in result.stderr


def test_the_plan_of_saved_encoders_has_no_line_of_dashes() -> None:
    file = str(ROOT / "examples" / "data" / "test.csv")
    saved = ["--bi", "mini-bi", "--cross", "mini-cross"]
    result = CliRunner().invoke(main, ["compare", "--test", file, "--dry-run", *saved])
    assert result.exit_code == 0, result.output
    assert "200 test pairs" in result.stdout
    assert "mini-cross" in result.stdout
    assert "Training" not in result.stdout
    assert "seeds" in result.stdout
    assert "peak memory" not in result.stdout


def test_saved_encoders_are_not_tested_on_pairs_that_may_have_trained_them() -> None:
    file = str(ROOT / "examples" / "data" / "test.csv")
    result = CliRunner().invoke(main, ["compare", file, "--dry-run", "--bi", "mini-bi"])
    assert result.exit_code == 2
    assert (
        "saved encoders are compared on test pairs; give data.test (--test FILE)" in result.stderr
    )


def test_seeds_that_are_no_numbers_are_refused_by_name() -> None:
    result = CliRunner().invoke(main, ["compare", "--dry-run", "--seeds", "a,b"])
    assert result.exit_code == 2
    assert "--seeds is 'a,b'; give whole numbers" in result.stderr
