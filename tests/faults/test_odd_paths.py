"""Commands with odd paths, as a user who may not read them: one clear line, no traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import ArtifactError
from kosim.encoders.loading import load
from tests import forked
from tests.encoders.tiny import tiny_encoder, write_koelectra


def check_commands(*names: str) -> None:
    """Run the sweep of some commands in a process of its own."""
    ended = forked.run("tests.faults.commands", *names, timeout=1800)
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2000:]
    assert " calls, 0 failures" in ended.stdout


def test_reading_commands_name_odd_paths() -> None:
    check_commands("data", "index verify")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_command_names_odd_paths() -> None:
    """Each command a third of them, the next one others; `make faults` tries all with all."""
    check_commands("3")


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_all_files_of_an_encoder_may_be_read_alike(tmp_path: Path, mask: int) -> None:
    encoder = tiny_encoder("bi", write_koelectra(tmp_path / "backbone"))
    assert isinstance(encoder, BiEncoder)
    before = os.umask(mask)
    try:
        encoder.save(tmp_path / "saved")
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "saved").rglob("*.*")}
    assert {mode for mode in modes if not mode & 0o100} == {0o666 & ~mask}


def test_a_name_that_is_too_long_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="File name too long"):
        load(tmp_path / ("긴" * 100))
