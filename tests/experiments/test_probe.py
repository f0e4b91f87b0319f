"""The probe against counts by hand and statsmodels' intervals; its command on tiny encoders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from statsmodels.stats.proportion import proportion_confint

from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.loading import load
from kosim.experiments.cli import main
from kosim.experiments.probe.items import Item, read_items
from kosim.experiments.probe.report import PROBE
from kosim.experiments.probe.run import probe
from kosim.experiments.study.figures import Difference, Undefined
from tests.encoders.tiny import WORDS
from tests.experiments.fixtures import HOSTILE


class Letters:
    """Scores a pair by the letters that both sentences have at the same place."""

    kind = "bi"

    def __init__(self, sign: float = 1.0) -> None:
        self.sign = sign

    def score(self, pairs: list[tuple[str, str]]) -> np.ndarray:
        """Return the scores as an encoder does."""
        same = [sum(a == b for a, b in zip(*pair, strict=False)) for pair in pairs]
        return (2.5 + self.sign * np.array(same) / 4).astype(np.float32)


RIGHT = Item("number", "방 둘", "방 둘", "방 셋")
WRONG = Item("number", "방 둘", "안 셋", "방 둘")
TIED = Item("typo", "방 둘", "방 셋", "방 넷")
ITEMS = [*[RIGHT] * 7, *[WRONG] * 2, TIED, TIED]


def of(encoders: dict[str, Any], items: list[Item] = ITEMS) -> Any:
    return probe(encoders, items, resamples=999)


def test_shares_and_margins_are_those_counted_by_hand() -> None:
    found = of({"letters": Letters()}).encoders["letters"]
    number, typo = found.phenomena["number"], found.phenomena["typo"]
    assert (number.n, number.share.value) == (9, pytest.approx(7 / 9))
    bounds = proportion_confint(7, 9, method="wilson")
    assert (number.share.low, number.share.high) == pytest.approx(bounds)
    assert number.margin.value == pytest.approx((7 * 0.25 - 2 * 0.5) / 9)
    assert number.margin.low < number.margin.value < number.margin.high
    assert (typo.n, typo.share.value, typo.margin.value) == (2, 0, 0)
    assert found.overall.share.value == pytest.approx(7 / 11)
    assert found.failures[0].score_different - found.failures[0].score_same == 0.5


def test_two_encoders_are_told_apart_item_by_item() -> None:
    items = [RIGHT] * 30 + [TIED] * 30
    found = of({"letters": Letters(), "against": Letters(-1)}, items)
    number, typo = found.differences
    assert isinstance(number.share, Difference)
    assert isinstance(typo.share, Difference)
    assert (number.share.value, typo.share.value) == (1.0, 0.0)
    assert number.share.significant
    assert not typo.share.significant
    assert number.share.p_adjusted == pytest.approx(2 * number.share.p_value)
    said = PROBE.finding(found).sentences
    assert any("letters orders clearly more items rightly in: number." in line.en for line in said)


def test_own_items_need_their_columns_and_their_texts(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text("sentence,same,different\n방 둘,방 두 개,방 셋\n", encoding="utf-8")
    assert read_items(file) == [Item("all", "방 둘", "방 두 개", "방 셋")]
    file.write_text("sentence,same\n방 둘,방 두 개\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column different"):
        read_items(file)
    file.write_text("sentence,same,different\n방 둘,,방 셋\n", encoding="utf-8")
    with pytest.raises(DataError, match="item 1 has no text under same"):
        read_items(file)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("방 둘,방 두 개,방 두 개", "item 1 has '방 두 개' under same and under different"),
        ("방 둘,방 두 개,방 둘", "item 1 has '방 둘' under sentence and under different"),
        ("방 둘,가,나\n방 셋,가,나\n방 둘,나,가", "items 1 and 3 contradict each other"),
    ],
)
def test_items_that_nobody_can_order_are_refused(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "items.csv"
    file.write_text(f"sentence,same,different\n{lines}\n", encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_items(file)


def test_an_item_counts_once_under_the_name_that_its_phenomenon_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = {"phenomenon": 7, "sentence": "방 둘", "same": "방 두 개", "different": "방 셋"}
    file = tmp_path / "items.jsonl"
    file.write_text("\n".join([json.dumps(row)] * 3), encoding="utf-8")
    assert read_items(file) == [Item("7", "방 둘", "방 두 개", "방 셋")]
    assert "2 of 3 items stand there before and are counted once" in caplog.text


def test_few_items_are_not_tested() -> None:
    found = of({"letters": Letters(), "against": Letters(-1)}, [RIGHT] * 19 + [WRONG, TIED])
    number, typo = found.differences
    assert isinstance(number.share, Difference)
    assert typo.share == Undefined("fewer than 20 items")
    assert number.share.p_adjusted == number.share.p_value
    one = of({"letters": Letters(), "against": Letters(-1)}, [RIGHT])
    margin = one.encoders["letters"].overall.margin
    assert (margin.low, margin.value, margin.high) == (-5, pytest.approx(0.25), 5)
    assert [line.en for line in PROBE.finding(one).sentences] == []


def test_rounding_orders_no_item() -> None:
    class Rounded(Letters):
        def score(self, pairs: list[tuple[str, str]]) -> np.ndarray:
            return super().score(pairs) + np.arange(len(pairs), 0, -1, dtype=np.float32) * 1e-6

    assert of({"letters": Rounded()}, [TIED, TIED]).encoders["letters"].overall.share.value == 0


def test_scores_that_crowd_at_an_end_are_ordered_by_the_values_behind_them(
    tiny_encoders: dict[str, Path],
) -> None:
    cross = load(tiny_encoders["cross"], device="cpu")
    items = [Item("all", WORDS[i], WORDS[i + 1], WORDS[i + 2]) for i in range(20)]
    raw = [
        cross.score([(item.sentence, getattr(item, name)) for item in items], raw=True)
        for name in ("same", "different")
    ]
    cross.calibration = MonotoneCalibration(
        raw=(-200.0, -199.0), score=(0.01, 4.99), lower_slope=5.0, upper_slope=5.0
    )
    found = of({"crowded": cross}, items).encoders["crowded"].overall
    assert abs(found.margin.value) < 1e-5
    assert found.share.value == np.mean(raw[0] - raw[1] > 1e-5 * np.maximum(*map(np.abs, raw)))
    assert 0 < found.share.value < 1


def test_nothing_to_probe_is_refused() -> None:
    with pytest.raises(ConfigError, match="no encoder"):
        probe({}, ITEMS)
    with pytest.raises(DataError, match="no items"):
        probe({"letters": Letters()}, [])  # type: ignore[dict-item]


def test_the_command_probes_with_own_items(tiny_encoders: dict[str, Path], tmp_path: Path) -> None:
    rows = [
        {"phenomenon": HOSTILE, "sentence": WORDS[i], "same": WORDS[i], "different": WORDS[i + 1]}
        for i in range(12)
    ]
    file, out = tmp_path / "items.jsonl", tmp_path / "out"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    command = ["probe", *map(str, tiny_encoders.values()), "--items", str(file), "--out", str(out)]
    result = CliRunner().invoke(main, [*command, "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["encoders"]["bi"]["overall"]["share"]["value"] == 1.0  # a sentence and itself
    assert set(answer["encoders"]) == {"bi", "cross"}
    assert PROBE.read(out).items == 12
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    shown = CliRunner().invoke(main, [*command, "--overwrite"]).stdout
    assert "Of 12 minimal pairs ordered rightly: bi 100.0%" in shown
