"""The comparison, end to end, on a small backbone made on the spot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics
from transformers import TrainerCallback

from kosim.encoders.artifact import read_manifest
from kosim.encoders.errors import ArtifactError, DataError, StorageError
from kosim.encoders.loading import load
from kosim.encoders.storage import sha256
from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.comparison.run import compare
from kosim.experiments.data.datasets import load_sample
from kosim.experiments.data.pairs import RawPairs
from kosim.experiments.settings import CompareSettings, named_after
from kosim.experiments.study.figures import Estimate
from kosim.experiments.study.run_folder import default_folder, open_run
from tests.experiments.conftest import small_settings

Run = tuple[Path, ComparisonResults]


def test_everything_promised_is_in_the_folder(small_run: Run) -> None:
    folder, _ = small_run
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert names == {
        "backbone",
        "bi",
        "config.toml",
        "cross",
        "data.json",
        "predictions.parquet",
        "report.html",
        "report.md",
        "results.json",
    }
    for encoder in ("bi", "cross"):
        assert sorted(path.name for path in (folder / encoder).iterdir()) == ["seed-1", "seed-2"]


def test_results_on_disk_are_those_returned(small_run: Run) -> None:
    folder, results = small_run
    written = json.loads((folder / "results.json").read_text("utf-8"))
    assert written == COMPARISON.to_json(results)
    assert COMPARISON.read(folder) == results


def test_figures_can_be_recomputed_from_the_predictions(small_run: Run) -> None:
    folder, results = small_run
    frame = pd.read_parquet(folder / "predictions.parquet")
    assert list(frame.columns) == [
        "seed",
        "sentence1",
        "sentence2",
        "source",
        "label",
        "bi",
        "cross",
    ]
    means = {}
    for name in ("bi", "cross"):
        seeds = [rows for _, rows in frame.groupby("seed")]
        pearsons = [stats.pearsonr(rows.label, rows[name]).statistic for rows in seeds]
        f1s = [
            metrics.f1_score(rows.label >= 3, rows[name] >= 3, zero_division=0) for rows in seeds
        ]
        assert results.encoders[name].test["pearson"].value == pytest.approx(np.mean(pearsons))
        assert results.encoders[name].test["f1"].value == pytest.approx(np.mean(f1s))
        means[name] = np.mean(pearsons)
    assert results.difference.difference("pearson").value == pytest.approx(
        means["cross"] - means["bi"]
    )


def test_every_interval_holds_its_value(small_run: Run) -> None:
    _, results = small_run
    for encoder in results.encoders.values():
        for figure in encoder.test.values():
            if isinstance(figure, Estimate):
                assert figure.low <= figure.value <= figure.high


def test_seeds_are_reported_apart(small_run: Run) -> None:
    _, results = small_run
    for encoder in results.encoders.values():
        assert set(encoder.seeds) == {"1", "2"}
        values = [seed.test["pearson"].value for seed in encoder.seeds.values()]
        assert encoder.test["pearson"].value == pytest.approx(np.mean(values))
        assert encoder.seed_spread["pearson"].sd == pytest.approx(np.std(values, ddof=1))
        for seed in encoder.seeds.values():
            assert len(seed.history) == 2


def test_the_scores_are_those_of_the_saved_encoders(small_run: Run) -> None:
    folder, _ = small_run
    frame = pd.read_parquet(folder / "predictions.parquet")
    rows = frame[frame.seed == 2]
    pairs = list(zip(rows.sentence1, rows.sentence2, strict=True))
    for name in ("bi", "cross"):
        scores = load(folder / name / "seed-2").score(pairs)
        np.testing.assert_allclose(scores, rows[name], atol=1e-5)


def test_the_scratch_backbone_is_said_to_be_one(small_run: Run) -> None:
    folder, results = small_run
    assert "random weights" in results.encoders["bi"].backbone_note
    assert results.encoders["bi"].backbone_note in (folder / "report.md").read_text("utf-8")


def test_nothing_is_chosen_on_the_test_set(
    small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the test's labels shuffled, all that was trained and chosen comes out the same."""

    def shuffled(split: Literal["train", "test"]) -> RawPairs:
        raw = load_sample(split)
        if split == "train":
            return raw
        labels = np.random.default_rng(0).permutation(raw.frame["label"])
        return replace(raw, frame=raw.frame.assign(label=labels))

    def chosen(artifact: Path) -> tuple[object, ...]:
        manifest = read_manifest(artifact)
        assert manifest.training is not None
        weights = sha256(artifact / "model.safetensors")
        best = manifest.training["best_epoch"]
        return weights, manifest.calibration, manifest.threshold, best

    folder, before = small_run
    monkeypatch.setattr("kosim.experiments.data.datasets.load_sample", shuffled)
    after = compare(CompareSettings.parse(small_settings()), tmp_path / "run")
    for name in ("bi", "cross"):
        assert after.encoders[name].test != before.encoders[name].seeds["1"].test
        assert chosen(tmp_path / "run" / name / "seed-1") == chosen(folder / name / "seed-1")


class _Kill(TrainerCallback):
    """Ends the process's work in the middle of the second training, as a kill would."""

    def __init__(self) -> None:
        self.trainings = 0

    def on_train_begin(self, *args: object, **kwargs: object) -> None:
        self.trainings += 1

    def on_step_end(self, args: object, state: object, control: object, **kwargs: object) -> None:
        if self.trainings == 2 and state.epoch > 1.2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt


def test_a_killed_run_resumes_to_the_same_predictions(small_run: Run, tmp_path: Path) -> None:
    settings, folder = CompareSettings.parse(small_settings()), tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        compare(settings, folder, callbacks=[_Kill()])
    assert not (folder / "results.json").exists()
    compare(settings, folder, resume=True)
    whole = pd.read_parquet(small_run[0] / "predictions.parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "predictions.parquet"), whole[whole.seed == 1]
    )


def test_saved_encoders_are_compared_without_training(small_run: Run, tmp_path: Path) -> None:
    folder, before = small_run
    settings = small_settings(
        encoders={
            "bi": {"kind": "bi", "artifact": str(folder / "bi" / "seed-1")},
            "cross": {"kind": "cross", "artifact": str(folder / "cross" / "seed-1")},
            "cross-2": {"kind": "cross", "artifact": str(folder / "cross" / "seed-2")},
        }
    )
    results = compare(CompareSettings.parse(settings), tmp_path / "run")
    expected = before.encoders["bi"].seeds["1"].test["pearson"].value
    assert results.encoders["bi"].test["pearson"].value == pytest.approx(expected)
    assert len(results.pairwise) == 3
    assert (results.difference.first, results.difference.second) == ("cross", "bi")
    for pair in results.pairwise:
        gap = pair.difference("pearson")
        assert gap.p_adjusted >= gap.p_value


def test_a_contender_of_the_other_kind_is_refused(small_run: Run, tmp_path: Path) -> None:
    folder, _ = small_run
    settings = small_settings(
        encoders={"bi": {"kind": "bi", "artifact": str(folder / "cross" / "seed-1")}}
    )
    with pytest.raises(ArtifactError, match="is a cross-encoder"):
        compare(CompareSettings.parse(settings), tmp_path / "run")


def test_an_existing_folder_is_refused_and_kept(small_run: Run) -> None:
    folder, _ = small_run
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(StorageError, match="exists already"):
        compare(CompareSettings.parse(small_settings(seeds=[1, 2])), folder)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_run_without_a_place_takes_the_next_free_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_folder("quick", again=False) == Path("runs/quick")
    Path("runs/quick").mkdir(parents=True)
    assert default_folder("quick", again=False) == Path("runs/quick-2")
    assert default_folder("quick", again=True) == Path("runs/quick")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("data/pairs.csv", "pairs"),
        ("our.pairs.jsonl.gz", "our.pairs"),
        ("klue-sts", "klue-sts"),
        ("내 문장.xlsx", "내 문장"),
        ("...csv", "comparison"),
        ("가" * 80 + ".csv", "가" * 60),
    ],
)
def test_a_run_is_named_after_its_data(data: str, name: str) -> None:
    assert named_after(data) == name


def test_a_run_of_other_settings_is_not_resumed(small_run: Run) -> None:
    folder, _ = small_run
    with pytest.raises(StorageError, match="other settings"):
        compare(CompareSettings.parse(small_settings(seeds=[3])), folder, resume=True)


def test_a_folder_that_is_no_run_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(StorageError, match="not the folder of a run"):
        compare(CompareSettings.parse(small_settings()), tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


def test_a_run_holds_its_folder_and_leaves_none_without_content(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with open_run(folder):
        refusal = pytest.raises(StorageError, match=r"in use by process .* choose another --out")
        with refusal, open_run(folder):
            pass
        assert folder.is_dir()
    assert not folder.exists()


def test_a_run_that_fails_before_it_wrote_anything_can_be_told_otherwise(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = CompareSettings.parse(small_settings())
    with pytest.raises(DataError), open_run(folder, settings):
        assert (folder / "config.toml").is_file()
        raise DataError("too few pairs")
    assert not folder.exists()
    with pytest.raises(DataError), open_run(folder, settings):
        (folder / "bi").mkdir()
        raise DataError("one encoder is there")
    assert folder.exists()


def test_a_constant_test_label_is_said_and_is_no_nan(small_run: Run, tmp_path: Path) -> None:
    folder, _ = small_run
    _, test = _sample_files(tmp_path)
    pd.read_csv(test).assign(score=4.0).to_csv(test, index=False)
    settings = small_settings(
        data={"test": str(test)},
        encoders={"bi": {"kind": "bi", "artifact": str(folder / "bi" / "seed-1")}},
    )
    results = compare(CompareSettings.parse(settings), tmp_path / "run")
    assert "constant" in results.encoders["bi"].test["pearson"].undefined
    for file in ("results.json", "report.md", "report.html"):
        assert "nan" not in (tmp_path / "run" / file).read_text("utf-8").lower().split()


def _sample_files(folder: Path) -> tuple[Path, Path]:
    """Write a part of the bundled sample as CSV files."""
    files = []
    for split, n in (("train", 120), ("test", 60)):
        frame = load_sample(split).frame.sample(n, random_state=0)  # type: ignore[arg-type]
        path = folder / f"{split}.csv"
        frame[["sentence1", "sentence2", "label", "source"]].rename(
            columns={"label": "score"}
        ).to_csv(path, index=False)
        files.append(path)
    return files[0], files[1]
