# SPDX-License-Identifier: MIT
"""The book's site in a browser, from disk: it says nothing on the console, asks for nothing elsewhere, and finds things."""

import subprocess
import time
from pathlib import Path

import pytest
from report.browser import browser

from conftest import PATIENCE, ROOT

RESULTS = "[...document.querySelectorAll('#mkdocs-search-results a')].map(one => one.textContent)"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("book") / "site"
    subprocess.run(["/usr/bin/python3", "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder], cwd=ROOT,
                   check=True, timeout=120 * PATIENCE)
    return folder


@pytest.fixture(scope="module")
def window():
    with browser() as one:
        yield one


def found(window, page: Path, query: str) -> list[str]:
    window.driver.get(f"{page.as_uri()}?q={query}")
    until = time.monotonic() + 20 * PATIENCE
    while time.monotonic() < until:
        if titles := window.run(f"return {RESULTS}"):
            return titles
        time.sleep(0.1)
    return []


@pytest.mark.parametrize("name", ["index.html", "iommu.html", "lanes/tcg.html"])
def test_a_page_from_disk(site, window, name):
    window.open(site / name, 1300)
    time.sleep(0.5)
    assert not window.errors()
    outside = [address for address in window.requests() if not address.startswith("file:")]
    assert not outside, outside
    assert window.run("return [...document.images].every(one => one.complete && one.naturalWidth > 0)")


@pytest.mark.parametrize("query, title", [("iommu.refused", "iommu.refused (Troubleshooting)"), ("requester+id", "Requester ids (PCI)"),
                                          ("rid:colon", "")])
def test_the_search_from_disk(site, window, query, title):
    titles = found(window, site / "search.html", query)
    assert titles and titles[0] == (title or titles[0]), titles[:5]
    assert not window.errors()


def test_a_result_leads_to_its_section(site, window):
    assert found(window, site / "search.html", "requester+id")
    window.run("document.querySelector('#mkdocs-search-results a').click()")
    until = time.monotonic() + 20 * PATIENCE
    while not window.driver.current_url.endswith("pci.html#requester-ids") and time.monotonic() < until:
        time.sleep(0.1)
    assert window.driver.current_url == f"{(site / 'pci.html').as_uri()}#requester-ids"
