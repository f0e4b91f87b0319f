"""Tasks of MTEB: mteb evaluates our bi-encoder, and a cross-encoder stands beside it on STS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

import kosim
from kosim.encoders.errors import ConfigError, MissingExtraError
from kosim.experiments.comparison.mteb_tasks import evaluate_mteb
from kosim.experiments.data.datasets import load_sample
from tests.checkout import CLIENTS, ROOT, needs_clients
from tests.experiments.test_cli import kosim as command

FRAME = load_sample("test").frame[:40]


@pytest.fixture
def task() -> Any:
    """An STS task whose data lie in memory."""
    pytest.importorskip("mteb")
    from datasets import Dataset, DatasetDict
    from mteb.abstasks.sts import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata

    class Local(AbsTaskSTS):
        metadata = TaskMetadata(
            name="LocalSTS",
            dataset={"path": "local/sts", "revision": "1"},
            description="Pairs of the bundled sample.",
            type="STS",
            category="t2t",
            modalities=["text"],
            eval_splits=["test"],
            eval_langs=["kor-Hang"],
            main_score="cosine_spearman",
        )

        def load_data(self, *_: Any, **__: Any) -> None:
            columns = {
                "sentence1": list(FRAME.sentence1),
                "sentence2": list(FRAME.sentence2),
                "score": [float(label) for label in FRAME.label],
            }
            self.dataset = DatasetDict({"test": Dataset.from_dict(columns)})
            self.data_loaded = True

    return Local()


@pytest.mark.slow
@needs_clients
@pytest.mark.skipif(find_spec("mteb") is not None, reason="mteb is here: the tests below run")
def test_mteb_evaluates_in_the_environment_of_other_libraries(tmp_path: Path) -> None:
    here = [__file__, "-p", "no:cacheprovider", "--basetemp", tmp_path / "inner"]
    names = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [CLIENTS / "python", "-m", "pytest", *here],
        cwd=ROOT,
        env={**names, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "5 passed, 1 skipped" in done.stdout, done.stdout[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bi", "cross"])
def test_both_kinds_have_figures_of_the_same_task(
    kind: str, task: Any, tiny_encoders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_encoders[kind]
    encoder = kosim.load(folder, device="cpu")
    ((split, (scores,)),) = evaluate_mteb(encoder, task).items()
    raw = encoder.score(list(zip(FRAME.sentence1, FRAME.sentence2, strict=True)), raw=True)
    assert split == "test"
    assert scores["pearson"] == pytest.approx(pearsonr(FRAME.label, raw)[0], abs=1e-5)
    assert scores["spearman"] == pytest.approx(spearmanr(FRAME.label, raw)[0], abs=1e-3)
    if kind == "bi":
        assert scores["main_score"] == scores["cosine_spearman"]
    monkeypatch.setattr("mteb.get_task", lambda name: task)
    shown = command("evaluate", folder, "--mteb", "LocalSTS", "--json")
    found = json.loads(shown.stdout)["scores"]["test"][0]
    assert np.isclose(found["pearson"], scores["pearson"])
    assert f"{scores['pearson']:.4f}" in command("evaluate", folder, "--mteb", "LocalSTS").stdout


@pytest.mark.slow
def test_a_task_that_is_not_there_or_has_no_pairs_is_refused(
    tiny_encoders: dict[str, Path],
) -> None:
    mteb = pytest.importorskip("mteb")
    cross = kosim.load(tiny_encoders["cross"], device="cpu")
    with pytest.raises(ConfigError, match="no task 'KorSTX'"):
        evaluate_mteb(cross, "KorSTX")
    with pytest.raises(ConfigError, match="a cross-encoder has scores for STS alone"):
        evaluate_mteb(cross, mteb.get_task("KLUE-TC"))


def test_without_mteb_the_command_to_install_it_is_named(
    tiny_encoders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kosim\[mteb\]"'):
        evaluate_mteb(kosim.load(tiny_encoders["bi"], device="cpu"), "KorSTS")


def test_pairs_or_a_task_must_be_given(tmp_path: Path) -> None:
    for options in ((), ("--test", "a.csv", "--mteb", "KorSTS")):
        result = command("evaluate", "mini-bi", *options)
        assert result.exit_code == 2
        assert "--mteb TASK" in result.stderr
