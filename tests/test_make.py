"""The Makefile: every target is explained, and what it prints to try works as printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from kosim.experiments.cli import main
from tests.checkout import ROOT

ACTIVATE = ". .venv/bin/activate"


def make(*arguments: str) -> str:
    """Return what make prints, without the options of a make that runs this test."""
    command = ["env", "-u", "MAKEFLAGS", "-u", "MFLAGS", "make", "-s", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_tests_that_share_fixtures_run_in_one_process(request: pytest.FixtureRequest) -> None:
    """Where they are grouped: a pytest that pytest-xdist does not fit would make all twice."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("there is one process")
    assert request.node.nodeid.endswith("@tests/test_make.py")


def test_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)
    shown = re.findall(r"^  make (\S+) +\S", make(), flags=re.MULTILINE)
    assert sorted(shown) == sorted(targets.split())


def test_the_demo_installs_no_extra() -> None:
    """The packages that only tests and extras need; the demo is a comparison."""
    installed = make("--dry-run", "--always-make", ".venv/installed")
    assert "pip install --quiet -c constraints.txt -e ." in installed
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    required = setup["options"]["install_requires"]
    for package in ("ray", "selenium", "openai", "cohere", "schemathesis", "fastapi", "optuna"):
        assert package not in re.findall(r"^[\w-]+", required, flags=re.MULTILINE)


@pytest.mark.slow
def test_the_commands_after_the_demo_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *commands = re.findall(r"^    (\S.*)$", make("next"), flags=re.MULTILINE)
    assert first == ACTIVATE
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    monkeypatch.chdir(tmp_path)
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "kosim"
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, (command, result.output, result.exception)
