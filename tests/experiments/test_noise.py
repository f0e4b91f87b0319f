"""Suspicious labels: no pair is judged by who learnt from it; corrections go where they belong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.records import LabelledPairs
from kosim.encoders.tables import read_table
from kosim.experiments.cli import main
from kosim.experiments.data.cleaning import clean_training
from kosim.experiments.data.corrections import correct
from kosim.experiments.data.pairs import load_pairs
from kosim.experiments.data.partition import load_raw
from kosim.experiments.noise import find as module
from kosim.experiments.noise.find import FLOOR, NoiseRanking, find_noise, write_ranking
from kosim.experiments.settings import DataSettings, EncoderSettings

COUNT = 60
CONTENDERS = {
    kind: EncoderSettings.model_validate({"kind": kind, "backbone": "none"})
    for kind in ("bi", "cross")
}


class Knowing:
    """Knows every true label, and what it was trained on."""

    def __init__(self, shift: float) -> None:
        self.shift = shift
        self.learnt: set[str] = set()

    def score(self, pairs: list[tuple[str, str]]) -> np.ndarray:
        """Return the true labels, shifted; only of pairs that were not learnt."""
        assert not self.learnt & {first for first, _ in pairs}
        return np.array([int(first) % 6 + self.shift for first, _ in pairs])


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> LabelledPairs:
    """Pairs whose true label is known, two of them spoiled; the trainings are replaced."""

    def make(settings: EncoderSettings, **_: Any) -> Knowing:
        return Knowing({"bi": -0.2, "cross": 0.4}[settings.kind])

    def train(
        encoder: Knowing, learnt: LabelledPairs, validation: LabelledPairs, *_: Any, **__: Any
    ):
        encoder.learnt = {*learnt.sentence1, *validation.sentence1}

    monkeypatch.setattr(module, "make_encoder", make)
    monkeypatch.setattr(module, "train", train)
    labels = np.arange(COUNT) % 6.0
    labels[[12, 35]] = [5.0, 1.0]  # truly 0 and 5
    numbers = [str(n) for n in range(COUNT)]
    return LabelledPairs(numbers, [f"{n} 둘" for n in numbers], np.clip(labels, 0, 5))


def test_the_spoiled_labels_come_first_with_the_label_they_would_get(pairs: LabelledPairs) -> None:
    found = find_noise(pairs, CONTENDERS, folds=4)
    assert found.order[:2].tolist() == [12, 35]
    np.testing.assert_allclose(found.suggested[[12, 35]], [0.1, 5.1])
    np.testing.assert_allclose(found.disagreement[[12, 35]], [4.9, 4.1])


def test_a_label_surprises_by_the_spread_among_pairs_with_alike_scores() -> None:
    # 20 pairs scored 0, all labelled 0 but one; 20 scored 3, labelled 1 and 5 in turn.
    labels = np.array([1.5, *[0.0] * 19, *[1.0, 5.0] * 10])
    names = [str(n) for n in range(40)]
    scores = np.repeat([0.0, 3.0], 20)
    ranking = NoiseRanking(LabelledPairs(names, names[::-1], labels), {"bi": scores})
    assert ranking.disagreement.argmax() == 20
    assert ranking.order[0] == 0
    mean, spread = 1.5 / 20, np.sqrt(1.5**2 / 20 - (1.5 / 20) ** 2)
    np.testing.assert_allclose(ranking.surprise[0], (1.5 - mean) / (spread + FLOOR))
    np.testing.assert_allclose(ranking.surprise[20:], 2 / (2 + FLOOR))


def test_a_killed_search_goes_on_from_the_trainings_that_were_kept(
    pairs: LabelledPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    train = module.train

    def killed(encoder: Knowing, *given: Any, **options: Any) -> None:
        if len(trained) == 5:
            raise KeyboardInterrupt
        trained.append("once")
        train(encoder, *given, **options)

    monkeypatch.setattr(module, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        find_noise(pairs, CONTENDERS, folds=4, keep=tmp_path)
    trained.clear()
    found = find_noise(pairs, CONTENDERS, folds=4, keep=tmp_path)
    assert len(trained) == 3
    monkeypatch.setattr(module, "train", train)
    np.testing.assert_array_equal(found.order, find_noise(pairs, CONTENDERS, folds=4).order)


@pytest.mark.parametrize("folds", [1, COUNT + 1])
def test_folds_that_would_be_empty_are_refused(pairs: LabelledPairs, folds: int) -> None:
    with pytest.raises(ConfigError, match=f"folds is {folds} for 60 pairs"):
        find_noise(pairs, CONTENDERS, folds=folds)


def write_pairs(folder: Path, pairs: LabelledPairs) -> Path:
    file = folder / "pairs.csv"
    rows = zip(pairs.sentence1, pairs.sentence2, pairs.labels, strict=True)
    text = "".join(f"{a},{b},{label / 5:g}\n" for a, b, label in rows)
    file.write_text("sentence1,sentence2,label\n1,1,\n" + text, encoding="utf-8")
    return file


def test_a_corrected_table_corrects_the_file(pairs: LabelledPairs, tmp_path: Path) -> None:
    file, noise = write_pairs(tmp_path, pairs), tmp_path / "noise.csv"
    write_ranking(find_noise(pairs, CONTENDERS), range(2, COUNT + 2), noise)
    table = read_table(noise)
    assert int(table["row"][0]) == 14
    table["corrected"] = table["corrected"].astype(object)
    table.loc[0, "corrected"] = "0.5"
    table.to_csv(noise, index=False)
    data = DataSettings(train=str(file), label_scale="0:1", corrections=str(noise))
    raw, _ = load_raw(data)
    assert raw is not None
    usable, removed = clean_training(raw)
    assert removed["missing_label"] == [1]
    assert usable.labels[12] == pytest.approx(0.5)
    np.testing.assert_allclose(np.delete(usable.labels, 12), np.delete(pairs.labels, 12))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("99,가,나,1", "has no row"),
        ("1e999,가,나,1", "has no row"),
        ("2,가,나,1", "is another pair"),
        ("2,0,0 둘,7", "corrected is"),
        ("2,0,0 둘,many", "give a label from 0 to 5"),
        ("2.5,0,0 둘,1", "has no row '2.5'"),
        ("2,0,0 둘,1\n2,0,0 둘,4", "corrected to 4 here and to 1 before"),
    ],
)
def test_a_correction_that_does_not_fit_is_refused(
    pairs: LabelledPairs, tmp_path: Path, line: str, said: str
) -> None:
    raw = load_pairs(write_pairs(tmp_path, pairs), scale="0:1")
    file = tmp_path / "corrections.csv"
    file.write_text(f"row,sentence1,sentence2,corrected\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=said):
        correct(raw, file)


@pytest.mark.slow
def test_the_command_writes_a_table_of_all_pairs(tmp_path: Path) -> None:
    numbers = range(120)
    pairs = LabelledPairs(
        [f"방 {n}" for n in numbers], [f"불 {n}" for n in numbers], [n % 6 for n in numbers]
    )
    file, out = write_pairs(tmp_path, pairs), tmp_path / "noise.csv"
    options = ["--find-noise", "--folds", "2", "--backbone", "scratch", "--epochs", "1"]
    command = ["data", str(file), *options, "--label-scale", "0:1", "--out", str(out)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert sorted(map(int, read_table(out)["row"])) == list(range(2, 122))
    assert "exists already" in CliRunner().invoke(main, command).stderr


def test_what_was_corrected_stands_in_the_next_table_and_cannot_be_overwritten(
    pairs: LabelledPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, noise = tmp_path / "pairs.csv", tmp_path / "noise.csv"
    rows = [*zip(pairs.sentence1, pairs.sentence2, pairs.labels, strict=True), ("0", "0 둘", 0.0)]
    text = "".join(f"{a},{b},{label:g}\n" for a, b, label in rows)
    file.write_text("sentence1,sentence2,label\n" + text, encoding="utf-8")
    # The last row repeats the first pair, so that cleaning removes it; its correction must not go.
    corrections = "row,sentence1,sentence2,corrected\n13.0,12,12 둘,0\n61,0,0 둘,0.5\n1,0,0 둘,\n"
    noise.write_text(corrections, encoding="utf-8")
    command = ["data", str(file), "--find-noise", "--folds", "4", "--label-scale", "0:5"]
    command += ["--out", str(noise), "--overwrite"]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert "holds 2 corrections; give it as --corrections" in refused.stderr
    assert noise.read_text("utf-8") == corrections
    read: list[Path] = []
    monkeypatch.setattr(
        "kosim.experiments.data.corrections.read_table",
        lambda path: read.append(Path(path)) or read_table(path),
    )
    result = CliRunner().invoke(main, [*command, "--corrections", str(noise)])
    assert result.exit_code == 0, result.output
    assert read == [noise]  # once
    table = read_table(noise).set_index("row")
    assert len(table) == COUNT + 1
    assert table["corrected"].dropna().to_dict() == {"13": "0", "61": "0.5"}
    assert float(table["label"]["13"]) == 0
    again, _ = load_raw(DataSettings(train=str(file), label_scale="0:5", corrections=str(noise)))
    assert again is not None
    assert again.frame["label"][[12, 60]].tolist() == [0, 0.5]


@pytest.mark.parametrize(("out", "said"), [("n.xlsx", "end its name in .csv"), ("n.csv", "n.csv")])
def test_a_table_that_cannot_be_written_costs_no_training(
    pairs: LabelledPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, said: str
) -> None:
    monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("it was trained"))
    (tmp_path / "n.csv").mkdir()
    command = ["data", str(write_pairs(tmp_path, pairs)), "--find-noise", "--overwrite"]
    result = CliRunner().invoke(main, [*command, "--out", str(tmp_path / out)])
    assert result.exit_code == 2
    assert said in result.stderr
