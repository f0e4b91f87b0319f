"""What a server is told: its models, its address, its limits."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import ConfigError

_OF_CLUSTER = {
    *("shard_replicas", "reranker_replicas", "max_replicas", "shard_cpus", "reranker_cpus"),
    *("shard_seconds", "reranker_seconds"),
}


class ServingSettings(BaseModel):
    """Everything that ``kosim serve`` can be told; each field's description is its help."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bi: Path | None = Field(
        None, description="Bi-encoder that embeds and retrieves (default: that of the index)."
    )
    cross: Path | None = Field(
        None, description="Encoder that scores pairs and reranks, preferably a cross-encoder."
    )
    index: Path | None = Field(None, description="Index to search and to add documents to.")
    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on. [default: 127.0.0.1]"
    )
    port: int = Field(
        8000, ge=0, le=65_535, description="Port to listen on, 0 for a free one. [default: 8000]"
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[^/?#\s]+)*$",
        description="Path under which a proxy publishes the server, such as /kosim; the proxy may "
        "strip it or not.",
    )
    workers: int = Field(1, ge=1, le=64, description="Number of server processes. [default: 1]")
    keys: Path | None = Field(
        None, description="File of bearer keys, one per line; only its owner may read it."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Host name under which the server is reached, for example behind a proxy; can "
        "be given several times. Without a key, requests that name another one are refused; * "
        "allows all.",
    )
    backend: Backend | None = Field(
        None,
        description="Library that computes; onnx is faster on a CPU. Default: onnx where an export "
        "is there and for int8, torch otherwise.",
    )
    precision: Precision = Field(
        "fp32",
        description="Arithmetic of the encoders; int8 is the fastest (see kosim export). "
        "[default: fp32]",
    )
    refine: bool = Field(
        False,
        description="With a lower precision: encode, and decide which candidates around the last "
        "hit are hits, in full precision.",
    )
    device: str | None = Field(None, description="Torch device, such as cpu or cuda:0.")
    queue: int = Field(
        64,
        ge=1,
        le=1024,
        description="Requests that a process handles or queues; more get 429. [default: 64]",
    )
    batching: bool = Field(
        True, description="Compute requests in shared batches, or one by one. [default: together]"
    )
    batch_wait: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="Milliseconds that a request waits for others where the network is idle. "
        "[default: 0]",
    )
    batch_tokens: int = Field(
        2048, ge=1, description="Maximum number of tokens in a batch, with padding. [default: 2048]"
    )
    max_items: int = Field(
        2048,
        ge=1,
        description="Maximum number of pairs, documents or texts in a request. [default: 2048]",
    )
    max_characters: int = Field(
        8192,
        ge=1,
        description="Characters that are read of a text; longer documents are not indexed. "
        "[default: 8192]",
    )
    max_bytes: int = Field(
        4_000_000,
        ge=1024,
        description="Maximum size of a request's body in bytes. [default: 4000000]",
    )
    max_connections: int = Field(
        1024,
        ge=1,
        le=65_535,
        description="Open connections of a process; those without a request give way to new ones. "
        "Fewer where the process may open fewer files. [default: 1024]",
    )
    drain: int = Field(
        30, ge=0, description="Seconds that open requests get after a SIGTERM. [default: 30]"
    )

    ray: str | None = Field(
        None,
        description="Serve shards and cross-encoder on a Ray cluster: the one whose head is given, "
        "or that runs here, or a new one here.",
    )
    shard_replicas: int = Field(
        1, ge=1, le=1000, description="Number of replicas of each shard. [default: 1]"
    )
    reranker_replicas: int = Field(
        1, ge=1, le=1000, description="Number of replicas of the cross-encoder. [default: 1]"
    )
    max_replicas: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Maximum number of replicas of a shard or of the cross-encoder under load "
        "(default: as many as without load).",
    )
    shard_cpus: float = Field(
        0.25, ge=0, le=1024, description="CPUs reserved for a shard's replica. [default: 0.25]"
    )
    reranker_cpus: float = Field(
        1.0, ge=0, le=1024, description="CPUs reserved for a cross-encoder's replica. [default: 1]"
    )
    shard_seconds: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds to wait for a shard; an answer without it says so. [default: 10]",
    )
    reranker_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Seconds after which reranking on the cluster fails. [default: 60]",
    )

    @classmethod
    def checked(cls, **values: object) -> Self:
        """Return the settings.

        Raises:
            ConfigError: a value is impossible; it is named, with what is possible.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]).replace("_", "-")
            raise ConfigError(f"--{name} is {first['input']!r}: {first['msg']}") from error

    def check_cluster(self) -> None:
        """Check that what is said about a cluster goes together.

        Raises:
            ConfigError: it does not.
        """
        if self.ray is None:
            for name in _OF_CLUSTER & self.model_fields_set:
                raise ConfigError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}, and there is no "
                    "cluster: give --ray"
                )
            return
        if self.index is None and self.cross is None:
            raise ConfigError("--ray has nothing to serve there: give --index or --reranker")
        if self.workers > 1:
            raise ConfigError(
                f"--workers is {self.workers}; with --ray one server process asks the replicas: "
                "start more of those instead"
            )
        replicas = max(self.shard_replicas, self.reranker_replicas)
        if self.max_replicas is not None and self.max_replicas < replicas:
            raise ConfigError(
                f"--max-replicas is {self.max_replicas}, and there are {replicas} without load "
                "already; give at least as many"
            )

    def check_refinement(self) -> None:
        """Check that there is something to refine, and here.

        Raises:
            ConfigError: there is not.
        """
        if not self.refine:
            return
        if self.index is None or self.cross is None:
            raise ConfigError("--refine scores candidates again: give --index and --reranker")
        if self.precision == "fp32":
            raise ConfigError("--refine with --precision fp32, which is the full one, does nothing")
        if self.ray is not None:
            raise ConfigError("--refine is not for a cluster, whose replicas have one precision")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means the machine that asks, wherever that is."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
