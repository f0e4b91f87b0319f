"""The commands say how many texts were cut at how many tokens."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from kosim.experiments.cli import main

LONG = "방이 넓고 깨끗해서 좋았어요 " * 60
LINES = f"방이 넓어요\n{LONG}\n{LONG}또\n방이 좁아요\n"


def kosim(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=LINES)
    assert result.exit_code == 0, result.output
    return result


def test_rerank_says_how_many_pairs_were_cut() -> None:
    arguments = ["rerank", "--reranker", "mini-cross", "--query", "방이 커요", "--json"]
    result = kosim(*arguments)
    assert "pairs cut at the 128 tokens that the cross-encoder reads: 2" in result.stderr
    answer = json.loads(result.stdout)
    assert (answer["truncated"], answer["calibrated"]) == (2, True)


def test_index_build_and_search_say_how_many_texts_were_cut(tmp_path: Path) -> None:
    said = "cut at the 128 tokens that the bi-encoder reads: "
    index = tmp_path / "index"
    built = kosim("index", "build", "-", "--encoder", "mini-bi", "--out", index)
    assert f"texts {said}2" in " ".join(built.stderr.split())
    found = kosim("search", index, "방이 커요", LONG, "--json")
    assert f"texts {said}1" in found.stderr
    assert "cut at" not in kosim("search", index, "방이 커요", "--json").stderr
    assert {json.loads(line)["calibrated"] for line in found.stdout.splitlines()} == {True}
