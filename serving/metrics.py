"""What Prometheus is told, of one server process or of several."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from kosim.serving.microbatch import BatchReport

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder through which several processes add up their metrics."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The metrics of this process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter(
            "kosim_requests", "Requests.", ["route", "method", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "kosim_request_seconds",
            "Seconds from the request's head to the answer's end.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.inside = Gauge(
            "kosim_requests_inside",
            "Requests at work or waiting.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.left = Counter(
            "kosim_clients_left", "Requests whose client went away.", registry=registry
        )
        self.batch_items = Histogram(
            "kosim_batch_items",
            "Texts or pairs of a batch.",
            ["encoder"],
            buckets=_ITEMS,
            registry=registry,
        )
        self.batch_requests = Histogram(
            "kosim_batch_requests",
            "Requests of a batch.",
            ["encoder"],
            buckets=_ITEMS,
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "kosim_batch_seconds",
            "Seconds of a batch in the network.",
            ["encoder"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.tokens = Counter("kosim_tokens", "Tokens computed.", ["encoder"], registry=registry)
        self.changes = Counter(
            "kosim_documents_changed", "Documents added or removed.", ["change"], registry=registry
        )

    def batch_report(self, encoder: str) -> Callable[[BatchReport], None]:
        """Return what counts the batches of an encoder."""
        items = self.batch_items.labels(encoder)
        requests = self.batch_requests.labels(encoder)
        seconds = self.batch_seconds.labels(encoder)
        tokens = self.tokens.labels(encoder)

        def count(report: BatchReport) -> None:
            items.observe(report.items)
            requests.observe(report.requests)
            seconds.observe(report.seconds)
            tokens.inc(report.tokens)

        return count

    def text(self) -> tuple[bytes, str]:
        """Return all metrics in Prometheus's text format, and its content type.

        With several server processes they are sums over all of them, whichever is asked.
        """
        registry = self._registry
        if SHARED in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST


def forget_dead_processes() -> None:
    """Remove the gauges of server processes that are gone; what they counted stays."""
    if SHARED not in os.environ:
        return
    for path in Path(os.environ[SHARED]).glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if not Path("/proc", pid).exists():
            mark_process_dead(int(pid))
