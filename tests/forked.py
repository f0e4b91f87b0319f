"""Programs of this checkout in processes of their own, forked where the libraries are imported.

Such a process has arguments, a folder, an environment, streams, signals and an exit code of its
own, as one of ``python -m`` has; it only spares the seconds in which torch and its like are
imported. Tests of imports, of installations and of options of the interpreter start a new one.

All are forked from a nursery, which is itself forked from the process of the tests after that has
imported the test files and before it runs the first: nothing was computed, so no thread is missing.

What others start with Python is forked as well, where they are given `interpreter()` for it.
"""

from __future__ import annotations

import atexit
import faulthandler
import fcntl
import json
import logging
import os
import resource
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

from tests.checkout import ROOT, environment

_REQUEST_BYTES = 1 << 17
_MOST_FILES = 64
_PYTHON = "KOSIM_TESTS_PYTHON"
"""The variable that tells a program what to take for Python."""

_nursery: socket.socket | None = None
_place = Path()
"""The folder of the nursery: a socket to ask it by, and `interpreter()`."""


def open_nursery() -> None:
    """Fork the process from which programs are forked; it ends with this process."""
    global _nursery, _place
    _place = Path(tempfile.mkdtemp(prefix="kosim-nursery-"))
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(str(_place / "door"))
    door.listen(64)
    _write_interpreter(_place)
    if os.fork() == 0:
        _close_all_but(there.fileno(), door.fileno())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            _answer(there, door)
        finally:
            shutil.rmtree(_place, ignore_errors=True)
            os._exit(0)
    there.close()
    door.close()
    _nursery = here


def _write_interpreter(place: Path) -> None:
    asking = (sys.executable, "-SI", ROOT / "tests/forked_python.py", place / "door")
    path = place / "python"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, asking))} "$@"\n', encoding="utf-8")
    path.chmod(0o755)


def interpreter() -> str:
    """Return the path of a program that is called like Python, and has the nursery fork."""
    return str(_place / "python")


@contextmanager
def forking() -> Iterator[None]:
    """Here, what this process starts with Python is forked, and what that starts likewise."""
    stands_in = interpreter()
    with patch.object(sys, "executable", stands_in), patch.dict(os.environ, {_PYTHON: stands_in}):
        yield


class Program:
    """A module that runs as ``python -m`` runs it, in a session of its own; used like a `Popen`.

    Args:
        module: what is run.
        arguments: its arguments.
        stdout: a file or `subprocess.DEVNULL`; a pipe by default, as for ``stderr``.
        folder: in which it works; the present one when None.
        files: how many it may have open; as many as this process when None.
        new: start a new interpreter, for libraries that read the environment as they are imported.
    """

    def __init__(
        self,
        module: str,
        *arguments: object,
        stdout: IO[Any] | int = subprocess.PIPE,
        stderr: IO[Any] | int = subprocess.PIPE,
        folder: Path | None = None,
        files: int | None = None,
        new: bool = False,
    ) -> None:
        self.stdout, out = _stream(stdout)
        self.stderr, err = (None, out) if stderr == subprocess.STDOUT else _stream(stderr)
        self.returncode: int | None = None
        self._report, report = os.pipe()
        fds = [report, os.open(os.devnull, os.O_RDONLY), out, err]
        wanted = {
            "module": module,
            "arguments": [str(argument) for argument in arguments],
            "descriptors": [0, 1, 2],
            "folder": str(folder or Path.cwd()),
            "environment": environment(),
            "files": files,
            "new": new,
        }
        if _nursery is None:
            raise RuntimeError("call open_nursery() first")
        socket.send_fds(_nursery, [json.dumps(wanted).encode()], fds)
        for fd in set(fds):
            os.close(fd)
        self.pid = self._read_number()

    def _read_number(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._report, 1)
            if not byte:
                raise RuntimeError("the nursery has ended")
            line += byte
        return int(line)

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        if self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self.returncode = self._read_number()
            os.close(self._report)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when it has ended.

        Raises:
            subprocess.TimeoutExpired: it runs after ``timeout`` seconds.
        """
        if self.returncode is None:
            select.select([self._report], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Return what it said on both streams when it has ended; kill it after ``timeout``."""
        with ThreadPoolExecutor(2) as threads:
            said = [threads.submit(one.read) if one else None for one in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        out, err = (one.result() if one else "" for one in said)
        return out, err

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, if it has not ended."""
        self.send_signal(signal.SIGKILL)


def run(
    module: str, *arguments: object, folder: Path | None = None, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run a module to its end, and return its exit code and what it said."""
    program = Program(module, *arguments, folder=folder)
    said = program.communicate(timeout)
    return subprocess.CompletedProcess([module, *arguments], program.wait(), *said)


def _stream(target: IO[Any] | int) -> tuple[IO[str] | None, int]:
    """Return the end of a stream that is read here, if any, and the one that is written there."""
    if target == subprocess.PIPE:
        here, there = os.pipe()
        return os.fdopen(here, encoding="utf-8"), there
    if target == subprocess.DEVNULL:
        return None, os.open(os.devnull, os.O_WRONLY)
    assert not isinstance(target, int)
    return None, os.dup(target.fileno())


def _close_all_but(*kept: int) -> None:
    """Close what the tests have open, so that nobody waits for an end of it."""
    first = 3
    for fd in sorted(fd for fd in kept if fd >= first):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _answer(requests: socket.socket, door: socket.socket) -> None:
    while True:
        asked = requests
        if door in select.select([requests, door], [], [])[0]:
            asked, _ = door.accept()
        request, fds, _, _ = socket.recv_fds(asked, _REQUEST_BYTES, _MOST_FILES)
        if not request and asked is requests:
            return
        if request and os.fork() == 0:
            try:
                _keep(json.loads(request), fds)
            finally:
                os._exit(0)
        for fd in fds:
            os.close(fd)
        if asked is not requests:
            asked.close()


def _keep(wanted: dict[str, Any], fds: list[int]) -> None:
    """Run a program in a child; report its number, and at its end the exit code.

    Whoever asked for it and has gone away needs it no more: then it is killed.
    """
    report, *given = fds
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        code = 70
        try:
            _prepare(wanted, given)
            code = _run(wanted)
        finally:
            os._exit(code)
    ended = os.pidfd_open(child)
    _close_all_but(report, ended)
    os.write(report, b"%d\n" % child)
    waiting = select.poll()
    waiting.register(ended, select.POLLIN)
    waiting.register(report, 0)  # an error, as soon as nobody reads it
    if ended not in dict(waiting.poll()):
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(report, b"%d\n" % code)


def _prepare(wanted: dict[str, Any], given: list[int]) -> None:
    """Give a process its session, files, folder, environment and limit, and nothing else."""
    os.setsid()
    targets = wanted["descriptors"]
    above = max(targets) + 1
    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD, above) for fd in given]
    for target, source in zip(targets, copies, strict=True):
        os.dup2(source, target)
    _close_all_but(*targets)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    if wanted["files"] is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted["files"], wanted["files"]))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if wanted["new"]:
        os.execv(sys.executable, [sys.executable, "-m", wanted["module"], *wanted["arguments"]])


def _run(wanted: dict[str, Any]) -> int:
    """Run a module as a new interpreter would, and end as it would."""
    faulthandler.disable()
    logging.root.handlers.clear()
    atexit._clear()
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, "utf-8", "backslashreplace", closefd=False)
    sys.argv = [wanted.get("script", "-c"), *wanted["arguments"]]
    script = wanted.get("script")
    sys.path.insert(0, str(Path(script).resolve().parent) if script else wanted["folder"])
    sys.executable = os.environ.get(_PYTHON, sys.executable)
    code = 0
    try:
        if "module" in wanted:
            runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)
        elif script:
            runpy.run_path(script, run_name="__main__")
        else:
            sys.modules["__main__"] = types.ModuleType("__main__")
            exec(wanted["code"], vars(sys.modules["__main__"]))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code
