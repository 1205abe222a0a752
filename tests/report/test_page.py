# SPDX-License-Identifier: MIT
"""What the page, the trace and the map are made of: safe, valid, and legible for everybody."""

import itertools
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from report import graph, owners, page, record, report, sample, trace
from report.page import Report

from conftest import ROOT, make

EVIL = '<script>alert(1)</script>&amp;"\'\\'
HOSTILE = sample.LOG.decode() + f"""\
[0.440000] guest.created name={EVIL.replace('"', '')} cpus=1 memory=1M base=0x1000 devices=0 cores=1 node=0
[0.441000] guest.output name=good text="<script>alert(2)</script><img src=x onerror=alert(3)>"
[0.442000] config.read file=<script>alert(4)</script>
[0.443000] dma.fault rid=<script>alert(5)</script> guest=<b> address=0x5 access=<i> reason=<u> message="<script>alert(6)</script>"
bulkhead> audit -v
</pre><script>alert(7)</script>
bulkhead> map
map.device rid=<script> name=</svg><script>alert(8)</script> id=- class=<script> kind=vf parent=- port=- unit=0 domain=9 owner=<script> master=on
map.device rid=01:10.9 name="->[x=y]; id=- class=020000 kind=vf parent=- port=- unit=0 domain=3 owner=a"b\\ master=on
map.device rid=01:10.2 name=net.vf1 id=8086:10ca class=020000 kind=vf parent=- port=- unit=0 domain=3 owner=bad master=on
map.domain domain=9 owner=<script>alert(9)</script> levels=4 address=0x0 physical=0x2000000 size=0x1000000 rights=<script>
map.memory physical=0x0 size=0x2000000 owner=<script>
map.unit unit=0 base=<script> usable=yes
"""


def of(text: str) -> Report:
    return Report.of(record.read(text.encode(), "<script>.log"))


def xml(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def words(element: ElementTree.Element) -> str:
    return " ".join(element.itertext())


def test_nothing_of_a_log_is_markup():
    """Everything shows as text, and nothing of it becomes an element or an attribute."""
    hostile = of(HOSTILE)
    drawn = graph.draw(hostile.graph())
    whole = page.render(hostile, drawn, "")
    assert "&lt;script&gt;alert(2)" in whole and "&lt;script&gt;alert(7)" in whole
    assert not re.search(r"<\s*(script|img|b>|i>|u>alert)", re.sub(r"</?b>", "", whole), re.I)
    assert not re.search(r"\son\w+\s*=\s*[\"']?alert", re.sub(r"&[a-z#0-9]+;.*?&gt;", "", whole))
    root = xml(graph.file(drawn))
    assert not [element.tag for element in root.iter() if "script" in element.tag]
    assert "<script>" in words(root) and '"->[x=y];' in words(root)


def test_what_xml_has_no_characters_for():
    """What is left of a control sequence, and what is not a character."""
    odd = of(sample.LOG.decode().replace("name=net.vf0",
                                         "name=net\x1b\ufffe\x0fvf0").replace('text="all is well"',
                                                                              'text="\x1b \uffff"'))
    drawn = graph.draw(odd.graph())
    assert "net\ufffd\ufffdvf0" in words(xml(graph.file(drawn)))
    xml("<html>" + "".join(re.findall(r"<svg.*?</svg>", page.render(odd, drawn, ""), re.S)) + "</html>")


def test_the_page_needs_nothing():
    """No script, no other file, no address of another computer."""
    text = page.render(of(sample.LOG.decode()), graph.draw(of(sample.LOG.decode()).graph()), "")
    assert not re.search(r"<(script|iframe|object|embed|img|link(?! rel=\"icon\" href=\"data:,\"))\b", text)
    assert not re.search(r"(?:src|href)=\"(?!#|data:,)", text) and "@import" not in text
    assert not re.findall(r"url\((?!#hatch\))", text)


def test_the_map_has_every_function():
    found = of(sample.LOG.decode())
    root = xml(graph.file(graph.draw(found.graph())))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    nodes = {
        element.findtext("{*}title"): words(element)
        for element in root.iter() if element.get("class", "").startswith("node")
    }
    for device in found.devices:
        assert device.rid in nodes[device.rid] and device.owner in nodes[device.rid]
    arrows = [element for element in root.iter() if "blocked" in element.get("class", "").split()]
    assert {element.findtext("{*}title")
            for element in arrows} == {"01:10.2->memory 0x4000000", "01:10.2->memory 0x9000000"}
    assert all(address in " ".join(map(words, arrows)) for address in ("✕ 0x4000000", "✕ 0x9000010"))


def checked(text: str) -> list[dict]:
    """The events of a trace that is right by the Trace Event format."""
    whole = json.loads(text)
    assert set(whole) <= {"traceEvents", "displayTimeUnit", "otherData"} and whole["displayTimeUnit"] in ("ms", "ns")
    latest: dict[tuple, int] = {}
    for event in whole["traceEvents"]:
        assert event["ph"] in "XiCM" and isinstance(event["name"], str) and event["name"], event
        assert all(type(event[key]) is int and event[key] >= 0 for key in ("ts", "pid", "tid")), event
        assert isinstance(event["args"], dict) and isinstance(event["cat"], str), event
        if event["ph"] == "X":
            assert type(event["dur"]) is int and event["dur"] >= 0, event
        if event["ph"] == "i":
            assert event["s"] in "gpt", event
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name") and event["args"]["name"], event
        else:
            assert event["ts"] >= latest.get((event["pid"], event["tid"]), 0), event
            latest[event["pid"], event["tid"]] = event["ts"]
    named = {(event["pid"], event["tid"]) for event in whole["traceEvents"] if event["ph"] == "M"}
    assert set(latest) <= named
    return whole["traceEvents"]


@pytest.mark.parametrize("text", [
    sample.LOG.decode(), HOSTILE, sample.BOOT, "[3.0] guest.started name=a\n[1.0] guest.started name=b\n"
])
def test_the_trace_is_right(text):
    found = of(text)
    events = checked(trace.text(found.record, found.guests))
    assert sum(event["name"] == "dma.fault" for event in events) == len(found.record.of("dma.fault"))


def test_the_trace_has_lives_and_faults():
    found = of(sample.LOG.decode())
    events = checked(trace.text(found.record, found.guests))
    assert {(event["name"], event["ts"], event["dur"]) for event in events if event["ph"] == "X" and event["cat"] == "runs"} == \
        {("good runs", 80000, 330000), ("bad runs", 90000, 310000)}
    assert [event["args"]["blocked"] for event in events if event["ph"] == "C"] == [1, 2, 3]


# Linear RGB as people see it who lack one of the three pigments (Machado and others 2009, severity 1).
VISION = {"all pigments": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
          "protanopia": ((.152286, 1.052583, -.204868), (.114503, .786281, .099216), (-.003882, -.048116, 1.051998)),
          "deuteranopia": ((.367322, .860646, -.227968), (.280085, .672501, .047413), (-.01182, .04294, .968881)),
          "tritanopia": ((1.255528, -.076749, -.178779), (-.078411, .930809, .147602), (.004733, .691367, .3039))}


def linear(colour: str) -> list[float]:
    values = [int(colour[place:place + 2], 16) / 255 for place in (1, 3, 5)]
    return [value / 12.92 if value <= .04045 else ((value + .055) / 1.055) ** 2.4 for value in values]


def lab(rgb: list[float]) -> list[float]:
    """CIE L*a*b*, D65."""
    x, y, z = (sum(weight * min(max(value, 0), 1) for weight, value in zip(row, rgb)) / white for row, white in (
        ((.4124, .3576, .1805), .9505), ((.2126, .7152, .0722), 1), ((.0193, .1192, .9505), 1.089)))
    root = [value ** (1 / 3) if value > .008856 else 7.787 * value + 16 / 116 for value in (x, y, z)]
    return [116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])]


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_can_be_told_apart(vision, dark):
    """Owners that stand beside each other, and what is blocked. (A difference of 2 is just seen.)"""
    shades = [pair[dark] for pair in (*owners.GUESTS, owners.BLOCKED, owners.OTHERS["hypervisor"])]
    seen = [
        lab([sum(weight * value for weight, value in zip(row, linear(colour))) for row in VISION[vision]])
        for colour in shades
    ]
    close = {(one, other): round(difference, 1) for (one, a), (other, b) in itertools.combinations(zip(shades, seen), 2)
             if (difference := sum((x - y) ** 2 for x, y in zip(a, b)) ** .5) < 10}
    assert not close, close


def contrast(one: str, other: str) -> float:
    light = sorted(
        sum(weight * value for weight, value in zip((.2126, .7152, .0722), linear(colour))) for colour in (one, other))
    return (light[1] + .05) / (light[0] + .05)


def test_what_is_written_in_red_can_be_read():
    """WCAG 2.1: 4.5 for text."""
    style = (ROOT / "tests/report/page.css").read_text()
    for dark, paper in enumerate(re.findall(r"--paper: (#\w+)", style)):
        paper = "#ffffff" if paper == "#fff" else paper
        assert contrast(owners.BLOCKED[dark], paper) >= 4.5
    for name in ("--ink", "--soft", "--ok"):
        for value, paper in zip(re.findall(rf"{name}: (#\w+)", style), ("#ffffff", "#14181c")):
            assert contrast(value, paper) >= 4.5, (name, value)


def run(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, ROOT / "tests/report/report.py", *map(str, arguments)],
                          text=True,
                          capture_output=True,
                          timeout=120,
                          check=False,
                          **options)


def refused(result: subprocess.CompletedProcess, *expected: str) -> None:
    assert result.returncode == 2 and "Traceback" not in result.stderr, result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert all(part in last for part in expected), last


def test_files_beside_each_other(tmp_path):
    (tmp_path / "a.log").write_bytes(sample.LOG)
    done = run("--log", tmp_path / "a.log", "--to", tmp_path / "out.html")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "out.html", "out.map.svg", "out.trace.json"]
    # A map of an earlier run does not stay beside a page that has none.
    (tmp_path / "a.log").write_text("[0.1] guest.started name=a\n")
    done = run("--log", tmp_path / "a.log", "--to", tmp_path / "out.html")
    assert done.returncode == 0 and "note: There is no boot.start" in done.stderr, done.stderr
    assert not (tmp_path / "out.map.svg").exists() and "The log has no PCI function" in (tmp_path /
                                                                                         "out.html").read_text()


def test_what_cannot_be_drawn_is_said(tmp_path):
    page_file = tmp_path / "x.html"
    refused(run("--log", tmp_path / "none", "--to", page_file), "error:", "there is no such file")
    refused(run("--log", tmp_path, "--to", page_file), "is a folder: name the log")
    (tmp_path / "empty").touch()
    refused(run("--log", tmp_path / "empty", "--to", page_file), "0 bytes without a line of Bulkhead's log")
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 999)
    refused(run("--log", tmp_path / "noise", "--to", page_file), "255744 bytes without a line")
    assert not page_file.exists()
    (tmp_path / "log").write_bytes(sample.LOG)
    refused(run("--log", tmp_path / "log", "--to", tmp_path / "no/x.html"), "there is no folder", "make it first")
    refused(run("--log", tmp_path / "log", "--to", tmp_path / "x.pdf"), "a page's name ends in .html")
    (tmp_path / "d.html").mkdir()
    refused(run("--log", tmp_path / "log", "--to", tmp_path / "d.html"), "is a folder")
    refused(run("--log", tmp_path / "log", "--scenario", "sriov"), "nothing is booted with --log")
    for seconds in ("-1", "0", "nan", "x", "99999999"):
        refused(run("--for", seconds), "--for")
    refused(run("--machine", "pdp11"), "pdp11")
    refused(run("--like", "toaster"), "toaster")


def test_without_graphviz(tmp_path):
    (tmp_path / "log").write_bytes(sample.LOG)
    done = run("--log", tmp_path / "log", "--to", tmp_path / "x.html", env={"PATH": "/nowhere"})
    assert done.returncode == 0 and "tests/machine/setup.sh report installs it" in done.stderr, done.stderr
    assert "dot is not on this computer" in (tmp_path / "x.html").read_text()


def test_make_passes_names_on(tmp_path):
    """With blanks and what means something to a shell, whatever other goals make of LOG and TO."""
    odd = tmp_path / "a b; (c) & #1.log"
    odd.write_bytes(sample.LOG)
    done = make("report", f"LOG={odd}", f"TO={tmp_path}/an other.html")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a b; (c) &amp; #1.log" in (tmp_path / "an other.html").read_text()


@pytest.mark.parametrize("given, expected", [
    ("LOG=/nowhere", "LOG: there is no file"),
    ("LOG=/", "LOG: '/' is not a file"),
    ("TO=/nowhere/x.html", "TO: there is no folder"),
    ("FOR=soon", "FOR: 'soon' is not a number"),
    ("FOR=0", "FOR: '0' is not a number"),
    ("SCENARIO=sriow", "did you mean 'sriov'?"),
    ("LIKE=toaster", "LIKE: there is no kind of machine"),
    ("TO=docs", "a page's name ends in .html"),
])
def test_make_refuses_nonsense(tmp_path, given, expected):
    """Before anything is booted."""
    (tmp_path / "log").write_bytes(sample.LOG)
    done = make("report", given, *([f"LOG={tmp_path / 'log'}"] if given.startswith("TO=") else []))
    assert done.returncode != 0 and expected in done.stderr and "Traceback" not in done.stderr, done.stdout + done.stderr


def test_report_is_a_program():
    assert report.main.__module__ == "report.report"
    assert "--log FILE" in run("--help").stdout
