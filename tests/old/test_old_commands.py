"""The commands of version 0.1's README are still understood.

``readme_commands.txt`` holds them as they stood at commit be1618b. They are parsed, not run: what
they do is tested elsewhere.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from kosim.experiments.cli import main
from tests.checkout import ROOT, environment

OLD = (Path(__file__).parent / "readme_commands.txt").read_text(encoding="utf-8").splitlines()


def parse(arguments: list[str]) -> click.Context:
    """Return the context of the command that the arguments name, without running it."""
    context = main.make_context("kosim", arguments)
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context


@pytest.mark.parametrize("line", [line for line in OLD if line.startswith("kosim ")])
def test_an_old_command_is_understood(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)[1:]
    parse(words)  # an option or argument too many is an error
    with pytest.raises(click.UsageError):
        parse([*words, "--never-there"])


def test_old_launches_of_the_module_say_what_it_is_called_now() -> None:
    old = [line for line in OLD if line.startswith("torchrun")]
    assert old
    assert all(" -m experiments.cli train " in line for line in old)
    shown = subprocess.run(
        [sys.executable, "-m", "experiments.cli", "train", "--help"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 0, shown.stderr
    assert "`-m experiments.cli` is now `-m kosim`" in shown.stderr
    assert "Usage: kosim train" in shown.stdout
