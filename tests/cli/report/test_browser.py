"""The page in a real browser: Chromium, where it's installed with its driver."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess

import pytest

from securityhub_actions.cli.report.page import page_of
from tests.cli.report.conftest import small_app

pytestmark = pytest.mark.skipif(
    not (shutil.which("chromedriver") and shutil.which("chromium")),
    reason="needs Debian's packages chromium and chromium-driver",
)
LONG = "AVeryLongNameWithoutAnyPlaceToBreakIt" * 4
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class Browser:
    """A session of the W3C's WebDriver.

    Source: https://www.w3.org/TR/webdriver2/
    """

    def __init__(self, port, folder):
        self._driver = http.client.HTTPConnection("127.0.0.1", port)
        options = {"args": [*ARGUMENTS, f"--user-data-dir={folder}"], "binary": shutil.which("chromium")}
        capabilities = {"alwaysMatch": {"goog:chromeOptions": options}}
        self._path = "/session"
        self._path += f"/{self._call('', capabilities=capabilities)['sessionId']}"

    def _call(self, path, method="POST", **body):
        self._driver.request(method, self._path + path, json.dumps(body) if method == "POST" else None)
        with self._driver.getresponse() as answer:
            value = json.load(answer)["value"]
        assert answer.status == http.HTTPStatus.OK, value
        return value

    def show(self, page, *, width, media="screen", scheme="light"):
        """Show a page on a screen of a width, or as on paper."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True
        )
        self._devtools("Emulation.setEmulatedMedia", media=media, features=[feature])
        self._call("/url", url=page.as_uri())

    def _devtools(self, command, **parameters):
        self._call("/goog/cdp/execute", cmd=command, params=parameters)

    def evaluate(self, expression):
        """Return the value of an expression of JavaScript."""
        return self._call("/execute/sync", script=f"return {expression}", args=[])

    def close(self):
        """End the browser."""
        self._call("", method="DELETE")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with subprocess.Popen(  # noqa: S603 - the driver
        [shutil.which("chromedriver"), "--port=0"], stdout=subprocess.PIPE, text=True
    ) as driver:
        try:
            line = next(line for line in driver.stdout if "started successfully on port" in line)
            found = Browser(int(line.rstrip(".\n").rpartition(" ")[2]), tmp_path_factory.mktemp("profile"))
            yield found
            found.close()
        finally:
            driver.terminate()


@pytest.fixture
def written(tmp_path):
    file = tmp_path / "page.html"
    file.write_text(page_of(small_app(tmp_path, LONG)))
    return file


@pytest.mark.parametrize("width", [320, 390, 820, 1400])
def test_nothing_is_wider_than_the_screen(browser, written, width):
    browser.show(written, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "shown"), [(390, "narrow"), (1100, "wide")])
def test_one_form_of_each_diagram_is_shown(browser, written, width, shown):
    browser.show(written, width=width)
    visible = "[...document.querySelectorAll('.diagram')].filter(one => one.checkVisibility())"
    assert set(browser.evaluate(f"{visible}.map(one => one.classList[1])")) == {shown}


def test_the_texts_of_a_diagram_fit_their_boxes(browser, written):
    browser.show(written, width=1100)
    fits = """[...document.querySelectorAll('svg.wide g')].every(group => [...group.querySelectorAll('text')]
        .every(text => text.getBBox().width < group.querySelector('rect').getBBox().width - 10))"""
    assert browser.evaluate(fits)


def test_dark_mode_is_light_on_dark(browser, written):
    colors = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    browser.show(written, width=1100)
    light = browser.evaluate(colors)
    browser.show(written, width=1100, scheme="dark")
    assert [sum(map(int, color[4:-1].split(","))) > 384 for color in (*light, *browser.evaluate(colors))] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(("media", "shown"), [("screen", False), ("print", True)])
def test_what_is_folded_on_a_screen_is_printed(browser, written, media, shown):
    browser.show(written, width=1100, media=media)
    height = "document.querySelector('details pre').getBoundingClientRect().height"
    visible = f"document.querySelector('details pre').checkVisibility() && {height} > 50"
    assert browser.evaluate(visible) == shown
