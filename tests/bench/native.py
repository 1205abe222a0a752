# SPDX-License-Identifier: MIT
"""The same image on the bare emulated machine and as a guest, in instructions: guest/programs/traffic.c.

QEMU with -icount counts instructions, and its TSC is that count times 2^SHIFT. TCG's WRMSR and VMRUN may read the
clock in the middle of a block of instructions, which -icount does not allow: from the hypervisor's start on each
instruction is a block of its own, which changes no count."""

import re
import time
from dataclasses import dataclass

from machine import PATIENCE, MachineSpec, machine
from machine.machine import Machine
from machine.spec import Nic

from .row import ROOT, TWO_VFS, Row, booted

SHIFT = 4
SIZES = (64, 128, 256, 512, 1024, 1500)
BATCH = 32  # packets, as traffic.c has it
TICKS = 100  # likewise
SAME_CLOCK = ("-rtc", "clock=vm,base=2026-01-01")
BY = f"TSC under QEMU -icount shift={SHIFT}"


@dataclass(frozen=True)
class Measured:
    """Instructions: the least, the median and the most of 101 samples."""

    minimum: float
    median: float
    maximum: float


def one_by_one(run: Machine) -> None:
    end = time.monotonic() + PATIENCE * 30
    while not (run.directory / "qmp.sock").exists() and time.monotonic() < end:
        time.sleep(0.05)
    run.qmp("human-monitor-command", **{"command-line": "one-insn-per-tb on"})


def parsed(text: str) -> dict[tuple[str, str, int], Measured]:
    """(what, mode, size) -> its figures."""
    found = {}
    for line in re.findall(r"measure (what=.*?)\"?\s*$", text, re.M):
        fields = dict(pair.split("=") for pair in line.split())
        figures = (int(fields[name]) / (1 << SHIFT) for name in ("min", "median", "max"))
        found[fields["what"], fields["mode"], int(fields["size"])] = Measured(*figures)
    return found


def arguments(sizes) -> str:
    return "sizes=" + ",".join(str(size) for size in sizes)


def on_bare_machine(sizes) -> dict[tuple[str, str, int], Measured]:
    """QEMU starts the image itself; the card is on bus 0 and the program makes its VFs."""
    spec = MachineSpec(cpus=1, memory=128, iommu=False, boot="none", icount=SHIFT, nics=(Nic(placement="root-bus"),),
                       extra=("-S", "-kernel", str(ROOT / "build/guest/traffic.elf"), "-append", arguments(sizes),
                              *SAME_CLOCK))
    with machine("tcg", spec, 120 * PATIENCE) as run:
        one_by_one(run)
        run.qmp("cont")
        run.wait()
    text = (run.directory / "serial.log").read_text(errors="replace")
    if run.status != 1 or "frames out" not in text:
        raise RuntimeError(run.explain(f"traffic on the bare machine ended with status {run.status}"))
    return parsed(text)


def as_guest(sizes, neighbour: str = "") -> Machine:
    """A finished run; with a neighbour on a core of its own that is "idle" or does nothing but take "exits"."""
    text = TWO_VFS + ("[guest alpha]\nimage = traffic.elf\nmemory = 32M\ndevice = uplink.vf0\ndevice = uplink.vf1\n"
                      f"args = {arguments(sizes)}\n")
    if neighbour:
        text += f"[guest beta]\nimage = traffic.elf\nmemory = 4M\nargs = neighbour={neighbour}\n"
    with booted(text, 300, icount=SHIFT, cpus=3, extra=SAME_CLOCK) as run:
        run.wait_for("boot.start", timeout=120)
        one_by_one(run)
        stopped = run.wait_for("guest.stopped", timeout=280, name="alpha")
    if stopped.get("status") != "0":
        raise RuntimeError(run.explain("traffic as a guest failed"))
    return run


def guest_figures(run: Machine) -> dict[tuple[str, str, int], Measured]:
    return parsed("\n".join(e["text"] for e in run.events if e.matches("guest.output", {"name": "alpha"})))


def exits_between(run: Machine, first: int, last: int, skip: int = 0) -> int:
    """Between two events of the guest; the second is an exit itself, and each print between counts as one."""
    events = [e for e in run.events if e.event in ("guest.event", "guest.output") and e.get("name") == "alpha"]
    begin = [i for i, e in enumerate(events) if e.get("value") == f"{first:#x}"][skip]
    end = next(i for i in range(begin + 1, len(events)) if events[i].get("value") == f"{last:#x}")
    printed = sum(e.event == "guest.output" for e in events[begin:end])
    return events[end].number("exits") - events[begin].number("exits") - 1 - printed


def traffic_rows(native, guest) -> list[Row]:
    rows = []
    for mode, name in (("poll", "polling"), ("msix", "MSI-X")):
        for size in SIZES:
            one, other = (BATCH * 1e6 / figures["batch", mode, size].median for figures in (guest, native))
            rows.append(Row(f"packets of {size} bytes per million instructions, {name}", one, "packets",
                            f"{BY}, median", native=other, limit=0.99 * other, at_least=True))
    for mode, name in (("poll", "polling"), ("msix", "MSI-X")):
        for size in SIZES:
            one, other = (figures["trip", mode, size].median for figures in (guest, native))
            rows.append(Row(f"round trip of {size} bytes, {name}", one, "instructions", f"{BY}, median", native=other,
                            limit=1.01 * other))
    return rows


def exit_rows(run: Machine) -> list[Row]:
    by = "guest.event exits=, calls of the guest itself taken off, TCG"
    packets = len(SIZES) * 101 * (BATCH + 2)
    return [Row("exits per packet, polling", exits_between(run, 1, 2) / packets, "exits", f"{by}, {packets} packets",
                limit=0),
            Row("exits per packet and its interrupt, MSI-X", exits_between(run, 1, 2, skip=1) / packets, "exits",
                f"{by}, {packets} packets", limit=0),
            Row("exits per timer tick", exits_between(run, 3, 4) / TICKS, "exits", f"{by}, {TICKS} ticks", limit=0),
            Row("exits per idle second", exits_between(run, 4, 5, skip=1), "exits", by, limit=0)]


def latency_rows(native, guests) -> list[Row]:
    """guests: neighbour -> figures."""
    rows = []
    for what in ("device", "timer"):
        bare = native[what, "msix", 0]
        for neighbour, figures in guests.items():
            mine = figures[what, "msix", 0]
            for which in ("minimum", "median", "maximum"):
                # All cores take turns on one thread: a timer may be due in another's turn, and when turns end depends
                # on the host.
                foreign = what == "timer" and which == "maximum"
                rows.append(Row(f"{what} to handler, {neighbour}, {which}", getattr(mine, which), "instructions",
                                f"{BY}, 101 interrupts" + (", other cores' turns included" if foreign else ""),
                                native=getattr(bare, which), limit=getattr(bare, which), exact=not foreign))
    return rows


def native_rows() -> list[Row]:
    native = on_bare_machine(SIZES)
    run = as_guest(SIZES)
    guests = {"no neighbour": guest_figures(run)}
    for neighbour in ("idle", "exits"):
        guests[f"neighbour {neighbour}"] = guest_figures(as_guest(SIZES[:1], neighbour))
    return traffic_rows(native, guests["no neighbour"]) + exit_rows(run) + latency_rows(native, guests)
