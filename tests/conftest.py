"""What every room's tests share: markers, the order of files, tiny encoders, the shared data."""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from unittest import mock

# Before any Hugging Face library is imported: the suite never asks a hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import jinja2
import pytest
from filelock import FileLock

from tests.checkout import CLIENTS, ROOT
from tests.forked import open_nursery

SHARED = ROOT.parent / "shared"
MEMORY = Path("/dev/shm")

STARTS_PROCESSES = ("cluster", "browser", "torchrun")
"""Markers of tests that start what takes long; such a test is slow too."""

COSTLY = ("cluster", "server", "small_run")
"""Session fixtures that take seconds: one process runs all tests of one."""

LONGEST = (
    "cluster",
    "tests/docs/test_pages.py compare",
    "tests/docs/test_pages.py search",
    "server",
    "tests/distributed/test_torchrun.py",
    "tests/faults/test_sweeps.py",
    "tests/experiments/test_tuning.py",
    "small_run",
    "tests/serving/test_integrations.py",
    "tests/experiments/test_tuning_workers.py",
    "tests/faults/test_odd_paths.py",
    "tests/docs/test_pages.py errors",
    "tests/docs/test_pages.py tune",
    "tests/docs/test_examples.py",
    "tests/serving/test_server.py",
    "tests/serving/test_durability.py",
    "tests/serving/test_schema.py",
    "tests/experiments/test_planning.py",
    "tests/faults/test_metadata_fuzz.py",
    "tests/index/test_index_faults.py",
    "tests/encoders/test_shapes.py",
    "tests/docs/test_pages.py README",
    "tests/encoders/test_backends.py",
    "tests/experiments/test_tokenizer_comparison.py",
    "tests/experiments/test_peers.py",
    "tests/experiments/test_speed.py",
    "tests/experiments/test_comparison.py",
    "tests/encoders/test_hostile_artifacts.py",
    "tests/encoders/test_first_token.py",
    "tests/index/test_index_machine.py",
    "tests/test_package.py",
    "tests/encoders/test_pretraining.py",
    "tests/encoders/test_distillation.py",
    "tests/encoders/test_interface.py",
    "tests/encoders/test_resuming.py",
)
"""Groups that begin first, so that no process is left alone with a long one at the end."""


def _has_memory() -> bool:
    """Return whether there is a file system in memory with room, on which programs may be run."""
    if not os.access(MEMORY, os.W_OK):
        return False
    state = os.statvfs(MEMORY)
    return state.f_bavail * state.f_frsize > 4 << 30 and not state.f_flag & os.ST_NOEXEC


def pytest_configure(config: pytest.Config) -> None:
    """Put temporary folders where what is made durable, again and again, waits for no disk.

    And remember, before test files are imported, whether the slow tests are left out.
    """
    if _has_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if config.option.markexpr == "not slow":
        os.environ["KOSIM_QUICK_TESTS"] = "yes"


def examples(count: int) -> int:
    """Return how many examples Hypothesis tries: a fifth where the slow tests are left out."""
    return max(1, count // 5) if "KOSIM_QUICK_TESTS" in os.environ else count


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Import the test files without garbage collection, and never again walk through them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Open the nursery of processes in each process that runs tests.

    The template of model cards is compiled once, and not with each encoder that is written.
    """
    if not session.config.getoption("numprocesses", default=None):
        once = lru_cache(256)(jinja2.Environment.compile)
        mock.patch.object(jinja2.Environment, "compile", once).start()
        open_nursery()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark and group the tests: one group is run by one process, in order.

    A group is a file, whose tests share fixtures, a page that is walked, or a costly fixture. All
    tests of a cluster are one group, so that no two clusters share the cores.
    """
    groups = {}
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "cluster" in fixtures:
            item.add_marker("cluster")
        if any(item.get_closest_marker(name) for name in STARTS_PROCESSES):
            item.add_marker("slow")
        file = item.path.relative_to(ROOT).as_posix()
        if "walks" in fixtures:
            file += f" {item.callspec.params['page'].stem}"  # type: ignore[attr-defined]
        groups[item] = next((name for name in COSTLY if name in fixtures), file)
        if item.get_closest_marker("cluster"):
            groups[item] = "cluster"
        item.add_marker(pytest.mark.xdist_group(groups[item]))
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(groups[item], len(order)))


@pytest.fixture(scope="session")
def exported_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """From here on, a network whose like was exported in this run is copied and not exported."""
    from tests.encoders.exports import copied_exports

    with copied_exports(make_once(tmp_path_factory, "exports", Path.mkdir)):
        yield


@pytest.fixture(scope="session")
def exported(
    encoders: dict[str, Path], exported_once: None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Copies of an encoder of each kind with their exports to onnx, which no test changes."""
    from kosim.encoders.loading import load

    def export(folder: Path) -> None:
        for kind in ("bi", "cross"):
            shutil.copytree(encoders[kind], folder / kind)
            for precision in ("fp32", "int8"):
                load(folder / kind, precision=precision, backend="onnx")  # type: ignore[arg-type]

    folder = make_once(tmp_path_factory, "exported", export)
    return {kind: folder / kind for kind in ("bi", "cross")}


def _is_installed(place: Path) -> bool:
    """Return whether an environment is there, when `make test-all` no longer installs it."""
    while "KOSIM_INSTALLING" in os.environ and not place.with_suffix(".ended").exists():
        time.sleep(0.5)
    return (place / "installed").exists()


@pytest.fixture(scope="session")
def clients() -> None:
    """The environment of other libraries, which `make test-all` installs while tests run."""
    if not _is_installed(CLIENTS.parent):
        pytest.skip("other libraries are not installed; `make clients` installs them from PyPI")


@pytest.fixture(scope="session")
def older() -> Path:
    """Python with sentence-transformers 5.1, which `make test-all` installs while tests run."""
    place = ROOT / "build/older"
    if not _is_installed(place):
        end = pytest.fail if "KOSIM_INSTALLING" in os.environ else pytest.skip
        end("sentence-transformers 5.1 is not installed; `make older` installs it from PyPI")
    return place / "bin/python"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real data and models, where there is one."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the shared data beside the checkout")
    return SHARED


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that all processes of this run share; the first to ask for it makes it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    whole = folder.with_suffix(".whole")
    with FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            whole.touch()
    return folder


@pytest.fixture(scope="session")
def koelectra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone folder in KoELECTRA's layout, its embeddings narrower than its layers."""
    from tests.encoders.tiny import write_koelectra

    return make_once(tmp_path_factory, "koelectra", write_koelectra)


@pytest.fixture(scope="session")
def encoders(koelectra: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of untrained encoders, which no test changes: bi, cross, and another bi-encoder."""
    from tests.encoders.tiny import save_encoders

    folder = make_once(
        tmp_path_factory, "encoders", lambda folder: save_encoders(folder, koelectra)
    )
    return {name: folder / name for name in ("bi", "cross", "other")}
