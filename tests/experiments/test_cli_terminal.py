"""What the commands print: text that is not ours, in any encoding, and how a call ends."""

from __future__ import annotations

import io
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kosim.experiments.cli import main
from kosim.experiments.cli.console import PlainConsole, fitting_tables, table
from kosim.experiments.cli.terminal import visible
from tests.checkout import environment
from tests.forked import Program

HOSTILE = "[/b][red]\x1b[2J\x1b]52;c;aGk=\x07\x9b2J\u202e:smile:\r"
"""Markup that closes nothing, clears the screen, sets the clipboard, turns the direction."""

FORBIDDEN = ("\x1b[2J", "\x1b]52", "\x07", "\x9b", "\u202e", "\r[", "Traceback")


def kosim(*arguments: str | Path, text: str | None = None) -> tuple[int, str]:
    """Run a command; return its exit code and everything it printed, which must be harmless."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=text)
    said = result.stdout + result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    for sequence in FORBIDDEN:
        assert sequence not in said, (arguments, said)
    return result.exit_code, said


@given(st.text())
def test_visible_text_has_no_control_character_and_can_be_encoded(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert visible(shown) == shown
    for character in shown:
        assert character in "\n\t" or ord(character) >= 0x20
        assert not 0x7F <= ord(character) <= 0x9F


def test_visible_text_is_otherwise_the_same() -> None:
    assert visible("거실 불 👍🏽 [b] a\tb\n") == "거실 불 👍🏽 [b] a\tb\n"
    assert visible("\x1b[2J") == "\\x1b[2J"
    assert visible(os.fsdecode(b"\xb0\xa1")) == "\\xb0\\xa1"


CELL = st.lists(st.sampled_from(["0.835", "[0.810,", "0.857]", "평균", "ms", "cross-encoder"]))


@given(st.data(), st.integers(40, 130))
def test_a_wide_table_comes_in_parts_that_cut_no_word(data: st.DataObject, width: int) -> None:
    columns = data.draw(st.integers(1, 12))
    row = st.lists(CELL.map(" ".join), min_size=columns, max_size=columns)
    head, *rows = data.draw(st.lists(row, min_size=2, max_size=5))
    rows = [[f"row{number}", *cells[1:]] for number, cells in enumerate(rows)]
    written = io.StringIO()
    console = PlainConsole(width=width, file=written)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kosim.experiments.cli.console.output", console)
        parts = list(fitting_tables(head, rows))
    for part in parts:
        console.print(part)
    found = Counter(written.getvalue().split())
    expected = Counter(" ".join([*head[1:], *chain(*(cells[1:] for cells in rows))]).split())
    first = Counter(" ".join([head[0], *(cells[0] for cells in rows)]).split())
    assert found == expected + Counter({word: n * len(parts) for word, n in first.items()})
    assert all(cell_len(line.rstrip()) <= width for line in written.getvalue().splitlines())


def test_a_table_shows_cells_as_they_are() -> None:
    shown = table("source", "n")
    shown.add_row(HOSTILE, "3")
    console = PlainConsole(file=io.StringIO(), width=120, force_terminal=True)
    console.print(shown)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[/b][red]\\x1b[2J\\x1b]52;c;aGk=\\x07\\x9b2J\\u202e:smile:" in printed
    assert "\x1b[2J" not in printed


def test_a_narrow_table_cuts_no_word_of_its_head() -> None:
    shown = table("Metric", "bi-encoder", "cross-encoder", "cross − bi", "p")
    interval = "0.737 [0.691, 0.776]"
    shown.add_row("F1, tuned threshold", interval, interval, f"+{interval}", "p = 0.543")
    console = PlainConsole(file=io.StringIO(), width=80)
    console.print(shown)
    assert " cross-encoder " in console.file.getvalue()  # type: ignore[attr-defined]


def write_corpus(folder: Path) -> Path:
    corpus = folder / "corpus.jsonl"
    rows = [
        {"id": f"{HOSTILE}{n}", "text": f"{HOSTILE} 문장 {n}", "from": HOSTILE} for n in range(30)
    ]
    corpus.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return corpus


def write_pairs(folder: Path) -> Path:
    pairs = folder / "pairs.jsonl"
    rows = [
        {
            "sentence1": f"{HOSTILE} {n}",
            "sentence2": f"다른 문장 {n}",
            "score": n % 6,
            "source": HOSTILE,
        }
        for n in range(60)
    ]
    pairs.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return pairs


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder whose name is markup and steers terminals."""
    folder = tmp_path / "[red]\x1b[2J[" / "b]"
    folder.mkdir(parents=True)
    return folder


def test_commands_on_pairs_print_what_they_read(odd: Path, encoders: dict[str, Path]) -> None:
    pairs = write_pairs(odd)
    bi = encoders["bi"]
    assert kosim("data", pairs)[0] == 0
    assert kosim("data", pairs, "--json")[0] == 0
    assert kosim("data", pairs, "--test", odd / f"{HOSTILE}.csv")[0] == 2
    code, said = kosim("evaluate", bi, "--test", pairs)
    assert code == 0, said
    assert "[/b][red]\\x1b[2J" in said
    assert kosim("score", bi, HOSTILE, "나")[0] == 0
    assert kosim("score", odd / HOSTILE, "가", "나")[0] == 2
    assert kosim("explain", bi, HOSTILE, f"{HOSTILE} 나")[0] == 0
    assert kosim("explain", bi, HOSTILE * 9, "나 " * 40)[0] == 0
    code, said = kosim("rerank", "--reranker", bi, "--query", HOSTILE, text=f"{HOSTILE}\n나\n")
    assert code == 0, said
    assert kosim("export", odd, "--precision", "fp32")[0] == 2
    out = odd / "model"
    trained = ("train", "bi", "--train", pairs, "--backbone", "scratch", "--epochs", "1")
    assert kosim(*trained, "--max-length", "16", "--out", out)[0] == 0
    assert kosim(*trained, "--out", out)[0] == 2


def test_commands_on_a_corpus_print_what_they_read(odd: Path, encoders: dict[str, Path]) -> None:
    corpus, index = write_corpus(odd), odd / "index"
    bi, cross = encoders["bi"], encoders["cross"]
    assert kosim("index", "build", corpus, "--encoder", bi, "--out", index)[0] == 0
    assert kosim("index", "build", corpus, "--encoder", bi, "--out", index)[0] == 2
    assert kosim("index", "add", index, corpus)[0] == 2
    assert kosim("index", "add", index, corpus, "--on-duplicate", "replace")[0] == 0
    for arguments in (["info"], ["info", "--json"], ["verify"], ["compact"]):
        assert kosim("index", arguments[0], index, *arguments[1:])[0] == 0
    assert kosim("index", "remove", index, "--id", HOSTILE)[0] == 2
    assert kosim("index", "remove", index, "--id", f"{HOSTILE}3")[0] == 0
    assert kosim("index", "shard", index, "--shards", "2", "--out", odd / "shards")[0] == 0
    for options in ([], ["--json"], ["--reranker", cross]):
        code, said = kosim("search", index, HOSTILE, "-k", "3", *options)
        assert code == 0, said
    assert kosim("search", odd / HOSTILE, "가")[0] == 2
    for options in ([], ["--json"]):
        assert kosim("mine", index, "--top-k", "3", *options)[0] == 0
    assert kosim("mine", odd / HOSTILE)[0] == 2
    assert kosim("depth", odd, "--reranker", cross, "--queries", corpus)[0] == 2
    assert kosim("plan", "--sentences", "1e4", "--encoder", odd / HOSTILE)[0] == 2
    assert kosim("bench", "--encoder", odd / HOSTILE, "--out", odd / "bench")[0] == 2
    assert kosim("serve", "--encoder", odd / HOSTILE)[0] == 2
    assert kosim("serve", "--host", HOSTILE, "--encoder", bi)[0] == 2
    assert kosim("tokenizer", "train", odd / HOSTILE, *KIND, "--out", odd / "t")[0] == 2
    assert kosim("compare", odd / HOSTILE)[0] == 2
    assert kosim("compare", HOSTILE)[0] == 2
    assert kosim(HOSTILE)[0] == 2
    assert kosim("search", f"--{HOSTILE}")[0] == 2
    assert kosim("search", index, "가", "--mode", HOSTILE)[0] == 2


KIND = ("--kind", "jamo", "--vocab-size", "80")


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "utf-8"])
def test_no_encoding_of_the_console_fails_a_command(encoding: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("불을 꺼 − 줘 👍\n창문을 닫아 줘\n", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", RERANK, str(corpus)],
        env={**environment(), "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    shown, printed = ended.stdout.decode(encoding).split("as JSON:")
    assert "불을 꺼 − 줘 👍" in [hit["text"] for hit in json.loads(printed)["hits"]]
    expected = {"utf-8": "꺼 − 줘 👍", "cp949": "꺼 - 줘 \\U0001f44d", "ascii": " - \\uc918"}
    assert expected[encoding] in shown


RERANK = """
import sys
from kosim.experiments.cli import main
from kosim.experiments.cli.console import output, print_json, table
import click

@click.command()
@click.argument("file")
def show(file):
    lines = open(file, encoding="utf-8").read().splitlines()
    shown = table("sentence")
    for line in lines:
        shown.add_row(line)
    output.print(shown)
    output.print("as JSON:")
    print_json({"hits": [{"text": line} for line in lines]})

main.get_command = lambda ctx, name: show
main(["rerank", *sys.argv[1:]])
"""


def test_bytes_that_are_no_utf8_are_refused_as_text(tmp_path: Path) -> None:
    words = os.fsdecode("불 꺼".encode("cp949"))
    code, said = kosim("search", "index", words)
    assert code == 2
    assert "argument 3" in said and "is not UTF-8" in said


def test_a_command_that_is_misspelt_is_answered_with_its_like() -> None:
    code, said = kosim("serach", "index")
    assert code == 2
    assert "did you mean search" in said


def long_training(folder: Path) -> list[str]:
    """Return a call that trains for minutes into "a model"."""
    pairs = folder / "pairs.tsv"
    rows = "\n".join(f"문장 {i}번입니다\t다른 문장 {i}\t{i % 6}" for i in range(120))
    pairs.write_text(f"sentence1\tsentence2\tscore\n{rows}\n", encoding="utf-8")
    call = ["train", "bi", "--train", str(pairs), "--backbone", "scratch", "--epochs", "40"]
    return [*call, "--patience", "40", "--max-length", "16", "--out", str(folder / "a model")]


def check_interrupted(call: list[str], said: list[str], out: Path) -> None:
    assert said[-2] == f"Interrupted. The last whole checkpoint is kept beside {out}."
    assert said[-1].startswith("Continue with: kosim train bi --train ")
    assert shlex.split(said[-1].removeprefix("Continue with: "))[1:] == call


def test_an_interrupted_training_says_how_to_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, folder: Path, **__: object) -> None:
        (folder / "checkpoint-1").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("kosim.experiments.comparison.contenders.train", interrupt)
    call = long_training(tmp_path)
    code, said = kosim(*call)
    assert code == 130
    check_interrupted(call, said.strip().splitlines(), tmp_path / "a model")


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "was read as cp949, Korean text of Windows"), ("ko", "윈도 한글(cp949)로 읽었습니다")],
)
def test_a_notice_speaks_the_language_of_the_command_and_the_report(
    tmp_path: Path, language: str, said: str
) -> None:
    from kosim.encoders.table_formats.rows import log_notice

    log_notice.cache_clear()
    rows = "".join(f"방 {n}이 넓다,창 {n}이 크다,{n % 5}.5\n" for n in range(40))
    path = tmp_path / "win.csv"
    path.write_bytes(f"문장1,문장2,점수\n{rows}".encode("cp949"))
    saved = ("--bi", "mini-bi", "--cross", "mini-cross", "--test", path, "--lang", language)
    code, printed = kosim("compare", *saved, "--out", tmp_path / "run")
    assert code == 0, printed
    assert printed.count(said) == 1
    assert ("was read as" in printed) == (language == "en")
    assert not logging.getLogger("kosim").handlers
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert said in page


def test_a_command_without_korean_speaks_english_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kosim.encoders.table_formats.rows import log_notice

    log_notice.cache_clear()
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    path = tmp_path / "win.csv"
    path.write_bytes("문장1,문장2,점수\n방이 넓다,창이 크다,3\n".encode("cp949"))
    code, printed = kosim("score", "mini-bi", "--pairs", path, "--out", tmp_path / "scored.csv")
    assert code == 0
    assert "was read as cp949" in printed


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_ctrl_c_says_how_to_continue(tmp_path: Path) -> None:
    out = tmp_path / "a model"
    call = long_training(tmp_path)
    started = Program("kosim", *call, folder=tmp_path)
    checkpoints = tmp_path / ".a model.checkpoints"
    while started.poll() is None and not list(checkpoints.glob("checkpoint-*")):
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, stderr = started.communicate(timeout=60)
    assert started.returncode == 130, stderr
    check_interrupted(call, stderr.strip().splitlines(), out)


def test_an_interrupted_run_is_found_and_a_finished_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kosim.encoders.errors import StorageError
    from kosim.experiments.study.run_folder import interrupted_folder

    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="there is no run"):
        interrupted_folder("demo")
    for name, finished in (("demo", True), ("demo-2", False), ("demo-3", True)):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        if finished:
            (folder / "results.json").write_text("{}", encoding="utf-8")
    assert interrupted_folder("demo") == Path("runs/demo-2")
    (tmp_path / "runs" / "demo-2" / "results.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StorageError, match="no run of demo was interrupted"):
        interrupted_folder("demo")


def test_an_error_that_all_processes_meet_is_left_to_the_main_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever ends first has torchrun end the others, who then say nothing."""
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    waited: list[float] = []
    monkeypatch.setattr("kosim.experiments.cli.group.time.sleep", waited.append)
    called = CliRunner().invoke(main, ["evaluate", "mini-bi", "--test", "test.csv"])
    assert waited == [60]
    assert called.exit_code == 2
    assert "`evaluate` is for one" in called.stderr
