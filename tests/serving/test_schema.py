"""schemathesis: what the OpenAPI document promises and forbids is what a server does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="needs kosim[test]")

from schemathesis.config import SchemathesisConfig  # noqa: E402
from schemathesis.engine import events, from_schema  # noqa: E402

from kosim.encoders.bi import BiEncoder  # noqa: E402
from tests.conftest import examples  # noqa: E402
from tests.serving.conftest import make_index  # noqa: E402
from tests.serving.running import running  # noqa: E402
from tests.serving.test_keys import FIRST, key_file  # noqa: E402

OPERATIONS = 20


@pytest.mark.slow
def test_schemathesis_finds_nothing(
    encoders: dict[str, Path], bi: BiEncoder, tmp_path: Path
) -> None:
    """All its checks and phases, on a server that asks for a key: as `schemathesis run` does."""
    index = make_index(tmp_path / "corpus", bi)
    keys = key_file(tmp_path, FIRST)
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "continue-on-failure": True,
            "request-timeout": 120,
            "headers": {"Authorization": f"Bearer {FIRST}"},
            "generation": {
                "max-examples": examples(40),
                "deterministic": True,
                "no-shrink": True,
                "database": "none",
            },
        }
    )
    with running("--reranker", encoders["cross"], "--index", index, "--keys", keys) as server:
        schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=config)
        assert len(list(schema.get_all_operations())) == OPERATIONS
        found: list[Any] = []
        cases = 0
        for event in from_schema(schema).execute():
            if isinstance(event, events.NonFatalError | events.FatalError):
                found.append(event)
            elif isinstance(event, events.ScenarioFinished):
                cases += len(event.recorder.cases)
                found += [
                    f"{check.failure_info.failure}\n{check.failure_info.code_sample}"
                    for checks in event.recorder.checks.values()
                    for check in checks
                    if check.failure_info is not None
                ]
    assert not found, f"{len(found)} of {cases} cases\n" + "\n\n".join(map(str, found[:9]))
    assert cases > 10 * OPERATIONS
