"""What cannot be trained, opened or sliced is refused before the first encoder is trained."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from kosim.encoders.errors import KosimError
from kosim.experiments.comparison import run
from kosim.experiments.comparison.dry_run import plan_comparison
from kosim.experiments.comparison.run import compare
from kosim.experiments.settings import CompareSettings
from kosim.experiments.tuning.equal_trials import tune_alike
from tests.experiments.conftest import small_settings


def _settings(
    tmp_path: Path, cross: dict[str, Any] | None = None, **changes: Any
) -> CompareSettings:
    """Return a comparison whose bi-encoder is fine, with pairs in files."""
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    rows = [f"문장 {n}번,다른 문장 {n}번,{n % 6}" for n in range(60)]
    train.write_text("\n".join(["sentence1,sentence2,label", *rows]), encoding="utf-8")
    test.write_text(
        "\n".join(["sentence1,sentence2,label", *(r.replace("문장", "글") for r in rows)]), "utf-8"
    )
    fine = {"kind": "bi", "backbone": "mini", "training": {"epochs": 1}}
    other = {"kind": "cross", "backbone": "mini", "training": {"epochs": 1}, **(cross or {})}
    encoders = {"bi": fine, "cross": other}
    data = {"train": str(train), "test": str(test)}
    return CompareSettings.parse(small_settings(data=data, encoders=encoders, **changes))


FAULTS = {
    "backbone": ({"backbone": "/nowhere"}, {}, "backbone /nowhere does not exist"),
    "tracker": ({"training": {"report_to": "paper"}}, {}, "report_to is 'paper'"),
    "missing tracker": ({"training": {"report_to": "clearml"}}, {}, "report_to is 'clearml'"),
    "saved encoder": ({"artifact": "/nowhere"}, {}, "/nowhere does not exist"),
    "kind": ({"artifact": "mini-bi"}, {}, "is a bi-encoder, but cross is to be a cross"),
    "slices": ({}, {"evaluation": {"slices": ["topic"]}}, "no column 'topic' for a slice"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_second_encoder_costs_no_training_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(run, "train_contender", lambda *_, **__: pytest.fail("it was trained"))
    cross, changes, said = FAULTS[fault]
    settings = _settings(tmp_path, cross, **changes)
    out = tmp_path / "run"
    with pytest.raises(KosimError, match=said):
        compare(settings, out)
    assert not out.exists()
    out.mkdir()
    for name in ("config.toml", "results.json"):
        (out / name).write_text("# of an earlier run\n", encoding="utf-8")
    with pytest.raises(KosimError, match=said):
        compare(settings, out, overwrite=True)
    assert (out / "config.toml").is_file() and (out / "results.json").is_file()
    shutil.rmtree(out)
    with pytest.raises(KosimError, match=said):
        plan_comparison(settings)
    if "artifact" not in cross:
        with pytest.raises(KosimError, match=said):
            tune_alike(settings, out, 2)
        assert not out.exists()


def test_what_is_right_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []

    def train(name: str, *_: Any, **__: Any) -> None:
        trained.append(name)
        if len(trained) == 2:
            raise KosimError("that is all")

    monkeypatch.setattr(run, "train_contender", train)
    with pytest.raises(KosimError, match="that is all"):
        compare(_settings(tmp_path, evaluation={"slices": ["label"]}), tmp_path / "run")
    assert trained == ["bi", "cross"]
