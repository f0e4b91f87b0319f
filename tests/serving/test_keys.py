"""Bearer keys: where they come from, and who may ask with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from kosim.encoders.errors import ConfigError, DataError
from kosim.serving.app import create_app
from kosim.serving.keys import Keys
from kosim.serving.settings import ServingSettings
from tests.serving.conftest import HERE

FIRST, SECOND = "a-first-key-of-length", "another-key-열쇠-of-length"


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (FIRST, 0o644, "chmod 600"),
        (FIRST, 0o602, "chmod 600"),
        (FIRST, 0o640, "others than its owner"),
        ("# nothing\n\n", 0o600, "no key"),
        (f"{FIRST}\nshort", 0o600, "key 2 has fewer than 16"),
    ],
)
def test_a_bad_key_file_is_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        Keys.read(key_file(tmp_path, text, mode))
    assert FIRST not in str(refused.value)


def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        Keys.read(tmp_path / "nowhere")


def test_what_needs_a_key_is_answered_with_one_only(
    tmp_path: Path, encoders: dict[str, Path]
) -> None:
    keys = key_file(tmp_path, f"# two\n{FIRST}\n\n{SECOND}\n")
    settings = ServingSettings(bi=encoders["bi"], keys=keys)
    with TestClient(create_app(settings), base_url=HERE) as client:
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/assets/page.js", "/"):
            assert client.get(path).status_code == 200, path
        for path in ("/metrics", "/v1/service", "/v1/models"):
            assert client.get(path).status_code == 401, path
        call = {"input": "가"}
        refused = client.post("/v1/embeddings", json=call)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        for wrong in ("", FIRST, f"Basic {FIRST}", f"Bearer {FIRST}x", "Bearer", "Bearer \xff"):
            header = {"Authorization": wrong.encode("latin-1")}
            assert client.post("/v1/embeddings", json=call, headers=header).status_code == 401
        for right in (f"Bearer {FIRST}", f"bearer {SECOND}"):
            header = {"Authorization": right.encode("utf-8")}
            assert client.post("/v1/embeddings", json=call, headers=header).status_code == 200
        assert client.post("/", json={}).status_code == 401
