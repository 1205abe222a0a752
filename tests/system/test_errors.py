# SPDX-License-Identifier: MIT
"""Errors on PCI Express: firmware has them reported all the way to an NMI, and afterwards nobody reports any."""

import pytest
from system.attacks import outside
from system.checks import one

from machine import Nic, gdb

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

ECAM = 0xe0000000
NICS = (Nic("igb"), Nic("e1000e"), Nic("igb", "switch"))
GUEST = "[guest {}]\nimage = hello.elf\nmemory = 4M\n{}\n"
TEXT = ("[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n[nic whole]\ndevice = 8086:10d3\n"
        + GUEST.format("alpha", "device = uplink.vf0\nargs = ticks=1000000")
        + GUEST.format("beta", "device = whole\naccept_flash = whole\nargs = ticks=1000000")
        + GUEST.format("gamma", "args = status=4\nexpect = exit 4"))
SERR, REPORTING, SYSTEM_ERRORS = 1 << 8, 0xf, 7
UNSUPPORTED, ABORT, ADVISORY = 1 << 20, 1 << 15, 1 << 13
ROOT_PORT = 4


class Function:
    """Configuration space of one function as `read` has it."""

    def __init__(self, rid: int, read) -> None:
        self.rid = rid
        self.read = lambda offset, size=2: int.from_bytes(read(ECAM + (rid << 12) + offset, size), "little")
        self.bridge = self.read(0x0e, 1) & 0x7f == 1
        self.express = self.capability(0x10)
        self.port = self.express and self.read(self.express + 2) >> 4 & 0xf
        self.aer = self.express and self.extended(1)

    def capability(self, wanted: int) -> int:
        offset = self.read(0x34, 1) if self.read(6) & 0x10 else 0
        while offset and self.read(offset, 1) != wanted:
            offset = self.read(offset + 1, 1)
        return offset

    def extended(self, wanted: int) -> int:
        offset = 0x100
        while offset and self.read(offset) != wanted:
            offset = self.read(offset + 2) >> 4
        return offset


def functions(read) -> list[Function]:
    """All on the buses of three cards and a switch, host and ISA bridges apart."""
    found = [Function(rid, read) for rid in range(6 << 8) if rid & 7 == 0 and read(ECAM + (rid << 12), 2) != b"\xff\xff"]
    return [function for function in found if function.bridge or function.read(0x0b, 1) != 6]


def report_everything(debugger) -> None:
    """As firmware that handles errors itself may leave it."""
    def write(function, offset, value, size=2):
        debugger.write(ECAM + (function.rid << 12) + offset, value.to_bytes(size, "little"))
    for function in functions(debugger.read):
        write(function, 4, function.read(4) | SERR)
        if function.bridge:
            write(function, 0x3e, function.read(0x3e) | 2)
        if function.express:
            write(function, function.express + 8, function.read(function.express + 8) | REPORTING)
        if function.port == ROOT_PORT:
            write(function, function.express + 0x1c, SYSTEM_ERRORS)
        if function.aer:
            write(function, function.aer + 8, 0, 4)
            write(function, function.aer + 0x14, 0, 4)
        if function.aer and function.port == ROOT_PORT:
            write(function, function.aer + 0x2c, SYSTEM_ERRORS, 4)


def test_nobody_reports_errors(boot):
    """Read from outside, before the hypervisor starts and again while guests run: functions, ports and the switch."""
    run = boot(TEXT, nics=NICS, extra=gdb.ARGUMENTS, limit=120, batch=False)
    with gdb.Debugger(run) as debugger:
        debugger.go_to(gdb.symbol(boot.built / "bulkhead.elf", "hypervisor_main"))
        report_everything(debugger)
        before = functions(debugger.read)
        # QEMU's cards have no such bits, its ports have all.
        reporting = [f for f in before if f.express and f.read(f.express + 8) & REPORTING == REPORTING]
        roots = [f for f in before if f.port == ROOT_PORT and f.read(f.express + 0x1c) == SYSTEM_ERRORS]
        assert len(reporting) >= 5 and len(roots) == 3, "the machine does not take what the test writes"
        assert any(f.read(4) & SERR for f in before) and any(f.bridge and f.read(0x3e) & 2 for f in before)
        debugger.go()
        for guest in ("alpha", "beta"):
            run.wait_for("guest.started", timeout=90, name=guest)
        run.wait_for("guest.stopped", timeout=60, name="gamma")
        for function in functions(lambda base, size: outside(run, base, size)):
            name = f"{function.rid:#x}"
            assert function.read(4) & SERR == 0, name
            assert not function.bridge or function.read(0x3e) & 2 == 0, name
            assert not function.express or function.read(function.express + 8) & REPORTING == 0, name
            if function.port == ROOT_PORT:
                assert function.read(function.express + 0x1c) & SYSTEM_ERRORS == 0, name
                assert function.aer and function.read(function.aer + 0x2c, 4) & SYSTEM_ERRORS == 0, name
            if function.aer:
                masks = UNSUPPORTED | ABORT
                assert function.read(function.aer + 8, 4) & masks == masks, name
                assert function.read(function.aer + 0x14, 4) & ADVISORY, name
        assert one(run, "pci.errors", reporting="off").number("ports") >= 5
        run.send("poweroff")
        run.wait(30)
