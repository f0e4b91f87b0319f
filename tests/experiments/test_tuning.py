"""``kosim tune`` end to end: a study on few pairs, its report, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli_w
from optuna.trial import TrialState

from kosim.experiments.cli import main
from kosim.experiments.comparison.run import compare
from kosim.experiments.data.partition import load_training
from kosim.experiments.settings import CompareSettings, read_settings
from kosim.experiments.tuning.outcome import describe_study
from kosim.experiments.tuning.settings import TuneSettings
from kosim.experiments.tuning.storage import open_storage
from kosim.experiments.tuning.study import load_study
from kosim.experiments.tuning.trial import OUTCOME, run_trial
from tests.experiments.conftest import small_settings
from tests.experiments.tiny_artifacts import kosim, refusal
from tests.experiments.tiny_studies import SPACE, small_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("configs")
    (folder / "space.toml").write_text(tomli_w.dumps(SPACE), encoding="utf-8")
    file = folder / "small.toml"
    file.write_text(tomli_w.dumps(small_settings()), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def tuned(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A grid of four trials of the bi-encoder, tested and reported."""
    out = tmp_path_factory.mktemp("runs") / "tuned"
    result = kosim(
        *("tune", "bi", config, "--space", config.with_name("space.toml"), "--sampler", "grid"),
        *("--study", "grid", "--out", out, "--json"),
    )
    assert result.exit_code == 0, (result.output, result.exception)
    return out, json.loads(result.stdout)


def test_every_trial_of_a_grid_ran_once(tuned: tuple[Path, dict[str, Any]]) -> None:
    _, results = tuned
    values = [tuple(trial["values"].values()) for trial in results["trials"]]
    assert sorted(values) == [(1, 1e-4), (1, 5e-4), (2, 1e-4), (2, 5e-4)]
    assert {trial["state"] for trial in results["trials"]} == {"complete"}
    assert results["cost"]["epochs"] == results["cost"]["epochs_unpruned"] == 6
    for trial in results["trials"]:
        curve = [row["pearson"] for row in trial["curves"]["1"]]
        assert len(curve) == trial["values"]["epochs"]
        assert trial["value"] == pytest.approx(max(curve))


def test_effects_are_differences_of_single_changes(tuned: tuple[Path, dict[str, Any]]) -> None:
    _, results = tuned
    found = {tuple(trial["values"].values()): trial["value"] for trial in results["trials"]}
    best = max(found, key=lambda values: found[values])
    base = (2, 5e-4)
    assert tuple(results["best"]["values"].values()) == best
    for place, record in enumerate(results["parameters"]):
        assert (record["base"], record["best"]) == (base[place], best[place])
        changed = tuple(best[place] if at == place else base[at] for at in range(2))
        if changed == base:
            assert record["effect"] is None
        else:
            assert record["effect"] == pytest.approx(found[changed] - found[base])


def test_best_config_is_one_that_compare_takes(tuned: tuple[Path, dict[str, Any]]) -> None:
    folder, results = tuned
    settings = CompareSettings.parse(read_settings(str(folder / "best.toml")))
    training = settings.encoders["bi"].training
    assert (training.epochs, training.learning_rate) == tuple(results["best"]["values"].values())
    assert settings.encoders["cross"].training.epochs == 2
    assert {"report.md", "report.html", "results.json"} <= {path.name for path in folder.iterdir()}
    assert results["study"] in (folder / "report.html").read_text(encoding="utf-8")


def test_test_pairs_are_compared_only_where_something_changed(
    tuned: tuple[Path, dict[str, Any]],
) -> None:
    folder, results = tuned
    changed = results["best"]["values"] != results["base"]["values"]
    assert (results["test"] is not None) == changed == (folder / "test").is_dir()


def test_a_study_that_is_there_needs_resume_and_the_same_settings(
    tuned: tuple[Path, dict[str, Any]], config: Path, tmp_path: Path
) -> None:
    folder, results = tuned
    storage = tmp_path / "study.db"
    shutil.copy(folder / "study.db", storage)
    space = ("--space", config.with_name("space.toml"), "--storage", storage, "--study", "grid")
    run = ("tune", "bi", config, *space, "--sampler", "grid", "--out", tmp_path / "out")
    assert "exists already; continue with --resume" in refusal(*run)
    other = ("tune", "cross", config, *space, "--sampler", "grid", "--resume")
    assert "tunes a bi-encoder, not a cross-encoder" in refusal(*other, "--out", tmp_path / "out")
    assert "is about other data (fingerprint" in refusal(*run, "--resume", "--limit", "100")
    assert "other settings (metric)" in refusal(*run, "--resume", "--metric", "f1")
    again = kosim(*run, "--resume", "--no-test", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["trials"] == results["trials"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trials", "0"], "--trials is 0"),
        (["--workers", "0"], "--workers is 0"),
        (["--minutes", "0"], "--minutes is 0"),
        ([], "give --trials"),
        (["--space", "nowhere.toml"], "nowhere.toml"),
        (["--trials", "2", "--storage", "postgresql://localhost:1/none"], "cannot be opened"),
        (["--trials", "2", "--storage", "nosuch://localhost/none"], "cannot be opened"),
    ],
)
def test_bad_input_is_one_line(
    config: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    space = [] if "--space" in arguments else ["--space", str(config.with_name("space.toml"))]
    assert said in refusal("tune", "bi", config, *space, *arguments, "--out", tmp_path / "out")


def test_a_worker_of_no_study_is_refused(tuned: tuple[Path, dict[str, Any]]) -> None:
    line = refusal("tune", "worker", "--storage", tuned[0] / "study.db", "--study", "other")
    assert "no study other; the storage has grid" in line


def test_a_batch_that_does_not_fit_is_pruned_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(str(tmp_path / "study.db"))
    settings = TuneSettings.from_json(study.user_attrs["kosim_settings"])

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 GB")

    monkeypatch.setattr("kosim.experiments.comparison.contenders.train", fails)
    pairs = load_training(settings.comparison.data)

    def run_one() -> None:
        study.optimize(lambda t: run_trial(t, settings, pairs, tmp_path / "backbone"), n_trials=1)

    run_one()
    trial = study.trials[0]
    assert trial.state == TrialState.PRUNED
    assert trial.user_attrs[OUTCOME] == (
        "out of memory with batch_size 16; batch_size 8 with gradient_accumulation 2 needs less"
    )
    assert trial.params["epochs"] == 1
    monkeypatch.undo()
    run_one()
    assert describe_study(study, settings)["cost"].out_of_memory == 1


def test_hopeless_trials_are_ended_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = [1e-3, 9e-4, 8e-4, 7e-4, 1e-9]
    space = {"epochs": {"values": [4]}, "learning_rate": {"values": rates}}
    small_study(str(tmp_path / "study.db"), space=space, prune="median")
    study = load_study(open_storage(str(tmp_path / "study.db")), "small")
    settings = TuneSettings.from_json(study.user_attrs["kosim_settings"])
    pairs = load_training(settings.comparison.data)

    def follow(
        encoder: Any, train: Any, validation: Any, config: Any, *, callbacks: Any, **_: Any
    ) -> SimpleNamespace:
        """Go through the epochs as a training would whose metric is the learning rate's."""
        values = [1000 * config.learning_rate * epoch for epoch in range(1, config.epochs + 1)]
        for epoch, value in enumerate(values, 1):
            state = SimpleNamespace(epoch=float(epoch), num_train_epochs=config.epochs)
            for callback in callbacks:
                callback.on_epoch_end(None, state, None)
                callback.on_evaluate(None, state, None, metrics={"eval_pearson": value})
        rows = [SimpleNamespace(pearson=value, model_dump=dict) for value in values]
        return SimpleNamespace(history=rows)

    monkeypatch.setattr("kosim.experiments.comparison.contenders.train", follow)
    study.optimize(lambda t: run_trial(t, settings, pairs, tmp_path / "backbone"), n_trials=5)
    assert [trial.state for trial in study.trials[:4]].count(TrialState.COMPLETE) >= 2
    last = study.trials[-1]
    assert (last.params["learning_rate"], last.state) == (1e-9, TrialState.PRUNED)
    assert (last.user_attrs["epochs"], list(last.intermediate_values)) == (1, [1])


def test_the_comparison_of_base_and_best_is_that_of_compare(
    tuned: tuple[Path, dict[str, Any]],
) -> None:
    folder, results = tuned
    if results["test"] is None:
        pytest.skip("the base was the best")
    config = read_settings(str(folder / "test" / "config.toml"))
    assert list(config["encoders"]) == ["best", "base"]
    again = compare(CompareSettings.parse(config), folder / "test", resume=True)
    for metric in ("pearson", "f1"):
        expected = again.difference.difference(metric).value
        assert results["test"]["difference"][metric]["value"] == pytest.approx(expected)


def test_help_names_both_kinds() -> None:
    assert main.name
    assert "bi|cross|worker|report" in kosim("tune", "--help").output
