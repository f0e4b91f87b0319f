"""Health, metrics, the reference and the page's files."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import ArtifactError
from kosim.encoders.model_card import CARD
from kosim.serving.app import create_app
from kosim.serving.models import check_models
from kosim.serving.routes.page import FOLDER
from kosim.serving.settings import ServingSettings
from tests.encoders.tiny import SENTENCES
from tests.serving.conftest import HERE


def samples(text: str, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_health_and_readiness(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_metrics_count_requests_batches_and_tokens(client: TestClient) -> None:
    def counts() -> tuple[float, float, float]:
        text = client.get("/metrics").text
        route = (("method", "POST"), ("route", "/v1/similarity"), ("status", "200"))
        cross = (("encoder", "cross"),)
        return (
            samples(text, "kosim_requests_total").get(route, 0.0),
            samples(text, "kosim_batch_items_sum").get(cross, 0.0),
            samples(text, "kosim_batch_seconds_count").get(cross, 0.0),
        )

    before = counts()
    call = {"pairs": [SENTENCES[:2], SENTENCES[2:4]], "encoder": "cross"}
    for _ in range(3):
        assert client.post("/v1/similarity", json=call).status_code == 200
    assert tuple(b - a for a, b in zip(before, counts(), strict=True)) == (3, 6, 3)


def test_prometheus_itself_has_no_complaint(client: TestClient) -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool comes with Prometheus")
    shown = client.get("/metrics").content
    done = subprocess.run([promtool, "check", "metrics"], input=shown, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_made_up_paths_and_methods_do_not_become_labels(client: TestClient) -> None:
    client.get("/made/up/zzyzx")
    client.request("BREW", "/v1/search")
    assert "zzyzx" not in client.get("/metrics").text
    assert "BREW" not in client.get("/metrics").text


def test_the_description_says_what_is_served(client: TestClient) -> None:
    described = client.get("/v1/service").json()
    assert set(described["encoders"]) == {"bi", "cross"}
    assert described["encoders"]["cross"]["threshold"] == 2.5
    assert described["limits"] == {"max_items": 50, "max_characters": 400}
    assert "dense" in described["index"]["modes"]


def test_a_browser_gets_the_page_and_others_a_description(client: TestClient) -> None:
    page = client.get("/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert client.get("/").json()["docs"] == "/docs"


def test_page_and_reference_name_no_address_outside(client: TestClient) -> None:
    html = {"accept": "text/html"}
    for path in ("/", "/docs"):
        assert not re.findall(r'(?:src|href)="?(?:https?:)?//', client.get(path, headers=html).text)
    for path in FOLDER.iterdir():
        text = path.read_text(encoding="utf-8")
        outside = set(re.findall(r"https?://[^\"' )]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not outside, path.name
        assert client.get(f"/assets/{path.name}").status_code == 200


def test_the_reference_has_what_it_needs_and_may_run_it(client: TestClient) -> None:
    page = client.get("/docs")
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert client.get(asset).status_code == 200, asset
    assert "'sha256-" in page.headers["content-security-policy"]
    assert "문장유사도 점수(5점 만점 중)" in client.get("/openapi.json").text


@pytest.mark.parametrize("prefix", ["", "/kosim/search"])
@pytest.mark.parametrize("stripped", [True, False])
def test_behind_a_path_prefix_everything_is_found(
    settings: ServingSettings, prefix: str, stripped: bool
) -> None:
    app = create_app(settings.model_copy(update={"root_path": prefix}))
    html = {"accept": "text/html"}
    with TestClient(app, base_url=HERE) as client:

        def get(path: str) -> httpx.Response:
            """Ask as a proxy does that publishes the server under the prefix."""
            assert path.startswith(f"{prefix}/")
            return client.get(path.removeprefix(prefix) if stripped else path, headers=html)

        for page in (f"{prefix}/", f"{prefix}/docs"):
            answer = get(page)
            assert answer.status_code == 200
            needed = re.findall(r"(?:src|href|url)[=:] ?[\"']([^#\"']+)", answer.text)
            assert needed
            for address in needed:
                assert get(urljoin(page, address)).status_code == 200, address
        document = get(f"{prefix}/openapi.json").json()
        assert document.get("servers", [{"url": ""}])[0]["url"] == prefix
        assert get(f"{prefix}/healthz").json() == {"status": "ok"}
        assert get(f"{prefix}/v1/service").status_code == 200
        scripts = list(FOLDER.glob("*.js"))
        asked = {one for path in scripts for one in re.findall(r'ask\("([^"]+)"', path.read_text())}
        assert asked and not [one for one in asked if one.startswith("/")]


def test_the_reference_says_every_refusal_and_the_key(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    search = document["paths"]["/v1/search"]["post"]
    assert {"400", "401", "404", "413", "422", "429", "503"} <= set(search["responses"])
    for status in ("400", "422", "503"):
        schema = search["responses"][status]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Refusal"}
    assert search["security"] == [{}, {"bearer": []}], "a key is possible, and not needed here"
    assert "security" not in document["paths"]["/healthz"]["get"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_reference_says_the_limits_of_this_server(client: TestClient, bi: BiEncoder) -> None:
    document = client.get("/openapi.json").json()
    calls = {
        name: schema.get("properties") for name, schema in document["components"]["schemas"].items()
    }
    assert calls["Pairs"]["pairs"]["maxItems"] == 50
    assert calls["Pairs"]["pairs"]["minItems"] == 1
    assert calls["SearchCall"]["k"]["anyOf"][0] == {"type": "integer", "minimum": 1, "maximum": 50}
    assert calls["NewDocument"]["text"]["maxLength"] == 400
    assert calls["EmbeddingsCall"]["dimensions"]["anyOf"][0]["maximum"] == bi.dimension
    assert "x-limits" not in client.get("/openapi.json").text
    pattern = calls["SearchCall"]["query"]["pattern"]
    characters = [chr(code) for code in range(0x10000)]
    assert [one for one in characters if not re.search(pattern, one)] == [
        one for one in characters if one.isspace()
    ]


def test_the_encoders_are_described_in_full(client: TestClient) -> None:
    plain, carded = client.get("/v1/encoders").json()["encoders"]
    assert (plain["kind"], carded["kind"]) == ("bi", "cross")
    assert plain["card"] is None and carded["card"]["results"][0]["value"] == 0.5
    assert carded["calibrated"] and carded["threshold"] == 2.5
    assert not {"/", "\\"} & {*plain["backbone"], *carded["backbone"]}


def test_a_card_that_cannot_be_read_is_refused_before_the_server_listens(
    encoders: dict[str, Path], tmp_path: Path
) -> None:
    broken = shutil.copytree(encoders["cross"], tmp_path / "cross")
    (broken / CARD).write_text("licence = 1", encoding="utf-8")
    with pytest.raises(ArtifactError, match=CARD):
        check_models(ServingSettings(cross=broken))
