"""docs/compatibility.md has a row for all that is supported, and the tests that it names exist."""

from __future__ import annotations

import ast
import re
from configparser import ConfigParser

from kosim.encoders.table_formats.recognition import SUFFIXES
from tests.checkout import ROOT
from tests.encoders.test_shapes import documented

PAGE = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in re.findall(r"^\|.*\|$", PAGE, flags=re.MULTILINE)
]


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[^:`]+)(?:::(\w+))?`", PAGE)
    assert len(named) > 50
    for path, test in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        tests = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
        assert not test or test in tests, f"{path}::{test}"


def test_every_row_names_its_test() -> None:
    rows = [row for row in ROWS if row[-1] != "kept by" and not row[0].startswith("---")]
    assert [row[0] for row in rows if "`tests/" not in row[-1]] == []


def test_every_library_has_a_row_with_the_version_that_is_installed() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = setup["options.extras_require"]
    libraries = re.findall(r"^[\w-]+", extras["clients"] + extras["mteb"], flags=re.MULTILINE)
    pins = (ROOT / "constraints-clients.txt").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([\w.-]+)==(\S+)$", pins, flags=re.MULTILINE))
    shown = {row[0].split(" ")[0]: row[1].split(", ") for row in ROWS}
    missing = [name for name in libraries if versions[name] not in shown.get(name, [])]
    assert missing == []


def test_every_format_and_shape_has_a_row() -> None:
    formats = {suffix for row in ROWS for suffix in re.findall(r"`(\.\w+)`", row[0])}
    assert set(SUFFIXES) - formats == set()
    shapes = {row[0]: row[1:3] for row in ROWS}
    assert [
        (shape, kind)
        for (shape, kind), said in documented().items()
        if shapes.get(shape, ["", ""])[kind == "cross"] != said
    ] == []
