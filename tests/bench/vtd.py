# SPDX-License-Identifier: MIT
"""The VT-d unit: descriptors per assignment, tables by page size, time to read a DMAR table."""

import os
import re
import subprocess
import time
from pathlib import Path

from .row import ROOT, TWO_VFS, Row, booted, ended_well, tool

TRACED = ("vtd_inv_desc_cc_device", "vtd_inv_desc_cc_domain", "vtd_inv_desc_cc_global", "vtd_inv_desc_iotlb_domain",
          "vtd_inv_desc_iotlb_global", "vtd_inv_desc_iotlb_pages", "vtd_inv_desc_wait_sw", "vtd_inv_desc_iec")


def traced(run, events=TRACED) -> dict[str, int]:
    """How often each event is in QEMU's trace so far."""
    text = (run.directory / "trace.log").read_text(errors="replace")
    return {event: len(re.findall(rf"\b{event}\b", text)) for event in events}


def invalidation_rows() -> list[Row]:
    """A function given to a guest and taken back, at the prompt."""
    text = TWO_VFS + "[guest alpha]\nimage = hello.elf\nmemory = 8M\ndevice = uplink.vf0\nargs = ticks=1500\n"
    rows = []
    with booted(text, batch=False, trace=TRACED) as run:
        run.wait_for("guest.stopped", timeout=60, name="alpha")
        counts = [traced(run)]
        last = run.events[-1]
        run.send("start alpha")
        run.wait_for("guest.started", timeout=20, after=last, name="alpha")
        counts.append(traced(run))
        run.wait_for("guest.stopped", timeout=20, after=last, name="alpha")
        counts.append(traced(run))
    for number, what in enumerate(("assign", "revoke")):
        for event in TRACED:
            value = counts[number + 1][event] - counts[number][event]
            if value:
                rows.append(Row(f"{what} one VF: {event.removeprefix('vtd_inv_desc_')}", value, "descriptors",
                                "QEMU trace, as the unit fetches them"))
    return rows


# Largest page of the guest's tables -> memory that gives it. Memory is claimed in pieces of 2M: no guest's RAM is in
# 4K pages where the unit knows larger ones.
MEMORY_FOR = {"2M": "32M", "1G": "1G"}
LEVELS = {"4K": 4, "2M": 3, "1G": 2}
WALK_NATIVE = 3  # entries of the guest's own tables that its 2M pages need


def iotlb_run(memory: str):
    """traffic.elf with two VFs, the smallest and the largest packets."""
    text = TWO_VFS + (f"[guest alpha]\nimage = traffic.elf\nmemory = {memory}\ndevice = uplink.vf0\n"
                      "device = uplink.vf1\nargs = sizes=64,1500\nexpect = exit 0\n")
    with booted(text, 120, memory=3072, cpus=2, trace=("vtd_iotlb_page_update", "vtd_iotlb_page_hit")) as run:
        run.wait()
    return ended_well(run)


def page_rows() -> list[Row]:
    """What the page size of a guest's tables costs: IOTLB misses, counted, and entries that a TLB miss reads."""
    rows = []
    for size, memory in MEMORY_FOR.items():
        run = iotlb_run(memory)
        said = next(e["text"] for e in run.events if e.event == "guest.output" and "frames out" in e["text"])
        packets = int(said.split()[0])
        # Exact are the misses. How often the unit is asked depends on when the device fetches descriptors.
        misses = traced(run, ("vtd_iotlb_page_update",))["vtd_iotlb_page_update"]
        hits = traced(run, ("vtd_iotlb_page_hit",))["vtd_iotlb_page_hit"]
        by = f"QEMU trace vtd_iotlb_page_update, {packets} packets"
        rows += [Row(f"IOTLB misses in a run, guest in {size} pages", misses, "misses", by),
                 Row(f"IOTLB misses per packet, guest in {size} pages", misses / packets, "misses", by),
                 Row(f"IOTLB hits per packet, guest in {size} pages", hits / packets, "hits",
                     "QEMU trace vtd_iotlb_page_hit")]
    return rows + [Row(f"entries read by a TLB miss, guest in {size} pages", (WALK_NATIVE + 1) * (levels + 1) - 1,
                       "entries", "reckoned: (guest levels + 1) x (nested levels + 1) - 1", native=WALK_NATIVE)
                   for size, levels in LEVELS.items()]


def domain_rows() -> list[Row]:
    """A domain is mapped before it is used and unmapped after its functions have left: no descriptor for any size."""
    rows = []
    for line in tool("tables").splitlines():
        size, count, leaves = line.split()
        rows.append(Row(f"VT-d tables for a GiB in {size} pages", int(count), "bytes",
                        f"the page table code on the build host; {leaves} leaves, 0 descriptors"))
    return rows


def corpus_rows() -> list[Row]:
    """With a sanitised build, printing and the program's start included: what the hypervisor needs is below."""
    folder = Path(os.environ.get("BULKHEAD_DMAR_CORPUS", ROOT / "../shared/reference/dmar-corpus"))
    tables = len(list(folder.glob("*.dmar")))
    if tables == 0:
        return []
    tool("dmar", "--brief", folder)
    started = time.monotonic()
    subprocess.run([ROOT / "build/dmar", "--brief", folder], stdout=subprocess.DEVNULL, check=False)
    each = (time.monotonic() - started) * 1000 / tables
    return [Row("a real machine's DMAR table parsed and told", each, "ms", f"clock, mean of {tables} tables, at most",
                limit=10, exact=False)]
