# SPDX-License-Identifier: MIT
"""Bad machines and bad input: one clear line each, nothing else lost, the prompt always reached."""

import struct

import pytest
from system.checks import of, one, some, sound, stopped, verdict

from machine import Nic, dmar

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
ALONE = "[guest alone]\nimage = hello.elf\nmemory = 4M\nargs = status=4\nexpect = exit 4\n"
WITH_DEVICE = "[guest greedy]\nimage = hello.elf\nmemory = 4M\ndevice = uplink.vf0\nexpect = refused\n"


def refused(run, guest: str, word: str, **fields):
    """The guest was left out, with a line that names it and says so; it took nothing with it."""
    lines = [line for line in of(run, "guest.refused", guest=guest, **fields) if word in line["message"]]
    assert len(lines) == 1, [line.text for line in of(run, "guest.refused", guest=guest)]
    assert not of(run, "guest.created", name=guest) and not of(run, "guest.started", name=guest)
    return lines[0]


def refused_inside(run, guest: str, word: str):
    """The guest's own start stub made nothing of its image: it never ran, and what it had was taken back."""
    lines = of(run, "guest.refused", guest=guest)
    assert len(lines) == 1 and word in lines[0]["message"], [line.text for line in lines]
    stopped(run, guest, reason="refused")
    assert not of(run, "guest.output", name=guest) and not of(run, "guest.fault", name=guest)
    return lines[0]


def goes_on(run) -> None:
    """Whatever was refused: the others ran, the audit is clean, the prompt is there."""
    stopped(run, "alone", status=4)
    one(run, "monitor.ready")
    sound(run)


# --- machines ---

@pytest.mark.parametrize("cpu, name, word", [
    ("max,+x2apic,-svm", "svm", "SVM"),
    ("max,-x2apic", "x2apic", "x2APIC"),
])
def test_no_virtualization(boot, cpu, name, word):
    run = boot.to_the_end(NIC + ALONE + WITH_DEVICE, cpu=cpu)
    assert word in one(run, "cpu.refused", name=name)["message"]
    for guest in ("alone", "greedy"):
        refused(run, guest, "neither VMX nor SVM")
    one(run, "monitor.ready")
    sound(run)
    # One guest is not as its configuration expects.
    assert one(run, "run.unexpected")["guest"] == "alone"
    assert one(run, "run.verdict")["result"] == "failed" and run.status == 35


def test_no_iommu(boot):
    run = boot.to_the_end(NIC + ALONE + WITH_DEVICE, iommu=False)
    assert "VT-d" in one(run, "iommu.refused")["message"]
    assert "IOMMU" in one(run, "nic.refused", nic="uplink")["message"]
    some(run, "device.refused", guest="greedy")
    refused(run, "greedy", "missing")
    goes_on(run)
    verdict(run)


def test_no_iommu_and_a_whole_function(boot):
    run = boot.to_the_end("[nic uplink]\ndevice = 01:00.0\n" + ALONE + WITH_DEVICE.replace(".vf0", ""), iommu=False)
    assert "enable VT-d" in one(run, "device.refused", guest="greedy", device="01:00.0")["message"]
    refused(run, "greedy", "refused")
    goes_on(run)
    verdict(run)


@pytest.mark.parametrize("table", [
    pytest.param(dmar.body(dmar.drhd(0xfed90000)), id="no-unit-there"),
    pytest.param(dmar.body(dmar.drhd(0x1000)), id="unit-in-RAM"),
    pytest.param(dmar.body(dmar.drhd(0xfed90000, length=0)), id="length-0"),
    pytest.param(dmar.body(dmar.drhd(0xfed90000, length=400)), id="longer-than-the-table"),
    pytest.param(dmar.body(), id="no-structure"),
    pytest.param(b"\x26", id="cut-off"),
])
def test_a_dmar_table_that_lies(boot, tmp_path, table):
    """The table names a unit that is not there or is broken itself: no device is given away."""
    (tmp_path / "dmar").write_bytes(table)
    run = boot.to_the_end(NIC + ALONE + WITH_DEVICE, iommu=False,
                          extra=("-acpitable", f"sig=DMAR,data={tmp_path / 'dmar'}"))
    one(run, "acpi.table", name="DMAR")
    assert of(run, "iommu.refused") and all(line["message"] for line in of(run, "iommu.refused"))
    assert not of(run, "iommu.enabled") and not of(run, "device.assigned")
    refused(run, "greedy", "missing")
    goes_on(run)
    verdict(run)


def test_no_nic(boot):
    run = boot.to_the_end(NIC + ALONE + WITH_DEVICE, nics=())
    assert "no such device" in one(run, "nic.refused", nic="uplink", line=1)["message"]
    assert "no such device" in one(run, "device.refused", guest="greedy")["message"]
    refused(run, "greedy", "missing")
    goes_on(run)
    verdict(run)


def test_a_nic_without_sriov(boot):
    """It cannot be split; and whole it is not given away where it cannot be reset: there is no bridge above."""
    text = ("[nic uplink]\ndevice = 01:00.0\nvfs = 2\n[nic whole]\ndevice = 00:02.0\n" + ALONE + WITH_DEVICE
            + "[guest owner]\nimage = hello.elf\nmemory = 4M\ndevice = whole\naccept_flash = whole\n"
            + "expect = refused\n")
    run = boot.to_the_end(text, nics=(Nic("e1000e"), Nic("e1000e", "root-bus")))
    assert "no SR-IOV capability" in one(run, "nic.refused", nic="uplink")["message"]
    refused(run, "greedy", "missing")
    assert one(run, "device.refused", guest="greedy")["device"] == "uplink.vf0"
    assert "it was none" in one(run, "pci.reset", rid="00:02.0")["message"]
    assert "cannot be reset" in one(run, "device.refused", guest="owner", device="00:02.0")["message"]
    refused(run, "owner", "refused")
    goes_on(run)
    verdict(run)


def test_more_functions_than_the_device_has(boot):
    run = boot.to_the_end(NIC.replace("vfs = 2", "vfs = 9") + ALONE + WITH_DEVICE)
    line = one(run, "nic.refused", nic="uplink")
    assert (line["vfs"], line["total"]) == ("9", "8")
    assert not of(run, "sriov.enabled") and not of(run, "sriov.vf")
    refused(run, "greedy", "missing")
    goes_on(run)
    verdict(run)


def test_one_core_only(boot):
    run = boot.to_the_end(ALONE, cpus=1)
    refused(run, "alone", "not enough cores")
    one(run, "monitor.ready")
    assert one(run, "run.verdict")["result"] == "failed"


# --- configurations ---

def test_no_configuration(boot):
    run = boot.to_the_end(scenario="absent")
    line = one(run, "config.error")
    assert line["file"] == "absent.conf" and line["message"]
    one(run, "monitor.ready")
    assert one(run, "run.verdict")["result"] == "failed" and run.status == 35


MISTAKES = """[nic uplink]
device = 8086:10c9
vfs = many

[nic two]
device = 01:00.0
vfs = 1
speed = 10G

[guest alone]
image = hello.elf
memory = 4M
args = status=4
expect = exit 4

[guest small]
image = hello.elf
memory = 3M

[guest typo]
image = hello.elf
  colour = blue

[guest alone]
image = hello.elf

[guest nothing]
memory = 4M

[guest lost]
image = hello.elf
device = uplink.vf0

[gust]
image = hello.elf
"""

COMPLAINTS = [
    (3, 7, "many"), (8, 1, "unknown key 'speed'"), (18, 10, "3M"), (22, 3, "unknown key 'colour'"),
    (24, 8, "there is a guest with the name 'alone' already"), (27, 1, "no key 'image'"),
    (32, 10, "no usable nic has the name 'uplink'"), (34, 2, "unknown section 'gust'"),
]


def test_every_mistake_has_its_place(boot):
    """One boot with them all: each complaint names line and column, and the sound guest runs."""
    run = boot.to_the_end(MISTAKES)
    lines = of(run, "config.error")
    for line, column, word in COMPLAINTS:
        found = [event for event in lines if word in event["message"]]
        assert len(found) == 1, f"{word}: {[event.text for event in lines]}"
        assert (found[0]["file"], found[0].number("line"), found[0].number("column")) == ("test.conf", line, column)
    assert len(lines) == len(COMPLAINTS), [event.text for event in lines]
    assert one(run, "config.read")["guests"] == "1"
    goes_on(run)
    assert one(run, "run.verdict")["result"] == "failed", "a configuration with mistakes is never a success"


def elf_without_note(image: bytes) -> bytes:
    """The same image, its PVH note's type changed to one that nobody knows."""
    note = struct.pack("<III", 4, 4, 18) + b"Xen\0"
    assert image.count(note) == 1
    return image.replace(note, struct.pack("<III", 4, 4, 1018) + b"Xen\0")


GUESTS = NIC + """
[guest first]
image  = hello.elf
memory = 4M
device = uplink.vf0
expect = exit 0

[guest second]
image  = hello.elf
memory = 4M
device = uplink.vf0
expect = refused

[guest missing]
image  = nowhere.elf
memory = 4M
expect = refused

[guest text]
image  = text.elf
memory = 4M
expect = refused

[guest empty]
image  = empty.elf
memory = 4M
expect = refused

[guest noteless]
image  = noteless.elf
memory = 4M
expect = refused

[guest cut]
image  = cut.elf
memory = 4M
expect = refused

[guest narrow]
image  = hello.elf
memory = 2M
expect = refused

[guest wide]
image  = hello.elf
memory = 4M
cpus   = 8
expect = refused

[guest large]
image  = hello.elf
memory = 2G
expect = refused

""" + ALONE


def test_bad_guests_beside_good_ones(boot):
    """Each is refused for its own reason, and the place in the configuration is named where it has one."""
    image = (boot.built / "guest/hello.elf").read_bytes()
    run = boot.to_the_end(GUESTS, files={"/bulkhead/text.elf": b"not a program\n" * 100, "/bulkhead/empty.elf": b"",
                                         "/bulkhead/noteless.elf": elf_without_note(image),
                                         "/bulkhead/cut.elf": image[:200]}, cpus=8)
    line = one(run, "device.refused", guest="second")
    assert line["owner"] == "first" and line["device"] == one(run, "device.assigned", guest="first")["rid"]
    refused(run, "second", "refused")
    where = GUESTS.splitlines()
    for guest, word, refuse in [("missing", "no such file", refused), ("text", "ELF", refused_inside),
                                ("empty", "", refused), ("noteless", "PVH", refused_inside),
                                ("cut", "beyond the end of the file", refused_inside),
                                ("narrow", "beyond the guest's memory", refused_inside)]:
        event = refuse(run, guest, word)
        assert where[event.number("line") - 1][event.number("column") - 1:] == event["image"], event.text
        assert len(event["message"]) > 10
    for guest, word in [("wide", "not enough cores"), ("large", "memory")]:
        event = refused(run, guest, word)
        assert where[event.number("line") - 1] == f"[guest {guest}]"
    assert {(line["guest"], line["offset"], line["value"]) for line in of(run, "guest.refused") if "offset=" in line.text} \
        == {("text", "0", "0x578"), ("noteless", "0", "0"), ("cut", "0x20", "0x40"), ("narrow", "0x40", "0x200000")}
    stopped(run, "first")
    goes_on(run)
    verdict(run)
