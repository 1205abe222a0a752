# SPDX-License-Identifier: MIT
"""Image, memory, tables, lines."""

import re
import subprocess
import sys

from size import peers
from size.measure import Measure
from size.ratchet import REACHABLE_AIM, RESIDENT_AIM
from size.size import columns, figures

from .row import ROOT, Row


def image_rows() -> list[Row]:
    text = subprocess.run(["readelf", "-SW", ROOT / "build/bulkhead.elf"], check=True, text=True,
                          capture_output=True).stdout
    rows = []
    for name in (".text", ".rodata", ".data", ".bss"):
        found = re.search(rf"\] {re.escape(name)}\s+\w+\s+\w+\s+\w+\s+(\w+)", text)
        rows.append(Row(f"image {name}", int(found.group(1), 16) if found else 0, "bytes", "readelf"))
    return rows


def memory_rows(run, where: str) -> list[Row]:
    """Frames and tables, as the log of a run says."""
    by_log = f"the log, in {where}"
    size = next(e for e in run.events if e.event == "size.hypervisor")
    rows = [Row(f"{where}: RAM that the hypervisor owns", size.number("owned"), "bytes", by_log),
            Row(f"{where}: of these in use", size.number("in_use"), "bytes", by_log)]
    for line in run.events:
        if line.event == "guest.tables":
            rows.append(Row(f"{where}: {line['name']}'s EPT or NPT, pages up to {line['memory_largest']}",
                            line.number("memory_bytes"), "bytes", by_log))
            if line.number("domain_bytes"):
                rows.append(Row(f"{where}: {line['name']}'s DMA domain, pages up to {line['domain_largest']}",
                                line.number("domain_bytes"), "bytes", by_log))
    return rows


def line_rows() -> list[Row]:
    """As `make size` counts."""
    subprocess.run(["make", "--no-print-directory", "graph"], cwd=ROOT, check=True, stdout=sys.stderr)
    measure = Measure.read(ROOT, ROOT / "build/graph")
    by = "make size"
    rows = []
    for folder, lines, *_ in columns(measure):
        name, theirs = peers.PARTS.get(folder, ("", None))
        rows.append(Row(f"lines {folder}", lines, "lines", by, peer=theirs, peer_name=name))
    counts = figures(measure)
    rows += [Row("lines", counts["total"], "lines", by),
             Row("lines that a guest reaches", counts["reachable"], "lines", by, limit=REACHABLE_AIM)]
    return rows + [Row(f"lines that stay, beside {name}", counts["resident"], "lines", by, peer=theirs, peer_name=name,
                       limit=RESIDENT_AIM) for name, theirs in peers.WHOLE.items()]
