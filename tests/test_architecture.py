"""The rooms may only import what the design allows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "encoders": set(),
    "index": {"encoders"},
    "experiments": {"encoders", "index"},
    "serving": {"encoders", "index"},
}

DOORS = {"experiments/cli/serve.py": {"serving"}}
"""What a file may import beyond its room: the command line starts the service."""


def imports(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("room", [room for room in MAY_IMPORT if (ROOT / room).is_dir()])
def test_a_room_imports_only_what_it_may(room: str) -> None:
    others = set(MAY_IMPORT) - {room}
    for path in sorted((ROOT / room).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        forbidden = imports(path) & others - MAY_IMPORT[room] - DOORS.get(name, set())
        assert not forbidden, f"{name} imports {forbidden}"


def test_only_the_command_line_prints() -> None:
    for room in MAY_IMPORT:
        for path in (ROOT / room).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            prints = [
                node
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
            ]
            assert not prints, f"{path.relative_to(ROOT)} prints"
