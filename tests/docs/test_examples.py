"""The example scripts and notebooks run; the Korean notebooks have the code of the English ones."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import ROOT
from tests.forked import forking
from tests.serving.running import running

EXAMPLES = ROOT / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("notebooks/*.ipynb"))

SHORT = {
    "verdict": {'"--epochs", "3", "--limit", "300"': '"--epochs", "1", "--limit", "60"'},
    "teach": {
        "pairs=600": "pairs=60",
        "silver_epochs=2": "silver_epochs=1",
        '"epochs": 2': '"epochs": 1',
    },
}
"""What is replaced in the code of a notebook so that it trains on less."""
FIRST = """
import pytest
from tests.experiments.conftest import build_less, leave_undrawn, resample_less
for less in (build_less, leave_undrawn, resample_less):
    less(pytest.MonkeyPatch())
"""
"""What runs before a notebook, so that it computes as little as the pages do."""

nbformat = pytest.importorskip("nbformat")


def code(notebook: Path) -> list[str]:
    """Return the code cells of a notebook."""
    cells = nbformat.read(notebook, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["rerank_existing_search", "deduplicate", "evaluate_reranker"], ids=str
)
def test_a_script_prints_its_result(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [name])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert capsys.readouterr().out.strip()


@pytest.mark.slow
def test_the_faq_bot_answers_what_it_knows() -> None:
    bot = runpy.run_path(str(EXAMPLES / "faq_bot.py"))
    with running("--encoder", "mini-bi", "--reranker", "mini-cross") as server:
        answers = [
            bot["answer"](text, server.url) for text in ("예약 취소할게요", "오늘 날씨가 좋네요")
        ]
    assert answers == [bot["FAQ"]["예약을 취소하고 싶어요"], bot["UNKNOWN"]]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "notebook", [path for path in NOTEBOOKS if ".ko." not in path.name], ids=lambda path: path.stem
)
def test_a_notebook_runs(notebook: Path, tmp_path: Any) -> None:
    nbclient = pytest.importorskip("nbclient")
    content = nbformat.read(notebook, as_version=4)
    for long, short in SHORT.get(notebook.stem, {}).items():
        (cell,) = (cell for cell in content.cells if long in cell.source)
        cell.source = cell.source.replace(long, short)
    content.cells.insert(0, nbformat.v4.new_code_cell(FIRST))
    client = nbclient.NotebookClient(content, timeout=500, resources={"metadata": {"path": ROOT}})
    with forking():
        client.execute()


def test_korean_notebooks_have_the_code_of_the_english_ones() -> None:
    english = [path for path in NOTEBOOKS if ".ko." not in path.name]
    assert len(english) == 3
    for notebook in english:
        assert code(notebook) == code(notebook.with_name(f"{notebook.stem}.ko.ipynb"))
