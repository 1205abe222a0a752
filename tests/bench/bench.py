#!/usr/bin/env python3
"""Measures what Bulkhead costs and prints one table, which also goes to build/bench.csv. Every figure names what
counted it. Fails when an exit in Bochs costs more or less than exit_costs.golden says."""

import argparse
import csv
import os
import re
import subprocess
import sys
import time
from dataclasses import astuple, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from bench import exits  # noqa: E402
from machine import MachineSpec, machine  # noqa: E402

IN_BOCHS = "TSC in Bochs"
# KVM of Linux 6.12 in the same Bochs, measured with kvm-unit-tests' vmexit.
KVM = {"cpuid-1": 1240, "call-unknown": 3550, "out": 5593, "in": 5675, "ipi-self": 7484}
OTHERS = "Jailhouse x86 11400, NOVA x86 13900, ACRN 43700"
TRACED = ("vtd_inv_desc_cc_device", "vtd_inv_desc_cc_domain", "vtd_inv_desc_cc_global", "vtd_inv_desc_iotlb_domain",
          "vtd_inv_desc_iotlb_global", "vtd_inv_desc_iotlb_pages", "vtd_inv_desc_wait_sw", "vtd_inv_desc_iec")
NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"


@dataclass
class Row:
    """One figure."""

    what: str
    value: float
    unit: str
    counted_by: str
    compare: str = ""


def ended_well(run):
    if not run.outcome().ok:
        raise RuntimeError(run.explain(run.outcome().reason))
    return run


def booted(text: str, **changes):
    return machine("tcg", MachineSpec(image=ROOT / "build/bulkhead.img", scenario="bench",
                                      files={"/bulkhead/bench.conf": text.encode()}, **changes), 120)


def exit_rows(costs: dict[str, float]) -> list[Row]:
    return [Row(f"exit {kind}", value, "instructions", f"{IN_BOCHS}, median of 31 batches of 64",
                f"KVM {KVM[kind]}" if kind in KVM else "") for kind, value in costs.items()]


def phases(run) -> list[tuple[str, str, int]]:
    """From where to where, and the TSC's ticks between."""
    marks = [("start", next(e for e in run.events if e.event == "boot.start").number("tsc"))]
    marks += [(e["name"], e.number("tsc")) for e in run.events if e.event == "boot.phase"]
    marks.append(("guest", next(e for e in run.events if e.event == "vcpu.entered").number("tsc")))
    spans = [(marks[i][0], marks[i + 1][0], marks[i + 1][1] - marks[i][1]) for i in range(len(marks) - 1)]
    return spans + [("start", "guest", marks[-1][1] - marks[0][1])]


def boot_rows(run, where: str) -> list[Row]:
    """Bochs: ticks of the TSC (its time passes in waits too). TCG: milliseconds."""
    khz = next(e for e in run.events if e.event == "clock.calibrated").number("tsc_khz")
    return [Row(f"{where}: {start} to {end}", ticks if where == "bochs" else ticks / khz,
                "instructions" if where == "bochs" else "ms",
                f"TSC in {where}: in the boot log, waits for real time included")
            for start, end, ticks in phases(run)]


def table_rows(run, where: str) -> list[Row]:
    by_log = f"the log, in {where}"
    size = next(e for e in run.events if e.event == "size.hypervisor")
    rows = [Row(f"{where}: frames that the hypervisor owns", size.number("owned"), "bytes", by_log),
            Row(f"{where}: of these in use", size.number("in_use"), "bytes", by_log)]
    for line in run.events:
        if line.event == "guest.tables":
            rows.append(Row(f"{where}: {line['name']}'s EPT or NPT, pages up to {line['memory_largest']}",
                            line.number("memory_bytes"), "bytes", by_log))
            if line.number("domain_bytes"):
                rows.append(Row(f"{where}: {line['name']}'s DMA domain, pages up to {line['domain_largest']}",
                                line.number("domain_bytes"), "bytes", by_log))
    return rows


def packet_rows() -> list[Row]:
    rows = []
    for mode in ("poll", "msix"):
        text = NIC + "".join(
            f"[guest {name}]\nimage = ping.elf\nmemory = 32M\ndevice = uplink.vf{own - 1}\n"
            f"args = ip=10.0.0.{own} peer=10.0.0.{3 - own} count=1000 mode={mode} limit=60\nexpect = exit 0\n"
            for name, own in (("alpha", 1), ("beta", 2)))
        with booted(text) as run:
            run.wait()
        ended_well(run)
        for name in ("alpha", "beta"):
            first, last = (next(e for e in run.events if e.matches("guest.event", {"name": name, "value": value}))
                           for value in ("0x1", "0x2"))
            said = next(e["text"] for e in run.events if e.matches("guest.output", {"name": name})
                        and "frames out" in e["text"])
            frames = sum(int(number) for number in re.findall(r"(\d+) frames out, (\d+) in", said)[0])
            between = last.number("exits") - first.number("exits") - 1  # the second event is an exit itself
            rows.append(Row(f"exits per packet, {name}, {mode}", between / frames, "exits",
                            f"guest.event exits=, {frames} frames out and in, TCG"))
        if mode == "msix":
            rows += boot_rows(run, "tcg") + table_rows(run, "tcg")
    return rows


def traced(run) -> dict[str, int]:
    text = (run.directory / "trace.log").read_text(errors="replace")
    return {event: len(re.findall(rf"\b{event}\b", text)) for event in TRACED}


def invalidation_rows() -> list[Row]:
    """A function given to a guest and taken back, at the prompt."""
    text = NIC + "[guest alpha]\nimage = hello.elf\nmemory = 8M\ndevice = uplink.vf0\nargs = ticks=1500\n"
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


def tool(name: str, *arguments) -> str:
    """What a tool of tests/tools says."""
    subprocess.run(["make", "--no-print-directory", "-s", f"build/{name}"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return subprocess.run([ROOT / "build" / name, *arguments], cwd=ROOT, text=True, capture_output=True, check=False).stdout


def domain_rows() -> list[Row]:
    """A domain is mapped before it is used and unmapped after its functions have left: no descriptor for any size."""
    rows = []
    for line in tool("tables").splitlines():
        size, count, leaves = line.split()
        rows.append(Row(f"VT-d tables for a GiB in {size} pages", int(count), "bytes", "the page table code on this machine",
                        f"{leaves} leaves, 0 descriptors"))
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
    return [Row("a real machine's DMAR table parsed and told", round(each, 3), "ms",
                f"clock, mean of {tables} tables, at most", "limit 10")]


def image_rows() -> list[Row]:
    text = subprocess.run(["readelf", "-SW", ROOT / "build/bulkhead.elf"], check=True, text=True,
                          capture_output=True).stdout
    rows = []
    for name in (".text", ".rodata", ".data", ".bss"):
        found = re.search(rf"\] {re.escape(name)}\s+\w+\s+\w+\s+\w+\s+(\w+)", text)
        rows.append(Row(f"image {name}", int(found.group(1), 16) if found else 0, "bytes", "readelf"))
    return rows


def code_lines(path: Path) -> int:
    """Lines with something on them that is no comment."""
    text = path.read_text()
    if path.suffix == ".asm":
        text = re.sub(r";.*", "", text)
    else:
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        text = re.sub(r"^\s*//.*", "", text, flags=re.M)
    return sum(bool(line.strip()) for line in text.splitlines())


def line_rows() -> list[Row]:
    totals: dict[str, int] = {}
    for path in sorted([*ROOT.glob("hypervisor/**/*"), *ROOT.glob("drivers/**/*"), *ROOT.glob("boot/**/*")]):
        if path.suffix in (".c", ".h", ".asm"):
            parts = path.relative_to(ROOT).parts
            room = "/".join(parts[:2]) if parts[0] == "hypervisor" and len(parts) > 2 else parts[0]
            totals[room] = totals.get(room, 0) + code_lines(path)
    resident = sum(count for room, count in totals.items() if room != "boot")
    by = "lines of C and assembly without blanks and comments"
    return [*(Row(f"lines {room}", count, "lines", by) for room, count in totals.items()),
            Row("lines of the hypervisor", resident, "lines", by + ", hypervisor and drivers", OTHERS)]


def show(rows: list[Row]) -> None:
    width = max(len(row.what) for row in rows)
    for row in rows:
        value = f"{row.value:,.1f}" if isinstance(row.value, float) else f"{row.value:,}"
        print(f"{row.what:{width}} {value:>14} {row.unit:<12} {row.compare or '-':<10} [{row.counted_by}]")
    target = ROOT / "build/bench.csv"
    with target.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("what", "value", "unit", "counted_by", "compare"))
        writer.writerows(astuple(row) for row in rows)
    print(f"written to {target.relative_to(ROOT)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="write the exit costs to exit_costs.golden")
    options = parser.parse_args()
    in_bochs = exits.run_in_bochs()
    costs = exits.exit_costs(in_bochs)
    if options.accept:
        exits.write_golden(costs)
        show(exit_rows(costs))
        return 0
    rows = exit_rows(costs) + boot_rows(in_bochs, "bochs") + table_rows(in_bochs, "bochs")
    rows += packet_rows() + invalidation_rows() + domain_rows() + corpus_rows() + image_rows() + line_rows()
    show(rows)
    wrong = exits.differences(costs)
    for line in wrong:
        print(f"bench: {line}; if that is meant, make bench-accept", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
