"""What happens to a request whose client goes away, and to one whose body does not come."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from kosim.serving import intake
from kosim.serving.admission import Admission
from kosim.serving.hosts import Hosts
from kosim.serving.intake import Intake
from kosim.serving.keys import Keys
from kosim.serving.metrics import Metrics

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/v1/search", "headers": []}
BODY: Message = {"type": "http.request", "body": b"{}", "more_body": False}
GONE: Message = {"type": "http.disconnect"}


class Client:
    """Sends messages one after the other; after the last one it waits for ever."""

    def __init__(self, *messages: Message) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.answers: list[Message] = []
        for message in messages:
            self.messages.put_nowait(message)

    async def receive(self) -> Message:
        return await self.messages.get()

    async def send(self, message: Message) -> None:
        self.answers.append(message)


def intake_of(app: Any) -> tuple[Intake, Metrics]:
    metrics = Metrics()
    admission = Admission(1)
    handler = Intake(
        app,
        keys=Keys([]),
        hosts=Hosts(None),
        max_bytes=100,
        metrics=metrics,
        admission=lambda: admission,
    )
    return handler, metrics


def test_work_for_a_client_that_left_is_cancelled_and_counted() -> None:
    began, cancelled = [], []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        began.append((await receive())["body"])
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def scenario() -> Client:
        handler, metrics = intake_of(app)
        client = Client(BODY)
        task = asyncio.create_task(handler(dict(SCOPE), client.receive, client.send))
        while not began:
            await asyncio.sleep(0.001)
        client.messages.put_nowait(GONE)
        await asyncio.wait_for(task, 10)
        text = metrics.text()[0].decode()
        assert "kosim_clients_left_total 1.0" in text and 'status="499"' in text
        return client

    assert asyncio.run(scenario()).answers == []
    assert began == [b"{}"] and cancelled == [True]


def test_beyond_the_capacity_a_request_never_reaches_the_app() -> None:
    reached: list[str] = []
    free = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["method"])
        await free.wait()

    async def scenario() -> list[Message]:
        handler, _ = intake_of(app)
        clients = [Client(BODY) for _ in range(4)]
        scopes = [{**SCOPE, "method": method} for method in ("POST", "POST", "DELETE", "GET")]
        tasks = []
        for client, scope in zip(clients, scopes, strict=True):
            tasks.append(asyncio.create_task(handler(scope, client.receive, client.send)))
            await asyncio.sleep(0.05)
        free.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        again = Client(BODY)
        await handler(dict(SCOPE), again.receive, again.send)
        return [message for client in clients for message in client.answers]

    heads = [message for message in asyncio.run(scenario()) if "status" in message]
    assert [head["status"] for head in heads] == [429, 429]
    assert all(b"retry-after" in dict(head["headers"]) for head in heads)
    assert reached == ["POST", "GET", "POST"]


def test_a_client_that_leaves_while_sending_never_reaches_the_app() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("reached")

    async def scenario() -> None:
        handler, _ = intake_of(app)
        client = Client({"type": "http.request", "body": b"{", "more_body": True}, GONE)
        await asyncio.wait_for(handler(dict(SCOPE), client.receive, client.send), 10)
        assert client.answers == []

    asyncio.run(scenario())


def test_a_body_that_does_not_come_gets_408(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("reached")

    async def scenario() -> Client:
        handler, _ = intake_of(app)
        client = Client()
        await asyncio.wait_for(handler(dict(SCOPE), client.receive, client.send), 10)
        return client

    monkeypatch.setattr(intake, "_BODY_SECONDS", 0.05)
    assert asyncio.run(scenario()).answers[0]["status"] == 408


def test_of_a_body_that_is_too_large_nothing_is_kept() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("reached")

    async def scenario() -> Client:
        handler, _ = intake_of(app)
        piece: Message = {"type": "http.request", "body": b"x" * 60, "more_body": True}
        client = Client(piece, piece, piece, {**piece, "more_body": False})
        await asyncio.wait_for(handler(dict(SCOPE), client.receive, client.send), 10)
        assert client.messages.empty()
        return client

    assert asyncio.run(scenario()).answers[0]["status"] == 413


def test_an_error_of_the_app_is_raised_on() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        handler, _ = intake_of(app)
        client = Client(BODY)
        with pytest.raises(ZeroDivisionError):
            await handler(dict(SCOPE), client.receive, client.send)

    asyncio.run(scenario())
