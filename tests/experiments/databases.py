"""A PostgreSQL of its own for tests, which can be killed and started again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Database:
    """A server in a folder, run by an unprivileged user; ``address`` is that of its database."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self._port = 20_000 + os.getpid() % 20_000
        self._become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._folder, self._tools = folder, tools
        self.address = f"postgresql://kosim@127.0.0.1:{self._port}/postgres"

    def make(self) -> None:
        """Write an empty database."""
        options = ["-A", "trust", "-U", "kosim", "-E", "UTF8"]
        self._run("initdb", "-D", self._folder / "data", *options)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1"
        log = self._folder / "log"
        self._run("pg_ctl", "-D", self._folder / "data", "-w", "-l", log, "-o", options, "start")

    def kill(self) -> None:
        """End the server as a crash does."""
        self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "stop")

    def _run(self, tool: str, *arguments: str | Path) -> None:
        command = [*self._become, self._tools / tool, *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)


@contextmanager
def running_database() -> Iterator[Database]:
    """Yield a server that runs; the test is skipped where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="the extra tune is not installed")
    folder = Path("/tmp") / f"kosim-pg-{os.getpid()}"
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    database = Database(folder, found[-1].parent)
    database.make()
    database.start()
    try:
        yield database
    finally:
        database.kill()
        shutil.rmtree(folder)
