"""Shards that are served from a cluster answer as one index, whoever dies meanwhile.

Replicas compute exported encoders, for which they need not import torch.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from ray.cluster_utils import Cluster

pytest.importorskip("fastapi", reason="needs kosim[serve]")
pytest.importorskip("ray.serve", reason="needs kosim[scale]")

from ray import serve

from benchmarks.judged_load import JudgedLoad, difference, search
from benchmarks.local_cluster import replicas
from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ClusterError, ConfigError, CorpusIndexError
from kosim.encoders.loading import load
from kosim.encoders.storage import content_checksum
from kosim.index.build import build_index
from kosim.index.corpus_index import CorpusIndex
from kosim.index.distributed import nodes
from kosim.index.distributed.connection import connected
from kosim.index.documents import Document
from kosim.index.searcher import Searcher
from kosim.index.sharding.folder import Shards
from kosim.index.sharding.split import split_index
from kosim.serving.cluster.deployment import claimed, deployed
from kosim.serving.models import check_models
from kosim.serving.settings import ServingSettings
from tests.encoders.tiny import WORDS
from tests.serving.running import Running, running

RANDOM = np.random.default_rng(4)
TEXTS = list(
    dict.fromkeys(" ".join(RANDOM.choice(WORDS, RANDOM.integers(2, 9))) for _ in range(240))
)
QUERIES = [" ".join(RANDOM.choice(WORDS, 4)) for _ in range(30)]
LOST = "shard-3"
SMALL = {"shard_cpus": 0.1, "reranker_cpus": 0.2}
PATIENT = 600
DEPTHS = {"k": 10, "candidates": 20}


@pytest.fixture(scope="session")
def bi(exported: dict[str, Path]) -> BiEncoder:
    encoder = load(exported["bi"], device="cpu")
    assert isinstance(encoder, BiEncoder)
    return encoder


@pytest.fixture(scope="session")
def cross(exported: dict[str, Path]) -> CrossEncoder:
    encoder = load(exported["cross"], device="cpu")
    assert isinstance(encoder, CrossEncoder)
    return encoder


@pytest.fixture(scope="session")
def whole(bi: BiEncoder, tmp_path_factory: pytest.TempPathFactory) -> CorpusIndex:
    documents = [Document(f"d{row}", text, {"row": row}) for row, text in enumerate(TEXTS)]
    return build_index(documents, bi, tmp_path_factory.mktemp("whole") / "index", type="flat")


@pytest.fixture(scope="session")
def shards(whole: CorpusIndex, tmp_path_factory: pytest.TempPathFactory) -> Shards:
    made = split_index(whole, tmp_path_factory.mktemp("shards") / "index", shards=3)
    if find_spec("kiwipiepy"):
        for index in made.indexes.values():
            index.lexical.prepare(index.snapshot)
    return made


@pytest.fixture(scope="session")
def rest(shards: Shards, bi: BiEncoder, tmp_path_factory: pytest.TempPathFactory) -> CorpusIndex:
    """An index of all documents but those of the shard that is going to be lost."""
    parts = [index for name, index in shards.indexes.items() if name != LOST]
    documents = [one for index in parts for one in index.documents(index.rows())]
    return build_index(documents, bi, tmp_path_factory.mktemp("rest") / "index", type="flat")


@pytest.fixture(scope="module")
def server(cluster: Cluster, shards: Shards, exported: dict[str, Path]) -> Iterator[Running]:
    """``kosim serve --ray`` over three shards and a reranker."""
    with running(
        *("--ray", cluster.address, "--index", shards.folder, "--reranker", exported["cross"]),
        *("--shard-cpus", SMALL["shard_cpus"], "--reranker-cpus", SMALL["reranker_cpus"]),
        *("--shard-seconds", 15),
    ) as server:
        yield server


def ask(server: Running, query: str, **options: Any) -> httpx.Response:
    return search(server.url, query, **{**DEPTHS, **options})


@pytest.mark.timeout(PATIENT)
@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_hits_are_those_of_a_searcher_over_the_whole_index(
    server: Running, whole: CorpusIndex, bi: BiEncoder, cross: CrossEncoder, mode: str
) -> None:
    if mode != "dense":
        pytest.importorskip("kiwipiepy")
    searcher = Searcher(whole, bi, cross)
    expected = searcher.search(QUERIES, k=10, candidates=20, mode=mode)  # type: ignore[arg-type]
    for query, result in zip(QUERIES, expected, strict=True):
        response = ask(server, query, mode=mode)
        assert response.status_code == 200, response.text
        answer = response.json()
        assert (answer["missing"], answer["notice"]) == ([], None)
        assert (answer["candidates"], answer["reranked"]) == (result.candidates, result.reranked)
        assert difference(answer, result) is None
        assert [hit["extra"] for hit in answer["hits"]] == [
            {"row": int(hit["id"][1:])} for hit in answer["hits"]
        ]


@pytest.mark.timeout(PATIENT)
def test_the_other_endpoints_are_answered_by_the_replicas(
    server: Running, cross: CrossEncoder, bi: BiEncoder
) -> None:
    call = {"query": QUERIES[0], "documents": TEXTS[:70]}
    answer = httpx.post(f"{server.url}/v2/rerank", json=call, timeout=120).json()
    expected = cross.rank(QUERIES[0], TEXTS[:70])
    np.testing.assert_allclose(
        [one["relevance_score"] for one in answer["results"]],
        [hit.score / 5 for hit in expected],
        atol=1e-5,
    )
    pairs = {"pairs": [[TEXTS[0], TEXTS[1]]], "symmetric": True}
    answer = httpx.post(f"{server.url}/v1/similarity", json=pairs, timeout=120).json()
    for kind, encoder in (("bi", bi), ("cross", cross)):
        raw = encoder.score([(TEXTS[0], TEXTS[1])], raw=True, symmetric=True)
        assert answer[kind]["scores"][0]["raw"] == pytest.approx(float(raw[0]), abs=1e-5)
    assert httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200
    described = httpx.get(f"{server.url}/v1/service", timeout=60).json()
    assert described["index"]["documents"] == len(TEXTS)


@pytest.mark.timeout(PATIENT)
def test_changes_are_refused(server: Running) -> None:
    url = f"{server.url}/v1/documents"
    added = httpx.post(url, json={"documents": [{"text": "가"}]}, timeout=60)
    removed = httpx.delete(f"{url}/d0", timeout=60)
    for response in (added, removed):
        assert response.status_code == 409
        assert "kosim index shard" in response.json()["message"]


@pytest.mark.timeout(PATIENT)
def test_a_policy_that_was_not_fitted_is_refused(server: Running) -> None:
    response = ask(server, QUERIES[0], candidates="auto")
    assert response.status_code == 404
    assert "policy" in response.json()["message"]


def replica(number: int) -> psutil.Process:
    """Return the process that answers for the part that was deployed as the ``number``-th."""
    found = replicas(number)
    assert found, f"no replica of part {number}"
    return found[0]


def hold_down(number: int, *, until: Callable[[], bool]) -> None:
    """Kill the replica of a part, and those that replace it, until something is seen."""
    deadline = time.monotonic() + 240
    while not until():
        assert time.monotonic() < deadline
        with suppress(AssertionError, ProcessLookupError):
            os.kill(replica(number).pid, signal.SIGKILL)
        time.sleep(0.5)


@pytest.mark.timeout(PATIENT)
def test_a_killed_shard_is_named_as_missing_until_it_is_back(
    server: Running, whole: CorpusIndex, rest: CorpusIndex, bi: BiEncoder, cross: CrossEncoder
) -> None:
    expected = {
        missing: Searcher(index, bi, cross).search(QUERIES, k=10, candidates=20)
        for missing, index in (((), whole), ((LOST,), rest))
    }
    load = JudgedLoad(server.url, QUERIES, expected, clients=4, **DEPTHS)
    partial: dict[str, Any] = {}

    def seen() -> bool:
        if load.counts()["partial"] >= 10:
            partial.update(ask(server, QUERIES[0]).json())
        return bool(partial.get("missing"))

    try:
        load.wait("complete", count=10)
        hold_down(3, until=seen)
        assert partial["missing"] == [LOST]
        assert f"documents of {LOST} are missing" in partial["notice"]
        load.wait("complete", after=load.last("partial"), count=20)
    finally:
        load.end()
    assert {kind for _, kind in load.outcomes} == {"complete", "partial"}
    assert load.outcomes[-1][1] == "complete"


@pytest.mark.timeout(PATIENT)
def test_a_killed_reranker_is_waited_for(
    server: Running, whole: CorpusIndex, bi: BiEncoder, cross: CrossEncoder
) -> None:
    expected = {(): Searcher(whole, bi, cross).search(QUERIES, k=10, candidates=20)}
    load = JudgedLoad(server.url, QUERIES, expected, clients=2, **DEPTHS)
    try:
        load.wait("complete", count=4)
        os.kill(replica(0).pid, signal.SIGKILL)
        load.wait("complete", after=time.monotonic() + 1, count=10)
    finally:
        load.end()
    assert {kind for _, kind in load.outcomes} == {"complete"}


@pytest.mark.timeout(PATIENT)
def test_nothing_is_left_on_the_cluster(server: Running) -> None:
    """The last one that uses the server."""
    assert server.end() == 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            replica(1)
        except AssertionError:
            return
        time.sleep(0.2)
    raise AssertionError("a replica is still there")


@pytest.mark.timeout(PATIENT)
def test_what_a_killed_driver_left_is_removed_by_the_next(cluster: Cluster) -> None:
    part = serve.deployment(ray_actor_options={"num_cpus": 0})(Nothing).bind()
    left = "kosim-00000000-0"
    with connected(cluster.address):
        serve.start(proxy_location="Disabled")
        try:
            with claimed(1) as (mine,):
                serve.run_many(
                    [serve.RunTarget(part, name, route_prefix=None) for name in (mine, left)],
                    wait_for_applications_running=False,
                )
                with claimed(1):
                    deadline = time.monotonic() + 120
                    while left in (applications := serve.status().applications):
                        assert time.monotonic() < deadline
                        time.sleep(0.2)
                assert applications[mine].status != "DELETING"
        finally:
            serve.shutdown()


# -- refusals, from the driver and before anything is served ---------------------------------------


class Nothing:
    """Something to deploy that does nothing."""


def refused(settings: ServingSettings) -> None:
    settings.check_cluster()
    check_models(settings)
    with deployed(settings):
        raise AssertionError("it was deployed")


def test_no_cluster_at_the_address(shards: Shards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # other tests' cluster stays
    started = time.monotonic()
    with pytest.raises(ClusterError, match=r"nothing answers at 127\.0\.0\.1:1"):
        refused(ServingSettings(index=shards.folder, ray="127.0.0.1:1"))
    assert time.monotonic() - started < 30


def test_what_does_not_go_together_is_refused(shards: Shards) -> None:
    for values, message in (
        ({"shard_replicas": 2}, "--shard-replicas is 2, and there is no cluster"),
        ({"ray": "auto", "workers": 2}, "--workers is 2"),
        ({"ray": "auto", "shard_replicas": 3, "max_replicas": 2}, "--max-replicas is 2"),
    ):
        with pytest.raises(ConfigError, match=message):
            ServingSettings(index=shards.folder, **values).check_cluster()
    with pytest.raises(ConfigError, match="nothing to serve"):
        ServingSettings(ray="auto").check_cluster()


def test_shards_without_a_cluster_say_so(shards: Shards) -> None:
    with pytest.raises(CorpusIndexError, match="kosim serve --ray"):
        check_models(ServingSettings(index=shards.folder))


def test_a_missing_shard_is_said_before_anything_starts(shards: Shards, tmp_path: Path) -> None:
    copy = shutil.copytree(shards.folder, tmp_path / "copy")
    shutil.rmtree(copy / "shard-2")
    with pytest.raises(CorpusIndexError, match=r"shard-2 .* is missing"):
        check_models(ServingSettings(index=copy, ray="auto"))


def test_a_shard_of_another_encoder_is_said_before_anything_starts(
    shards: Shards, cluster: Cluster, tmp_path: Path
) -> None:
    copy = shutil.copytree(shards.folder, tmp_path / "copy")
    manifest = copy / "shard-2" / "manifest.json"
    content = json.loads(manifest.read_text().replace(shards.encoder.fingerprint, "0" * 64))
    manifest.write_text(json.dumps({**content, "checksum": content_checksum(content)}))
    with pytest.raises(CorpusIndexError, match=r"shard-2 .*000000000000.* the others with"):
        refused(ServingSettings(index=copy, ray=cluster.address))


@pytest.mark.timeout(PATIENT)
def test_nodes_of_other_versions_are_named(
    cluster: Cluster, shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = nodes.versions(nodes.SEARCHING)
    monkeypatch.setattr(
        "kosim.serving.cluster.deployment.versions", lambda _: {**real, "faiss-cpu": "9.9.9"}
    )
    with pytest.raises(ClusterError, match=r"node .* has faiss-cpu .*, the driver 9\.9\.9"):
        refused(ServingSettings(index=shards.folder, ray=cluster.address))


@pytest.mark.timeout(PATIENT)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": Path("/nowhere/cross")}, "cannot see the encoder /nowhere/cross"),
        ({"indexes": ((Path("/nowhere/shard-1"), "f"),)}, "cannot see the index /nowhere/shard-1"),
        ({"made_with": "0" * 64}, "has an index of another encoder"),
    ],
)
def test_what_a_node_cannot_see_is_named(
    cluster: Cluster, shards: Shards, change: dict[str, Any], message: str
) -> None:
    made_with = change.pop("made_with", shards.encoder.fingerprint)
    indexes = tuple((one.folder, made_with) for one in shards.indexes.values())
    needed = {"versions": {}, "encoder": None, "fingerprint": "", "indexes": indexes, **change}
    with connected(cluster.address), pytest.raises(ClusterError, match=message):
        nodes.check_nodes(nodes.Requirements(**needed))


@pytest.mark.timeout(PATIENT)
def test_a_reranker_of_others_is_served_as_it_stands(
    cluster: Cluster, encoders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(encoders["cross"], tmp_path / "cross"))
    (folder / "kosim.json").unlink()
    settings = ServingSettings(cross=folder, ray=cluster.address, reranker_cpus=0.2)
    check_models(settings)
    pairs = [(TEXTS[0], text) for text in TEXTS[1:40]]
    with deployed(settings) as served:
        assert served.cross is not None and not served.cross.calibrated
        found = served.cross.score(pairs, raw=True)
    expected = load(encoders["cross"], backend="torch").score(pairs, raw=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.timeout(PATIENT)
def test_a_deployment_that_does_not_fit_is_quoted(cluster: Cluster, shards: Shards) -> None:
    settings = ServingSettings(index=shards.folder, ray=cluster.address, shard_cpus=64)
    message = r"not at work after 3 s: shard shard-1 .*--shard-cpus"
    with pytest.raises(ClusterError, match=message), deployed(settings, seconds=3):
        raise AssertionError("it was deployed")
