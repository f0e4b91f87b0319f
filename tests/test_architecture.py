"""The rooms may only import what the design allows, and no module imports itself in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from configparser import ConfigParser
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.checkout import ROOT

ROOMS = {
    "kosim": {"encoders", "index", "experiments"},
    "encoders": set(),
    "index": {"encoders"},
    "experiments": {"encoders", "index"},
    "serving": {"encoders", "index"},
}
"""Each room and the rooms that it may import; ``kosim`` is the public face."""

DOORS = {"experiments/cli/serve.py": {"serving"}}
"""What a file may import beyond its room: the command line starts the service."""


def module_name(path: Path) -> str:
    """Return the import name of a file of the project."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts if parts[0] == "kosim" else ("kosim", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}
"""Every module of the project by its import name."""


def statements(tree: ast.AST, *, at_import: bool) -> Iterator[ast.AST]:
    """Yield the nodes of a module; ``at_import`` leaves out what importing it does not run."""
    for node in ast.iter_child_nodes(tree):
        if at_import:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
        yield node
        yield from statements(node, at_import=at_import)


def imports(path: Path, *, at_import: bool = False) -> set[str]:
    """Return the modules of the project that a file imports."""
    found = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8")), at_import=at_import):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = inner & FILES.keys()
            found |= modules
            if modules != inner:
                found.add(node.module)
    return {name for name in found if name.partition(".")[0] == "kosim"}


def room_of(module: str) -> str:
    """Return the room of a module."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "kosim"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    for module, path in FILES.items():
        if room_of(module) != room:
            continue
        name = path.relative_to(ROOT).as_posix()
        allowed = {room} | ROOMS[room] | DOORS.get(name, set())
        forbidden = {room_of(other) for other in imports(path)} - allowed
        assert not forbidden, f"{name} imports {forbidden}"


SHARED = {"study", "statistics", "data", "slices", "settings"}
"""What every experiment may import of its room."""

EXPERIMENTS: dict[str, set[str]] = {
    "comparison": set(),
    "noise": {"comparison"},
    "probe": set(),
    "retrieval": set(),
    "speed": set(),
    "teaching": {"comparison"},
    "tuning": {"comparison"},
    "tokenizers": {"comparison"},
}
"""Each experiment and the siblings that it runs."""

FOUNDATIONS = {
    "study": {"settings"},
    "statistics": {"study"},
    "data": {"settings"},
    "slices": {"data", "settings"},
}
"""What the shared parts may import of each other: no experiment."""


def part_of(module: str) -> str:
    """Return the part of ``experiments`` that a module belongs to."""
    return module.split(".")[2]


@pytest.mark.parametrize("part", [*EXPERIMENTS, *FOUNDATIONS])
def test_an_experiment_imports_no_sibling(part: str) -> None:
    allowed = FOUNDATIONS.get(part) or SHARED | EXPERIMENTS[part]
    for module, path in FILES.items():
        if not module.startswith("kosim.experiments.") or part_of(module) != part:
            continue
        used = {other for other in imports(path) if other.startswith("kosim.experiments.")}
        forbidden = {part_of(other) for other in used} - allowed - {part}
        assert not forbidden, f"{path.relative_to(ROOT)} imports {forbidden}"


def test_every_part_of_the_experiments_has_its_rule() -> None:
    parts = {part_of(name) for name in FILES if name.startswith("kosim.experiments.")}
    assert parts - {"cli", "sample"} == SHARED | EXPERIMENTS.keys()


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Neither at import nor inside a function: an import in a function hides no circle."""
    graph = {module: imports(path) - {module, "kosim"} for module, path in FILES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_nothing_in_encoders_needs_pretraining_or_distillation() -> None:
    """They are a leaf: an encoder is loaded, scored with and trained without them."""
    leaves = ("kosim.encoders.pretraining", "kosim.encoders.distillation")
    for module, path in FILES.items():
        if module.startswith("kosim.encoders") and not module.startswith(leaves):
            assert not [name for name in imports(path) if name.startswith(leaves)], module


def test_the_page_on_architecture_names_what_is_there() -> None:
    """A path in it ends that of a file or folder; files of runs and encoders are no paths."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./]+(?:/|\.py|\.cfg))`", page))
    rooms = [*ROOMS, "benchmarks", "tests"]
    there = [path for room in rooms for path in (ROOT / room, *(ROOT / room).rglob("*"))]
    ends = [f"/{path.relative_to(ROOT).as_posix()}{'/' * path.is_dir()}" for path in there]
    ends.append("/setup.cfg")
    missing = [name for name in named if not any(end.endswith(f"/{name}") for end in ends)]
    assert not missing, missing
    assert len(named) > 50


UNAVOIDABLE = {"_attn_implementation", "_is_accelerate_prepared", "_replace"}
"""What transformers and accelerate say nowhere else; a named tuple's method is public."""


def test_no_private_name_of_a_library_is_used() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES.values()}
    nodes = [(path, node) for path, tree in trees.items() for node in ast.walk(tree)]
    named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    ours = {node.name for _, node in nodes if isinstance(node, named)}
    for _, node in nodes:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            ours.add(node.target.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            ours |= {node.attr} if ast.unparse(node.value) in ("self", "cls") else set()
    for path, node in nodes:
        if isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr):
            assert node.attr in ours | UNAVOIDABLE, f"{path}:{node.lineno} uses {node.attr}"


def test_only_the_command_line_prints() -> None:
    for path in FILES.values():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prints = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
        ]
        assert not prints, f"{path.relative_to(ROOT)} prints"


def test_setup_names_every_package() -> None:
    """setuptools cannot find packages through ``package_dir``, so setup.cfg lists them."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = setup["options"]["packages"].split()
    packages = sorted(name for name, path in FILES.items() if path.name == "__init__.py")
    assert listed == packages
