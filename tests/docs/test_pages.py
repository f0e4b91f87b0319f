"""Every command and example of the README and the pages runs; both languages teach the same."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from benchmarks import readme
from benchmarks.sample import examples
from kosim.encoders.bundle import BUNDLED
from kosim.encoders.language import Language
from tests.checkout import ROOT
from tests.conftest import make_once
from tests.docs.walkthrough import (
    Walkthrough,
    blocks,
    commands,
    make_hub,
    make_workplace,
    read_steps,
)

README = ROOT / "README.md"
ENGLISH = [
    README,
    *sorted(page for page in (ROOT / "docs").glob("*.md") if not page.name.endswith(".ko.md")),
]
WALKED = [page for page in ENGLISH if commands(page) and page.name != "scaling.md"]
"""The pages with commands; the guide to clusters has a test of its own, with a cluster."""

STEPS = {page: read_steps(page, with_output=page == README) for page in WALKED}
KOREAN = [ROOT / "README.ko.md", *sorted((ROOT / "docs").glob("*.ko.md"))]
REPLACED = (
    *("바이 인코더", "크로스 인코더", "코퍼스", "줄 세우", "열쇠"),
    *("벅찬 색인", "낱말의 무게", "우연의 범위 안에서 반대", "하세요", "으세요"),
    *("테스트 쌍", "테스트 데이터", "신뢰구간", "라벨링", "임계치"),
)
"""Terms and forms for which docs/glossary.md and our style have others."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_once(tmp_path_factory, "walked", make_hub) / "hub"


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, tuple[Path, Walkthrough]]:
    """For each page the folder in which it is walked, and how far the walk is."""
    return {
        page: (tmp_path_factory.mktemp(page.stem), Walkthrough(steps))
        for page, steps in STEPS.items()
    }


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("page", "number"),
    [
        pytest.param(
            page,
            number,
            id=f"{page.stem}-{step.name}",
            marks=() if page == README else pytest.mark.slow,
        )
        for page, steps in STEPS.items()
        for number, step in enumerate(steps)
    ],
)
def test_a_command_or_example_runs(
    page: Path,
    number: int,
    walks: dict[Path, tuple[Path, Walkthrough]],
    hub: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, walk = walks[page]
    make_workplace(folder, hub, monkeypatch)
    walk.reach(number)


def test_there_are_commands_and_examples() -> None:
    steps = [step for walked in STEPS.values() for step in walked]
    assert len(steps) > 40
    assert {step.language for step in steps} == {"bash", "python"}
    assert any(step.shown for step in steps)


def test_no_command_hides_in_a_block_that_is_not_run() -> None:
    for page in [*ENGLISH, *KOREAN]:
        for language, content in blocks(page.read_text("utf-8")):
            hidden = [line for line in content.splitlines() if line.startswith("kosim ")]
            assert language == "bash" or not hidden, (page.name, hidden)


def test_the_example_files_are_those_of_the_sample() -> None:
    for name, table in examples.tables().items():
        text = (examples.FOLDER / name).read_text("utf-8")
        assert text == examples.as_text(table), f"run python -m benchmarks.sample.examples ({name})"


@pytest.mark.parametrize("page", KOREAN, ids=lambda page: page.name)
def test_a_korean_page_teaches_the_commands_of_the_english_one(page: Path) -> None:
    english = page.with_name(page.name.replace(".ko.", "."))
    assert commands(page) == commands(english)
    examples_of = {
        path: [
            ast.dump(ast.parse(content))  # comments are translated
            for language, content in blocks(path.read_text("utf-8"))
            if language == "python"
        ]
        for path in (page, english)
    }
    assert examples_of[page] == examples_of[english]


def test_the_korean_readme_leads_to_korean_pages() -> None:
    linked = re.findall(r"\]\((docs/\w+)\.md\)", readme.READMES["ko"].read_text("utf-8"))
    assert [page for page in linked if (ROOT / f"{page}.ko.md").exists()] == []


@pytest.mark.parametrize("language", readme.READMES)
def test_a_readme_shows_what_the_committed_demo_found(language: Language) -> None:
    assert readme.found(language) in readme.READMES[language].read_text("utf-8"), (
        "run python -m benchmarks.readme"
    )


def test_both_readmes_show_the_outputs_that_are_compared() -> None:
    english, korean = (
        [shown for _, shown in readme.SHOWN.findall(path.read_text("utf-8"))]
        for path in readme.READMES.values()
    )
    assert english == korean == [step.shown for step in STEPS[README] if step.shown]


EXCHANGES = [
    pytest.param(content, id=f"{page.name}-{content.splitlines()[0]}")
    for page in [*ENGLISH, *KOREAN]
    for language, content in blocks(page.read_text("utf-8"))
    if language == "http"
]


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_service_gives_the_answer_that_a_page_shows(exchange: str) -> None:
    pytest.importorskip("fastapi", reason="needs kosim[serve]")
    from fastapi.testclient import TestClient

    from kosim.serving.app import create_app
    from kosim.serving.settings import ServingSettings

    asked, shown = exchange.strip().split("\n\n")
    line, _, content = asked.partition("\n")
    method, address = line.split()
    settings = ServingSettings(bi=BUNDLED / "mini-bi", cross=BUNDLED / "mini-cross")
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        answer = client.request(method, address, json=json.loads(content)).json()
    assert answer == {
        name: pytest.approx(value, abs=0.005) if isinstance(value, float) else value
        for name, value in json.loads(shown).items()
    }


@pytest.mark.parametrize("page", [README, KOREAN[0]], ids=lambda page: page.name)
def test_a_readme_starts_with_the_two_set_up_commands(page: Path) -> None:
    language, first = blocks(page.read_text("utf-8"))[0]
    assert (language, first.splitlines()) == ("bash", ["make demo", "make test"])


def test_korean_texts_use_the_terms_of_the_glossary() -> None:
    written = [
        *KOREAN,
        *(ROOT / "serving/page").glob("*.*s"),
        *(ROOT / "experiments").rglob("*.py"),
    ]
    used = {
        (path.relative_to(ROOT).as_posix(), term)
        for path in written
        for term in REPLACED
        if term in path.read_text("utf-8").replace("안녕하세요", "")  # a greeting among the data
    }
    assert used == set()


@pytest.mark.parametrize(
    "page",
    [*ENGLISH, *KOREAN, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"],
    ids=lambda page: page.name,
)
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", page.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []
