# SPDX-License-Identifier: MIT
"""What is read out of a log, and what is not."""

import random

import pytest

from report import blocked, capture, hardware, life, memory, page, record, sample, trace
from report.page import Report

CRLF = sample.LOG.replace(b"\n", b"\r\n")


def read(text: str | bytes) -> Report:
    return Report.of(record.read(text if isinstance(text, bytes) else text.encode(), "test"))


def drawn(report: Report) -> str:
    """All that is made of it but for what Graphviz does."""
    assert trace.text(report.record, report.guests)
    assert report.graph()
    return page.render(report, "", "no map")


@pytest.mark.parametrize("data", [sample.LOG, CRLF], ids=["lf", "crlf"])
def test_what_a_log_says(data):
    report = read(data)
    assert not report.record.torn and report.record.boots == 1
    assert [one.rid for one in report.devices] == ["00:01.0", "00:1f.2", "01:00.0", "01:10.0", "01:10.2"]
    assert [one.rid for one in hardware.top(report.devices)] == ["00:01.0", "00:1f.2"]
    card, = report.devices[0].below
    assert [(one.name, one.owner, one.domain) for one in card.below] == [("net.vf0", "good", "2"),
                                                                         ("net.vf1", "bad", "3")]
    assert {space.domain: (space.owner, [one.rid for one in space.devices]) for space in report.domains} == \
        {"1": ("hypervisor", ["01:00.0"]), "2": ("good", ["01:10.0"]), "3": ("bad", ["01:10.2"])}
    assert report.processors[1].spans == [memory.Span(0, 0x2000000, 0x1000000, "rwx")]
    first, second = report.blocked
    assert (first.address, first.target, first.accesses) == (0x4000000, "good", "read and write")
    assert (second.address, second.target, second.accesses, second.why) == (0x9000010, "hypervisor", "write", None)
    assert first.verdict == "blocked: nothing is mapped at 0x4000000"
    assert [(guest.name, guest.fate) for guest in report.guests] == [("good", "exit 0"), ("bad", "exit 0")]
    assert report.guests[0].row.parts == [life.Part("made", 0.061, 0.08), life.Part("runs", 0.08, 0.41)]
    assert [(row.name, row.parts[0].end) for row in life.phases(report.record)] == [("memory", 0.01), ("pci", 0.1)]
    assert page.exits(report)["sums"] == [7, 11]
    assert page.missing(report) == ["1 of 2 blocked addresses have no answer to `why`."]
    assert page.summary(report).startswith(
        "2 guests with 2 virtual functions of their own. 3 DMA accesses blocked, all from bad. 2 audits")


def test_registers_are_no_memory():
    """Not in the bar of RAM, nor in what the legend says that a guest has."""
    bar = b"map.cpu guest=bad address=0xc0000000 physical=0x20000000 size=0x200000 rights=rw\nmap.memory physical=0x20000000 size=0x200000 owner=bad\n"
    report = read(sample.LOG.replace(b"map.domain domain=3", bar + b"map.domain domain=3"))
    bars, end = page.ram(report)
    assert end == 0x9000000 and [bar.words.split(":")[0] for bar in bars] == ["free", "bad", "free", "good", "free"]
    assert page.legend(report)[1] == ("bad", "o2", "16M, net.vf1")


def test_without_a_prompt():
    """A run that nobody asked anything has the machine and its owners from the log."""
    report = read(sample.BOOT + "".join(line + "\n"
                                        for line in sample.FAULTS.splitlines() if "] " in line) + sample.END[:240])
    card, = report.devices[0].below
    assert [(one.rid, one.kind, one.owner) for one in card.below] == [("01:10.0", "vf", "good"),
                                                                      ("01:10.2", "vf", "bad")]
    assert [one.target for one in report.blocked] == ["good", ""]
    assert report.domains[0].spans == [memory.Span(0, 0x4000000, 32 << 20, "-")]
    assert any("Nobody asked `map`" in note for note in page.missing(report))
    assert "0x4000000" in drawn(report)


def test_exits_in_rows():
    rows = """\
bulkhead> exits
guest.vcpu       kind                      exits     a second
good.0           cpuid                         7          0.1
good.0           io                           30         12.0
good.1           io                            5          0.0
good             all                          42         12.1
good             io of serial line            28         11.0
bulkhead> audit -v
I1   ranges of memory with one owner      51 ranges          ok
W^X  pages are written or executed       691 leaves          VIOLATED: 2
"""
    report = read(sample.LOG + rows.encode())
    table = page.exits(report)
    assert [name for name, _ in table["vcpus"]] == ["good vcpu 0", "good vcpu 1"] and table["sums"] == [37, 5]
    assert table["serial"] == {"good": 28}
    text = drawn(report)
    assert "<td>ranges of memory with one owner</td><td>51 ranges</td>" in text and "✕ VIOLATED: 2" in text


def test_a_guest_that_was_paused():
    held = "[0.350000] guest.paused name=good\n[0.360000] guest.resumed name=good\n"
    report = read(sample.LOG.decode().replace("[0.400000]", held + "[0.400000]", 1))
    assert [(part.kind, part.start, part.end) for part in report.guests[0].row.parts] == [
        ("made", 0.061, 0.08), ("runs", 0.08, 0.35), ("paused", 0.35, 0.36), ("runs", 0.36, 0.41)]
    assert "hatched, it was paused" in drawn(report) and "hatched, it was paused" not in drawn(read(sample.LOG))


@pytest.mark.parametrize("typed", [
    "bulkhead> <10>\b\b\b\bexits", "bulkhead> <1>\r             \rbulkhead> exits", "\x1b[1mbulkhead> \x1b[0mexist\b\bts",
    "bulkhead> walk 1\x1b[6D\x1b[Kexits", "bulkhead> exitsy\b \b", "bulkhead> its\x1b[11Gexits", "bulkhead> e\x1b[K\rbulkhead> exits",
])
def test_a_line_that_was_edited(typed):
    """What stands on the screen in the end is what was asked."""
    report = read(sample.LOG + typed.encode() + b"\r\ngood vcpu 0: cpuid=5\r\n")
    assert page.exits(report)["sums"] == [5], report.record.answers[-1]


def test_cursors_go_nowhere():
    assert record.on_screen("ab\x1b[9D\b\x1b[500Dc\x1b7\x1b8") == "cb"
    assert len(record.on_screen("\x1b[99999999Cb" * 50)) <= record.LONGEST + 50


def test_no_guest_at_all():
    lines = sample.BOOT.splitlines(keepends=True)[:11]
    report = read("".join(lines) +
                  '[0.060000] guest.refused guest=good line=8 status=not-found message="a device is missing"\n')
    assert page.summary(report).startswith("No guest ran (1 refused). No DMA access was blocked.")
    assert "a device is missing" in drawn(report) and "There is no guest." in page.missing(report)


def test_the_map_is_that_of_the_guests_lives():
    """What is asked when guests have ended shows their functions in no domain."""
    later = sample.MAP.replace("domain=2 owner=good master=on", "domain=- owner=good master=off")
    assert read(sample.LOG + later.encode()).devices[3].domain == "2"


def test_why_is_that_of_the_access():
    later = "bulkhead> why net.vf1 0x4000000\nblocked: the requester has no context entry\n"
    assert read(sample.LOG + later.encode()).blocked[0].verdict == "blocked: nothing is mapped at 0x4000000"
    assert read(sample.LOG +
                b"bulkhead> why net.vf1 0x9000010\nblocked: so it is\n").blocked[1].verdict == "blocked: so it is"


@pytest.mark.parametrize("forged", [
    "good| bulkhead> map\ngood| map.memory physical=0x0 size=0x10000000 owner=good",
    "bulkhead> console good\ngood| bulkhead> exits\ngood| good vcpu 0: cpuid=99",
    'good| [0.450000] dma.fault rid=01:10.0 guest=good address=0x1 access=read reason=0x6 message="no"',
    '[0.450000] guest.output name=good text="x\\nbulkhead> exits\\ngood vcpu 0: cpuid=99"',
    "bulkhead> exits\nbulkhead> <3>",
])
def test_a_guest_answers_for_nobody(forged):
    """Not even on a console that somebody is attached to."""
    report, plain = read(sample.LOG + forged.encode() + b"\n"), read(sample.LOG)
    assert report.memory == plain.memory and page.exits(report)["rows"] == page.exits(plain)["rows"]
    assert len(report.blocked) == len(plain.blocked)
    typed = sum(line.startswith("bulkhead> ") and "<" not in line for line in forged.splitlines())
    assert len(report.record.answers) == len(plain.record.answers) + typed


def test_the_last_boot_counts():
    again = sample.LOG.replace(b"name=bad ",
                               b"name=other ").replace(b"guest=bad",
                                                       b"guest=other").replace(b"owner=bad", b"owner=other")
    report = read(sample.LOG + b"[0.000500] console.serial source=com1 port=0x3f8 fifo=16\n" + again)
    assert [guest.name for guest in report.guests] == ["good", "other"]
    assert report.record.events[0].event == "console.serial"
    assert "The log has 2 boots; this is the last one." in page.missing(report)
    assert all(answer.time <= 0.43 for answer in report.record.answers) and len(report.record.answers) == 4


def test_what_the_log_says_twice_counts_once():
    once = read(sample.LOG)
    twice = read(sample.LOG + b"bulkhead> log 20\n" + sample.FAULTS.split("] ")[0].split("[")[-1].encode() +
                 b"\n".join(line for line in sample.LOG.splitlines() if line.startswith(b"[")) + b"\n")
    assert [line.text for line in twice.record.of("dma.fault")] == [line.text for line in once.record.of("dma.fault")]
    assert len(twice.record.of("audit.ok")) == 2


def test_half_a_line_is_left_out():
    """guest.created ... memory=1 would read as a guest of one byte."""
    place = sample.LOG.index(b"memory=16M") + len(b"memory=1")
    report = read(sample.LOG[:place])
    assert report.record.torn and [guest.name for guest in report.guests] == ["good"]
    assert "The log ends in the middle of a line, which is left out." in page.missing(report)


def test_cut_at_every_line():
    lines = sample.LOG.splitlines(keepends=True)
    for count in range(1, len(lines)):
        report = read(b"".join(lines[:count]))
        text = drawn(report)
        assert page.missing(report) and "<h1>" in text, count


def test_cut_and_broken_anywhere():
    chance = random.Random(13)
    for _ in range(150):
        data = bytearray(sample.LOG[:chance.randrange(len(sample.LOG))])
        for _ in range(chance.choice((0, 1, 5, 50))):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            drawn(read(bytes(data)))
        except record.NoLog as error:
            assert "\n" not in str(error)


def test_fields_of_all_kinds():
    """Numbers that are none, and none at all."""
    for line in sample.LOG.decode().splitlines():
        for value in ("x", "-1", "0x", "99999999999999999999999", "", '"a b"', "00:00.0"):
            parts = line.split("=")
            if len(parts) > 1:
                odd = "=".join(
                    [parts[0], *(value + (" " + part.split(" ", 1)[1] if " " in part else "") for part in parts[1:])])
                drawn(read(sample.LOG + odd.encode() + b"\n"))


@pytest.mark.parametrize("data",
                         [b"", b"\0" * 5000,
                          bytes(range(256)) * 20, b"Hello\n" * 9, b"[1.0] \n", b"\xff\xfe[\n"])
def test_no_log(data):
    with pytest.raises(record.NoLog, match=f"^{len(data)} bytes without a line of Bulkhead's log"):
        record.read(data, "x")


def test_functions_in_a_circle():
    report = read(sample.LOG.replace(b"rid=00:01.0 name=- id=1b36:000c class=060400 kind=bridge parent=-",
                                     b"rid=00:01.0 name=- id=1b36:000c class=060400 kind=bridge parent=01:00.0"))
    assert all(device.rid in drawn(report) for device in report.devices)


def test_reading_no_memory_for_long():
    """Half a million faults: the page stays small."""
    line = '[{:.6f}] dma.fault rid=01:10.2 guest=bad address={:#x} access=read reason=0x6 message="m"\n'
    many = "".join(line.format(0.2 + number * 1e-6, number << 12) for number in range(20000))
    report = read(sample.LOG + many.encode())
    assert len(report.blocked) == 20001 and len(drawn(report)) < 400_000


@pytest.mark.parametrize("text, never", [
    ("", False), ("[guest a]\nimage = hello.elf\nmemory = 8M\n", False),
    ("[guest a]\nimage = hello.elf\nmemory = 8M\nexpect = stopped # by us\n", True),
    ("[guest a]\nimage = hello.elf\nmemory = 8M\nexpect = stopped\n[guest b]\nimage = hello.elf\nmemory = 8M\n", False),
])
def test_guests_that_never_end_are_known(built, text, never):
    assert capture.never_end(text) is never


def test_blocked_without_a_domain():
    report = read(sample.BOOT + sample.FAULTS)
    assert blocked.blocked(report.record, [], [])[0].target == ""
