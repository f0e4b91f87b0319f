"""The report holds what the results say, is one file, and shows hostile text as text."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from kosim.encoders.language import Language, Line
from kosim.encoders.records import LabelledPairs
from kosim.encoders.training.config import TrainingConfig
from kosim.experiments.comparison import plots
from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.data.data_report import describe_part, token_lengths
from kosim.experiments.settings import (
    CompareSettings,
    DataSettings,
    EncoderSettings,
    EvaluationSettings,
)
from kosim.experiments.study.notation import DASH, amount, duration, p_value
from kosim.experiments.study.report.canvas import Plot, colour, say
from kosim.experiments.study.report.document import Table
from kosim.experiments.study.report.render import escape_markdown, in_both
from kosim.experiments.study.report.vocabulary import KOREAN
from tests.experiments.fixtures import (
    HOSTILE,
    SOURCES,
    VARIANTS,
    example_results,
    three_encoders_results,
    undefined_results,
)

PAGES = ("example", "bi alone", "three", "no sources", "seeds", "undefined")
"""The variants whose pages differ in more than the verdict."""


@pytest.fixture(autouse=True)
def undrawn() -> None:
    """Here pictures are looked at."""


VOID = {"meta", "br", "use", "link", "img", "input"}


class Page(HTMLParser):
    """Reads a page: the tags in order, those left open, the texts, the addresses."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.attributes.append((tag, given))
        self.ids += filter(None, [given.get("id")])
        self.addresses += [given[key] or "" for key in ("src", "href") if key in given]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@cache
def page_of(variant: str) -> str:
    """Render each variant once: drawing is what takes long."""
    return COMPARISON.render("html", typed(VARIANTS[variant]()))


def typed(results: dict[str, Any]) -> ComparisonResults:
    return ComparisonResults.model_validate(results)


def render_markdown(results: dict[str, Any], language: Language = "en") -> str:
    return COMPARISON.render("md", typed(results), language=language)


@pytest.mark.parametrize("variant", PAGES)
def test_the_page_is_well_formed(variant: str) -> None:
    page = Page(page_of(variant))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("variant", PAGES)
def test_the_page_needs_no_other_file(variant: str) -> None:
    page = Page(page_of(variant))
    assert all(address.startswith("#") for address in page.addresses)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\((?!#)", page_of(variant))


def test_every_reference_in_a_plot_has_its_target() -> None:
    page = Page(page_of("example"))
    used = set(re.findall(r"url\(#([^)]+)\)", page_of("example")))
    used |= {address[1:] for address in page.addresses if address != "#"}
    assert used <= set(page.ids)


def test_hostile_text_is_shown_as_text() -> None:
    assert "<script" not in page_of("example")
    assert "&lt;script&gt;alert(" in page_of("example")


def test_hostile_names_reach_the_plots_as_text() -> None:
    results = example_results()
    for contender in results["encoders"].values():
        contender["by_source"] = {HOSTILE: contender["by_source"][SOURCES[0]]}
    for plot in plots.by_source(typed(results)):
        assert "<script" not in plot.svg
        assert "$e_1$" in plot.svg
        assert Page(plot.svg).open == []


def test_the_page_opens_with_the_verdict_in_both_languages() -> None:
    page = page_of("example")
    said = (
        "인코더마다 한 번만",
        "Each encoder was trained",
        "지금은 크로스",
        "The cross-encoder is a",
    )
    places = [page.index(f">{start}") for start in said]
    # Warnings first.
    assert max(places[:2]) < min(places[2:]) < max(places) < page.index("<main>")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_opens_in_the_language_that_was_asked_for(language: Language) -> None:
    page = Page(COMPARISON.render("html", typed(example_results()), language=language))
    switches = [given for tag, given in page.attributes if tag == "input"]
    assert [given["id"] for given in switches if "checked" in given] == [f"language-{language}"]
    assert dict(page.attributes)["html"] == {"lang": language}


@pytest.mark.parametrize("variant", PAGES)
def test_every_text_that_is_said_in_one_language_is_said_in_the_other(variant: str) -> None:
    said = Counter(given.get("lang") for tag, given in Page(page_of(variant)).attributes[1:])
    assert said["en"] == said["ko"] > 50


def test_a_drawing_has_its_words_in_both_languages() -> None:
    plot = Plot("x", "x", "x", lambda axes: axes.set_xlabel(say(Line("a & b", "가 < 나"))))
    assert '<tspan lang="en">a &amp; b</tspan><tspan lang="ko">가 &lt; 나</tspan>' in plot.svg


def test_the_same_results_give_the_same_page() -> None:
    assert COMPARISON.render("html", typed(example_results())) == page_of("example")


def test_headers_have_a_scope_and_plots_say_what_they_show() -> None:
    page = Page(page_of("example"))
    assert all(
        given.get("scope") in ("col", "row") for tag, given in page.attributes if tag == "th"
    )
    drawn = [given for tag, given in page.attributes if tag == "svg"]
    assert drawn
    assert all(given["aria-hidden"] == "true" for given in drawn)
    said = re.findall(r'<p class="unseen">(.*?)</p>', page_of("example"))
    assert len(said) == len(drawn)
    both = r'<span lang="en">.+</span><span lang="ko">.*[가-힣].*</span>'
    assert all(re.fullmatch(both, each) for each in said)


def test_plots_follow_the_page_into_the_dark() -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", page_of("example"), re.DOTALL))
    assert "var(--series-1)" in drawn
    assert not re.search(r"(?:fill|stroke): #", drawn)


@pytest.mark.parametrize(
    "title",
    [
        "bi-encoder: loss and metric by epoch",
        "cross-encoder: score against label",
        "On the test pairs, with 95% intervals",
        "Pearson by source",
        "F1 over the threshold",
        "Quality against speed",
        "Time of a query",
    ],
)
def test_every_plot_is_there(title: str) -> None:
    figures = " ".join(re.findall(r"<figcaption>.*?</figcaption>", page_of("example")))
    assert f">{title}</span>" in figures


def test_what_only_an_expert_asks_for_is_folded() -> None:
    folded = re.findall(r'<details id="([^"]+)">', page_of("example"))
    assert folded == ["sources", "disagreements", "training", "data", "environment"]
    assert "<details open" not in page_of("example")


def test_every_cell_knows_its_column_in_both_languages() -> None:
    page = Page(page_of("example"))
    cells = [given for tag, given in page.attributes if tag == "td" and "data-en" in given]
    assert {("cross-encoder", "크로스인코더"), ("cross − bi", "크로스 − 바이")} <= {
        (given["data-en"], given["data-ko"]) for given in cells
    }


def test_a_cell_without_a_value_is_left_out_where_rows_are_lists() -> None:
    """On a telephone a dash would be a line of its own."""
    shown = page_of("seeds")
    cells = re.findall(r"<td([^>]*)>([^<]*)</td>", shown)
    empty = [attributes for attributes, content in cells if content in ("", DASH)]
    assert empty
    assert all('class="nothing"' in attributes for attributes in empty)
    assert shown.count('class="nothing"') == len(empty)
    narrow = shown[shown.index("max-width: 47rem") : shown.index("@page")]
    assert ".wide td.nothing { display: none; }" in narrow


def test_the_words_that_matter_stand_beside_the_encoder_in_both_languages() -> None:
    results = example_results()
    matters = {"sentence": 1, "word": "역에서", "value": -0.5}
    results["disagreements"][0]["words"] = {"cross": [matters]}
    shown = COMPARISON.render("html", ComparisonResults.model_validate(results))
    assert "cross-encoder: 역에서 −0.50" in shown
    assert "크로스인코더: 역에서 −0.50" in shown


def test_no_table_has_a_row_or_a_column_of_nothing() -> None:
    (table,) = Table.of(
        "c",
        ("", "a", "b", "c"),
        [("x", "1", "–", "t"), ("y", "–", "", "u"), ("z", "–", "", "")],
        [3],
    )
    assert table.columns == ("", "a", "c")
    assert table.rows == (("x", "1", "t"), ("y", "–", "u"))
    assert table.prose == {2}
    assert Table.of("c", ("", "a"), [("x", Line("–", "–"))]) == []


def test_either_kind_keeps_its_colour() -> None:
    results = three_encoders_results()
    tones = plots.tones_of(typed(results))
    assert [tones[name] for name in ("bi", "cross")] == [colour(0), colour(1)]
    assert len(set(tones.values())) == 3


def test_without_training_there_are_no_learning_curves() -> None:
    assert "loss and metric by epoch" not in page_of("bi alone")


def test_without_sources_that_section_is_left_out() -> None:
    assert 'id="sources"' not in page_of("no sources")


def test_without_a_curve_of_f1_there_is_none_and_it_says_where_it_is_highest() -> None:
    results = typed(example_results())
    (plot,) = plots.f1_over_threshold(results)
    curve = results.encoders["bi"].scores.f1
    assert f"bi-encoder highest at {curve.index(max(curve)) * 0.05:.2f}" in plot.alt.en
    results = example_results()
    for contender in results["encoders"].values():
        contender["scores"]["f1"] = None
    assert plots.f1_over_threshold(typed(results)) == []


def test_several_seeds_are_named_and_their_spread_is_given() -> None:
    assert "Values are means over 3 seeds" in page_of("seeds")
    assert "Spread over seeds" in page_of("seeds")
    assert "bi-encoder: score against label, seed 1" in page_of("seeds")


@pytest.mark.parametrize("variant", PAGES)
def test_no_cell_holds_a_raw_none_or_nan(variant: str) -> None:
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", page_of(variant))
    assert cells
    assert not [cell for cell in cells if re.search(r"\b(None|nan|inf)\b|[{}]", cell)]


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_markdown_tables_have_rows_of_one_length(variant: str, language: Language) -> None:
    for block in render_markdown(VARIANTS[variant](), language).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
        assert len(widths) <= 1


def test_markdown_opens_with_the_verdict_in_its_language() -> None:
    english, korean = (render_markdown(example_results(), each) for each in ("en", "ko"))
    assert english.startswith("# klue-sts: bi-encoder or cross-encoder?")
    assert korean.startswith("# klue-sts: 바이인코더인가, 크로스인코더인가?")
    assert "**The cross-encoder is ahead for now: Pearson 0.899 against 0.880" in english
    assert "**지금은 크로스인코더가 앞섭니다" in korean
    assert not re.search("[가-힣]", english.split("## Disagreements")[0].split("출처")[0][:2000])


def test_markdown_and_page_hold_the_same_figures() -> None:
    markdown, page = (
        render_markdown(example_results()),
        re.sub("</?span.*?>", "", page_of("example")),
    )
    for figure in ("0.899 [0.879, 0.919]", "+0.019 [0.004, 0.034]", "p = 0.012"):
        assert figure in page
        assert figure in markdown


def test_a_metric_without_a_value_is_a_dash_with_its_reason() -> None:
    markdown = render_markdown(undefined_results())
    assert "| – (no label reaches 3.0) |" in markdown
    assert "| constant labels |" in markdown  # by source, the reasons have a table of their own
    assert "| – (one annotator a pair) |" in markdown


def test_markdown_shows_hostile_text_as_text() -> None:
    (line,) = [line for line in render_markdown(example_results()).splitlines() if "alert" in line]
    assert "\\<script\\>" in line
    assert "[a\\](b)" in line
    assert len(re.findall(r"(?<!\\)\|", line)) == 6


def test_no_line_of_the_page_ends_inside_a_figure_or_an_option() -> None:
    shown = in_both(Line("a --seeds <b> [−0.1, 0.2], p = 0.03; 8.13 ms", "가"))
    assert re.findall(r'<span class="whole">(.*?)</span>', shown) == [
        *("--seeds", "[−0.1, 0.2]", "p = 0.03", "8.13 ms")
    ]
    assert "&lt;b&gt;" in shown


def test_markdown_escapes_line_breaks() -> None:
    assert escape_markdown("# one\n\ntwo") == "\\# one two"


def test_the_density_counts_every_pair() -> None:
    results = typed(example_results())
    for plot in plots.predictions(results):
        assert "of 300 pairs" in plot.alt.en


def test_plots_of_one_page_share_no_identifier() -> None:
    drawn = [Plot(name, "", "", lambda axes: axes.plot([0, 1])) for name in ("one", "two")]
    ids = [set(re.findall(r'\bid="([^"]+)"', plot.svg)) for plot in drawn]
    assert ids[0]
    assert not ids[0] & ids[1]


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0004, "p < 0.001"),
        (0.0117, "p = 0.012"),
        (0.0499, "p = 0.0499"),
        (0.0502, "p = 0.0502"),
        (1.0, "p = 1.000"),
        (None, "–"),
    ],
)
def test_p_values(p: float | None, text: str) -> None:
    assert p_value(p) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00042, "0.42 ms"),
        (0.0081, "8.10 ms"),
        (1.25, "1.25 s"),
        (1830, "30.5 min"),
        (11_520, "3.20 h"),
        (864_000, "10.0 days"),
        (1e10, "317 years"),
        (None, "–"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds).en == text


def test_durations_in_korean() -> None:
    assert duration(1830).ko == "30.5분"


def test_amounts_keep_about_three_figures() -> None:
    figures = [0.0123, 0.5, 8.125, 34.66, 99.97, 1234.4]
    assert [amount(value) for value in figures] == ["0.012", "0.50", "8.12", "34.7", "100", "1,234"]


def test_every_fact_of_data_and_settings_has_a_korean_word() -> None:
    settings = [CompareSettings, DataSettings, EvaluationSettings, EncoderSettings, TrainingConfig]
    named = {field for model in settings for field in model.model_fields}
    pairs = LabelledPairs.from_lists([("가", "나"), ("다", "라")], [0.0, 5.0], ["s", "s"])
    named |= keys_of(describe_part(pairs, "train")) - {"s"}
    named |= keys_of(token_lengths(pairs, lambda ones, others: np.ones(2, dtype=int), 9)) - {"s"}
    apart = {"by_source", "histogram", "edges", "counts", "name"}
    assert sorted(named - apart - set(KOREAN)) == []


def keys_of(facts: Any) -> set[str]:
    if not isinstance(facts, dict):
        return set()
    return set(facts).union(*map(keys_of, facts.values()))
