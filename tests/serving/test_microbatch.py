"""Requests on many threads, one network: what is computed together, what is given back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain

import numpy as np
import numpy.typing as npt
import pytest

from kosim.encoders.compute.runtime import FloatArray
from kosim.serving.microbatch import BatchReport, BatchSettings, MicroBatcher
from kosim.serving.settings import ServingSettings
from kosim.serving.ticket import TICKET, Ticket


class Network:
    """Squares numbers; can be held, and remembers its passes."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.threads: set[int] = set()
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()

    def __call__(self, items: list[int]) -> FloatArray:
        self.threads.add(threading.get_ident())
        self.entered.set()
        assert self.free.wait(20)
        self.passes.append(list(items))
        if -1 in items:
            raise ValueError("minus one")
        return np.array([[item * item] for item in items], dtype=np.float32)


def ones(items: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.ones(len(items), dtype=np.int64)


@contextmanager
def batching(
    network: Network,
    report: Callable[[BatchReport], None] = lambda _: None,
    *,
    wait: float = 0.0,
    tokens: int = 1000,
    together: bool = True,
) -> Iterator[MicroBatcher[int]]:
    settings = BatchSettings(wait, tokens, together)
    batcher = MicroBatcher("test", network, ones, settings, report)
    try:
        yield batcher
    finally:
        network.free.set()
        batcher.close()
        assert not batcher.alive


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_rows_come_back_in_the_order_of_the_items_and_repeated_ones_are_computed_once() -> None:
    network = Network()
    with batching(network) as batcher:
        rows = batcher.submit([3, 1, 3, 2])
    np.testing.assert_array_equal(rows, [[9], [1], [9], [4]])
    assert sorted(chain.from_iterable(network.passes)) == [1, 2, 3]


def test_what_waits_while_the_network_works_is_computed_together() -> None:
    network = Network()
    reports: list[BatchReport] = []
    with batching(network, reports.append) as batcher, ThreadPoolExecutor(9) as threads:
        network.free.clear()
        first = threads.submit(batcher.submit, [100])
        assert network.entered.wait(20)
        rest = [threads.submit(batcher.submit, [n]) for n in range(8)]
        until(lambda: batcher.waiting == 8)
        network.free.set()
        assert first.result(20) == [[10_000]]
        assert [float(one.result(20)[0, 0]) for one in rest] == [n * n for n in range(8)]
    assert [len(some) for some in network.passes] == [1, 8]
    assert [(one.requests, one.items, one.tokens) for one in reports] == [(1, 1, 1), (8, 8, 8)]
    assert len(network.threads) == 1 and threading.get_ident() not in network.threads


def test_a_batch_waits_for_others_but_not_longer_than_it_may() -> None:
    network = Network()
    with batching(network, wait=0.3) as batcher, ThreadPoolExecutor(2) as threads:
        started = time.monotonic()
        both = [threads.submit(batcher.submit, [n]) for n in (1, 2)]
        for one in both:
            one.result(20)
        assert time.monotonic() - started >= 0.25
    assert sorted(network.passes[0]) == [1, 2]


def test_a_lone_request_waits_for_no_other_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ServingSettings().batch_wait == BatchSettings().wait == 0
    with batching(Network()) as batcher:
        waits: list[float | None] = []
        wait = batcher._changed.wait
        monkeypatch.setattr(
            batcher._changed,
            "wait",
            lambda timeout=None: waits.append(timeout) or wait(timeout),
        )
        for number in range(3):
            batcher.submit([number])
    assert set(waits) <= {None}  # only for a request, never for a time


def test_a_full_batch_does_not_wait() -> None:
    network = Network()
    with batching(network, wait=100, tokens=4) as batcher, ThreadPoolExecutor(4) as threads:
        four = [threads.submit(batcher.submit, [n]) for n in range(4)]
        for one in four:
            one.result(20)


def test_without_batching_every_request_is_computed_by_itself() -> None:
    network = Network()
    with batching(network, together=False, wait=1.0) as batcher, ThreadPoolExecutor(4) as threads:
        network.free.clear()
        asked = [threads.submit(batcher.submit, [n, n + 10]) for n in range(4)]
        until(lambda: batcher.waiting == 6)
        network.free.set()
        for one in asked:
            one.result(20)
    assert [len(some) for some in network.passes] == [2, 2, 2, 2]


def test_a_client_that_leaves_takes_its_items_out_of_the_queue() -> None:
    network = Network()
    ticket = Ticket()

    def leaving() -> None:
        TICKET.set(ticket)
        batcher.submit([7, 8])

    with batching(network) as batcher, ThreadPoolExecutor(3) as threads:
        network.free.clear()
        first = threads.submit(batcher.submit, [1])
        assert network.entered.wait(20)
        gone = threads.submit(leaving)
        until(lambda: batcher.waiting == 2)
        ticket.leave()
        with pytest.raises(CancelledError):
            gone.result(20)
        assert batcher.waiting == 0
        network.free.set()
        assert first.result(20) == [[1]]
        assert batcher.submit([2]) == [[4]]
    assert 7 not in chain.from_iterable(network.passes)


def test_a_client_that_had_left_before_gets_nothing() -> None:
    network = Network()
    ticket = Ticket()
    ticket.leave()

    def late() -> None:
        TICKET.set(ticket)
        batcher.submit([7])

    with batching(network, wait=0.2) as batcher, ThreadPoolExecutor(1) as threads:
        with pytest.raises(CancelledError):
            threads.submit(late).result(20)
        assert batcher.waiting == 0
    assert network.passes == []


def test_an_error_of_the_network_reaches_its_requests_and_the_thread_goes_on() -> None:
    network = Network()
    with batching(network) as batcher:
        with pytest.raises(ValueError, match="minus one"):
            batcher.submit([-1])
        assert batcher.submit([5]) == [[25]]


def test_closing_finishes_what_waits_and_takes_no_more() -> None:
    network = Network()
    with ThreadPoolExecutor(2) as threads, batching(network) as batcher:
        network.free.clear()
        first = threads.submit(batcher.submit, [1])
        assert network.entered.wait(20)
        second = threads.submit(batcher.submit, [2])
        until(lambda: batcher.waiting == 1)
        closing = threading.Thread(target=batcher.close)
        closing.start()
        network.free.set()
        assert first.result(20) == [[1]] and second.result(20) == [[4]]
        closing.join(20)
        with pytest.raises(CancelledError):
            batcher.submit([3])


def test_a_large_request_does_not_hold_up_a_small_one() -> None:
    network = Network()
    with batching(network, tokens=10) as batcher, ThreadPoolExecutor(3) as threads:
        network.free.clear()
        first = threads.submit(batcher.submit, [1000])
        assert network.entered.wait(20)
        large = threads.submit(batcher.submit, list(range(100)))
        until(lambda: batcher.waiting == 100)
        small = threads.submit(batcher.submit, [500])
        until(lambda: batcher.waiting == 101)
        network.free.set()
        for one in (first, large, small):
            one.result(20)
    assert 500 in network.passes[1]
