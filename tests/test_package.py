"""What is installed: names, size of the import, both ways to install, and a project beside it."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

import kosim
from tests.checkout import ROOT

ROOMS = ("encoders", "experiments", "index", "serving")
PACKAGED = (*ROOMS, "kosim", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
HEAVY = ("torch", "transformers", "sentence_transformers", "matplotlib", "sklearn", "pandas")
NAMES_OF_0_1 = [
    "BiEncoder",
    "CompareSettings",
    "CorpusIndex",
    "CrossEncoder",
    "DistillationConfig",
    "Document",
    "Hit",
    "KosimError",
    "LabelledPairs",
    "MinedPair",
    "PretrainingConfig",
    "SearchHit",
    "SearchResult",
    "Searcher",
    "TrainingConfig",
    "TrainingResult",
    "build_index",
    "compare",
    "distill",
    "extend_index",
    "load",
    "mine",
    "pretrain",
    "read_corpus",
    "train",
    "train_tokenizer",
]
IMPORT_SECONDS = 0.2


def run(
    *command: str | Path, folder: Path, expect: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, away from what this process imports from."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**inherited, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ended.returncode == expect, (command, ended.stdout, ended.stderr)
    return ended


def pip(python: Path | str, *arguments: str | Path, folder: Path) -> None:
    run(python, "-m", "pip", "--quiet", "--no-input", *arguments, folder=folder, PIP_NO_INDEX="1")


def stated_version() -> str:
    """Return the version of setup.cfg, which an older installation of the checkout lacks."""
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    return settings["metadata"]["version"]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packaged, so that building leaves nothing in the checkout."""
    folder = tmp_path_factory.mktemp("source")
    for name in PACKAGED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    out = tmp_path_factory.mktemp("wheel")
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, source)
    pip(sys.executable, *build, folder=out)
    (wheel,) = out.glob("kosim-*.whl")
    return wheel


def make_environment(folder: Path, *install: str | Path) -> Path:
    """Make an environment that borrows the libraries of this one and has kosim itself."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    borrowed = [path for path in sys.path if path.endswith("-packages")]
    (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")
    python = folder / "bin" / "python"
    arguments = ("--no-deps", "--no-build-isolation", "--ignore-installed", *install)
    pip(python, "install", *arguments, folder=folder)
    return python


@pytest.fixture(scope="session")
def from_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment in which the wheel is installed."""
    return make_environment(tmp_path_factory.mktemp("from-wheel") / "environment", wheel)


@pytest.fixture(scope="session")
def editable(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Python of an environment with an editable install, and the checkout that is installed."""
    checkout = shutil.copytree(source, tmp_path_factory.mktemp("editable") / "checkout")
    python = make_environment(checkout.parent / "environment", "--editable", checkout)
    return python, checkout


@pytest.fixture(params=["wheel", "editable"])
def python(request: pytest.FixtureRequest) -> Path:
    """Python of an environment with kosim, installed in either way."""
    if request.param == "wheel":
        return Path(request.getfixturevalue("from_wheel"))
    return Path(request.getfixturevalue("editable")[0])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project whose modules have the names of kosim's folders."""
    folder = tmp_path / "project"
    for name in ("encoders", "experiments"):
        (folder / name).mkdir(parents=True)
    (folder / "encoders" / "__init__.py").write_text("OWNER = 'user'\n", encoding="utf-8")
    (folder / "experiments" / "notes.txt").write_text("a plain folder\n", encoding="utf-8")
    for name in ("index", "serving"):
        (folder / f"{name}.py").write_text("OWNER = 'user'\n", encoding="utf-8")
    return folder


def test_a_wheel_installs_nothing_beside_its_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.partition("/")[0] for name in names}
    assert top == {"kosim", f"kosim-{stated_version()}.dist-info"}
    assert not [name for name in names if "/tests/" in name or name.endswith(".pyc")]


def test_a_wheel_holds_every_file_that_is_read_at_run_time(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("kosim/")}
    files = [path for room in (*ROOMS, "kosim") for path in (ROOT / room).rglob("*")]
    expected = {
        "/".join(("kosim", *parts)) if (parts := path.relative_to(ROOT).parts)[0] != "kosim"
        else "/".join(parts)
        for path in files
        if path.is_file() and "__pycache__" not in path.parts
    }  # fmt: skip
    assert packed == expected


def test_the_import_is_quick_and_loads_no_library() -> None:
    """The best of several processes, in seconds of the processor: the machine may be busy."""
    code = (
        "import json, sys, time; started = time.process_time(); import kosim; "
        "print(json.dumps([time.process_time() - started, sorted(sys.modules)]))"
    )
    found = [
        json.loads(run(sys.executable, "-c", code, folder=ROOT).stdout)
        for _ in range(5)  # the first one may compile
    ]
    assert not set(HEAVY) & set(found[0][1])
    assert min(seconds for seconds, _ in found) <= IMPORT_SECONDS


def test_a_report_is_rendered_again_without_torch() -> None:
    """Its import takes seconds, which ``kosim report`` would spend on nothing."""
    reports = (path for path in ROOT.glob("experiments/**/report.py") if path.parent.name != "cli")
    names = [f"kosim.{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}" for path in reports]
    assert len(names) == 8
    code = f"import sys, {', '.join(names)}; print('torch' in sys.modules)"
    assert run(sys.executable, "-c", code, folder=ROOT).stdout == "False\n"


def test_the_public_names_agree_with_what_type_checkers_see() -> None:
    tree = ast.parse((ROOT / "kosim" / "__init__.py").read_text(encoding="utf-8"))
    (checked,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        alias.name: node.module
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == kosim._PUBLIC
    assert sorted(kosim.__all__) == sorted(kosim._PUBLIC)


@pytest.mark.parametrize("name", kosim.__all__)
def test_a_public_name_is_defined_where_the_table_says(name: str) -> None:
    assert getattr(kosim, name).__module__ == kosim._PUBLIC[name]
    assert name in dir(kosim)


@pytest.mark.parametrize("name", NAMES_OF_0_1)
def test_a_name_of_version_0_1_still_resolves(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in kosim.__all__:
        assert getattr(kosim, name)
        return
    monkeypatch.delitem(vars(kosim), name, raising=False)
    with pytest.warns(DeprecationWarning, match=f"use `from kosim[.].* import {name}`"):
        found = getattr(kosim, name)
    assert found is getattr(importlib.import_module(kosim._MOVED[name]), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'kosim' has no attribute 'lod'"):
        kosim.lod  # noqa: B018


LIGHT = """
import encoders, index, serving, kosim
assert encoders.OWNER == index.OWNER == serving.OWNER == "user"
from kosim.encoders.errors import KosimError
from kosim.experiments.study import notation
from kosim.index.documents import Document
import kosim.serving
assert issubclass(kosim.KosimError, KosimError) and Document("1", "불 꺼 줘").id == "1"
print(kosim.__file__, notation.__file__)
"""

FULL = """
import encoders, index, serving, kosim
assert encoders.OWNER == index.OWNER == serving.OWNER == "user"
encoder = kosim.load("mini-bi")
from kosim.index.documents import Document
texts = ["거실 불 꺼 줘", "비가 오니", "창문을 닫아 줘"]
corpus = [Document(str(number), text) for number, text in enumerate(texts)]
built = kosim.build_index(corpus, encoder, "corpus.index")
(result,) = kosim.Searcher(built, encoder).search(["거실 불을 꺼 줘"], k=1)
assert result.hits[0].id == "0"
assert kosim.compare.__module__ == kosim._PUBLIC["compare"]
import kosim.serving
print(kosim.__file__)
"""


def run_script(python: Path, project: Path, script: str) -> None:
    """Run a script of the project, which must see kosim as it is installed."""
    (project / "main.py").write_text(script, encoding="utf-8")
    for file in run(python, "main.py", folder=project).stdout.split():
        assert ROOT not in Path(file).parents


def commands(python: Path) -> list[tuple[Path | str, ...]]:
    return [(python.with_name("kosim"),), (python, "-m", "kosim")]


def test_command_and_interface_start_beside_modules_of_the_same_names(
    python: Path, project: Path
) -> None:
    for command in commands(python):
        assert "kosim score" in run(*command, "score", "--help", folder=project).stdout
    run_script(python, project, LIGHT)


@pytest.mark.slow
def test_the_command_runs_beside_modules_of_the_same_names(python: Path, project: Path) -> None:
    for command in commands(python):
        shown = run(
            *command, "score", "mini-cross", "불 꺼 줘", "불을 꺼 줘", "--json", folder=project
        )
        assert 0 <= json.loads(shown.stdout)["score"] <= 5


@pytest.mark.slow
def test_the_interface_works_beside_modules_of_the_same_names(python: Path, project: Path) -> None:
    run_script(python, project, FULL)


def test_a_wheel_works_at_the_root_of_a_checkout(from_wheel: Path, source: Path) -> None:
    """There the checkout's kosim/ comes first, whose rooms are not inside it."""
    assert "compare" in run(from_wheel, "-m", "kosim", "--help", folder=source).stdout
    code = "import kosim.encoders.errors as errors; print(errors.__file__)"
    shown = run(from_wheel, "-c", code, folder=source).stdout
    assert Path(shown.strip()) == source / "encoders" / "errors.py"


def test_an_editable_install_sees_new_files_and_packages(
    editable: tuple[Path, Path], tmp_path: Path
) -> None:
    python, checkout = editable
    (checkout / "encoders" / "added.py").write_text("VALUE = 1\n", encoding="utf-8")
    (checkout / "index" / "added").mkdir()
    (checkout / "index" / "added" / "__init__.py").write_text("VALUE = 2\n", encoding="utf-8")
    code = (
        "import kosim.encoders.added as file, kosim.index.added as package; "
        "print(file.VALUE, package.VALUE)"
    )
    assert run(python, "-c", code, folder=tmp_path).stdout.split() == ["1", "2"]


@pytest.mark.slow
def test_a_type_checker_sees_the_types_of_an_installed_wheel(
    from_wheel: Path, tmp_path: Path
) -> None:
    pytest.importorskip("mypy", reason="needs kosim[lint]")
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\n[mypy-torch.*,transformers.*,sentence_transformers.*,datasets.*,pandas.*,scipy.*]\n"
        "follow_imports = skip\nignore_missing_imports = True\n",
        encoding="utf-8",
    )
    script = tmp_path / "script.py"
    script.write_text(
        "import kosim\n"
        'encoder = kosim.load("mini-bi")\n'
        "reveal_type(encoder)\n"
        'reveal_type(encoder.score([("a", "b")]))\n'
        "kosim.load(3)\n"
        "kosim.lod\n",
        encoding="utf-8",
    )
    checker = (sys.executable, "-m", "mypy", "--python-executable", from_wheel, script)
    shown = run(*checker, folder=tmp_path, expect=1).stdout.splitlines()
    assert "kosim.encoders.bi.BiEncoder | kosim.encoders.cross.CrossEncoder" in shown[0]
    assert "numpy.ndarray" in shown[1]
    assert 'Argument 1 to "load" has incompatible type "int"' in shown[2]
    assert 'Module has no attribute "lod"' in shown[3]
    assert len(shown) == 5


def test_the_version_is_the_same_wherever_it_is_stated() -> None:
    version = stated_version()
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest, date = re.findall(r"^## (\d\S*) - (\d{4}-\d{2}-\d{2})$", changelog, re.MULTILINE)[0]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert newest == version
    assert f'version: {version}\ndate-released: "{date}"\n' in citation
