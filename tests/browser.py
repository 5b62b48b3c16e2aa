"""Chromium, where it's installed with its driver, for tests of pages."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import subprocess

import pytest

needs_browser = pytest.mark.skipif(
    not (shutil.which("chromedriver") and shutil.which("chromium")),
    reason="needs Debian's packages chromium and chromium-driver",
)
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


@contextlib.contextmanager
def running_browser(folder):
    """Run a browser whose profile is in a folder."""
    with subprocess.Popen(  # noqa: S603 - the driver
        [shutil.which("chromedriver"), "--port=0"], stdout=subprocess.PIPE, text=True
    ) as driver:
        try:
            line = next(line for line in driver.stdout if "started successfully on port" in line)
            found = Browser(int(line.rstrip(".\n").rpartition(" ")[2]), folder)
            yield found
            found.close()
        finally:
            driver.terminate()
