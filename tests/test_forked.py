"""Programs that are forked: their own arguments, folder, streams, signals and exit codes."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.forked import Program, run


def test_a_program_has_arguments_streams_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module.py").write_text(
        "import atexit, os, sys\n"
        "atexit.register(print, 'the end')\n"
        "print(__name__, sys.argv[1:], os.getcwd(), os.environ['GIVEN'], os.getpid())\n"
        "sys.exit('7 일')\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("GIVEN", "given")
    program = Program("module", "a", 1, folder=tmp_path)
    out, err = program.communicate(60)
    said = f"__main__ ['a', '1'] {tmp_path} given {program.pid}"
    assert (program.returncode, out.splitlines(), err) == (1, [said, "the end"], "7 일\n")


def test_an_error_is_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("raise ValueError('no')\n")
    ended = run("module", folder=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback") and ended.stderr.endswith("ValueError: no\n")


def test_a_program_is_waited_for_and_killed(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    program = Program("module", folder=tmp_path)
    assert program.stdout is not None and program.stdout.readline() == "here\n"
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0)
    assert program.poll() is None
    program.send_signal(signal.SIGTERM)
    assert program.wait(60) == -signal.SIGTERM
    program.kill()


def test_ctrl_c_reaches_a_program(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        "import time\ntry:\n    print(flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    raise SystemExit(130)\n"
    )
    program = Program("module", folder=tmp_path)
    assert program.stdout is not None and program.stdout.readline() == "\n"
    program.send_signal(signal.SIGINT)
    assert program.wait(60) == 130
