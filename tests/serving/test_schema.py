"""schemathesis: whatever the OpenAPI document allows or forbids, there is no 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="needs kosim[test]")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402

from kosim.encoders.bi import BiEncoder  # noqa: E402
from kosim.serving.app import create_app  # noqa: E402
from kosim.serving.settings import ServingSettings  # noqa: E402
from tests.conftest import examples  # noqa: E402
from tests.serving.conftest import make_index  # noqa: E402

OPERATIONS = 19


@pytest.fixture(scope="module")
def schema(
    encoders: dict[str, Path], bi: BiEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    index = make_index(tmp_path_factory.mktemp("schema") / "corpus", bi)
    app = create_app(ServingSettings(cross=encoders["cross"], index=index, allowed_hosts=("*",)))
    yield schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_makes_a_server_error(schema: Any, mode: GenerationMode) -> None:
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == OPERATIONS, [operation.label for operation in operations]
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not list(operation.body):
            continue  # there is nothing that could be wrong with it

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=examples(20),
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            case.validate_response(case.call(timeout=120), checks=[not_a_server_error])

        ask()
