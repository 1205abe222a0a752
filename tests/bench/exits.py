"""What a VM exit costs in Bochs, in instructions, and whether that is still what it was."""

import re
import subprocess
from pathlib import Path

from machine import MachineSpec, machine

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).with_name("exit_costs.golden")
SCENARIO = "[guest alpha]\nimage = exits.elf\nmemory = 4M\nexpect = exit 0\n"
CALIBRATION = ("loop", 50)  # exits.c: so many NOPs
# Whole instructions, the same in every run and wherever code lies: what differs was changed.
TOLERANCE = 0.02


def compiler() -> str:
    """What the image was built with: the counts are the compiler's as much as the source's."""
    text = subprocess.run(["readelf", "-p", ".comment", ROOT / "build/bulkhead.elf"], check=True, text=True,
                          capture_output=True).stdout
    found = re.search(r"\]\s+(GCC: .*|.*clang.*)", text)
    return found.group(1).strip() if found else "unknown"


def run_in_bochs(limit: float = 60):
    spec = MachineSpec(iso=ROOT / "build/bulkhead.iso", cpus=2, stepped=True, scenario="bench",
                       files={"/bulkhead/bench.conf": SCENARIO.encode()})
    with machine("bochs", spec, limit) as run:
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


def read_golden() -> tuple[str, dict[str, int]]:
    lines = GOLDEN.read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return lines[0].removeprefix("# ").strip(), {kind: int(value) for kind, value in rows}


def write_golden(costs: dict[str, int]) -> None:
    GOLDEN.write_text(f"# {compiler()}\n" + "".join(f"{kind} {value}\n" for kind, value in costs.items()))


def differences(costs: dict[str, int]) -> list[str]:
    """What is no longer as accepted. Another compiler's counts are not comparable: none then."""
    accepted_with, golden = read_golden()
    if accepted_with != compiler():
        return []
    wrong = [f"{kind}: measured and not accepted" for kind in costs.keys() - golden.keys()]
    wrong += [f"{kind}: accepted and not measured" for kind in golden.keys() - costs.keys()]
    for kind in costs.keys() & golden.keys():
        if abs(costs[kind] - golden[kind]) > TOLERANCE * golden[kind]:
            wrong.append(f"{kind}: {golden[kind]} instructions were accepted, it takes {costs[kind]} now")
    return sorted(wrong)
