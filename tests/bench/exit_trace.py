# SPDX-License-Identifier: MIT
"""What exits do, instruction by instruction: Bochs writes down what the guest's cores carry out, and each way from an
exit to the next entry is counted."""

import re
import subprocess
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from machine import PATIENCE, MachineSpec, machine

ROOT = Path(__file__).resolve().parents[2]
HOST = 0xffffffff80000000
KICKS = 3
# A probe of the guest is a function of this name; what runs on its second vCPU is not a function of the ELF.
KINDS = ("cpuid-1", "cpuid-abi", "call-unknown", "rdmsr", "rdmsr-efer", "wrmsr", "out", "in", "ecam-read", "xsetbv",
         "invd", "icr-self")
KICK = "nmi-kick"
SCENARIO = (f"[guest alpha]\nimage = exits.elf\nmemory = 4M\ncpus = 2\n"
            f"args = count=2 batches=1 settle=1000000 kicks={KICKS}\nexpect = exit 0\n")
LINE = re.compile(rb"\((\d+)\)\.\[\d+\] \[0x[0-9a-f]+\] [0-9a-f]{4}:([0-9a-f]+) \([^)]*\): (\w+)")


@dataclass(frozen=True)
class Exit:
    """From the guest's instruction (none for a kick) to the entry, both counted."""

    instructions: int
    vmreads: int
    vmwrites: int


def symbols(elf: Path) -> list[tuple[int, str]]:
    """The functions of a program by address."""
    text = subprocess.run(["nm", elf], check=True, text=True, capture_output=True).stdout
    return sorted((int(line.split()[0], 16), line.split()[2]) for line in text.splitlines() if line.split()[1] in "tT")


def run_traced(limit: float = 120):
    # From the guest's first CPUID on: what it waits for before that would fill the trace.
    start = next(address for address, name in symbols(ROOT / "build/bulkhead.elf") if name == "exit_cpuid")
    spec = MachineSpec(iso=ROOT / "build/bulkhead.iso", cpus=3, stepped=True, trace=(hex(start), "1", "2"),
                       scenario="bench", files={"/bulkhead/bench.conf": SCENARIO.encode()})
    with machine("bochs", spec, limit * PATIENCE) as run:
        run.wait()
    if not run.outcome().ok:
        raise RuntimeError(run.explain(run.outcome().reason))
    return run


def ways(trace: Path, exit_point: int):
    """Each way from an exit to an entry: the core, the guest's last address, and what was counted."""
    last: dict[int, int] = {}
    open_ways: dict[int, list] = {}
    with trace.open("rb") as stream:
        for line in stream:
            found = LINE.match(line)
            if not found:
                continue
            core, address, mnemonic = int(found[1]), int(found[2], 16), found[3]
            if address < HOST:
                last[core] = address
                open_ways.pop(core, None)
                continue
            if address == exit_point:
                open_ways[core] = [0, 0, 0]
            if core not in open_ways:
                continue
            counts = open_ways[core]
            counts[0] += 1
            counts[1] += mnemonic == b"vmread"
            counts[2] += mnemonic == b"vmwrite"
            if mnemonic == b"vmresume":
                yield core, last.get(core, 0), Exit(*open_ways.pop(core))


def exit_profile(run) -> dict[str, Exit]:
    """Kind of exit -> what the last of its kind did, warmed up as the others were."""
    exit_point = next(address for address, name in symbols(ROOT / "build/bulkhead.elf") if name == "vmx_exit_point")
    functions = symbols(ROOT / "build/guest/exits.elf")
    addresses = [address for address, _ in functions]
    seen: dict[str, Counter] = {}
    for core, address, counted in ways(run.directory / "trace.log", exit_point):
        if core == 1:
            kind = functions[max(bisect_right(addresses, address) - 1, 0)][1].replace("_", "-")
            counted = Exit(counted.instructions + 1, counted.vmreads, counted.vmwrites)
        else:
            kind = KICK
        if kind in (*KINDS, KICK):
            seen.setdefault(kind, Counter())[counted] += 1
    (run.directory / "trace.log").unlink()
    missing = [kind for kind in (*KINDS, KICK) if kind not in seen and kind != "ecam-read"]
    if missing:
        raise RuntimeError(f"no exit of {', '.join(missing)} in the trace")
    return {kind: seen[kind].most_common(1)[0][0] for kind in (*KINDS, KICK) if kind in seen}
