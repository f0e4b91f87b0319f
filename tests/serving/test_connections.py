"""Connections over a real socket: those that say nothing, read nothing, or close one side only."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from kosim.serving import connections
from kosim.serving.connections import Connection, allowed_connections
from tests.encoders.tiny import SENTENCES
from tests.serving.running import Running, running

App = Callable[[Scope, Receive, Send], Awaitable[None]]
REQUEST = b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


async def reply(send: Send, body: bytes) -> None:
    size = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [size]})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await reply(send, (await receive())["body"])


@contextmanager
def listening(app: App, *, most: int = 100) -> Iterator[tuple[str, int]]:
    """Serve ``app`` over connections of ours, on a thread; yield the address."""
    config = uvicorn.Config(
        app,
        port=0,
        http=Connection,
        limit_concurrency=most,
        timeout_keep_alive=1,
        timeout_graceful_shutdown=1,
        lifespan="off",
        log_level="critical",
        loop="uvloop",
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_SECONDS", "READ_SECONDS"):
        monkeypatch.setattr(connections, name, 0.5)


def everything(client: socket.socket, seconds: float = 10) -> bytes:
    """Return what comes until the server closes."""
    client.settimeout(seconds)
    parts = []
    try:
        while part := client.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def problem(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def test_a_connection_that_says_nothing_ends() -> None:
    with listening(echo) as address, socket.create_connection(address) as client:
        assert everything(client) == b""


def test_a_head_that_comes_byte_by_byte_ends() -> None:
    with listening(echo) as address, socket.create_connection(address) as client:
        started = time.monotonic()
        client.settimeout(0.05)
        answer = b""
        for byte in REQUEST * 3:
            client.send(bytes([byte]))
            try:
                answer = client.recv(65_536)
                break
            except TimeoutError:
                continue
        assert problem(answer) == (408, "timeout")
        assert time.monotonic() - started < 5


def test_the_rest_of_a_body_that_was_answered_already_is_not_waited_for() -> None:
    async def hasty(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, b"no")

    with listening(hasty) as address, socket.create_connection(address) as client:
        client.sendall(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
        client.settimeout(5)
        assert client.recv(1000).endswith(b"no")
        with pytest.raises(OSError):
            for _ in range(60):
                client.sendall(b"x")
                time.sleep(0.1)


def test_a_connection_between_two_requests_ends() -> None:
    with listening(echo) as address, socket.create_connection(address) as client:
        client.sendall(REQUEST + REQUEST)
        assert everything(client).count(b"200 OK") == 2


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"GET / HTTP/1.1\r\n" + b"X-%d: y\r\n" * 150 % tuple(range(150)), "too_many_headers"),
        (b"GET /" + b"a" * 900_000, "head_too_large"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 900_000, "head_too_large"),
    ],
)
def test_a_head_has_a_bound(head: bytes, code: str) -> None:
    with listening(echo) as address, socket.create_connection(address) as client:
        threading.Thread(target=_send, args=(client, head), daemon=True).start()
        assert problem(everything(client)) == (431, code)


def _send(client: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # it is refused before its end
        client.sendall(data)


def test_what_is_no_request_is_refused_in_the_form_of_the_service() -> None:
    with listening(echo) as address, socket.create_connection(address) as client:
        client.sendall(b"\x16\x03\x01 TLS where there is none\r\n\r\n")
        assert problem(everything(client)) == (400, "invalid_http")


def test_a_client_that_does_not_read_its_answer_is_let_go() -> None:
    ended = threading.Event()

    async def long(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await reply(send, b"x" * 50_000_000)
            await receive()
            await send({"type": "http.response.body", "body": b""})
        except RuntimeError:
            pass
        ended.set()

    with listening(long) as address, socket.create_connection(address) as client:
        client.sendall(REQUEST)
        time.sleep(2)
        assert len(everything(client)) < 50_000_000
        assert ended.wait(5)


def test_a_half_closed_client_gets_its_answer() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        gone = asyncio.ensure_future(receive())
        await asyncio.wait({gone}, timeout=1.5)
        await reply(send, body if not gone.done() else b"gone")

    with listening(slow) as address, socket.create_connection(address) as client:
        client.sendall(REQUEST)
        client.shutdown(socket.SHUT_WR)
        answer = everything(client)
    assert answer.endswith(b"\r\n\r\n{}")
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")


def test_a_half_closed_client_of_an_older_protocol_gets_nothing_but_its_answer() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.5)
        await reply(send, (await receive())["body"])

    with listening(slow) as address, socket.create_connection(address) as client:
        client.sendall(REQUEST.replace(b"1.1", b"1.0"))
        client.shutdown(socket.SHUT_WR)
        assert everything(client).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_closed_altogether_is_noticed() -> None:
    noticed: list[float] = []

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        started = time.monotonic()
        message = await receive()
        assert message["type"] == "http.disconnect"
        noticed.append(time.monotonic() - started)

    with listening(slow) as address:
        with socket.create_connection(address) as client:
            client.sendall(REQUEST)
            time.sleep(0.2)
        deadline = time.monotonic() + 10
        while not noticed and time.monotonic() < deadline:
            time.sleep(0.02)
    assert noticed and noticed[0] < 5


def test_a_client_that_ends_within_its_body_is_let_go() -> None:
    with listening(echo) as address, socket.create_connection(address) as client:
        client.sendall(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        client.shutdown(socket.SHUT_WR)
        started = time.monotonic()
        everything(client)
        assert time.monotonic() - started < 5


def test_beyond_the_bound_idle_connections_give_way_and_busy_ones_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60)
    monkeypatch.setattr(connections, "allowed_connections", lambda wanted: wanted)
    free, inside = threading.Event(), threading.Semaphore(0)

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        inside.release()
        while not free.is_set():
            await asyncio.sleep(0.01)
        await reply(send, b"done")

    with listening(busy, most=3) as address:
        first, second, third = (socket.create_connection(address) for _ in range(3))
        first.sendall(REQUEST)
        assert inside.acquire(timeout=60)
        fourth = socket.create_connection(address)
        assert everything(second) == b"", "the one that was idle for longest stayed"
        for client in (third, fourth):
            client.sendall(REQUEST)
            assert inside.acquire(timeout=60)
        fifth = socket.create_connection(address)
        assert problem(everything(fifth)) == (503, "too_many_connections")
        free.set()
        for client in (first, third, fourth):
            assert everything(client).endswith(b"done")
        for client in (first, second, third, fourth, fifth):
            client.close()


def test_the_bound_leaves_files_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed_connections.cache_clear()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (220, 220))
    assert 8 <= allowed_connections(1024) < 220 - 32
    allowed_connections.cache_clear()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_000_000, 1_000_000))
    assert allowed_connections(1024) == 1024
    allowed_connections.cache_clear()


def test_the_service_answers_a_half_closed_client(server: Running) -> None:
    body = json.dumps({"query": SENTENCES[0], "documents": SENTENCES * 100}).encode()
    head = f"POST /v2/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 0)) as client:
        client.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        client.shutdown(socket.SHUT_WR)
        answer = everything(client, 60)
    results = json.loads(answer.rpartition(b"\r\n\r\n")[2])["results"]
    assert len(results) == len(SENTENCES) * 100


@pytest.mark.slow
def test_idle_connections_beyond_the_file_limit_lock_nobody_out(encoders: dict[str, Path]) -> None:
    with running("--encoder", encoders["bi"], files=220) as server:
        url = httpx.URL(server.url)
        idle = [socket.create_connection((url.host, url.port or 0)) for _ in range(260)]
        started = time.monotonic()
        try:
            for number in range(5):
                call = {"input": SENTENCES[number]}
                response = httpx.post(f"{server.url}/v1/embeddings", json=call, timeout=30)
                assert response.status_code == 200
            # Before the idle ones' time is over: they gave way.
            assert time.monotonic() - started < 8
        finally:
            for client in idle:
                client.close()
        assert "Too many open files" not in server.log
        assert server.end() == 0
