# SPDX-License-Identifier: MIT
"""What one more guest costs: from one to seven guests, each on a virtual function and a core of its own; and from one to
as many as there can be on a modelled machine."""

import re
from dataclasses import dataclass

from .row import Row, booted, ended_well, growth_rows, tool

CPUS = 8
MOST = CPUS - 1  # core 0 is the hypervisor's


@dataclass
class Size:
    """A machine with so many guests."""

    guests: int
    pages_bytes: int  # of the hypervisor's own memory in use once all guests are made
    table_bytes: int  # of these, EPT or NPT and second-level tables of the guests


def scenario(guests: int) -> str:
    return f"[nic uplink]\ndevice = 8086:10c9\nvfs = {MOST}\n" + "".join(
        f"[guest g{i}]\nimage = hello.elf\nmemory = 32M\ndevice = uplink.vf{i}\nargs = ticks=2\nexpect = exit 0\n"
        for i in range(guests))


def measure(guests: int) -> Size:
    with booted(scenario(guests), cpus=CPUS, memory=768) as run:
        run.wait()
    events = ended_well(run).events
    tables = [e.number("memory_bytes") + e.number("domain_bytes") for e in events if e.event == "guest.tables"]
    entered = sum(e.event == "vcpu.entered" for e in events)
    if entered != guests or len(tables) != guests:
        raise RuntimeError(run.explain(f"{entered} of {guests} guests were entered"))
    return Size(guests, next(e for e in events if e.event == "size.hypervisor").number("in_use"), sum(tables))


def sizes() -> list[Size]:
    return [measure(guests) for guests in range(1, MOST + 1)]


def scale_rows() -> list[Row]:
    """Memory; what one more guest costs in time is boot.py's."""
    all_sizes = sizes()
    rows = []
    for name, what, by in (("pages_bytes", "hypervisor memory in use", "size.hypervisor in_use="),
                           ("table_bytes", "tables of the guests", "guest.tables")):
        points = [(size.guests, getattr(size, name)) for size in all_sizes]
        rows += [Row(f"{what}, {guests} of {MOST} guests", value, "bytes", by) for guests, value in points]
        rows += growth_rows(what, points, "bytes", by, limit=0.001)
    return rows + model_rows()


def model_rows() -> list[Row]:
    """The real code that makes guests, on the build host: 1 to 64 of them. Looks at cores are its loops' turns."""
    by = "tests/unit/test_guests.c"
    counts = [tuple(map(int, match)) for match in re.findall(r"guests=(\d+) bytes=(\d+) looks=(\d+)",
                                                             tool("unit/test_guests"))]
    if not counts:
        raise RuntimeError(f"{by} printed no counts")
    rows = []
    for what, unit, column, limit in (("memory of guests, modelled", "bytes", 1, 0.001),
                                      ("looks at cores while guests are made, modelled", "looks", 2, 2)):
        points = [(count[0], count[column]) for count in counts]
        rows += [Row(f"{what}, {guests} of {points[-1][0]} guests", value, unit, by)
                 for guests, value in (points[0], points[-1])]
        rows += growth_rows(what, points, unit, by, limit=limit)
    return rows
