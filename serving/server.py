"""From settings to a listening server: everything that can be wrong is found before it listens."""

from __future__ import annotations

import functools
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from kosim.encoders.errors import ConfigError
from kosim.index.distributed.connection import check_ray
from kosim.serving.connections import IDLE_SECONDS, Connection
from kosim.serving.keys import Keys
from kosim.serving.metrics import SHARED
from kosim.serving.models import check_models, with_default_models
from kosim.serving.process import app_of_process
from kosim.serving.settings import ServingSettings

if TYPE_CHECKING:
    from kosim.serving.cluster.deployment import Cluster

_HEALTH_SECONDS = 60
"""Within which a server process must answer its parent, also while it loads its models."""


def serve(settings: ServingSettings, announce: Callable[[str, ServingSettings], None]) -> None:
    """Serve until a SIGTERM or SIGINT; then open requests are answered, and this returns.

    Args:
        settings: what to serve, and where.
        announce: called with the address and the settings in force, when they are found to be
            right and the address is taken.

    Raises:
        ConfigError: a setting is wrong, the address is taken or none of this machine's, or a
            model cannot be loaded although its files are in order.
        ClusterError: there is no cluster, a node lacks something, or a replica does not start.
        KosimError: a model, index or key file is not as it must be.
    """
    settings = with_default_models(settings)
    settings.check_cluster()
    settings.check_refinement()
    Keys.read(settings.keys)
    check_models(settings)
    with ExitStack() as stack:
        listener = stack.enter_context(_bound(settings.host, settings.port))
        cluster = stack.enter_context(_cluster(settings))
        announce(_address(listener), settings)
        config = uvicorn.Config(
            functools.partial(app_of_process, settings, cluster),
            factory=True,
            http=Connection,
            limit_concurrency=settings.max_connections,
            timeout_keep_alive=IDLE_SECONDS,
            workers=settings.workers,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=settings.drain,
            timeout_worker_healthcheck=_HEALTH_SECONDS,
        )
        if settings.workers == 1:
            stack.enter_context(_signals_end_quietly())
            uvicorn.Server(config).run(sockets=[listener])
        else:
            os.environ[SHARED] = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="kosim-metrics-")
            )
            stack.callback(os.environ.pop, SHARED)
            supervisor = Multiprocess(config, sockets=[listener])
            supervisor.run()
            if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
                raise ConfigError("a server process could not start; the line above says why")


@contextmanager
def _cluster(settings: ServingSettings) -> Iterator[Cluster | None]:
    """Have on a cluster what is to be there; None where no cluster is asked for.

    A SIGTERM takes down what is there, also before there is a server to end.
    """
    if settings.ray is None:
        yield None
        return
    check_ray()
    from kosim.serving.cluster.deployment import deployed

    def ended(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, ended)
    try:
        with deployed(settings) as cluster:
            yield cluster
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Take an address; nothing listens there yet.

    Raises:
        ConfigError: another process has it, or it is none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # a name may not fit into IDNA
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"--host {host} is not an address: {reason}") from error
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}, port {port}: {error.strerror or error}; choose "
                "another --host or --port, or end what is there"
            ) from error
        listener.set_inheritable(True)
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """Let the signals that uvicorn raises again after its shutdown end nothing any more."""

    def ignore(number: int, frame: FrameType | None) -> None:
        """Do nothing: the server has ended already."""

    before = {number: signal.signal(number, ignore) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
