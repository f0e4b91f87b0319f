"""Which names a server answers to: pages of other hosts must not reach one without a key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.datastructures import Headers

from kosim.serving.app import create_app
from kosim.serving.hosts import Hosts
from kosim.serving.problems import Problem
from kosim.serving.settings import ServingSettings
from tests.serving.conftest import HERE, TEXTS

LOCAL = ServingSettings()


def refusal(settings: ServingSettings, *headers: tuple[str, str]) -> str | None:
    """Return the code with which a server refuses headers, None if it does not."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    try:
        Hosts.of(settings).check(Headers(raw=raw))
    except Problem as problem:
        assert problem.status == 403 and "--allowed-host" in problem.message
        return problem.code
    return None


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "a.localhost"],
)
def test_names_of_the_loopback_interface_are_answered(host: str) -> None:
    assert refusal(LOCAL, ("host", host)) is None
    assert refusal(LOCAL, ("host", host), ("origin", f"http://{host}")) is None


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "notlocalhost", ""),
        *("0.0.0.0:8000", "192.168.0.7:8000", "localhost@evil.example", "[::1", "evil.example#"),
    ],
)
def test_other_names_are_refused_in_either_header(host: str) -> None:
    assert refusal(LOCAL, ("host", host)) == "foreign_host"
    origin = ("origin", f"http://{host}")
    assert refusal(LOCAL, ("host", "localhost"), origin) == "foreign_origin"


def test_no_host_two_hosts_and_an_opaque_origin_are_refused() -> None:
    assert refusal(LOCAL) == "foreign_host"
    assert refusal(LOCAL, ("host", "localhost"), ("host", "evil.example")) == "foreign_host"
    assert refusal(LOCAL, ("host", "localhost"), ("origin", "null")) == "foreign_origin"


def test_named_hosts_are_answered_and_only_they(tmp_path: Path) -> None:
    named = ServingSettings(allowed_hosts=("Search.Example",), host="0.0.0.0")
    origin = ("origin", "https://search.example")
    assert refusal(named, ("host", "search.example:443"), origin) is None
    assert refusal(named, ("host", "search.example.")) is None
    assert refusal(named, ("host", "evil.example")) == "foreign_host"
    assert refusal(ServingSettings(allowed_hosts=("*",)), ("host", "evil.example")) is None


def test_a_key_or_an_address_of_the_network_needs_no_names(tmp_path: Path) -> None:
    keyed = ServingSettings(keys=tmp_path / "keys")
    assert refusal(keyed, ("host", "evil.example")) is None
    assert refusal(ServingSettings(host="0.0.0.0"), ("host", "kosim:8000")) is None


def test_a_page_of_another_host_cannot_write(client: TestClient) -> None:
    call = {"documents": [{"id": "rebound", "text": TEXTS[0]}]}
    for headers in (
        {"host": "evil.example:8000", "origin": "http://evil.example:8000"},
        {"origin": "https://evil.example"},
    ):
        assert client.post("/v1/documents", json=call, headers=headers).status_code == 403
        assert client.delete("/v1/documents/d0", headers=headers).status_code == 403
        assert client.get("/", headers=headers).status_code == 403
    own = {"origin": HERE}
    missing = client.delete("/v1/documents/rebound", headers=own)
    assert missing.status_code == 404, "it was written"


def test_readiness_shows_no_path(
    encoders: dict[str, Path], index: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "a-folder-name"
    shutil.copytree(index, own)
    app = create_app(ServingSettings(bi=encoders["bi"], index=own))
    with TestClient(app, base_url=HERE) as client:
        assert client.get("/readyz").status_code == 200
        (own / "manifest.json").write_text("{", encoding="utf-8")
        answer = client.get("/readyz")
    assert answer.status_code == 503 and "a-folder-name" not in answer.text
    assert "a-folder-name" in caplog.text
