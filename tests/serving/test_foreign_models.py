"""Models of others are served as they stand, and answers say that they are not calibrated."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ConfigError
from kosim.serving.app import create_app
from kosim.serving.limits import UNCALIBRATED
from kosim.serving.models import check_models
from kosim.serving.settings import ServingSettings
from tests.encoders.tiny import SENTENCES
from tests.serving.conftest import HERE


@pytest.fixture
def foreign(encoders: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """The same models without what kosim says of them."""
    for kind in ("bi", "cross"):
        shutil.copytree(encoders[kind], tmp_path / kind)
        (tmp_path / kind / "kosim.json").unlink()
    return {kind: tmp_path / kind for kind in ("bi", "cross")}


def test_every_score_says_that_it_is_not_calibrated(
    foreign: dict[str, Path], cross: CrossEncoder
) -> None:
    settings = ServingSettings(**foreign)
    check_models(settings)
    pair, place = SENTENCES[:2], foreign["cross"].parent.name
    name = f"{place}/cross"
    with TestClient(create_app(settings), base_url=HERE) as client:
        told = client.post("/v1/similarity", json={"pairs": [pair]})
        scores = told.json()
        assert told.headers[UNCALIBRATED] == f"{place}/bi, {name}"
        assert (scores["bi"]["calibrated"], scores["cross"]["calibrated"]) == (False, False)
        raw = cross.score([(pair[0], pair[1])], raw=True)
        np.testing.assert_allclose(scores["cross"]["scores"][0]["raw"], raw[0], atol=1e-6)
        both = {"r1": {"sentence": pair[0]}, "r2": {"sentence": pair[1]}}
        assert client.post("/", json=both).headers[UNCALIBRATED] == name
        ranked = client.post("/v1/rerank", json={"query": pair[0], "documents": SENTENCES})
        assert ranked.headers[UNCALIBRATED] == name


def test_the_calibrated_are_not_named(client: TestClient) -> None:
    answer = client.post("/v1/similarity", json={"pairs": [SENTENCES[:2]], "encoder": "cross"})
    assert UNCALIBRATED not in answer.headers
    assert answer.json()["cross"]["calibrated"] is True


def test_the_kind_is_seen_by_the_files(foreign: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="is a bi-encoder; give it as --encoder"):
        check_models(ServingSettings(cross=foreign["bi"]))
