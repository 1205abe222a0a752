# SPDX-License-Identifier: MIT
"""Requester ids that are not firmware's, and root buses beside the first: VFs work there like anywhere, everybody is
confined, and the audit finds the tables right."""

import struct

import pytest
from system.checks import ask, of, one, stopped, verdict

from machine import Nic, dmar, gdb
from machine.tables import table

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

ECAM = 0xe0000000
BASE, SIZE = 0x7800000, 1 << 20
SRIOV = 0x160  # of the 82576
# mov dword [rdx], 2; mov eax, 1; ret
LAST_BUS_IS_2 = b"\xc7\x02\x02\x00\x00\x00\xb8\x01\x00\x00\x00\xc3"


def guests(device: str) -> str:
    """The main job: two that talk, one that attacks."""
    text = f"[nic uplink]\ndevice = {device}\nvfs = 3\n"
    for number, name, peer in ((0, "alpha", 2), (1, "beta", 1)):
        text += (f"[guest {name}]\nimage = ping.elf\nmemory = 32M\ndevice = uplink.vf{number}\n"
                 f"args = ip=10.0.0.{number + 1} peer=10.0.0.{peer} count=200 mode=msix limit=300\nexpect = exit 0\n")
    return text + ("[guest rogue]\nimage = rogue.elf\nmemory = 32M\ndevice = uplink.vf2\n"
                   "args = targets=@memory(alpha),@memory(hypervisor) rounds=2 pause=200000\n"
                   "fault_threshold = 8\nexpect = exit 0\nexpect_faults = 3\n")


def size(line) -> int:
    """Of a window, in bytes."""
    number, unit = line["size"][:-1], line["size"][-1]
    return int(number) << {"K": 10, "M": 20, "G": 30}[unit]


def faults_of(run, rid: str) -> list:
    lines = of(run, "dma.fault")
    assert {line["rid"] for line in lines} == {rid} and {line["guest"] for line in lines} == {"rogue"}
    return lines


def test_numbers_that_move(boot):
    """No port of QEMU's lacks ARI with a card that needs another bus then: a debugger has the hypervisor believe so.
    The card's bus goes from 1 to 3, as 2 is a neighbour's. Firmware's table speaks of bus 1, and so does the
    configuration; what firmware placed of the VFs' registers is taken away as well."""
    text = guests("01:00.0")
    run = boot(text, nics=(Nic("igb"), Nic("e1000e")), extra=gdb.ARGUMENTS, batch=True,
               tables={"DMAR": table("DMAR", dmar.body(dmar.drhd(0xfed90000, scopes=dmar.scope(3, (0x1e, 0), bus=0xff)),
                                                       dmar.rmrr(BASE, BASE + SIZE - 1, (0, 0), bus=1)))})
    image = boot.built / "bulkhead.elf"
    with gdb.Debugger(run) as debugger:
        debugger.go_to(gdb.symbol(image, "hypervisor_main"))
        for bar in (0x24, 0x28, 0x30, 0x34):  # VF BAR 0 and 3, both halves
            debugger.write(ECAM + (1 << 20) + SRIOV + bar, struct.pack("<I", 0))
        debugger.go_to(gdb.symbol(image, "pci_buses_make_room"))
        debugger.write(gdb.symbol(image, "sriov_last_bus"), LAST_BUS_IS_2, physical=False)
        debugger.go()
        run.wait()
    assert one(run, "pci.moved")["rid"] == "03:00.0" and one(run, "pci.moved")["was"] == "01:00.0"
    buses = one(run, "pci.buses")
    assert (buses["buses"], buses["were"]) == ("03-04", "01-01")
    assert one(run, "sriov.enabled")["pf"] == "03:00.0"
    assert len(of(run, "sriov.placed")) == 2
    for number, guest in enumerate(("alpha", "beta", "rogue")):
        one(run, "device.assigned", guest=guest, rid=f"03:10.{2 * number}")
        stopped(run, guest)
    assert len(faults_of(run, "03:10.4")) >= 3
    assert "own domain maps" in of(run, "iommu.firmware", rid="03:00.0")[-1]["message"]
    verdict(run)


def test_a_second_root_bus(boot):
    """The card is at another root bus than the first, and firmware keeps memory for its PF, which reaches that and the
    page of its driver, and nothing else."""
    run = boot(guests("8086:10c9"), nics=(Nic("igb", "second-root"),), batch=False,
               tables={"DMAR": table("DMAR", dmar.body(dmar.drhd(0xfed90000, scopes=dmar.scope(3, (0x1e, 0), bus=0xff)),
                                                       dmar.rmrr(BASE, BASE + SIZE - 1, (0, 0), bus=0x81)))})
    run.wait_for("run.verdict", timeout=60)
    windows = of(run, "pci.root")
    assert {line["buses"][:2] for line in windows} == {"00", "80"}
    vf = one(run, "sriov.vf", rid="81:10.0")
    own = [line for line in windows if line["buses"].startswith("80")]
    assert any(line.number("base") <= vf.number("bar0") < line.number("base") + size(line) for line in own)
    for guest in ("alpha", "beta", "rogue"):
        stopped(run, guest)
    assert len(faults_of(run, "81:10.4")) >= 3
    assert "own domain maps" in of(run, "iommu.firmware", rid="81:00.0")[-1]["message"]
    ask(run, f"walk 81:00.0 {BASE + 0x1234:#x}", rf"reaches {BASE + 0x1234:#x} .*owner firmware")
    ask(run, f"walk 81:00.0 {BASE + SIZE:#x}", "blocked: nothing is mapped")
    ask(run, "walk 81:00.0 0x100000", r"reaches 0x[0-9a-f]+ .*owner hypervisor")
    assert one(run, "run.verdict")["result"] == "ok"
    run.stop()
