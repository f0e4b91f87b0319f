"""The door: bounded, honest about when to come back, and free again when clients leave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from serving.admission import Admission
from serving.problems import Problem
from serving.ticket import TICKET


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
        await until(lambda: admission.inside == 0)
        admission.close()

    asyncio.run(scenario())


def test_beyond_its_capacity_it_answers_429_with_retry_after() -> None:
    async def scenario() -> None:
        seen: list[int] = []
        admission, free = Admission(2, seen.append), threading.Event()
        tasks = [asyncio.create_task(admission.run(free.wait, 20)) for _ in range(2)]
        await until(lambda: admission.inside == 2)
        with pytest.raises(Problem) as refused:
            await admission.run(lambda: None)
        assert refused.value.status == 429
        assert (refused.value.retry_after or 0) >= 1
        assert refused.value.response().headers["retry-after"] == str(refused.value.retry_after)
        free.set()
        assert await asyncio.gather(*tasks) == [True, True]
        await until(lambda: admission.inside == 0)
        assert await admission.run(lambda: 5) == 5
        await until(lambda: admission.inside == 0)
        assert max(seen) == 2 and seen[-1] == 0
        admission.close()

    asyncio.run(scenario())


def test_a_caller_that_leaves_frees_its_place() -> None:
    async def scenario() -> None:
        admission = Admission(1)
        never: Future[None] = Future()
        task = asyncio.create_task(admission.run(lambda: TICKET.get().wait(never)))
        await until(lambda: admission.inside == 1)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: admission.inside == 0)
        assert never.cancelled()
        assert await admission.run(lambda: 5) == 5
        admission.close()

    asyncio.run(scenario())
