"""What the endpoints share: models, limits, the door and the metrics of one server process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from index.searcher import Searcher
from serving.admission import Admission
from serving.batched_encoders import BatchedBiEncoder
from serving.limits import Limits
from serving.metrics import Metrics
from serving.models import Models
from serving.problems import Problem


@dataclass(frozen=True)
class Service:
    """Handed to every endpoint."""

    models: Models
    limits: Limits
    admission: Admission
    metrics: Metrics

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
