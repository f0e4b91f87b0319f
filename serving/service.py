"""What the endpoints share: models, limits, the door and the metrics of one server process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

import torch
from fastapi import Depends, Request

from encoders.errors import IndexLockedError
from index.corpus_index import CorpusIndex
from index.searcher import Searcher
from serving.admission import Admission
from serving.batched_encoders import BatchedBiEncoder
from serving.limits import Limits
from serving.metrics import Metrics, forget_dead_processes
from serving.models import Models
from serving.problems import Problem
from serving.settings import ServingSettings

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
    def open(cls, settings: ServingSettings, metrics: Metrics) -> Service:
        """Load the models, and divide the cores among the server processes.

        Raises:
            KosimError: a model or the index cannot be opened.
        """
        forget_dead_processes()
        torch.set_num_threads(max(1, torch.get_num_threads() // settings.workers))
        models = Models.open(settings, metrics.batch_report)
        admission = Admission(settings.queue, metrics.inside.set)
        return cls(models, Limits.of(settings), admission, metrics)

    @contextmanager
    def writing(self) -> Iterator[CorpusIndex]:
        """Give the index to one thread at a time, which then waits for other processes only.

        Their lock is looked at again and again; a thread of this process is woken at once.

        Raises:
            IndexLockedError: other threads were writing all the time.
        """
        index = self.searcher.index
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
                404, "no_bi_encoder", "no bi-encoder is served; start kosim serve with --bi MODEL"
            )
        return self.models.bi

    @property
    def searcher(self) -> Searcher:
        """The index with its encoders.

        Raises:
            Problem: 404, no index is served.
        """
        if self.models.searcher is None:
            raise Problem(
                404, "no_index", "no index is served; start kosim serve with --index INDEX"
            )
        return self.models.searcher

    def close(self) -> None:
        """Let no more work begin, and end all threads."""
        self.admission.close()
        self.models.close()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(_service)]
"""The parameter by which an endpoint gets the service."""
