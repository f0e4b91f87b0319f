"""Commands that are run, and sentences of words that the tiny encoders know."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from kosim.experiments.cli import main
from kosim.index.store.manifest import read_manifest, write_manifest
from tests.encoders.tiny import WORDS


def sentences(count: int, *, seed: int = 0) -> list[str]:
    """Return sentences of one to six words."""
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, random.integers(1, 7))) for _ in range(count)]


def kosim(*arguments: str | Path | int, text: str | bytes | None = None) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=text)


def answer(*arguments: str | Path | int, text: str | bytes | None = None) -> str:
    """Run a command that must work, and return its standard output."""
    result = kosim(*arguments, text=text)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def refusal(*arguments: str | Path | int, text: str | bytes | None = None) -> str:
    """Run a command that must be refused: one line on standard error, exit code 2."""
    result = kosim(*arguments, text=text)
    assert result.exit_code == 2, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("Error: ")
    return line


def checksum(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that says something."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "lock" not in path.name
    }


def name_encoder(index: Path, name: str) -> None:
    """Let an index say that its encoder is at ``name``, as if the encoder had been moved."""
    manifest, _ = read_manifest(index)
    encoder = replace(manifest.encoder, name=name)
    write_manifest(index, manifest.model_copy(update={"encoder": encoder}))
