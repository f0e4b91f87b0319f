"""From settings to deployments that are at work: what can be wrong is found before any is used."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ApplicationStatusOverview

from kosim.encoders.errors import ClusterError
from kosim.encoders.loading import Description, describe
from kosim.index.distributed.connection import connected
from kosim.index.distributed.nodes import SEARCHING, Requirements, check_nodes, versions
from kosim.index.sharding.folder import Shards
from kosim.index.sharding.sharded_index import ShardedIndex
from kosim.serving.cluster.remote import RemoteCrossEncoder, RemoteShard
from kosim.serving.cluster.replicas import RerankerJob, RerankerReplica, ShardReplica
from kosim.serving.microbatch import BatchSettings
from kosim.serving.settings import ServingSettings

_START_SECONDS = 300.0
"""In which all deployments must be at work."""

_LOOK = 0.2
_HEALTH_SECONDS = 1.0
"""How often Serve looks whether a replica lives: what it takes to replace one comes on top."""
_GRACE_SECONDS = 5.0
_ONGOING = 16
"""Calls that a replica works on at a time; the next ones wait."""
_BUSY = 4
"""Calls at a replica above which there should be more of them, as far as there may be."""

_CONTROLLER = ("SERVE_CONTROLLER_ACTOR", "serve")
"""Name and namespace of the actor by which one can tell whether Serve runs on a cluster."""

_NAMESPACE = "kosim"
_NAME = re.compile(r"kosim-([0-9a-f]{8})-[0-9]+")


@dataclass(frozen=True)
class Cluster:
    """What a cluster serves: the shards of an index, a cross-encoder, or both."""

    index: ShardedIndex | None
    cross: RemoteCrossEncoder | None


@dataclass(frozen=True)
class _Part:
    """Something to deploy: ``name`` for people, and the application."""

    name: str
    app: serve.Application


@contextmanager
def deployed(settings: ServingSettings, *, seconds: float = _START_SECONDS) -> Iterator[Cluster]:
    """Deploy shards and cross-encoder, and take them down in the end.

    To be entered outside of any event loop.

    Args:
        settings: what `serving.models.check_models` has found to be in order.
        seconds: in which everything must be at work.

    Raises:
        ClusterError: there is no cluster, a node lacks something, or a deployment does not start.
        KosimError: the index or the encoder cannot be opened.
    """
    shards = None if settings.index is None else Shards.open(settings.index)
    cross = None if settings.cross is None else describe(settings.cross)
    with connected(settings.ray or ""):
        check_nodes(_requirements(shards, cross))
        parts = [] if cross is None else [_reranker(cross, settings)]
        parts += [] if shards is None else _shards(shards, settings)
        with _at_work(parts, seconds) as handles:
            remote = (
                None
                if cross is None
                else RemoteCrossEncoder(
                    cross, settings.precision, handles.pop(0), settings.reranker_seconds
                )
            )
            index = None
            if shards is not None:
                clients = [
                    RemoteShard(name, handle, settings.shard_seconds)
                    for name, handle in zip(shards.indexes, handles, strict=True)
                ]
                index = ShardedIndex(shards, clients)
            yield Cluster(index, remote)


def _requirements(shards: Shards | None, cross: Description | None) -> Requirements:
    indexes = [] if shards is None else [one.folder.resolve() for one in shards.indexes.values()]
    made_with = "" if shards is None else shards.encoder.fingerprint
    return Requirements(
        versions(SEARCHING),
        None if cross is None else cross.backbone.path.resolve(),
        "" if cross is None else cross.fingerprint,
        indexes=tuple((folder, made_with) for folder in indexes),
    )


def _shards(shards: Shards, settings: ServingSettings) -> list[_Part]:
    return [
        _Part(
            f"shard {name}",
            _scaled(ShardReplica, settings.shard_replicas, settings, cpus=settings.shard_cpus).bind(
                index.folder.resolve(), shards.encoder.fingerprint
            ),
        )
        for name, index in shards.indexes.items()
    ]


def _reranker(cross: Description, settings: ServingSettings) -> _Part:
    folder = cross.backbone.path.resolve()
    job = RerankerJob(
        folder,
        cross.fingerprint,
        settings.backend,
        settings.precision,
        settings.device,
        BatchSettings(settings.batch_wait / 1000, settings.batch_tokens, settings.batching),
    )
    gpus = 1 if (settings.device or "").startswith("cuda") else 0
    scaled = _scaled(
        RerankerReplica,
        settings.reranker_replicas,
        settings,
        cpus=settings.reranker_cpus,
        gpus=gpus,
    )
    return _Part(f"reranker {folder}", scaled.bind(job))


def _scaled(
    kind: type, replicas: int, settings: ServingSettings, *, cpus: float, gpus: int = 0
) -> serve.Deployment:
    """Return a deployment of a fixed number of replicas, or of as many as are needed."""
    number: dict[str, Any] = {"num_replicas": replicas}
    if settings.max_replicas is not None:
        number = {
            "autoscaling_config": {
                "min_replicas": replicas,
                "max_replicas": max(replicas, settings.max_replicas),
                "target_ongoing_requests": _BUSY,
            }
        }
    deploy = serve.deployment(
        **number,
        ray_actor_options={"num_cpus": cpus, "num_gpus": gpus},
        max_ongoing_requests=_ONGOING,
        health_check_period_s=_HEALTH_SECONDS,
        graceful_shutdown_timeout_s=_GRACE_SECONDS,
    )
    deployment: serve.Deployment = deploy(kind)
    return deployment


@contextmanager
def _at_work(parts: Sequence[_Part], seconds: float) -> Iterator[list[DeploymentHandle]]:
    """Deploy, and yield the handles when every deployment answers; remove all in the end."""
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    begun = not _serve_runs()
    serve.start(proxy_location="Disabled", logging_config={"log_level": "ERROR"})
    with claimed(len(parts)) as names:
        try:
            handles = serve.run_many(
                [
                    serve.RunTarget(part.app, name, route_prefix=None)
                    for name, part in zip(names, parts, strict=True)
                ],
                wait_for_ingress_deployment_creation=False,
                wait_for_applications_running=False,
            )
            _wait(dict(zip(names, parts, strict=True)), seconds)
            yield handles
        finally:
            with suppress(RayError, RayServeException):  # the cluster may have ended before
                for name in names:
                    serve.delete(name, _blocking=False)
                if begun and not set(serve.status().applications) - set(names):
                    serve.shutdown()


def _serve_runs() -> bool:
    try:
        ray.get_actor(_CONTROLLER[0], namespace=_CONTROLLER[1])
    except ValueError:
        return False
    return True


def _wait(names: dict[str, _Part], seconds: float) -> None:
    """Wait until all applications run.

    Raises:
        ClusterError: one cannot, or not in time; Serve's own words are quoted.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = serve.status().applications
        waiting = []
        for name, part in names.items():
            application = found.get(name)
            status = "NOT_STARTED" if application is None else application.status.value
            if status in ("DEPLOY_FAILED", "UNHEALTHY"):
                raise ClusterError(f"{part.name} cannot start: {_last_message(application)}")
            if status != "RUNNING":
                waiting.append(f"{part.name} ({_last_message(application)})")
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise ClusterError(
                f"not at work after {seconds:g} s: {'; '.join(waiting)}. Each replica needs the "
                "free CPUs of --shard-cpus or --reranker-cpus on one node: ask for less, or add "
                "nodes"
            )
        time.sleep(_LOOK)


def _last_message(application: ApplicationStatusOverview | None) -> str:
    """Return the last line of what Serve says about an application that does not run."""
    if application is None:
        return "not begun"
    messages = [application.message, *(one.message for one in application.deployments.values())]
    lines = [line.strip() for text in messages for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no replica yet"


class _Claim:
    """An actor that Ray ends with its driver."""


@contextmanager
def claimed(count: int) -> Iterator[list[str]]:
    """Yield ``count`` names for applications; what a killed driver left is removed before."""
    token = secrets.token_hex(4)
    claim: Any = ray.remote(num_cpus=0)(_Claim).options(name=token, namespace=_NAMESPACE).remote()
    for name in serve.status().applications:
        match = _NAME.fullmatch(name)
        if match and not _is_claimed(match[1]):
            serve.delete(name, _blocking=False)
    try:
        yield [f"kosim-{token}-{number}" for number in range(count)]
    finally:
        ray.kill(claim)


def _is_claimed(token: str) -> bool:
    try:
        ray.get_actor(token, namespace=_NAMESPACE)
    except ValueError:
        return False
    return True
