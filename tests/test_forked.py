"""Programs that are forked: their own arguments, folder, streams, signals and exit codes."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.forked import Program, forking, run


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


def test_what_others_start_with_python_is_forked_and_gets_all_it_would(tmp_path: Path) -> None:
    (tmp_path / "started.py").write_text(
        "import os, signal, sys\n"
        "os.write(int(sys.argv[1]), b'passed on')\n"
        "print(__name__, 'pytest' in sys.modules, sys.argv[2:], os.getcwd(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL) if sys.argv[2] == 'dies' else sys.exit(3)\n"
    )
    (tmp_path / "module.py").write_text(
        "import os, subprocess, sys\n"
        "text = open('started.py').read()\n"
        "for run in (['-m', 'started'], ['started.py'], ['-u', '-c', text]):\n"
        "    for end in ('ends', 'dies'):\n"
        "        reading, writing = os.pipe()\n"
        "        command = [sys.executable, *run, str(writing), end]\n"
        "        code = subprocess.run(command, pass_fds=[writing]).returncode\n"
        "        print(code, os.read(reading, 99).decode(), flush=True)\n"
    )
    with forking():
        ended = run("module", folder=tmp_path)
    said = [
        line
        for end, code in (("ends", 3), ("dies", -9))
        for line in (f"__main__ True ['{end}'] {tmp_path}", f"{code} passed on")
    ]
    assert (ended.returncode, ended.stderr, ended.stdout.splitlines()) == (0, "", 3 * said)


def test_signals_reach_what_was_forked_and_a_kill_ends_it(tmp_path: Path) -> None:
    (tmp_path / "started.py").write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")
    (tmp_path / "module.py").write_text(
        "import subprocess, sys\n"
        "for number in (15, 9):\n"
        "    command = [sys.executable, '-m', 'started']\n"
        "    started = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
        "    started.stdout.readline()\n"
        "    started.send_signal(number)\n"
        "    print(started.wait(30), started.stdout.read())\n"  # until nobody holds its end
    )
    with forking():
        assert run("module", folder=tmp_path).stdout == "-15 b''\n-9 b''\n"
