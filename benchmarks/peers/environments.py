"""An environment for each peer: what one of them needs must not decide what another gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kosim.encoders.errors import KosimError

REQUIREMENTS = Path(__file__).parent / "requirements"
_CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
_DONE = "installed"


class PeerError(KosimError):
    """A peer cannot be measured; the message is the reason that the report gives."""


def python_of(peer: str, folder: Path) -> Path:
    """Return the interpreter of a peer's environment, made and filled where it is not there.

    Raises:
        PeerError: the packages cannot be installed.
    """
    environment = folder / peer
    python = environment / "bin" / "python"
    requirements = REQUIREMENTS / f"{peer}.txt"
    if (environment / _DONE).is_file():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)]
    # torch without CUDA where the peer takes ours; its own choice where it does not.
    for constrained in (["-c", str(_CONSTRAINTS)], []):
        done = subprocess.run([*install, *constrained], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            (environment / _DONE).touch()
            return python
    raise PeerError(f"cannot be installed: {last_line(done.stderr)}")


def packages_of(peer: str) -> list[str]:
    """Return the names of the packages that a peer's environment is made for."""
    lines = (REQUIREMENTS / f"{peer}.txt").read_text(encoding="utf-8").splitlines()
    return [line.split(">")[0].split("[")[0] for line in lines]


def last_line(text: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason was given"
