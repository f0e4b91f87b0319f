"""``kosim tune`` end to end: a study on few pairs, its report, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
import tomli_w
from optuna.trial import TrialState

from experiments.cli import main
from experiments.comparison import compare
from experiments.data.partition import load_training
from experiments.settings import CompareSettings, read_settings
from experiments.tuning.plan import plan_trials
from experiments.tuning.settings import TuneSettings, data_fingerprint
from experiments.tuning.space import parse_space
from experiments.tuning.study import PURPOSE, begin_study, load_study, open_storage
from experiments.tuning.trial import OUTCOME, run_trial
from tests.experiments.conftest import small_settings
from tests.experiments.tiny_artifacts import kosim, refusal

SPACE = {"epochs": {"values": [1, 2]}, "learning_rate": {"values": [1e-4, 5e-4]}}
ROOT = Path(__file__).parents[2]


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
    assert "exists already; go on with --resume" in refusal(*run)
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


def small_study(
    address: str, name: str = "small", *, space: dict[str, Any] = SPACE, **changes: Any
) -> optuna.Study:
    settings = TuneSettings(
        kind="bi",
        comparison=CompareSettings.parse(small_settings()),
        space=parse_space(space),
        sampler="grid",
        **changes,
    )
    data = data_fingerprint(load_training(settings.comparison.data))
    return begin_study(open_storage(address), name, settings, data, resume=False)


def test_a_batch_that_does_not_fit_is_pruned_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(str(tmp_path / "study.db"))
    settings = TuneSettings.from_json(study.user_attrs["kosim_settings"])

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 GB")

    monkeypatch.setattr("experiments.tuning.trial.train", fails)
    pairs = load_training(settings.comparison.data)
    study.optimize(lambda t: run_trial(t, settings, pairs, tmp_path / "backbone"), n_trials=1)
    trial = study.trials[0]
    assert trial.state == TrialState.PRUNED
    assert trial.user_attrs[OUTCOME] == "out of memory"
    assert trial.params["epochs"] == 1


def test_hopeless_trials_are_ended_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = [1e-3, 9e-4, 8e-4, 7e-4, 1e-9]
    space = {"epochs": {"values": [4]}, "learning_rate": {"values": rates}}
    small_study(str(tmp_path / "study.db"), space=space, prune="median")
    study = load_study(open_storage(str(tmp_path / "study.db")), "small")
    settings = TuneSettings.from_json(study.user_attrs["kosim_settings"])
    pairs = load_training(settings.comparison.data)

    def follow(
        encoder: Any, train: Any, validation: Any, config: Any, *, callbacks: Any
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

    monkeypatch.setattr("experiments.tuning.trial.train", follow)
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
        expected = again["difference"][metric]["value"]
        assert results["test"]["difference"][metric]["value"] == pytest.approx(expected)


def start_worker(address: str, number: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "experiments.cli", "tune", "worker", "--storage", address]
    return subprocess.Popen(
        [*command, "--study", "small", "--number", str(number)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def survive_a_kill(address: str) -> None:
    """Run a study on three workers of which one is killed in the middle of a trial."""
    space = {
        "epochs": {"values": [3]},
        "learning_rate": {"values": np.geomspace(1e-4, 1e-3, 6).tolist()},
    }
    study = small_study(address, space=space)
    workers = [start_worker(address, number) for number in range(3)]
    deadline = time.monotonic() + 240
    while len(study.get_trials(states=(TrialState.RUNNING,))) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.kill(workers[1].pid, signal.SIGKILL)
    for worker in workers:
        worker.wait(timeout=max(1.0, deadline - time.monotonic()))
    assert [worker.returncode for worker in workers] == [0, -signal.SIGKILL, 0]
    trials = [trial for trial in study.get_trials() if PURPOSE in trial.user_attrs]
    assert all(trial.state.is_finished() for trial in trials)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    planned = plan_trials(TuneSettings.from_json(study.user_attrs["kosim_settings"]))
    assert sorted(trial.params["learning_rate"] for trial in complete) == sorted(
        trial.values["learning_rate"] for trial in planned
    )
    assert sum(trial.state == TrialState.FAIL for trial in trials) == 1


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    survive_a_kill(f"sqlite:///{tmp_path / 'study.db'}")


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[str]:
    """The address of a database of its own, run by an unprivileged user."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="the extra tune is not installed")
    place = Path("/tmp") / f"kosim-pg-{os.getpid()}"
    place.mkdir()
    become: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(place, "postgres", "postgres")
        become = ["runuser", "-u", "postgres", "--"]
    folder, port = place / "data", str(20_000 + os.getpid() % 20_000)
    tool = binaries[-1]
    subprocess.run(
        [*become, tool, "-D", folder, "-A", "trust", "-U", "kosim", "-E", "UTF8"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    control = [*become, tool.with_name("pg_ctl"), "-D", folder, "-w", "-l", place / "log"]
    options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1"
    subprocess.run(
        [*control, "-o", options, "start"], check=True, cwd="/", stdout=subprocess.DEVNULL
    )
    try:
        yield f"postgresql://kosim@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run(
            [*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd="/"
        )
        shutil.rmtree(place)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_in_postgresql(postgresql: str) -> None:
    survive_a_kill(postgresql)


def test_help_names_both_kinds() -> None:
    assert main.name
    assert "bi|cross|worker|report" in kosim("tune", "--help").output
