"""The page in a real browser: each panel, both languages, by keyboard and on a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.encoders.tiny import SENTENCES, WORDS
from tests.serving.running import Running

webdriver = pytest.importorskip("selenium.webdriver", reason="needs kosim[test]")

from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("needs chromium and chromedriver", allow_module_level=True)

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --window-size=1200,1000 "
    "--force-prefers-reduced-motion"
)
QUERY = " ".join(WORDS[5:9])

PANELS = ("compare", "search", "rerank", "encoders")
_AXE = find_spec("axe_core_python")
AXE = Path(_AXE.origin if _AXE and _AXE.origin else "absent").with_name("axe.min.js")

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for flag in [*FLAGS.split(), f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(chromium: Any, server: Running) -> Iterator[Any]:
    """The page, opened afresh; nothing may go wrong or leave the server while a test uses it."""
    chromium.get("about:blank")
    chromium.get(server.url)
    chromium.execute_script("localStorage.setItem('kosim-language', 'ko')")
    chromium.refresh()
    wait(chromium, lambda: "문장" in one(chromium, "#served").text)
    chromium.get_log("browser")
    yield chromium
    assert [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = chromium.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert asked and all(address.startswith(server.url) for address in asked)


def wait(driver: Any, condition: Callable[[], object]) -> None:
    WebDriverWait(driver, 60, poll_frequency=0.05).until(lambda _: condition())


def one(place: Any, selector: str) -> Any:
    return place.find_element(By.CSS_SELECTOR, selector)


def texts(place: Any, selector: str) -> list[str]:
    return [found.text for found in place.find_elements(By.CSS_SELECTOR, selector)]


def sign(change: int) -> str:
    if not change:
        return "="
    return f"▲ {change}" if change > 0 else f"▼ {-change}"


def open_tab(driver: Any, name: str) -> Any:
    one(driver, f"#tab-{name}").click()
    return one(driver, f"#{name}")


def shoot(driver: Any, folder: Path, name: str) -> None:
    path = folder / f"{name}.png"
    assert driver.save_screenshot(str(path)) and path.stat().st_size > 5_000


def test_two_sentences_get_two_gauges_with_the_services_own_scores(
    page: Any, server: Running, tmp_path: Path
) -> None:
    first, second = SENTENCES[0], SENTENCES[4]
    panel = one(page, "#compare")
    one(panel, "#first").send_keys(first)
    one(panel, "#second").send_keys(second, Keys.ENTER)
    wait(page, lambda: len(panel.find_elements(By.CSS_SELECTOR, ".gauge")) == 2)
    answer = httpx.post(
        f"{server.url}/v1/similarity", json={"pairs": [[first, second]]}, timeout=60
    ).json()
    for kind in ("bi", "cross"):
        card = one(panel, f"[data-encoder={kind}]")
        (scored,) = answer[kind]["scores"]
        meter = one(card, "[role=meter]")
        assert float(meter.get_attribute("aria-valuenow")) == pytest.approx(
            scored["score"], abs=0.011
        )
        assert one(card, ".score").text == meter.get_attribute("aria-valuenow")
        assert one(card, ".verdict").text == ("유사함" if scored["similar"] else "유사하지 않음")
        assert re.fullmatch(r"\d+ ms", one(card, ".time").text)
    assert "5점 만점에" in one(panel, "[role=status]").get_attribute("textContent")
    shoot(page, tmp_path, "compare")


def test_a_score_is_explained_word_by_word(page: Any, server: Running, tmp_path: Path) -> None:
    pair = {"sentence1": SENTENCES[0], "sentence2": SENTENCES[4]}
    panel = one(page, "#compare")
    one(panel, "#first").send_keys(pair["sentence1"])
    one(panel, "#second").send_keys(pair["sentence2"], Keys.ENTER)
    wait(page, lambda: len(panel.find_elements(By.CSS_SELECTOR, ".why .ask")) == 2)
    one(panel, "[data-encoder=cross] .ask").click()
    wait(page, lambda: panel.find_elements(By.CSS_SELECTOR, ".words"))
    call = {**pair, "encoder": "cross"}
    answer = httpx.post(f"{server.url}/v1/explain", json=call, timeout=60).json()
    units = [*answer["units1"], *answer["units2"]]
    ActionChains(page).move_to_element(one(page, "h1")).perform()  # else a word is pointed at
    words = panel.find_elements(By.CSS_SELECTOR, ".word")
    assert [word.text for word in words] == [unit["text"] for unit in units]
    for word, unit in zip(words, units, strict=True):
        assert ("adds" in word.get_attribute("class")) == (unit["value"] > 0)
    page.execute_script("arguments[0].focus()", words[0])
    assert one(panel, ".told").text.startswith(f"‘{units[0]['text']}’: ")
    shoot(page, tmp_path, "explain")


def test_a_search_shows_both_orders_and_every_move(
    page: Any, server: Running, tmp_path: Path
) -> None:
    panel = open_tab(page, "search")
    one(panel, "#search-query").send_keys(QUERY, Keys.ENTER)
    wait(page, lambda: len(panel.find_elements(By.CSS_SELECTOR, ".after li")) == 10)
    call = {"query": QUERY, "k": 30, "candidates": 30}
    hits = httpx.post(f"{server.url}/v1/search", json=call, timeout=60).json()["hits"]
    found = sorted(hits, key=lambda hit: -hit["retrieval_score"])
    keys = [item.get_attribute("data-key") for item in panel.find_elements(By.TAG_NAME, "li")]
    assert keys[:10] == [hit["id"] for hit in found[:10]]
    assert keys[10:] == [hit["id"] for hit in hits[:10]]
    places = {hit["id"]: place for place, hit in enumerate(found)}
    changes = [places[hit["id"]] - place for place, hit in enumerate(hits[:10])]
    signs = [
        "=" if not change else f"{'▲' if change > 0 else '▼'} {abs(change)}" for change in changes
    ]
    assert texts(panel, ".after .move > [aria-hidden]") == signs
    assert any(changes)
    moved = [hit["id"] for hit in hits[:10] if places[hit["id"]] < 10]
    links = panel.find_elements(By.CSS_SELECTOR, ".links path")
    assert [link.get_attribute("data-key") for link in links] == moved
    assert texts(panel, ".before .move.out").count("밀려남") == 10 - len(moved)
    shoot(page, tmp_path, "search")


def test_lines_end_where_the_sentences_come_to_rest(page: Any) -> None:
    feature = {"name": "prefers-reduced-motion", "value": "no-preference"}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    panel = open_tab(page, "search")
    one(panel, "#search-query").send_keys(QUERY, Keys.ENTER)
    wait(page, lambda: panel.find_elements(By.CSS_SELECTOR, ".links path"))
    wait(page, lambda: not page.execute_script("return document.getAnimations().length"))
    apart = page.execute_script(
        "return [...document.querySelectorAll('.links path')].map((path) => {"
        "  const end = path.getPointAtLength(path.getTotalLength());"
        "  const box = document.querySelector(`.after [data-key='${path.dataset.key}']`)"
        "    .getBoundingClientRect();"
        "  const board = path.closest('.board').getBoundingClientRect();"
        "  return Math.abs(end.y + board.top - box.top - box.height / 2);"
        "})"
    )
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert apart and max(apart) <= 1


def test_a_pasted_list_is_reranked(page: Any, server: Running, tmp_path: Path) -> None:
    panel = open_tab(page, "rerank")
    one(panel, "#rerank-query").send_keys(SENTENCES[0])
    one(panel, "#rerank-list").send_keys("\n".join(SENTENCES), "\n\n", Keys.CONTROL, Keys.ENTER)
    wait(page, lambda: len(panel.find_elements(By.CSS_SELECTOR, ".after li")) == 5)
    assert one(panel, "#rerank-count").text == "문장 5개"
    call = {"query": SENTENCES[0], "texts": SENTENCES}
    ranked = httpx.post(f"{server.url}/rerank", json=call, timeout=60).json()
    items = panel.find_elements(By.CSS_SELECTOR, ".after li")
    assert [int(item.get_attribute("data-key")) for item in items] == [x["index"] for x in ranked]
    values = [float(text) for text in texts(panel, ".after .figures .value")]
    assert values == pytest.approx([5 * x["score"] for x in ranked], abs=0.011)
    shoot(page, tmp_path, "rerank")


def test_the_language_changes_everywhere_and_is_remembered(page: Any) -> None:
    panel = one(page, "#compare")
    one(panel, "#first").send_keys(SENTENCES[0])
    one(panel, "#second").send_keys(SENTENCES[1], Keys.ENTER)
    wait(page, lambda: panel.find_elements(By.CSS_SELECTOR, ".gauge"))
    one(page, "[data-language=en]").click()
    assert one(page, "html").get_attribute("lang") == "en"
    assert texts(page, "[role=tab]") == ["Compare", "Search", "Rerank", "Encoders"]
    assert texts(panel, ".verdict")[0] in ("similar", "not similar")
    page.refresh()
    assert texts(page, "[role=tab]")[0] == "Compare"
    for panel_name in ("compare", "search", "rerank", "encoders"):
        open_tab(page, panel_name)
        words = "".join(texts(page, "[data-text], #served, #encoders"))
        assert words and not re.search("[가-힣]", words)
    one(page, "[data-language=ko]").click()
    assert texts(page, "[role=tab]")[0] == "비교"


def test_everything_is_reached_by_keyboard(page: Any) -> None:
    one(page, "#tab-compare").send_keys(Keys.ARROW_RIGHT)
    assert page.switch_to.active_element.get_attribute("id") == "tab-search"
    assert one(page, "#search").is_displayed() and not one(page, "#compare").is_displayed()
    page.switch_to.active_element.send_keys(Keys.END)
    assert one(page, "#encoders").is_displayed()
    page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    reached = set()
    for _ in range(12):
        page.switch_to.active_element.send_keys(Keys.TAB)
        active = page.switch_to.active_element
        reached.add(active.get_attribute("id") or active.get_attribute("class") or active.tag_name)
    assert {"first", "swap", "second", "primary"} <= reached


def test_every_field_has_a_name(page: Any) -> None:
    for panel in ("compare", "search", "rerank"):
        open_tab(page, panel)
        for field in page.find_elements(
            By.CSS_SELECTOR, f"#{panel} :is(input, textarea, select, button)"
        ):
            assert field.accessible_name, field.get_attribute("outerHTML")


@contextmanager
def phone(driver: Any) -> Iterator[None]:
    """Show the page as a phone of 390 px does."""
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def fill(driver: Any, panel: str) -> Any:
    """Open a panel and let it show what it can."""
    place = open_tab(driver, panel)
    if panel != "encoders":
        one(place, ".examples button").click()
    wait(driver, lambda: place.find_elements(By.CSS_SELECTOR, ".gauge, .after li, .encoder"))
    return place


@pytest.mark.parametrize("panel", PANELS)
def test_a_phone_needs_no_sideways_scrolling(page: Any, panel: str, tmp_path: Path) -> None:
    with phone(page):
        fill(page, panel)
        widths = page.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert widths == [390, 390]
        for button in page.find_elements(By.CSS_SELECTOR, f"#{panel} button, nav button"):
            if button.is_displayed():
                assert button.size["height"] >= 34
        shoot(page, tmp_path, f"phone-{panel}")


def findings(driver: Any) -> list[tuple[str, str, str]]:
    """Return axe's serious and critical findings: rule, element, and what is wrong with it."""
    driver.execute_script(AXE.read_text("utf-8"))
    found = driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    return [
        (violation["id"], node["html"], node["failureSummary"])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core-python of kosim[test]")
@pytest.mark.parametrize("width", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Any, scheme: str, width: str, tmp_path: Path) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    with phone(page) if width == "phone" else nullcontext():
        for panel in PANELS:
            place = fill(page, panel)
            if panel == "compare":
                one(place, ".why .ask").click()
                wait(page, lambda: one(page, ".words"))
            assert findings(page) == [], panel
            shoot(page, tmp_path, f"{scheme}-{width}-{panel}")


def test_the_encoders_are_described(page: Any, server: Running, tmp_path: Path) -> None:
    panel = fill(page, "encoders")
    described = httpx.get(f"{server.url}/v1/encoders", timeout=60).json()["encoders"]
    assert texts(panel, "h2") == [encoder["model"] for encoder in described]
    plain, carded = panel.find_elements(By.CSS_SELECTOR, ".encoder")
    assert "kosim evaluate" in plain.text and not plain.find_elements(By.TAG_NAME, "table")
    assert texts(carded, "tbody td") == ["평가 (n = 9)", "0.500 [0.250, 0.750]"]
    assert texts(carded, "li") == ["짧은 글만"]
    assert "내 것" in carded.text


def test_what_was_asked_is_copied_as_a_command_and_as_a_program(page: Any, server: Running) -> None:
    """Both run, and get what the page got."""
    page.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": server.url},
    )
    pair = ["거실 '불'\\n\"꺼\" 줘", "$HOME `조명`"]
    panel = one(page, "#compare")
    one(panel, "#first").send_keys(pair[0])
    one(panel, "#second").send_keys(pair[1], Keys.ENTER)
    wait(page, lambda: panel.find_elements(By.CSS_SELECTOR, ".copies"))
    call = {"pairs": [pair]}
    wanted = httpx.post(f"{server.url}/v1/similarity", json=call, timeout=60).json()
    for button, program in (("copyCurl", ["bash", "-c"]), ("copyPython", [sys.executable, "-c"])):
        one(panel, f".{button}").click()
        wait(page, lambda: one(panel, ".copies [role=status]").text == "복사했습니다.")
        copied = page.execute_async_script(
            "navigator.clipboard.readText().then(arguments[arguments.length - 1])"
        )
        assert ("| curl " if button == "copyCurl" else "urlopen") in copied
        if button == "copyCurl" and not shutil.which("curl"):
            continue
        ran = subprocess.run([*program, copied], capture_output=True, text=True, timeout=60)
        assert json.loads(ran.stdout)["cross"]["scores"] == wanted["cross"]["scores"], ran.stderr


def test_where_the_clipboard_is_closed_the_text_is_shown(page: Any) -> None:
    page.execute_script(
        "navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'))"
    )
    panel = fill(page, "rerank")
    one(panel, ".copyPython").click()
    wait(page, lambda: panel.find_elements(By.CSS_SELECTOR, ".copies textarea"))
    field = one(panel, ".copies textarea")
    assert "/v1/rerank" in field.get_attribute("value") and field.accessible_name


def test_what_the_service_refuses_is_shown(page: Any) -> None:
    panel = open_tab(page, "search")
    page.execute_script("document.getElementById('candidates').options[0].text = '3000'")
    page.execute_script("document.getElementById('candidates').selectedIndex = 0")
    one(panel, "#search-query").send_keys(QUERY, Keys.ENTER)
    wait(page, lambda: one(panel, ".problem").is_displayed())
    assert "max-items" in one(panel, ".problem").text
    page.get_log("browser")  # the browser's own note of the 422


def test_sentences_are_text_and_never_markup(page: Any) -> None:
    panel = open_tab(page, "rerank")
    one(panel, "#rerank-query").send_keys("가")
    one(panel, "#rerank-list").send_keys("<img src=x onerror=alert(1)>\n<b>나</b>")
    one(panel, "[type=submit]").click()
    wait(page, lambda: len(panel.find_elements(By.CSS_SELECTOR, ".after li")) == 2)
    assert panel.find_elements(By.CSS_SELECTOR, "img, b") == []
    assert "<b>나</b>" in texts(panel, ".before .text")


def test_the_reference_opens_without_another_server(page: Any, server: Running) -> None:
    page.get(f"{server.url}/docs")
    wait(page, lambda: len(page.find_elements(By.CSS_SELECTOR, ".opblock")) >= 10)
