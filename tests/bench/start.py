# SPDX-License-Identifier: MIT
"""What starting a guest takes, from the decision to its first instruction: memory that is clean already, no functions to
reset. Bochs writes down every instruction of the control core and of the guest's."""

from machine import PATIENCE, MachineSpec, machine

from .exit_trace import LINE, ROOT, symbols
from .row import Row, line

SIZES = (4, 16, 32)  # MiB; larger ones take minutes to be overwritten in Bochs
LIMIT = 1_000_000  # a millisecond at one instruction a nanosecond
CONTROL, GUEST = 0, 1  # cores
COUNTED_BY = "Bochs' trace of every instruction, from guest_start() on"


def traced(memory: int, limit: float = 120):
    names = {name: address for address, name in symbols(ROOT / "build/bulkhead.elf")}
    scenario = f"[guest alpha]\nimage = hello.elf\nmemory = {memory}M\nargs = ticks=1\nexpect = exit 0\n"
    spec = MachineSpec(iso=ROOT / "build/bulkhead.iso", cpus=2, stepped=True, scenario="bench",
                       trace=(hex(names["guest_start"]), str(CONTROL), str(GUEST)),
                       files={"/bulkhead/bench.conf": scenario.encode()})
    with machine("bochs", spec, limit * PATIENCE) as run:
        run.wait()
    if not run.outcome().ok:
        raise RuntimeError(run.explain(run.outcome().reason))
    return run, names["cpu_kick"]


def counted(trace, kick: int) -> tuple[int, int]:
    """Instructions of the control core up to the kick of the guest's core, and of that core from there to VMLAUNCH."""
    counts, kicked = {CONTROL: 0, GUEST: 0}, False
    with trace.open("rb") as stream:
        for line in stream:
            found = LINE.match(line)
            if not found:
                continue
            core, address, mnemonic = int(found[1]), int(found[2], 16), found[3]
            if core == CONTROL and not kicked:
                counts[CONTROL] += 1
                kicked = address == kick
            elif core == GUEST and kicked:
                counts[GUEST] += 1
                if mnemonic == b"vmlaunch":
                    return counts[CONTROL], counts[GUEST]
    raise RuntimeError(f"{trace}: no VMLAUNCH after a kick")


def start_rows() -> list[Row]:
    rows, work = [], []
    for memory in SIZES:
        run, kick = traced(memory)
        control, guest = counted(run.directory / "trace.log", kick)
        (run.directory / "trace.log").unlink()
        rows += [Row(f"start, {memory}M: control core", control, "instructions", COUNTED_BY),
                 Row(f"start, {memory}M: guest's core", guest, "instructions", COUNTED_BY),
                 Row(f"start, {memory}M: both", control + guest, "instructions", COUNTED_BY, limit=LIMIT)]
        work.append((memory, control + guest))
    return rows + [Row("start: each MiB more", line(work)[1], "instructions", f"{COUNTED_BY}, least squares")]
