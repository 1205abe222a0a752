"""Image, memory, tables, lines."""

import re
import subprocess

from size import peers, sources

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
    totals: dict[str, int] = {}
    for path in sorted([*ROOT.glob("hypervisor/**/*"), *ROOT.glob("drivers/**/*"), *ROOT.glob("boot/**/*")]):
        if path.suffix in (".c", ".h", ".asm"):
            parts = path.relative_to(ROOT).parts
            room = "/".join(parts[:2]) if parts[0] == "hypervisor" and len(parts) > 2 else parts[0]
            totals[room] = totals.get(room, 0) + sources.count(path)
    resident = sum(count for room, count in totals.items() if room != "boot")
    by = "lines of C and assembly without blanks and comments"
    rows = []
    for room, count in totals.items():
        name, lines = peers.PARTS.get(room, ("", None))
        rows.append(Row(f"lines {room}", count, "lines", by, peer=lines, peer_name=name))
    return rows + [Row(f"lines of the hypervisor, beside {name}", resident, "lines", by + ", hypervisor and drivers",
                       peer=lines, peer_name=name, limit=10000) for name, lines in peers.WHOLE.items()]
