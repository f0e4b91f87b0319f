"""What must be alike on all nodes of a cluster, checked before the first one works."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kosim.encoders.artifact import read_manifest
from kosim.encoders.errors import ClusterError, KosimError
from kosim.encoders.foreign import is_foreign
from kosim.index.store.manifest import read_manifest as read_index_manifest

_SECONDS = 60
"""In which every node must have answered."""

_PACKAGES = ("kosim", "torch", "transformers", "tokenizers", "sentence-transformers", "numpy")
"""Those whose versions decide what a vector is."""

SEARCHING = (*_PACKAGES, "faiss-cpu", "kiwipiepy")
"""Those whose versions decide what a search finds."""


@dataclass(frozen=True)
class Requirements:
    """What a node must have.

    ``versions`` by package; ``encoder``, a folder with the given ``fingerprint``; ``files`` to
    read; ``token``, a file of the folder that results are written to; and ``indexes`` with the
    fingerprints of their encoders.
    """

    versions: dict[str, str]
    encoder: Path | None
    fingerprint: str
    files: tuple[str, ...] = ()
    token: Path | None = None
    indexes: tuple[tuple[Path, str], ...] = ()

    def problem(self) -> str | None:
        """Return what is wrong on the node that this is called on, or None."""
        here = versions(tuple(self.versions))
        for package, wanted in self.versions.items():
            if here[package] != wanted:
                return (
                    f"has {package} {here[package]}, the driver {wanted}; install the same "
                    "versions on all nodes"
                )
        return self._encoder_problem() or self._file_problem() or self._index_problem()

    def _encoder_problem(self) -> str | None:
        if self.encoder is None:
            return None
        if not self.encoder.is_dir():
            return f"cannot see the encoder {self.encoder}; put it where all nodes see it"
        if is_foreign(self.encoder):
            return None  # a worker compares what it opens
        try:
            found = read_manifest(self.encoder).fingerprint
        except KosimError as error:
            return f"cannot read the encoder: {error}"
        if found != self.fingerprint:
            return (
                f"has another encoder at {self.encoder} ({found[:12]}, the driver "
                f"{self.fingerprint[:12]}); copy the same one to all nodes"
            )
        return None

    def _file_problem(self) -> str | None:
        for file in self.files:
            if not Path(file).is_file():
                return f"cannot see {file}; put the corpus where all nodes see it"
        if self.token is not None and not self.token.is_file():
            return (
                f"does not see what the driver wrote to {self.token.parent}; choose an --out in a "
                "folder that all nodes share"
            )
        return None

    def _index_problem(self) -> str | None:
        for folder, fingerprint in self.indexes:
            if not folder.is_dir():
                return f"cannot see the index {folder}; put it where all nodes see it"
            try:
                found = read_index_manifest(folder)[0].encoder.fingerprint
            except KosimError as error:
                return f"cannot read the index: {error}"
            if found != fingerprint:
                return (
                    f"has an index of another encoder at {folder} ({found[:12]}, the driver "
                    f"{fingerprint[:12]}); let all nodes see the same one"
                )
        return None


def versions(packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Return the versions here of what decides what a vector is, or of other packages."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


@contextmanager
def token_in(folder: Path) -> Iterator[Path]:
    """Yield a new file in ``folder`` by which a node can tell that it sees that folder."""
    path = folder / f".seen-{uuid.uuid4().hex}"
    path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def check_nodes(requirements: Requirements) -> int:
    """Check every node of the cluster and return the number of CPUs of those that compute.

    Raises:
        ClusterError: a node lacks something, does not answer, or none has a CPU.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not nodes:
        raise ClusterError("the cluster has no node with a CPU; start one with `ray start`")
    ask = ray.remote(num_cpus=0, max_retries=0)(_problem)
    answers = [
        ask.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(requirements)
        for node in nodes
    ]
    for node, answer in zip(nodes, answers, strict=True):
        problem = _answered(answer)
        if problem:
            raise ClusterError(f"node {_name(node)} {problem}")
    return int(sum(node["Resources"]["CPU"] for node in nodes))


def _problem(requirements: Requirements) -> str | None:
    return requirements.problem()


def _answered(answer: Any) -> str | None:
    import ray
    from ray.exceptions import GetTimeoutError, RayError

    try:
        said: str | None = ray.get(answer, timeout=_SECONDS)
    except GetTimeoutError:
        return f"did not answer within {_SECONDS} s; look after it with `ray status`"
    except RayError as error:
        if "No module named" in str(error):
            return "cannot import kosim; install the same version on all nodes"
        return f"failed: {str(error).strip().splitlines()[-1]}"
    return said


def _name(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})"


def files_of(paths: Sequence[str]) -> tuple[str, ...]:
    """Return paths as every process understands them."""
    return tuple(str(Path(path).resolve()) for path in paths)
