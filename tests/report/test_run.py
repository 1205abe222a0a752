# SPDX-License-Identifier: MIT
"""The report of a real run: the same numbers as in its log, and what a browser makes of it."""

import collections
import html
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import pytest

from machine import PATIENCE
from machine.logfmt import LogLine, LogReader
from report.browser import Browser, browser, lines_of
from report.test_page import HOSTILE, checked

from conftest import ROOT

pytestmark = pytest.mark.tcg


@dataclass
class Drawn:
    """A run and what was drawn of it. Its log is read here by other means than the report's."""

    log: str
    events: list[LogLine]
    page: Path
    trace: str
    map: ElementTree.Element | None
    said: str

    @property
    def text(self) -> str:
        """Of the page."""
        return self.page.read_text()

    def of(self, event: str, **wanted) -> list[LogLine]:
        return [line for line in self.events if line.matches(event, wanted)]

    def records(self, kind: str) -> list[dict[str, str]]:
        """Of all answers to `map`."""
        return [dict(re.findall(r"(\w+)=(\S+)", line)) for line in re.findall(rf"^map\.{kind} (.*)$", self.log, re.M)]


def draw(folder: Path, *options: str) -> Drawn:
    page = folder / "page.html"
    done = subprocess.run([sys.executable, ROOT / "tests/report/report.py", "--to", page, *options],
                          text=True,
                          capture_output=True,
                          timeout=300 * PATIENCE,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    log = Path(re.search(r"log=(\S+)", done.stderr).group(1)).read_bytes()
    reader = LogReader()
    reader.feed(log)
    drawing = folder / "page.map.svg"
    return Drawn(
        log.decode(errors="replace").replace("\r", ""), reader.events, page, (folder / "page.trace.json").read_text(),
        ElementTree.parse(drawing).getroot() if drawing.exists() else None, done.stderr)


@pytest.fixture(scope="module")
def run(built, tmp_path_factory) -> Drawn:
    return draw(tmp_path_factory.mktemp("sriov"), "--scenario", "sriov")


@pytest.fixture(scope="module")
def window():
    with browser() as one:
        yield one


def plain(markup: str) -> str:
    """Without tags, blanks as one."""
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def section(run: Drawn, name: str) -> str:
    return re.search(rf'<section id="{name}">(.*?)</section>', run.text, re.S).group(1)


def test_the_machine_is_that_of_the_log(run):
    """Each function with its owner, in the page and on the map."""
    owners = {line["rid"]: line["owner"] for line in reversed(run.records("device"))}
    assert len(owners) >= 9 and {"alpha", "beta", "rogue", "hypervisor", "free"} == set(owners.values())
    rows = dict(re.findall(r'<div class="function"><code>([^<]+)</code>(.*?)</div>', section(run, "machine"), re.S))
    assert set(rows) == set(owners)
    nodes = {
        element.findtext("{*}title"): " ".join(element.itertext())
        for element in run.map.iter() if element.get("class", "").startswith("node")
    }
    for rid, owner in owners.items():
        assert owner in plain(rows[rid]) and f"owner {owner}" in nodes[rid], rid
    for line in run.of("device.assigned"):
        assert line["guest"] in plain(rows[line["rid"]])


def test_blocked_accesses_are_those_of_the_log(run):
    faults = run.of("dma.fault")
    assert len(faults) >= 2
    assert f"{len(faults)} DMA accesses blocked, all from rogue" in run.text
    body = section(run, "blocked")
    addresses = dict.fromkeys(line["address"] for line in faults)
    assert re.findall(r'<code class="address">([^<]+)</code>', body) == list(addresses)
    drawing = re.search(r'<svg class="space".*?</svg>', body, re.S).group(0)
    for address in addresses:
        assert f">{address}</text>" in drawing and f"{address} is blocked" in drawing
    # Asked when it happened: later the function has no context entry any more.
    whys = re.findall(r"<details[^>]*><summary>why: ([^<]*)</summary>.*?<pre[^>]*>(.*?)</pre>", body, re.S)
    assert len(whys) == len(addresses), run.said
    for (verdict, answer), address in zip(whys, addresses):
        assert verdict.startswith("blocked: nothing is mapped") and "level 4" in answer and address in answer, answer
        assert "no context entry" not in answer


def test_memory_is_that_of_the_log(run):
    """Each guest's domain and CPUs lead to the memory that guest.created named."""
    body = section(run, "spaces")
    titles = re.findall(r"<figcaption><b>([^<]*)</b>", body)
    assert titles.count("CPUs") == 3 and sum(title.startswith("DMA domain") for title in titles) == 4
    labels = re.findall(r'aria-label="([^"]*)"', body)
    for line in run.of("guest.created"):
        end = int(line["base"], 16) + 0
        mine = [label for label in labels if f" of {line['name']}:" in label]
        assert len(mine) == 2 and all(f"0x0 to 0x1ffffff lead to {end:#x} (rw" in label for label in mine), mine
    ends = {record["domain"]: record for record in run.records("domain")}
    assert all(f"DMA domain {number}" in titles for number in ends)


def test_ram_is_that_of_the_log(run):
    """Each guest has its part of the bar, which ends where RAM does."""
    bars = re.findall(r'<i class="[^"]*" style="left:([\d.]+)%;width:([\d.]+)%" title="(\w+): (0x\w+) to',
                      section(run, "machine"))
    memory = [(int(line["physical"], 16), int(line["size"], 16), line["owner"]) for line in run.records("memory")]
    end = max(base + size for base, size, owner in memory if owner == "free")
    for guest in run.of("guest.created"):
        left, width = next((float(left), float(width)) for left, width, owner, base in bars if owner == guest["name"])
        assert abs(left - 100 * int(guest["base"], 16) / end) < 0.01 and abs(width - 100 * (32 << 20) / end) < 0.01


def test_counts_are_those_of_the_log(run):
    body = section(run, "exits")
    shown = {plain(name): [int(count) for count in re.findall(r'class="count">(\d+)', row)]
             for name, row in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', body, re.S)}
    numbers: dict[str, dict[str, int]] = {}
    for name, vcpu, kind, count in re.findall(r"^(\w+)\.(\d+) +([a-z-]+) +(\d+) +\d+\.\d$", run.log, re.M):
        numbers.setdefault(f"{name} vcpu {vcpu}", {})[kind] = int(count)
    assert len(numbers) == 3
    assert [plain(head) for head in re.findall(r'<th scope="col">(.*?)</th>', body)[1:]] == list(numbers)
    for place, counts in enumerate(numbers.values()):
        assert {kind: row[place] for kind, row in shown.items() if kind != "all" and row[place]} == counts
        assert shown["all"][place] == sum(counts.values())
    for line in run.of("guest.stopped"):
        assert numbers[f"{line['name']} vcpu 0"] and sum(
            numbers[f"{line['name']} vcpu 0"].values()) == line.number("exits")
    audits = run.of("audit.ok")
    assert f"{len(audits)} audits without a finding" in section(run, "audit")
    assert f"{len(audits)} audits, no violation" in run.text


def test_times_are_those_of_the_log(run):
    events = checked(run.trace)
    bars = {event["name"]: (event["ts"], event["ts"] + event["dur"]) for event in events if event["ph"] == "X"}
    for name in ("alpha", "beta", "rogue"):
        (start,), (end,) = run.of("guest.started", name=name), run.of("guest.stopped", name=name)
        assert bars[f"{name} runs"] == (round(start.time * 1e6), round(end.time * 1e6))
        row = re.search(rf'title="{name}">{name}</span>.*?<span class="length">(.*?)</span>', section(run, "timeline"),
                        re.S).group(1)
        assert abs(float(row.split()[0]) - (end.time - start.time)) < 0.002
    phases = [line for line in run.of("boot.phase")]
    assert len(phases) >= 8 and all(bars[line["name"]][0] == round(line.time * 1e6) for line in phases)
    logged = collections.Counter(line.event for line in run.events)
    assert collections.Counter(event["name"] for event in events
                               if event["ph"] == "i" and event["cat"] == "log") == logged


def test_nothing_is_missing(run):
    """The prompt has answered all: the page has each invariant, and no note."""
    assert 'class="verdict ok"' in run.text and "note:" not in run.said and 'id="missing"' not in run.text
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td><td>(\d+) .*?</td><td class="(\w+)">', section(run, "audit"))
    logged = dict(re.findall(r"^(I\d|W\^X) .*?  +(\d+) [a-z ]+? +ok$", run.log, re.M))
    assert len(rows) == 8 and {name: count for name, _, count, _ in rows} == logged
    assert {found for *_, found in rows} == {"fine"}


# Texts of one picture that lie over each other, with a pixel to spare.
OVERLAPS = """
return [...document.querySelectorAll('svg')].flatMap(svg => {
    let boxes = [...svg.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
    return boxes.flatMap(([name, a], i) => boxes.slice(i + 1).filter(([other, b]) =>
        a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2.5 && b.top < a.bottom - 2.5).map(([other]) => name + ' / ' + other));
})"""
# Words that stick out of their picture or of the page.
CUT = """
let page = document.documentElement.clientWidth;
let out = [...document.querySelectorAll('svg.space text')].filter(one => {
    let a = one.getBoundingClientRect(), b = one.ownerSVGElement.getBoundingClientRect();
    return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1; }).map(one => one.textContent);
let wide = [...document.querySelectorAll('main *, header *, footer *')].filter(one => !one.closest('.scroll, pre, .skip') &&
    !one.closest('.track') && one.getBoundingClientRect().right > page + 1).map(one => one.className + ': ' + one.textContent.slice(0, 40));
return [...out, ...wide]"""


@pytest.mark.parametrize("width", [390, 768, 1600])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_in_a_browser(run, window: Browser, width, dark):
    window.open(run.page, width, dark)
    assert window.errors() == []
    assert [address for address in window.requests() if not address.startswith(("file:///", "data:"))] == []
    for name in ("machine", "blocked", "map", "spaces", "timeline", "exits", "audit", "guests"):
        assert window.run(f"let s = document.getElementById('{name}'); return s && s.offsetHeight") > 50, name
    assert window.run("return document.querySelectorAll('#spaces svg.space').length") == 7
    assert window.run("return document.querySelectorAll('#timeline .part').length") >= 14
    assert window.run(OVERLAPS) == []
    assert window.run(CUT) == []
    assert window.run("return document.documentElement.scrollWidth") <= width
    smallest = window.run(
        "return Math.min(...[...document.querySelectorAll('svg.space text')].map(t => t.getBoundingClientRect().height))"
    )
    assert smallest >= 9, "labels can be read"
    background = window.run("return getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 24, 28)" if dark else "rgb(255, 255, 255)")
    assert len(lines_of(window.screenshot(height=1800))) > 300


def test_what_would_be_wrong_is_seen(run, window):
    """The checks of this file find what is planted."""
    window.open(run.page, 1600)
    window.run(
        "let t = document.querySelectorAll('svg.space text'); t[5].setAttribute('x', t[6].getAttribute('x'));"
        "t[5].setAttribute('y', t[6].getAttribute('y')); t[7].setAttribute('x', -90);"
        "let wide = document.createElement('p'); wide.textContent = 'w'.repeat(999); document.querySelector('main').append(wide);"
        "console.error('planted'); new Image().src = 'http://127.0.0.1:9/planted'")
    assert len(window.run(OVERLAPS)) >= 1 and len(window.run(CUT)) >= 1
    assert window.run("return document.documentElement.scrollWidth") > 1600
    window.driver.implicitly_wait(1)
    assert any("planted" in error for error in window.errors()) and "http://127.0.0.1:9/planted" in window.requests()
    window.open(run.page, 1600)
    window.run("document.body.style.visibility = 'hidden'")
    assert len(lines_of(window.screenshot(height=1800))) < 10
    window.errors(), window.requests()


def test_one_owner_one_colour(run, window):
    """The tree, the timeline, the pictures and the map have the same."""
    window.open(run.page, 1600)
    for guest in ("alpha", "beta", "rogue"):
        colours = window.run(f"""
let style = [...document.querySelectorAll('.chip')].find(chip => chip.textContent === '{guest}').classList[1];
return [...document.querySelectorAll('.' + style)].map(one => getComputedStyle(one).getPropertyValue('--owner').trim())""")
        assert len(colours) > 10 and len(set(colours)) == 1, guest
        fills = window.run(f"""
let node = [...document.querySelectorAll('#map .node')].find(node => node.textContent.includes('owner {guest}'));
return getComputedStyle(node).getPropertyValue('--owner').trim()""")
        assert fills == colours[0]


def test_by_keyboard(run, window):
    """The first key leads past the navigation; everything that opens or scrolls can be reached, and opens."""
    window.open(run.page, 1600)
    from selenium.webdriver.common.keys import Keys
    reached = []
    for _ in range(60):
        window.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(
            window.run("let a = document.activeElement; return a.className.baseVal || a.className || a.tagName"))
    assert reached[0] == "skip" and {"A", "SUMMARY", "scroll", "answer"} <= set(reached), reached
    closed = window.driver.find_elements("css selector", "details:not([open]) > summary")[0]
    window.run("document.querySelector('details:not([open]) > summary').focus()")
    closed.send_keys(Keys.ENTER)
    assert closed.find_element("xpath", "..").get_attribute("open")


def test_on_paper(run, window):
    window.open(run.page, 800, media="print")
    assert not window.driver.find_element("css selector", "nav").is_displayed()
    assert window.run(OVERLAPS) == [] and window.run("return document.documentElement.scrollWidth") <= 800
    document = window.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    assert len(document) > 20000


def test_the_map_alone(run, window):
    window.open(run.page.parent / "page.map.svg", 1600, dark=True)
    assert window.errors() == [] and len(lines_of(window.screenshot(selector="svg"))) > 100


def test_what_a_guest_says_is_shown_as_text(window, tmp_path):
    """Nothing of a log is carried out, and all of it can be read."""
    log = tmp_path / "log"
    log.write_text(HOSTILE)
    subprocess.run([sys.executable, ROOT / "tests/report/report.py", "--log", log, "--to", tmp_path / "x.html"],
                   check=True,
                   capture_output=True,
                   timeout=60 * PATIENCE)
    window.open(tmp_path / "x.html", 1600)
    assert window.errors() == [] and window.run("return document.scripts.length + document.images.length") == 0
    text = window.run("return document.body.textContent")
    assert "<script>alert(2)</script><img src=x onerror=alert(3)>" in text and "</pre><script>alert(7)</script>" in text
    assert [address for address in window.requests() if not address.startswith(("file:///", "data:"))] == []


def test_a_log_cut_anywhere(run, window, tmp_path):
    """The real log, in the boot, in the map and between faults: a page with its notes, and legible."""
    log = tmp_path / "log"
    for place in ("boot.phase name=nics", "map.memory", "access=write"):
        log.write_text(run.log[:run.log.index(place) + 7])
        done = subprocess.run([
            sys.executable, ROOT / "tests/report/report.py", "--log", log, "--to", tmp_path / "x.html"
        ],
                              text=True,
                              capture_output=True,
                              timeout=60 * PATIENCE,
                              check=False)
        assert done.returncode == 0 and "note: There is no run.verdict" in done.stderr, done.stderr
        window.open(tmp_path / "x.html", 390)
        assert window.errors() == [] and window.run(OVERLAPS) == [] and window.run(CUT) == []
        assert "There is no run.verdict" in window.run("return document.getElementById('missing').textContent")


def test_of_a_made_machine(built, window, tmp_path):
    """One of two root buses, with firmware's regions, threads and nodes."""
    drawn = draw(tmp_path, "--like", "server")
    assert "3 guests with 3 virtual functions" in plain(drawn.text), drawn.said
    rids = {line["rid"] for line in drawn.of("pci.function")}
    assert len(rids) >= 6 and all(f"<code>{rid}</code>" in drawn.text for rid in rids)
    checked(drawn.trace)
    window.open(drawn.page, 1600)
    assert window.errors() == [] and window.run(OVERLAPS) == [] and window.run(CUT) == []


def test_guests_that_do_not_end(built, window, tmp_path):
    """On a machine without VT-d. They are stopped after the time that was given, and drawn as they were."""
    config = tmp_path / "stays.conf"
    config.write_text("[guest stays]\nimage = hostile.elf\nmemory = 8M\nargs = act=halt\nexpect = stopped\n")
    drawn = draw(tmp_path, "--like", "amd", "--for", "1", "--file", f"/bulkhead/sriov.conf={config}")
    assert "guests are still running" in drawn.said and "No VT-d unit is in use" in drawn.text
    refused, = drawn.of("iommu.refused")
    assert refused["message"] in html.unescape(
        re.search('<aside id="troubles">(.*?)</aside>', drawn.text, re.S).group(1))
    stopped, = drawn.of("guest.stopped", name="stays")
    assert stopped["reason"] == "shutdown" and "shutdown" in section(drawn, "guests")
    checked(drawn.trace)
    window.open(drawn.page, 390)
    assert window.errors() == [] and window.run(OVERLAPS) == [] and window.run(CUT) == []
