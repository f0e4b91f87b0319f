"""Slices against masks and means by hand, and distinctions against pairs whose one is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.errors import ConfigError, DataError, MissingExtraError
from kosim.encoders.records import LabelledPairs
from kosim.experiments.comparison.evaluation import ScoredContender
from kosim.experiments.comparison.facts import Facts
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.comparison.slice_report import concentrated, section
from kosim.experiments.comparison.slices import compare_on
from kosim.experiments.settings import CompareSettings, DataSettings, EvaluationSettings
from kosim.experiments.slices import distinctions as module
from kosim.experiments.slices.distinctions import distinctions
from kosim.experiments.slices.grouping import Slice, read_columns, slices_of
from kosim.experiments.statistics.significance import holm
from kosim.experiments.study.figures import Undefined
from kosim.experiments.study.report.canvas import drawn
from tests.experiments.fixtures import HOSTILE, example_results

KNOWN = [
    ("거실 불을 켜 줘", "거실 불을 켜지 마", {"negation"}),
    ("방이 깨끗했어요.", "방이 깨끗하지 않았어요.", {"negation"}),
    ("3시에 출발한다", "5시에 출발한다", {"number"}),
    ("월요일에 만나자", "금요일에 만나자", {"number"}),
    ("거실 불을 켜 줘", "거실 불을 꺼 줘", {"antonym"}),
    ("형이 동생을 도왔다", "형을 동생이 도왔다", {"order"}),
    ("불을 켜 줘", "불을 켜 주세요", {"style"}),
    ("회의가 내일 열립니다.", "내일 회의가 열립니다.", {"order"}),
    ("창문 색이 파랗다", "지붕 모양이 둥글다", set()),
]


@pytest.fixture(params=["rules", "kiwi"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to read a sentence."""
    if request.param == "kiwi":
        pytest.importorskip("kiwipiepy")
        return "kiwi"

    def missing(purpose: str) -> str:
        raise MissingExtraError(purpose)

    monkeypatch.setattr(module, "kiwi_version", missing)
    return "rules"


def test_distinctions_are_those_known(reader: str) -> None:
    found, by_kiwi = distinctions([(one, other) for one, other, _ in KNOWN])
    assert by_kiwi == (reader == "kiwi")
    for (one, other, expected), got in zip(KNOWN, found, strict=True):
        assert got == expected, (one, other)


def test_names_are_found_by_kiwi_and_in_latin_letters_without(reader: str) -> None:
    pairs = [("서울은 춥다", "부산은 춥다"), ("Galaxy는 크다", "iPhone은 크다")]
    found, _ = distinctions(pairs)
    assert ("name" in found[0]) == (reader == "kiwi")
    assert "name" in found[1]


def pairs_of(count: int, seed: int = 0) -> LabelledPairs:
    rng = np.random.default_rng(seed)
    words = np.array(["방", "불", "문을", "열어", "켜", "꺼", "줘", "3개", "안", "좋다"])
    texts = [" ".join(rng.choice(words, rng.integers(1, 6))) for _ in range(2 * count)]
    labels = np.round(rng.uniform(0, 5, count), 1)
    return LabelledPairs(texts[::2], texts[1::2], labels, ["가", "나"] * (count // 2))


def test_slices_hold_the_pairs_that_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "kosim.experiments.slices.grouping.distinctions",
        lambda pairs: ([frozenset(["style"] if n < 5 else []) for n in range(len(pairs))], False),
    )
    pairs = pairs_of(60)
    own = {"domain": ["x"] * 20 + [None] * 20 + ["y"] * 20, "age": list(range(60))}
    slices, by_kiwi = slices_of(pairs, own)
    rows = {(one.family, one.name): one.rows for one in slices}
    assert not by_kiwi
    bands = np.concatenate([rows["label", f"{low}-{low + 1}"] for low in range(5)])
    np.testing.assert_array_equal(np.sort(bands), np.arange(60))
    assert (pairs.labels[rows["label", "4-5"]] >= 4).all()
    np.testing.assert_array_equal(rows["source", "나"], np.arange(1, 60, 2))
    np.testing.assert_array_equal(rows["distinction", "style"], np.arange(5))
    np.testing.assert_array_equal(rows["domain", "y"], np.arange(40, 60))
    thirds = [rows[key] for key in rows if key[0] == "age"]
    assert [len(third) for third in thirds] == [20, 20, 20]
    crossed = [rows[key] for key in rows if key[0] == "overlap and label"]
    assert sum(map(len, crossed)) == 60


def test_an_advantage_is_found_where_it_is_and_named() -> None:
    rng = np.random.default_rng(1)
    labels = np.round(rng.uniform(0, 5, 300), 1)
    here, few = np.arange(60), np.arange(60, 70)
    noise = rng.normal(0, 0.3, 300)
    cross = ScoredContender("cross", "cross", (labels + noise)[None], np.array([3.0]))
    worse = noise + np.where(np.arange(300) < 60, 1.2, 0.0) * np.sign(noise)
    bi = ScoredContender("bi", "bi", (labels + worse)[None], np.array([3.0]))
    slices = [
        Slice("distinction", "negation", here),
        Slice("distinction", "number", np.arange(60, 300)),
        Slice("domain", "few", few),
        Slice("domain", HOSTILE, np.arange(30, 200)),
    ]
    settings = EvaluationSettings(resamples=500)
    found = compare_on(slices, cross, bi, labels, settings, by_kiwi=False)
    negation, number, tiny, _ = found.slices
    gap = negation.difference("error")
    assert gap is not None
    assert gap.value == pytest.approx(-1.2)
    assert negation.errors["bi"] == pytest.approx(np.abs(worse[here]).mean())
    assert negation.pearsons["cross"] == pytest.approx(
        np.corrcoef(labels[here], (labels + noise)[here])[0, 1]
    )
    assert isinstance(tiny.metrics["error"], Undefined)
    gaps = [one.difference("error") for one in (negation, number, found.slices[3])]
    assert [g.p_adjusted for g in gaps] == holm([g.p_value for g in gaps])
    assert found.overall is not None
    results = ComparisonResults.model_validate(example_results() | {"slices": found.model_dump()})
    line = concentrated(Facts(results))
    assert line is not None
    assert (
        "the cross-encoder is concentrated in: negation (mean error 1.200 points smaller, ["
        in line.en
    )
    assert "numbers" not in line.en
    (table,) = section(results).tables
    (plot,) = section(results).plots
    (axes,) = drawn([plot]).axes
    assert axes.xaxis.label.get_horizontalalignment() == "right"  # or it would be cut off
    assert table.rows[0][:2] == (("negation", "부정"), "60")
    assert table.rows[2][4] == "–"


def test_columns_come_from_the_test_file(tmp_path: Path) -> None:
    file = tmp_path / "test.csv"
    file.write_text("a,b,label,topic\n가,나,1,x\n다,라,2,y\n", encoding="utf-8")
    data = DataSettings(test=str(file))
    assert read_columns(["topic"], data, [2, 1]) == {"topic": ["y", "x"]}
    with pytest.raises(ConfigError, match="no column 'theme'"):
        read_columns(["theme"], data, [1])
    with pytest.raises(ConfigError, match="need a file of test pairs"):
        read_columns(["topic"], DataSettings(dataset="sample"), [1])


def test_a_column_named_as_a_family_of_slices_stands_beside_it() -> None:
    pairs = pairs_of(60)
    own = {"label": ["0-1", "x"] * 30, "genre": list(pairs.sources), "source": ["b", "c"] * 30}
    rows = {(one.family, one.name): one.rows for one in slices_of(pairs, own)[0]}
    assert (pairs.labels[rows["label", "0-1"]] < 1).all()
    np.testing.assert_array_equal(rows["column label", "0-1"], np.arange(0, 60, 2))
    assert {family for family, _ in rows} >= {"source", "column source"}
    assert "genre" not in {family for family, _ in rows}  # the sources again


def test_what_makes_no_slice_of_a_column_is_said(caplog: pytest.LogCaptureFixture) -> None:
    many = [f"v{n % 50:02}" for n in range(60)]
    own = {"one": ["x"] * 60, "none": [None, " "] * 30, "some": ["x", None] * 30, "many": many}
    families = [one.family for one in slices_of(pairs_of(60), own)[0]]
    assert (families.count("many"), families.count("some")) == (12, 1)
    assert {"one", "none"}.isdisjoint(families)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "column 'one' has 'x' in every row, which makes no slice",
        "column 'none' has no value in any row, which makes no slice",
        "column 'many' has 50 values: the 12 commonest are slices, with 22 of 60 pairs",
    ]


def test_thirds_are_named_by_numbers_that_differ_and_can_be_read() -> None:
    own = {"day": list(range(20240101, 20240161)), "odd": ["inf", "nan", *map(str, range(58))]}
    slices, _ = slices_of(pairs_of(60), own)
    names = [one.name for one in slices if one.family == "day"]
    assert names == ["up to 20240120", "20240120 to 20240140", "above 20240140"]
    assert sum(len(one.rows) for one in slices if one.family == "odd") == 58


@pytest.mark.parametrize(
    ("file", "text", "data", "column", "said"),
    [
        ("t.jsonl", '{"a": "가", "tags": ["x"]}', {}, "tags", "row 1: tags is \"\\['x'\\]\""),
        ("t.tsv", "가\t나\t다\n라\t마\t바", {"columns": "1,2"}, "3", None),
        ("-", None, {}, "topic", "need a file of test pairs"),
    ],
)
def test_columns_are_read_as_the_pairs_are(
    tmp_path: Path, file: str, text: str | None, data: dict[str, str], column: str, said: str | None
) -> None:
    if text is not None:
        (tmp_path / file).write_text(text, encoding="utf-8")
        file = str(tmp_path / file)
    settings = DataSettings(test=file, **data)  # type: ignore[arg-type]
    if said is None:  # the first line is data, because columns are named by number
        assert read_columns([column], settings, [1, 2]) == {"3": ["다", "바"]}
        return
    with pytest.raises((ConfigError, DataError), match=said):
        read_columns([column], settings, ())


def test_slices_of_the_settings_have_names_and_two_encoders() -> None:
    assert EvaluationSettings(slices=["topic", " age", "topic"]).slices == ["topic", "age"]
    with pytest.raises(ConfigError, match="has no name"):
        EvaluationSettings(slices=["topic", ""])
    alone = {"bi": {"kind": "bi", "artifact": "mini-bi"}}
    raw = {"data": {"test": "t.csv"}, "encoders": alone, "evaluation": {"slices": ["topic"]}}
    with pytest.raises(ConfigError, match="compare two encoders"):
        CompareSettings.parse(raw)
