"""What the endpoints share: models, limits, the door and the metrics of one server process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from kosim.encoders.compute.threads import set_thread_count, thread_count
from kosim.encoders.errors import IndexLockedError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.searchable import Searchable
from kosim.index.searcher import Searcher
from kosim.serving.admission import Admission
from kosim.serving.batched_encoders import BatchedBiEncoder
from kosim.serving.limits import Limits
from kosim.serving.metrics import Metrics, forget_dead_processes
from kosim.serving.models import Models
from kosim.serving.problems import Problem
from kosim.serving.settings import ServingSettings

if TYPE_CHECKING:
    from kosim.serving.cluster.deployment import Cluster

WRITE_SECONDS = 10.0
"""For which a change of the index waits for other threads, and then for other processes."""


@dataclass(frozen=True)
class Service:
    """Handed to every endpoint."""

    models: Models
    limits: Limits
    admission: Admission
    metrics: Metrics
    _one_writer: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(
        cls, settings: ServingSettings, metrics: Metrics, cluster: Cluster | None = None
    ) -> Service:
        """Load the models, and divide the cores among the server processes.

        Args:
            settings: what to serve.
            metrics: what is counted.
            cluster: where index and cross-encoder are at work already; here when None.

        Raises:
            KosimError: a model or the index cannot be opened.
        """
        forget_dead_processes()
        set_thread_count(max(1, thread_count() // settings.workers))
        models = Models.open(settings, metrics.batch_report, cluster)
        admission = Admission(settings.queue, metrics.inside.set)
        return cls(models, Limits.of(settings), admission, metrics)

    @contextmanager
    def writing(self) -> Iterator[CorpusIndex]:
        """Give the index to one thread at a time, which then waits for other processes only.

        Their lock is looked at again and again; a thread of this process is woken at once.

        Raises:
            IndexLockedError: other threads were writing all the time.
        """
        index = self.corpus
        if not self._one_writer.acquire(timeout=WRITE_SECONDS):
            raise IndexLockedError(
                f"{index.folder} is being written by other requests, still after "
                f"{WRITE_SECONDS:g} s; try again later"
            )
        try:
            yield index
        finally:
            self._one_writer.release()

    @property
    def bi(self) -> BatchedBiEncoder:
        """The bi-encoder.

        Raises:
            Problem: 404, none is served.
        """
        if self.models.bi is None:
            raise Problem(
                404,
                "no_bi_encoder",
                "no bi-encoder is served; start kosim serve with --encoder MODEL",
            )
        return self.models.bi

    @property
    def searcher(self) -> Searcher[Searchable]:
        """The index with its encoders.

        Raises:
            Problem: 404, no index is served.
        """
        if self.models.searcher is None:
            raise Problem(
                404, "no_index", "no index is served; start kosim serve with --index INDEX"
            )
        return self.models.searcher

    @property
    def corpus(self) -> CorpusIndex:
        """The index, to be changed.

        Raises:
            Problem: 404, no index is served; 409, its shards are.
        """
        index = self.searcher.index
        if not isinstance(index, CorpusIndex):
            raise Problem(
                409,
                "sharded",
                "the shards of an index are served, which requests do not change; change a shard "
                "with `kosim index add` or `remove`, or the whole index and cut it again with "
                "`kosim index shard`",
            )
        return index

    def close(self) -> None:
        """Let no more work begin, and end all threads."""
        self.admission.close()
        self.models.close()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(_service)]
"""The parameter by which an endpoint gets the service."""
