"""The door: bounded, honest about when to come back, and free again when clients leave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from kosim.serving.admission import Admission
from kosim.serving.problems import Problem
from kosim.serving.ticket import TICKET


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def test_work_runs_on_another_thread_and_its_result_or_error_comes_back() -> None:
    async def scenario() -> None:
        admission = Admission(2)
        assert await admission.run(threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await admission.run(lambda: 1 / 0)
        admission.close()

    asyncio.run(scenario())


def test_beyond_its_capacity_it_answers_429_with_retry_after() -> None:
    seen: list[int] = []
    admission = Admission(2, seen.append)
    with admission.slot():
        with admission.slot(), pytest.raises(Problem) as refused, admission.slot():
            raise AssertionError("got in")
        assert refused.value.status == 429
        assert (refused.value.retry_after or 0) >= 1
        assert refused.value.response().headers["retry-after"] == str(refused.value.retry_after)
        with admission.slot():
            assert admission.inside == 2
    assert seen == [1, 2, 1, 2, 1, 0]


def test_a_caller_that_leaves_ends_what_its_thread_waits_for() -> None:
    async def scenario() -> None:
        admission = Admission(1)
        never: Future[None] = Future()
        began = threading.Event()

        def work() -> None:
            began.set()
            TICKET.get().wait(never)

        task = asyncio.create_task(admission.run(work))
        await until(began.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(never.cancelled)
        assert await admission.run(lambda: 5) == 5
        admission.close()

    asyncio.run(scenario())
