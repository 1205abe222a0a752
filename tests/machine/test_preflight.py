# SPDX-License-Identifier: MIT
"""Reports of the preflight: whole ones, cut ones, damaged ones; what is said of them, and the machines made from them."""

import random
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from machine import MachineSpec, preflight, preflight_machine, preflight_words
from machine.boot_media import make_image, needs_disk_tools
from machine.preflight import ReportError
from machine.tables import table

FIXTURES = sorted(path.name for path in preflight.REPORTS.iterdir())

# A machine with everything that there are words for.
LINES = """\
preflight.start format=1 version=1.0.0 commit=0123456789ab config=sriov.conf
firmware.uefi version=2.8 vendor="Maker" revision=0x1
firmware.secure_boot state=on setup_mode=off
machine.system vendor="Acme \\"Inc\\"" product="Box" version=""
machine.firmware vendor="Maker" version="7" date="01/02/2026"
cpu.name vendor="GenuineIntel" family=0x6 model=0x97 stepping=0x2 signature=0x90672 microcode=0x2f brand="A CPU"
cpu.features vmx=yes svm=no smx=no x2apic=no
cpu.lock msr=0x3a value=0x1 locked=yes vmx=no smx=no lmce=no sgx=no
cpu.refused name=vmx control="VMXON outside SMX" msr=0x3a value=0x1 message="the firmware locked VMX off"
cpu.threads enabled=20 cores=10 highest_apic_id=0x13 limit=64
cpu.smt threads=20 cores=10 message="threads share"
table.saved name=DMAR length=48 digest={dmar:#x}
table.saved name=WDAT length=92 digest={wdat:#x}
iommu.dmar width=39 remapping=no x2apic_opt_out=yes dma_opt_in=no
watchdog.wdat running=yes period_ms=600 most=1023 entries=1
console.spcr interface=0x0 space=memory address=0xfe001000 baud=115200 pci=ffff:ffff
pci.aperture root=0 segment=0 kind=bus base=0x0 limit=0x7f prefetch=no
pci.aperture root=1 segment=0 kind=bus base=0x80 limit=0xff prefetch=no
pci.function rid=00:02.0 id=8086:4680 class=030000 kind=integrated-endpoint sriov=yes
pci.function rid=00:14.0 id=8086:7ae0 class=0c0330 kind=conventional sriov=no
pci.function rid=00:1c.0 id=8086:7ab8 class=060400 kind=root-port sriov=no
pci.function rid=01:00.0 id=8086:1521 class=020000 kind=endpoint port=00:1c.0 sriov=yes
pci.function rid=81:00.0 id=8086:125c class=020000 kind=endpoint port=00:1c.0 sriov=no
pci.sriov pf=01:00.0 total=7 initial=7 vf=8086:1520 enabled=no offset_ari=128 stride_ari=4 offset=384 stride=4 ari=no
iommu.reserved base=0x7b800000 limit=0x7fffffff rid=00:02.0
iommu.reserved base=0x7a000000 limit=0x7a01ffff rid=00:14.0
iommu.unit base=0xfed90000 ir=no eim=no levels3=yes levels4=no snoop=yes
iommu.unit base=0xfed91000 ir=yes eim=yes levels3=yes levels4=yes snoop=yes
screen.gop gop=0 function=00:02.0 console=yes width=2560 height=1440 format=bgrx
memory.type name=free kib=33554432 ranges=9
config.can line=4 section=guest name=a item="guest"
config.unsure line=1 section=nic name=u item="device = 8086:1521" message="firmware gave its VF BAR 0 (1M) no place"
config.cannot line=8 section=guest name=a item="device = u.vf0" message="why; what to do"
"""
DMAR, WDAT = table("DMAR", bytes(12)), table("WDAT", bytes(28) + struct.pack("<I", 1) + b"\0\0\0\0\1" + bytes(19))


def sealed(text: str) -> bytes:
    body = text.encode()
    return body + (f"preflight.end lines={text.count(chr(10))} lost=0 bytes={len(body)} digest={preflight.digest(body):#x} "
                   "stable=0x0\n").encode()


REPORT = sealed(LINES.format(dmar=preflight.digest(DMAR), wdat=preflight.digest(WDAT)))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "preflight.txt").write_bytes(REPORT)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/DMAR.bin").write_bytes(DMAR)
    (tmp_path / "tables/wdat.bin").write_bytes(WDAT)
    return tmp_path


def tool(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, ROOT / "tests/tools/preflight.py", *arguments], capture_output=True, text=True,
                          check=False)


def test_a_whole_report(folder):
    report = preflight.load(folder)
    assert not report.remarks
    assert report.tables == {"DMAR": DMAR, "WDAT": WDAT}
    assert report.one("machine.system")["vendor"] == 'Acme "Inc"'
    assert report.one("cpu.threads").integer("enabled") == 20
    assert preflight.load(folder / "preflight.txt").lines == report.lines
    assert preflight.parse(REPORT.replace(b"\n", b"\r\n")).lines == report.lines


@needs_disk_tools
def test_an_image_of_the_stick(tmp_path):
    image = make_image(tmp_path / "stick.img", {"/bulkhead/preflight.txt": REPORT, "/bulkhead/tables/DMAR.bin": DMAR})
    report = preflight.load(image)
    assert list(report.tables) == ["DMAR"]
    assert report.remarks == ["tables/WDAT.bin is missing: the folder tables belongs to the report"]
    empty = make_image(tmp_path / "empty.img", {"/other": b"x"})
    with pytest.raises(ReportError, match="empty.img"):
        preflight.load(empty)


def test_cut_at_every_byte():
    """Each is refused with a sentence; none ends in anything else."""
    for length in range(len(REPORT)):
        with pytest.raises(ReportError) as refused:
            preflight.parse(REPORT[:length])
        assert len(str(refused.value)) > 20
    assert preflight.parse(REPORT)


def test_every_byte_changed():
    """No byte of it can change without being seen."""
    chosen = random.Random(1)
    for at in range(len(REPORT) - len("stable=0x0\n")):
        damaged = bytearray(REPORT)
        damaged[at] ^= 1 << chosen.randrange(8)
        try:
            preflight.parse(bytes(damaged))
        except ReportError:
            continue
        # Numbers in the last line that mean the same: an x for an X, and the like.
        assert at > REPORT.rindex(b"preflight.end "), (at, damaged[at])


def test_garbage():
    """Bytes without sense, and lines of real ones in any order behind a seal that is right."""
    chosen = random.Random(2)
    lines = LINES.format(dmar=1, wdat=2).splitlines()
    for _ in range(300):
        try:
            preflight.parse(chosen.randbytes(chosen.randrange(200)))
        except ReportError:
            pass
        picked = [lines[0], *(chosen.choice(lines[1:]) for _ in range(chosen.randrange(40)))]
        words = " ".join(picked[1:]).split(" ")
        text = "".join(f"{line}\n" for line in picked)
        if chosen.randrange(2):
            text = re.sub(re.escape(chosen.choice(words) or "x"), chosen.choice(("", "x=", "-1", '"', "0x")), text, count=1)
        try:
            report = preflight.parse(sealed(text))
            preflight_words.explain(report)
            preflight_machine.make(report)
        except ReportError as refused:
            assert str(refused)


@pytest.mark.parametrize("content, part", (
    (b"", "the file is empty"),
    (b"PK\3\4", "byte 2 is 0x03"),
    (b"hello\n", "it begins with 'hello"),
    (REPORT.replace(b"format=1", b"format=9"), "format 9 is not 1: use the tool of Bulkhead 1.0.0"),
    (REPORT[:-30], "has no end: the file was cut"),
    (REPORT[:REPORT.rindex(b"preflight.end")], r"ends in line 33 \(config.cannot\).*was cut"),
    (REPORT.replace(b"brand=", b"brand "), "column 100: 'brand"),
    (REPORT.replace(b"cpu.name", b"cpu-name"), "line 6: 'cpu-name"),
    (REPORT.replace(b"line=8", b"line=9"), "the file was changed or damaged"),
    (b"x" * (preflight.LARGEST + 1), "are more than a report has"),
), ids=("empty", "binary", "other", "format", "half-line", "no-end", "pair", "event", "changed", "large"))
def test_what_is_said_of_a_bad_one(content, part):
    with pytest.raises(ReportError, match=part):
        preflight.parse(content)


def test_tables_of_another_boot(folder):
    (folder / "tables/DMAR.bin").write_bytes(DMAR[:-1])
    (folder / "tables/SRAT.bin").write_bytes(b"x")
    report = preflight.load(folder)
    assert list(report.tables) == ["WDAT"]
    assert ["DMAR.bin is not the one" in report.remarks[0], "knows of no such" in report.remarks[1]] == [True, True]


def test_the_words(folder):
    text = preflight_words.explain(preflight.load(folder))
    for part in ('Acme "Inc" Box', "VMX is locked off by firmware", "switch on Intel Virtualization Technology",
                 "switch on x2APIC", "look for interrupt remapping", "Secure Boot is on", "switch hyper-threading off",
                 "switch on SR-IOV support", "legacy USB support", "a watchdog is running",
                 "on another bus, as the port above forwards no ARI (offset 384, stride 4)", "Network cards to give away whole: 81:00.0",
                 "2560x1440 on 00:02.0", "perhaps line   1  nic u", "why; what to do", "20 logical CPUs on 10 cores"):
        assert part in text, part


def test_the_machine(folder):
    made = preflight_machine.make(preflight.load(folder), MachineSpec(scenario="sriov"))
    spec = made.spec
    assert (spec.cpus, spec.threads, spec.memory, spec.scenario) == (8, 2, 1024, "sriov")
    assert [(nic.model, nic.placement) for nic in spec.nics] == [("igb", "root-port"), ("e1000e", "second-root")]
    assert (spec.iommu, spec.intremap, spec.eim, spec.aw_bits, spec.screen) == (True, False, False, 48, (2560, 1440))
    assert spec.tables["+WDAT"] == WDAT
    assert spec.tables["DMAR"][37] == 2  # opt-out, no interrupt remapping
    missing = "\n".join(made.missing)
    for part in ("20 logical CPUs: there are 8", "(8086:1521): in its place is an igb", "a port without ARI", "2 VT-d units",
                 "SPCR names (memory 0xfe001000)", "Secure Boot", "32768 MiB of memory"):
        assert part in missing, part


def test_the_command(folder, tmp_path, monkeypatch):
    done = tool(folder)
    assert done.returncode == 0 and "What to buy" in done.stdout and not done.stderr
    done = tool(folder / "nothing")
    assert done.returncode == 1 and "there is no such file" in done.stderr and "Traceback" not in done.stderr
    (folder / "preflight.txt").write_bytes(REPORT[:500])
    done = tool(folder)
    assert done.returncode == 1 and "was cut" in done.stderr and "Traceback" not in done.stderr
    done = tool("--name", "../up", folder)
    assert done.returncode == 1 and "error" in done.stderr
    assert "name the report" in subprocess.run(["make", "-s", "preflight"], cwd=ROOT, capture_output=True, text=True,
                                               check=False).stderr


def test_keeping_one(folder, tmp_path):
    report = preflight.load(folder)
    kept = preflight.keep(report, "a-box", tmp_path / "reports")
    again = preflight.load(kept)
    assert (again.lines, again.tables, again.remarks) == (report.lines, report.tables, [])
    with pytest.raises(ReportError, match="lower-case letters"):
        preflight.keep(report, "A Box", tmp_path / "reports")


@pytest.mark.parametrize("name", FIXTURES)
def test_fixtures(name):
    """What users sent: each is read, explained, and made into a machine."""
    report = preflight.load(preflight.REPORTS / name)
    assert not report.remarks
    assert "What to buy" in preflight_words.explain(report)
    preflight_machine.make(report)


def test_the_page_names_every_event():
    sources = [*ROOT.glob("boot/preflight/*.c"), *ROOT.glob("boot/efi/preflight*.c")]
    events = set(re.findall(r'"((?:preflight|machine|firmware|cpu|vmx|acpi|table|platform|watchdog|console|memory|pci|iommu|screen|config)'
                            r'\.[a-z][a-z_]+)"', "".join(path.read_text() for path in sources)))
    page = (ROOT / "docs/preflight.md").read_text()
    assert len(events) > 50 and not {event for event in events - {"preflight.txt"} if f"`{event}`" not in page}
