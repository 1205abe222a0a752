# SPDX-License-Identifier: MIT
"""What a VM exit costs in Bochs, in instructions, and whether that is still what it was."""

import re
import subprocess
from pathlib import Path

from machine import PATIENCE, MachineSpec, machine

from .exit_trace import KICK, Exit, exit_profile, run_traced

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).with_name("exit_costs.golden")
SCENARIO = "[guest alpha]\nimage = exits.elf\nmemory = 4M\nexpect = exit 0\n"
CALIBRATION = ("loop", 50)  # exits.c: so many NOPs
# Whole instructions, the same in every run and wherever code lies: what differs was changed.
TOLERANCE = 0.02
COUNTED_BY = "TSC in Bochs' debugger, median of 31 batches of 64"
SAME_EXIT = {"ipi-self": "icr-self"}  # the interrupt itself makes none
TRACED_ONLY = {KICK}  # no guest can time what happens to its neighbour


def compiler() -> str:
    """What the image was built with: the counts are the compiler's as much as the source's."""
    text = subprocess.run(["readelf", "-p", ".comment", ROOT / "build/bulkhead.elf"], check=True, text=True,
                          capture_output=True).stdout
    found = re.search(r"\]\s+(GCC: .*|.*clang.*)", text)
    return found.group(1).strip() if found else "unknown"


def run_in_bochs(limit: float = 60, system: str = "", **changes):
    spec = MachineSpec(iso=ROOT / "build/bulkhead.iso", cpus=2, stepped=True, scenario="bench",
                       files={"/bulkhead/bench.conf": (system + SCENARIO).encode()}).but(**changes)
    with machine("bochs", spec, limit * PATIENCE) as run:
        run.wait()
    if not run.outcome().ok:
        raise RuntimeError(run.explain(run.outcome().reason))
    return run


def exit_costs(run) -> dict[str, int]:
    """Kind of exit -> instructions of a round trip, the guest's own instruction included. A batch is exact to five
    instructions, so one of its many round trips is exact."""
    costs = {}
    for line in run.events:
        if line.event == "guest.output" and line["text"].startswith("exit "):
            fields = dict(pair.split("=") for pair in line["text"].split()[1:])
            costs[fields["kind"]] = round((int(fields["ticks"]) - int(fields["empty"])) / int(fields["count"]))
    kind, expected = CALIBRATION
    measured = costs.pop(kind)
    if measured != expected:
        raise RuntimeError(f"{expected} NOPs take {measured} ticks: the TSC of this Bochs does not count instructions")
    return costs


def read_golden() -> tuple[str, dict[str, Exit]]:
    lines = GOLDEN.read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return lines[0].removeprefix("# ").strip(), {kind: Exit(*map(int, counts)) for kind, *counts in rows}


def write_golden(costs: dict[str, int]) -> None:
    """Runs the trace for what the TSC does not tell."""
    profile = exit_profile(run_traced())
    rows = {kind: Exit(value, 0, 0) for kind, value in costs.items()} | profile
    for kind, value in costs.items():
        known = profile.get(SAME_EXIT.get(kind, kind), rows[kind])
        rows[kind] = Exit(value, known.vmreads, known.vmwrites)
    GOLDEN.write_text(f"# {compiler()}\n# kind instructions VMREADs VMWRITEs\n" +
                      "".join(f"{kind} {row.instructions} {row.vmreads} {row.vmwrites}\n" for kind, row in rows.items()))


def differences(costs: dict[str, int], profile: dict[str, Exit] | None = None) -> list[str]:
    """What is no longer as accepted. Another compiler's counts are not comparable: none then."""
    accepted_with, golden = read_golden()
    if accepted_with != compiler():
        return []
    expected = {kind for kind in golden if kind in costs or kind not in TRACED_ONLY}
    wrong = [f"{kind}: measured and not accepted" for kind in costs.keys() - golden.keys()]
    wrong += [f"{kind}: accepted and not measured" for kind in expected - costs.keys()]
    for kind in costs.keys() & golden.keys():
        accepted = golden[kind].instructions
        if abs(costs[kind] - accepted) > TOLERANCE * accepted:
            wrong.append(f"{kind}: {accepted} instructions were accepted, it takes {costs[kind]} now")
    for kind, now in (profile or {}).items():
        accepted = golden.get(kind)
        if accepted is None:
            wrong.append(f"{kind}: traced and not accepted")
        elif (now.vmreads, now.vmwrites) != (accepted.vmreads, accepted.vmwrites):
            wrong.append(f"{kind}: {accepted.vmreads} VMREADs and {accepted.vmwrites} VMWRITEs were accepted, "
                         f"now it makes {now.vmreads} and {now.vmwrites}")
        elif kind in TRACED_ONLY and abs(now.instructions - accepted.instructions) > TOLERANCE * accepted.instructions:
            wrong.append(f"{kind}: {accepted.instructions} instructions were accepted, it takes {now.instructions} now")
    return sorted(wrong)
