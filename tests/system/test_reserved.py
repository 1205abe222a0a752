# SPDX-License-Identifier: MIT
"""Memory that firmware keeps for its own DMA (RMRR): no guest gets it, the host's functions reach it and nothing else,
and a guest gets such a function only when it is named. QEMU describes no such memory, so the table is replaced."""

import re
import struct
import time

import pytest
from system.checks import ask, of, one, sound, some, stopped, verdict

from machine import PATIENCE, dmar, gdb
from machine.dmar import drhd, rmrr

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

BASE, SIZE = 0x10000000, 1 << 20  # in the middle of what the memory map calls usable
PATTERN = bytes(range(256)) * (SIZE // 256)
ECAM = 0xe0000000
EDU = 0x1e  # QEMU's teaching device: DMA registers at 0x80 of BAR 0, a buffer of its own at 0x40000
EDU_BUFFER = 0x40000
BELOW = 190  # MiB; the log that outlives a reset lies at 64M
# Neither fits beside the other unless one lies below the region and one above it.
AROUND = "".join(f"[guest {name}]\nimage = hello.elf\nmemory = {size}M\nargs = status=4\nexpect = exit 4\n"
                 for name, size in (("above", 200), ("below", BELOW)))


def replaced(boot, text: str, *structures: bytes, masters: tuple[int, ...] = (), extra: tuple[str, ...] = (), **machine):
    """Starts a machine whose DMAR table changes at the moment that the hypervisor reads it; its debugger besides."""
    run = boot(text, extra=gdb.ARGUMENTS + extra, **machine)
    image = boot.built / "bulkhead.elf"
    debugger = gdb.Debugger(run)
    debugger.go_to(gdb.symbol(image, "hypervisor_main"))
    for device in masters:  # as firmware may leave them: decoding, mastering the bus
        debugger.write(ECAM + (device << 15) + 4, struct.pack("<H", 6))
    debugger.write(BASE, PATTERN)
    debugger.go_to(gdb.symbol(image, "dmar_parse"))
    registers = debugger.registers()
    old = debugger.read(registers["rdi"], registers["rsi"], physical=False)
    assert old[:4] == b"DMAR"
    debugger.write(registers["rdi"], dmar.replaced(old, *structures), physical=False)
    debugger.go()
    return run, debugger


def copy(debugger, registers: int, source: int, target: int, to_memory: bool) -> None:
    """One transfer by the device, 256 bytes; it takes 100 ms, and longer on a busy computer."""
    for offset, value in ((0x80, source), (0x88, target), (0x90, 256), (0x98, 3 if to_memory else 1)):
        debugger.write(registers + offset, struct.pack("<Q", value))
    for _ in range(60):
        debugger.go()
        time.sleep(0.5)
        debugger.stop()
        if not debugger.read(registers + 0x98, 8)[0] & 1:
            return
    raise AssertionError("the transfer never ended")


def test_tables_that_lie(boot, tmp_path):
    """All at once: a region of usable memory, and regions that cannot be. There is no unit, and none is needed."""
    image = one(boot.to_the_end(AROUND, iommu=False), "boot.start").number("image")
    table = dmar.body(drhd(0xfed90000), rmrr(BASE, BASE + SIZE - 1, (EDU, 0)), rmrr(BASE + SIZE // 2, BASE + SIZE - 1),
                 rmrr(BASE, BASE - 1), rmrr(0, 0), rmrr(0, (1 << 64) - 1), rmrr(1 << 50, (1 << 50) + 0xfff),
                 rmrr(BASE + SIZE + 0x10, BASE + SIZE + 0x1f), rmrr(image, image + SIZE - 1))
    (tmp_path / "dmar").write_bytes(table)
    run = boot.to_the_end(AROUND, iommu=False, extra=("-acpitable", f"sig=DMAR,data={tmp_path / 'dmar'}"))
    assert one(run, "boot.start").number("image") == image, "the last region is meant to be the hypervisor's"
    reserved = of(run, "iommu.reserved")
    assert [(line.number("base"), line.number("size"), line.number("usable")) for line in reserved] == [
        (BASE, SIZE, SIZE), (BASE + SIZE // 2, SIZE // 2, 0), (0, 0, 0), (BASE + SIZE, 4096, 4096),
        (image, SIZE, 0)]
    for word in ("ends before", "more than 4G", "beyond the machine", "it stays theirs"):
        assert len([line for line in of(run, "iommu.refused") if word in line["message"]]) == 1, word
    below, above = one(run, "guest.created", name="below"), one(run, "guest.created", name="above")
    assert below.number("base") + (BELOW << 20) <= BASE and above.number("base") >= BASE + SIZE + 4096
    for guest in ("below", "above"):
        stopped(run, guest, status=4)
    verdict(run)


def test_the_host_reaches_it_and_nothing_else(boot):
    """A device that firmware uses, driven from outside: it copies inside its region, is stopped everywhere else, and
    nobody else has touched the region."""
    text = (f"[nic own]\ndevice = 00:{EDU:02x}.0\n" + AROUND
            + "[guest greedy]\nimage = hello.elf\nmemory = 4M\ndevice = own\nexpect = refused\n")
    run, debugger = replaced(boot, text, drhd(0xfed90000), rmrr(BASE, BASE + SIZE - 1, (EDU, 0)), masters=(EDU,),
                             batch=False, extra=("-device", f"edu,addr={EDU:#x},dma_mask=0xffffffff"))
    run.wait_for("run.verdict", timeout=60)
    sound(run)
    assert one(run, "iommu.firmware", rid="00:1e.0")["master"] == "on"
    refusal = one(run, "device.refused", guest="greedy", device="00:1e.0")
    assert refusal.number("base") == BASE and "accept_reserved = 00:1e.0" in refusal["message"]
    for guest in ("below", "above"):
        created = one(run, "guest.created", name=guest)
        assert created.number("base") + (BELOW << 20) <= BASE or created.number("base") >= BASE + SIZE

    ask(run, "frames", rf"^0x0*{BASE:x}-0x0*{BASE + SIZE - 1:x} +1M firmware$")
    ask(run, "devices", r"^00:1e\.0 .* on +free +own +QEMU edu \(firmware's DMA\)$")
    ask(run, "domains", r"^\d+ +firmware +4 +\w+ +\w+ +00:1e\.0$")
    ask(run, f"walk 00:1e.0 {BASE + 0x1234:#x}", rf"reaches {BASE + 0x1234:#x} .*owner firmware")
    ask(run, f"walk 00:1e.0 {BASE + SIZE:#x}", "blocked: nothing is mapped")
    audits = len(of(run, "audit.ok"))
    run.send("audit")
    deadline = time.monotonic() + PATIENCE * 20
    while len(of(run, "audit.ok")) == audits and time.monotonic() < deadline:
        time.sleep(0.05)
    sound(run)
    assert len(of(run, "audit.ok")) == audits + 1

    devices = run.qmp("human-monitor-command", **{"command-line": "info pci"})
    registers = int(re.search(r"1234:11e8.*?BAR0: 32 bit memory at (0x[0-9a-f]+)", devices, re.DOTALL)[1], 16)
    victim = one(run, "guest.created", name="above").number("base")
    debugger.stop()
    assert debugger.read(BASE, SIZE) == PATTERN, "somebody has used the region"
    debugger.write(BASE, bytes(range(255, -1, -1)))
    copy(debugger, registers, BASE, EDU_BUFFER, to_memory=False)
    copy(debugger, registers, EDU_BUFFER, BASE + SIZE - 256, to_memory=True)
    assert debugger.read(BASE + SIZE - 256, 256) == bytes(range(255, -1, -1))
    for target in (victim, BASE + SIZE, BASE - 256):
        before = debugger.read(target, 256)
        copy(debugger, registers, EDU_BUFFER, target, to_memory=True)
        assert debugger.read(target, 256) == before != bytes(range(255, -1, -1))
        debugger.go()  # until it is reported: the unit has one record
        fault = run.wait_for("dma.fault", timeout=20, rid="00:1e.0", address=f"{target & ~0xfff:#x}")
        assert fault["access"] == "write"
        debugger.stop()
    debugger.go()
    run.stop()


def test_a_guest_takes_it_by_name(boot):
    """The NIC has firmware's memory: refused to the guest that does not say so, given to the one that does."""
    guest = "[guest {}]\nimage = hello.elf\nmemory = 4M\ndevice = uplink\n{}\n"
    text = ("[nic uplink]\ndevice = 01:00.0\n" + guest.format("silent", "expect = refused")
            + guest.format("other", "accept_reserved = 01:00.1\nexpect = refused")
            + guest.format("named", "accept_reserved = 01:00.0\naccept_flash = uplink\nargs = status=4\nexpect = exit 4"))
    run, debugger = replaced(boot, text, drhd(0xfed90000), rmrr(BASE, BASE + SIZE - 1, (1, 0), (0, 0)))
    with debugger:
        run.wait()
    assert one(run, "iommu.firmware", rid="01:00.0")
    for name in ("silent", "other"):
        assert "accept_reserved = 01:00.0" in one(run, "device.refused", guest=name)["message"]
    line = one(run, "device.reserved", guest="named", device="01:00.0")
    assert (line.number("base"), line.number("size")) == (BASE, SIZE) and "accepted" in line["message"]
    one(run, "device.assigned", guest="named", rid="01:00.0")
    stopped(run, "named", status=4)
    assert not of(run, "dma.fault")
    some(run, "audit.ok")
    verdict(run)
