"""Programs of this checkout in processes of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

CLIENTS = ROOT / "build/clients/bin"
"""Programs of the environment of other libraries, which also sees the project's packages."""

needs_clients = pytest.mark.usefixtures("clients")
"""For tests that run them; they are skipped where the environment could not be made."""


def environment() -> dict[str, str]:
    """Return the present environment, for a process on one thread that imports this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
