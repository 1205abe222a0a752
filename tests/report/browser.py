# SPDX-License-Identifier: MIT
"""A headless Chromium for tests, which counts errors and requests."""

import base64
import contextlib
import json
import tempfile
import zlib
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
         "--hide-scrollbars")
DRIVER, PROGRAM = "/usr/bin/chromedriver", "/usr/bin/chromium"


class Browser:
    """One window. Sizes are in CSS pixels."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, width: int, dark: bool = False, media: str = "screen") -> None:
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
        self.driver.get(path.resolve().as_uri())

    def run(self, script: str):
        return self.driver.execute_script(script)

    def errors(self) -> list[str]:
        """What the console has got since this was last asked."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that were asked for since this was last asked."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [
            message["params"]["request"]["url"] for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, height: int | None = None, selector: str = "html", margin: int = 0) -> bytes:
        """PNG of the page from its top, or of one element."""
        box = self.run(f"let b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
                       "return [b.x + scrollX, b.y + scrollY, b.width, b.height]")
        clip = {
            "x": box[0] - margin, "y": box[1], "width": box[2] + 2 * margin,
            "height": (height or box[3]) + margin, "scale": 1
        }
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True, "clip": clip})["data"])


def lines_of(png: bytes) -> set[bytes]:
    """The different rows of a picture, as they are packed: one that is blank has two at most."""
    header, place, packed = png[16:33], 8, b""
    while place < len(png):
        length, kind = int.from_bytes(png[place:place + 4], "big"), png[place + 4:place + 8]
        packed += png[place + 8:place + 8 + length] if kind == b"IDAT" else b""
        place += 12 + length
    raw = zlib.decompress(packed)
    step = len(raw) // int.from_bytes(header[4:8], "big")
    return {raw[start:start + step] for start in range(0, len(raw), step)}


@contextlib.contextmanager
def browser():
    """With a profile of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-browser-", ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = PROGRAM
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        try:
            # What the first, empty tab did is nobody's.
            driver.get("about:blank")
            one = Browser(driver)
            one.errors(), one.requests()
            yield one
        finally:
            driver.quit()
