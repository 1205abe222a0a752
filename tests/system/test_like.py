# SPDX-License-Identifier: MIT
"""Machines like those in laboratories (tests/machine/like.py): on each the main job runs as far as it can, and what it
cannot is said with what to do. What each report of the machine says is in test_preflight.py, the attacks on the server in
test_matrix.py."""

import re

import pytest
from conftest import ROOT
from system.checks import of, one, some, sound, stopped, verdict

from machine import PATIENCE, MachineSpec, machine, screen, signing
from machine.like import LIKES
from machine.scenario import cpus, memory, nics, text_of, usb

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(240)]

PAIR = ("alpha", "beta")
# What differs from build to build, or from one emulator's firmware to another's.
VARIES = {"address", "base", "bytes", "expected", "found", "memory", "reach", "reach_size", "size", "stride"}


def started(boot, kind: str, text: str | None = None, batch: bool = True, limit: float = 90):
    """That machine with the scenario that it is made for, or with another text."""
    scenario = LIKES[kind].scenario
    text = text or text_of(scenario)
    spec = LIKES[kind].make(MachineSpec(
        cpus=cpus(text), memory=memory(text), nics=nics(text), image=boot.built / "bulkhead.img", scenario="test",
        files={"/bulkhead/test.conf": text.encode()}, extra=usb(text, "disk"), batch=batch))
    run = machine("tcg", spec, limit * PATIENCE)
    boot.running.append(run)
    return run.start()


def the_main_job_is_done(run) -> None:
    """Two guests talk through VFs of one card, the third one's attacks are blocked."""
    verdict(run)
    for guest in PAIR:
        stopped(run, guest)
        assert some(run, "guest.output", name=guest, text="memory intact")
    assert int(stopped(run, "rogue")["faults"]) >= 6
    assert one(run, "nic.dma_test")["status"] == "ok" and one(run, "sriov.enabled")["vfs"] == "3"


def shown(kind: str, of_scenario: bool = True) -> list[str]:
    """Lines of the log in the page of that kind. of_scenario: those of its scenario's guests, too."""
    page = (ROOT / f"docs/machines/{kind}.md").read_text().partition("## On a made machine")[2]
    lines = [line for block in re.findall(r"^```\n(.*?)^```", page, re.M | re.S) for line in block.splitlines()]
    return [line for line in lines if re.match(r"[a-z]+\.[a-z0-9_]+ ", line)
            and (of_scenario or not re.search(r"^run\.| guest=", line))]


def is_in(run, line: str) -> bool:
    """An event with these fields; "..." ends what is shown of the last one."""
    event, _, rest = line.partition(" ")
    fields = [(key, value.strip('"').removesuffix("...").rstrip()) for key, value in re.findall(r'(\w+)=("[^"]*"?|\S+)', rest)]
    return any(all((found.get(key) or "").startswith(value) for key, value in fields if key not in VARIES)
               for found in of(run, event))


def as_its_page_says(run, kind: str, of_scenario: bool = True) -> None:
    lines = shown(kind, of_scenario)
    assert len(lines) >= 2
    missing = [line for line in lines if not is_in(run, line)]
    assert not missing, f"docs/machines/{kind}.md shows what this machine does not log: {missing}"
    assert not is_in(run, lines[0].replace("=", "=x", 1).replace("base=x", "nosuch=")), "any line would do"


def test_a_workstation(boot):
    """The log is where SPCR says; no guest shares a physical core with another or with the hypervisor."""
    run = started(boot, "workstation")
    run.wait()
    the_main_job_is_done(run)
    console = one(run, "console.serial")
    assert (console["source"], console["port"]) == ("spcr", "0x2f8")
    topology = one(run, "cpu.topology")
    assert (topology["cores"], topology["threads"], topology["doubts"]) == ("4", "8", "0")
    assert one(run, "cpu.smt")["policy"] == "apart"
    owners = [int(line["cores"]) // 2 for line in of(run, "guest.created")]
    assert sorted(owners) == [1, 2, 3], owners
    assert one(run, "cpu.vulnerable")["between_owners"]
    as_its_page_says(run, "workstation")


def test_a_server(boot):
    """The card is behind a second root bus, and firmware keeps memory for it."""
    run = started(boot, "server")
    run.wait()
    the_main_job_is_done(run)
    roots = {line["buses"] for line in of(run, "pci.root")}
    assert {"00-00", "80-81"} <= roots, roots
    windows = [(line.number("base"), line.number("base") + size_of(line["size"])) for line in of(run, "pci.root", buses="80-81")]
    for line in of(run, "sriov.vf"):
        assert any(low <= line.number("bar0") < high for low, high in windows), line.text
    assert one(run, "sriov.enabled")["pf"] == "81:00.0"
    assert one(run, "iommu.reserved").number("size") == 1 << 20
    assert any("the PF's own domain maps" in line["message"] for line in of(run, "iommu.firmware", rid="81:00.0"))
    watchdog = one(run, "watchdog.stopped")
    assert (watchdog["running"], watchdog["stopped"], watchdog["status"]) == ("yes", "yes", "ok")
    assert one(run, "log.erst").number("bytes") > 4096
    assert [line["cores"] for line in of(run, "numa.node")] == ["0-3", "4-7"]
    as_its_page_says(run, "server")


def size_of(text: str) -> int:
    """A size as the log has it: 4K, 3M, 1G, or hexadecimal bytes."""
    factor = {"K": 10, "M": 20, "G": 30, "T": 40}.get(text[-1])
    return int(text[:-1]) << factor if factor else int(text, 0)


def test_a_desktop(boot):
    """Its table of units has a wrong checksum and comes after 70 others. Ports without ARI, which QEMU does not have,
    are the models' (tests/unit/test_buses.c)."""
    run = started(boot, "desktop")
    run.wait()
    the_main_job_is_done(run)
    line = one(run, "acpi.checksum")
    assert line["table"] == "DMAR" and line["expected"] != line["found"]
    assert one(run, "acpi.skipped").number("tables") == 69
    as_its_page_says(run, "desktop")


AMD = """
[nic uplink]
device = 8086:10c9
vfs    = 2

[guest alone]
image  = hello.elf
memory = 4M
args   = status=3
expect = exit 3

[guest wants]
image  = hello.elf
memory = 4M
device = uplink.vf0
expect = refused
"""


def test_a_machine_of_amds(boot):
    """Guests run; a device is refused, and it is said that no setting of the firmware's helps."""
    run = started(boot, "amd", AMD)
    run.wait()
    verdict(run)
    line = one(run, "iommu.refused")
    assert line["amd"] == "1" and "AMD-Vi" in line["message"] and "enable VT-d" not in line["message"]
    assert "no working IOMMU" in one(run, "nic.refused")["message"]
    stopped(run, "alone", status=3)
    assert one(run, "guest.refused")["guest"] == "wants"
    as_its_page_says(run, "amd", of_scenario=False)


MINIPC = """
[nic left]
device = 8086:10d3

[nic right]
device = 8086:10d3

[nic usb]
device = 1b36:000d

[guest keyboard]
image  = keyboard.elf
memory = 8M
device = usb
accept_flash  = usb
console_input = yes
expect = stopped

[guest alpha]
image  = hello.elf
memory = 4M
device = left
accept_flash = left
args   = ticks=20

[guest beta]
image  = hello.elf
memory = 4M
device = right
accept_flash = right
args   = ticks=20
"""


@pytest.mark.skipif(bool(signing.missing_tools()), reason="no sbsign or openssl: tests/machine/setup.sh build")
def test_a_mini_pc(boot, tmp_path):
    """What can be read is on the screen, what is typed comes from a USB keyboard, and the firmware starts only what is
    signed."""
    run = started(boot, "minipc", MINIPC, batch=False, limit=120)
    run.wait_for("guest.output", name="keyboard", timeout=100)
    for guest in PAIR:
        run.wait_for("guest.stopped", name=guest, timeout=60)
    assert one(run, "boot.verified")["secure_boot"] == "on"
    assert "no serial port" in one(run, "console.refused", device="serial")["message"]
    assert one(run, "console.refused", device="keyboard")
    assert (one(run, "console.screen")["width"], one(run, "console.screen")["height"]) == ("2560", "1440")
    assert one(run, "usb.handoff")["status"] == "ok"
    assert one(run, "iommu.x2apic")["opt_out"] == "yes"
    assert one(run, "iommu.firmware")["rid"] == "00:02.0"
    assert {line["rid"] for line in of(run, "device.assigned")} == {"01:00.0", "02:00.0", "00:04.0"}
    for _ in range(10):
        if some(run, "guest.output", name="keyboard") and "a keyboard" in " ".join(
                line["text"] for line in of(run, "guest.output", name="keyboard")):
            break
        run.wait_for("guest.output", name="keyboard", timeout=20, after=of(run, "guest.output", name="keyboard")[-1])
    run.press("stop keyboard\n")
    run.wait_for("guest.stopped", name="keyboard", timeout=30)
    run.wait_for("run.verdict", timeout=30, result="ok")
    rows = screen.lines(run.screenshot("screen.ppm"))
    assert any("stop keyboard" in line for line in rows), rows
    assert any("run.verdict result=ok" in line for line in rows), rows
    as_its_page_says(run, "minipc", of_scenario=False)
    sound(run)
    run.stop()
