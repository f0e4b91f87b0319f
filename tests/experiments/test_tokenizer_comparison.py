"""The comparison of tokenizers: its figures by hand, its report, and a run that goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from kosim.encoders.errors import ConfigError
from kosim.encoders.records import LabelledPairs
from kosim.encoders.tokenizers.training import train_tokenizer
from kosim.experiments.cli import main
from kosim.experiments.data.datasets import load_sample
from kosim.experiments.tokenizers.finding import compute_finding
from kosim.experiments.tokenizers.results import TextFigures, TokenizerResults
from kosim.experiments.tokenizers.settings import TokenizerSettings
from tests.encoders.tiny import write_koelectra


def test_the_figures_of_a_tokenizer_are_counts() -> None:
    tokenizer = train_tokenizer(["가나 다라", "가 다"], "syllable", 9, coverage=1.0).tokenizer
    # Known: ▁가, ▁다, 나, 라.
    pairs = LabelledPairs.from_lists([("가나 다라", "가 마"), ("가 마", "다")], [1.0, 2.0])
    figures = TextFigures.of(tokenizer, pairs, max_length=8)
    # Sentences: 4 + 2 + 1 tokens in 2 + 2 + 1 words, of which ▁마 is unknown.
    assert figures.vocabulary == 9
    assert figures.tokens_per_word == pytest.approx(7 / 5)
    assert figures.unknown_rate == pytest.approx(1 / 7)
    lengths = [4 + 2 + 3, 2 + 1 + 3]
    assert figures.pair_length_mean == pytest.approx(np.mean(lengths))
    assert figures.pair_length_p95 == pytest.approx(np.percentile(lengths, 95))
    assert figures.pairs_cut == 0.5


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, pairs and a ready-made backbone."""
    folder = tmp_path_factory.mktemp("comparison")
    frame = load_sample("train").frame
    lines = "\n".join(dict.fromkeys([*frame.sentence1, *frame.sentence2]))
    (folder / "corpus.txt").write_text(lines, encoding="utf-8")
    for split, rows in (("train", 60), ("test", 40)):
        part = load_sample(split).frame.sample(rows, random_state=1)  # type: ignore[arg-type]
        part[["sentence1", "sentence2", "label"]].to_csv(folder / f"{split}.csv", index=False)
    write_koelectra(folder / "ready", letters=lines.splitlines())
    return folder


def arguments(place: Path, *more: str) -> list[str]:
    return [
        *("compare-tokenizers", str(place / "corpus.txt")),
        *("--tokenizers", "syllable:500,jamo:100", "--size", "tiny"),
        *("--pretraining-steps", "2", "--sentences", "400", "--held-out", "40"),
        *("--train", str(place / "train.csv"), "--test", str(place / "test.csv")),
        *("--epochs", "1", "--seeds", "1", "--max-length", "64", "--resamples", "400"),
        *("--out", str(place / "run"), *more),
    ]


@pytest.mark.slow
def test_a_run_has_all_figures_and_goes_on_where_it_was_killed(place: Path) -> None:
    first = CliRunner().invoke(main, [*arguments(place), "--ready-made", str(place / "ready")])
    if "kosim[lexical]" in first.output:
        pytest.skip("needs kiwipiepy")
    assert first.exit_code == 0, (first.output, first.exception)
    assert "bi-encoder: reading and cleaning the data" in first.stderr
    results = json.loads((place / "run" / "results.json").read_text())
    assert list(results["tokenizers"]) == ["syllable", "jamo"]
    assert {made["pretraining"]["steps"] for made in results["tokenizers"].values()} == {2}
    syllable, jamo = results["tokenizers"].values()
    assert jamo["tokens_per_word"] > 1.8 * syllable["tokens_per_word"]
    for kind in ("bi", "cross"):
        part = results["encoders"][kind]
        assert list(part["encoders"]) == ["syllable", "jamo"]
        (entry,) = part["pairwise"]
        assert entry["pearson"]["p_adjusted"] == entry["pearson"]["p_value"]
        difference = [
            part["encoders"][name]["test"]["pearson"]["value"]
            for name in (entry["first"], entry["second"])
        ]
        assert entry["pearson"]["value"] == pytest.approx(difference[0] - difference[1])
        assert all(encoder["epoch_seconds"] > 0 for encoder in part["encoders"].values())
        assert list(results["ready"][kind]["encoders"]) == ["plain", "morphemes"]
    page = (place / "run" / "report.html").read_text("utf-8")
    assert page.count("<svg") == 3
    assert "syllable" in (place / "run" / "report.md").read_text("utf-8")

    untouched = place / "run" / "backbones" / "jamo" / "model.safetensors"
    written = untouched.stat().st_mtime_ns
    shutil.rmtree(place / "run" / "bi" / "jamo" / "seed-1")
    (place / "run" / "results.json").unlink()
    again = CliRunner().invoke(
        main, [*arguments(place, "--resume"), "--ready-made", str(place / "ready")]
    )
    assert again.exit_code == 0, (again.output, again.exception)
    assert untouched.stat().st_mtime_ns == written
    repeated = json.loads((place / "run" / "results.json").read_text())
    for kind in ("bi", "cross"):
        for name in ("syllable", "jamo"):
            one, other = (
                found["encoders"][kind]["encoders"][name]["test"] for found in (results, repeated)
            )
            assert one == other


def test_a_tokenizer_without_a_size_is_refused(place: Path) -> None:
    changed = arguments(place)
    changed[changed.index("--tokenizers") + 1] = "syllable,jamo:90"
    result = CliRunner().invoke(main, changed)
    assert result.exit_code == 2
    assert "give KIND:SIZE" in result.stderr


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="tokenizers"):
        TokenizerSettings.parse(
            {
                "corpus": "c.txt",
                "tokenizers": {"bpe": 10, "jamo": 20},
                "data": {"dataset": "sample"},
            }
        )
    with pytest.raises(ConfigError, match="files for train and test"):
        TokenizerSettings.parse({"corpus": "c.txt", "data": {"train": "t.csv"}})


def encoder(value: float) -> dict[str, Any]:
    return {
        "epoch_seconds": 1.0,
        "test": {"pearson": {"value": value, "low": value - 0.02, "high": value + 0.02}},
    }


def results(p: float) -> dict[str, Any]:
    entry = {
        "first": "jamo",
        "second": "syllable",
        "pearson": {"value": -0.1, "low": -0.2, "high": 0.0, "p_value": p, "p_adjusted": p},
    }
    part = {
        "test_pairs": 40,
        "encoders": {"jamo": encoder(0.6), "syllable": encoder(0.7)},
        "pairwise": [entry],
    }
    made = {
        **dict.fromkeys(("tokens_per_word", "unknown_rate", "pair_length_mean"), 1.0),
        **dict.fromkeys(("pair_length_p95", "pairs_cut", "vocabulary"), 1),
        "pretraining": {"steps": 5, "parameters": 1, "curve": []},
    }
    return {
        "name": "tokenizers",
        "created": "2026-11-25T19:01:02+00:00",
        "kosim_version": "0.1.0",
        "config": {"seeds": [1, 2, 3]},
        "tokenizers": {"jamo": made, "syllable": made},
        "encoders": {"bi": part},
        "ready": None,
    }


@pytest.mark.parametrize(("p", "said"), [(0.01, "the difference is real"), (0.2, "cannot tell")])
def test_the_finding_names_the_best_and_how_sure_that_is(p: float, said: str) -> None:
    typed = TokenizerResults.model_validate(results(p))
    finding = compute_finding(typed).to_json()["en"]
    assert finding["headline"] == "Highest Pearson: syllable (bi-encoder)."
    (sentence,) = finding["sentences"]
    assert sentence.startswith("bi-encoder: syllable 0.700 [0.680, 0.720], then jamo 0.600")
    assert said in sentence
    assert finding["warnings"] == []
