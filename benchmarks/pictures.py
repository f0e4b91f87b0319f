"""Take the pictures of the README and the documentation, in a headless Chromium.

    python -m benchmarks.pictures RUN
    python -m benchmarks.pictures RUN --only page

RUN is the folder of a finished comparison, whose report is shown. `report` takes the pictures of
the report, `page` those of the service's page with the bundled encoders, and `site` those of the
documentation, which `make docs` has built. It needs chromium, chromedriver and pdftoppm, and the
packages of kosim[test].
"""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import click
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GALLERY = DOCS / "gallery"
FLAGS = "--headless --no-sandbox --disable-gpu --hide-scrollbars --force-prefers-reduced-motion"
PHONE = 390


@contextmanager
def browser() -> Iterator[Any]:
    """Start a Chromium that loads nothing from elsewhere, and end it."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in FLAGS.split():
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    try:
        yield driver
    finally:
        driver.quit()


def screen(driver: Any, width: int, height: int) -> None:
    """Show the page as a screen of that size does."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width == PHONE}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def save(picture: Image.Image, target: Path) -> None:
    """Keep a picture as a PNG of 256 colours, a third as large."""
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.convert("RGB").quantize(256).save(target, optimize=True)
    print(target)


def shoot(driver: Any, target: Path, of: str | None = None) -> None:
    """Save what the screen shows, or the first element that a selector finds."""
    whole = driver if of is None else driver.find_element(By.CSS_SELECTOR, of)
    png = driver.get_screenshot_as_png() if of is None else whole.screenshot_as_png
    save(Image.open(io.BytesIO(png)), target)


def shoot_whole(driver: Any, target: Path) -> None:
    """Save the whole page, as wide as the service's page shows it best."""
    screen(driver, 1200, 1)
    screen(driver, 1200, driver.execute_script("return document.documentElement.scrollHeight"))
    shoot(driver, target)


def answers(address: str) -> bool:
    """Say whether the service at an address is ready."""
    with suppress(OSError), urlopen(f"{address}/readyz", timeout=10) as answer:
        return bool(answer.status == 200)
    return False


def click_on(driver: Any, selector: str) -> None:
    """Click an element by script, also one that a label covers."""
    driver.execute_script("arguments[0].click()", driver.find_element(By.CSS_SELECTOR, selector))


def wait(driver: Any, condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    WebDriverWait(driver, 60, poll_frequency=0.1).until(lambda _: condition())


def take_report(driver: Any, run: Path, scratch: Path) -> None:
    """Take the pictures of a report, which is rendered again by the present code."""
    shutil.copytree(run, scratch / "run", ignore=shutil.ignore_patterns("seed-*", "*.parquet"))
    kosim("report", scratch / "run")
    driver.get((scratch / "run" / "report.html").as_uri())
    for language in ("en", "ko"):
        click_on(driver, f"#language-{language}")
        screen(driver, 1400, 1080)
        shoot(driver, GALLERY / f"first-screen-{language}.png")
    shoot(driver, GALLERY / "scores-ko.png", "#figures :has(> figure)")
    screen(driver, PHONE, 1250)
    driver.execute_script("window.scrollTo(0, 0)")
    shoot(driver, GALLERY / "telephone-ko.png")
    driver.execute_script("document.querySelector('#summary').scrollIntoView()")
    shoot(driver, GALLERY / "telephone-tables-ko.png")
    printed(driver, scratch, GALLERY / "print-ko.png")
    click_on(driver, "#language-en")
    screen(driver, 1400, 860)
    driver.execute_script("window.scrollTo(0, 0)")
    shoot(driver, DOCS / "report.png")
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [dark]})
    screen(driver, 1400, 1080)
    shoot(driver, GALLERY / "dark-en.png")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def printed(driver: Any, scratch: Path, target: Path) -> None:
    """Save the first two printed pages, side by side."""
    paper = {"paperWidth": 8.27, "paperHeight": 11.69}
    pdf = driver.execute_cdp_cmd("Page.printToPDF", paper)["data"]
    (scratch / "report.pdf").write_bytes(base64.b64decode(pdf))
    pages = ["-png", "-r", "79", "-f", "1", "-l", "2", scratch / "report.pdf", scratch / "page"]
    subprocess.run(["pdftoppm", *map(str, pages)], check=True)
    sheets = [Image.open(path) for path in sorted(scratch.glob("page-*.png"))]
    both = Image.new("RGB", (sum(sheet.width for sheet in sheets), sheets[0].height), "white")
    for number, sheet in enumerate(sheets):
        both.paste(sheet, (number * sheets[0].width, 0))
    save(both, target)


def take_page(driver: Any, scratch: Path) -> None:
    """Take the pictures of the service's page, over the example sentences."""
    index = scratch / "sentences.index"
    sentences = ROOT / "examples" / "data" / "sentences.txt"
    kosim("index", "build", sentences, "--encoder", "mini-bi", "--out", index)
    command = [*KOSIM, "serve", "--index", index, "--reranker", "mini-cross", "--port", "0"]
    server = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    try:
        address, *_ = next(iter(server.stderr or ())).split()
        wait(driver, lambda: answers(address))
        driver.get(address)
        wait(driver, lambda: driver.find_element(By.ID, "served").text)
        screen(driver, 1200, 1000)
        click_on(driver, "[data-language=en]")
        click_on(driver, "#compare .examples button")
        wait(driver, lambda: len(driver.find_elements(By.CSS_SELECTOR, ".why .ask")) == 2)
        click_on(driver, "[data-encoder=cross] .ask")
        wait(driver, lambda: driver.find_elements(By.CSS_SELECTOR, ".words"))
        shoot_whole(driver, GALLERY / "page-compare.png")
        click_on(driver, "#tab-search")
        click_on(driver, "#search .examples button")
        wait(driver, lambda: driver.find_elements(By.CSS_SELECTOR, ".after li"))
        shoot_whole(driver, DOCS / "page.png")
        click_on(driver, "[data-language=ko]")
        click_on(driver, "#tab-encoders")
        wait(driver, lambda: driver.find_elements(By.CSS_SELECTOR, ".encoder table"))
        shoot_whole(driver, GALLERY / "page-encoders-ko.png")
    finally:
        server.terminate()
        server.wait(timeout=60)


def take_site(driver: Any, site: Path) -> None:
    """Take the pictures of the documentation's first page."""
    screen(driver, 1400, 1000)
    driver.get((site / "index.html").as_uri())
    shoot(driver, GALLERY / "site.png")
    screen(driver, PHONE, 844)
    driver.get((site / "ko" / "index.html").as_uri())
    shoot(driver, GALLERY / "site-phone-ko.png")


KOSIM = (sys.executable, "-m", "kosim")


def kosim(*arguments: object) -> None:
    """Run a command of kosim."""
    subprocess.run([*KOSIM, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--only", type=click.Choice(["report", "page", "site"]), help="The pictures to take; else all."
)
def main(run: Path, only: str | None) -> None:
    """Take the pictures anew."""
    with tempfile.TemporaryDirectory() as folder, browser() as driver:
        if only in (None, "report"):
            take_report(driver, run, Path(folder))
        if only in (None, "page"):
            take_page(driver, Path(folder))
        if only in (None, "site"):
            take_site(driver, ROOT / "build" / "site")


if __name__ == "__main__":
    main()
