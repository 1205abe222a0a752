"""What a VM exit costs in Bochs, in instructions, and whether that is still what it was."""

import re
import subprocess
from pathlib import Path

from machine import MachineSpec, machine

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).with_name("exit_costs.golden")
SCENARIO = "[guest alpha]\nimage = exits.elf\nmemory = 4M\nexpect = exit 0\n"
# With a quantum of one, the halted control core adds nothing: NOPs are counted exactly (CALIBRATION), and whether two
# or three cores are there makes no difference.
CPU = "corei7_skylake_x, quantum=1"
CALIBRATION = ("loop", 50)  # exits.c: so many NOPs
# Runs of one image give the same counts to the last digit, but builds that differ elsewhere were seen to move them by
# up to 4 % (or 5 instructions); why is not known. A closer tolerance would fail for changes elsewhere.
TOLERANCE, TOLERANCE_INSTRUCTIONS = 0.04, 5


def compiler() -> str:
    """What the image was built with: the counts are the compiler's as much as the source's."""
    text = subprocess.run(["readelf", "-p", ".comment", ROOT / "build/bulkhead.elf"], check=True, text=True,
                          capture_output=True).stdout
    found = re.search(r"\]\s+(GCC: .*|.*clang.*)", text)
    return found.group(1).strip() if found else "unknown"


def run_in_bochs(limit: float = 60):
    spec = MachineSpec(iso=ROOT / "build/bulkhead.iso", cpus=2, cpu=CPU, scenario="bench",
                       files={"/bulkhead/bench.conf": SCENARIO.encode()})
    with machine("bochs", spec, limit) as run:
        run.wait()
    if not run.outcome().ok:
        raise RuntimeError(run.explain(run.outcome().reason))
    return run


def exit_costs(run) -> dict[str, float]:
    """Kind of exit -> instructions of a round trip, the guest's own instruction included."""
    costs = {}
    for line in run.events:
        if line.event == "guest.output" and line["text"].startswith("exit "):
            fields = dict(pair.split("=") for pair in line["text"].split()[1:])
            costs[fields["kind"]] = (int(fields["ticks"]) - int(fields["empty"])) / int(fields["count"])
    kind, expected = CALIBRATION
    measured = costs.pop(kind)
    if abs(measured - expected) > 0.5:
        raise RuntimeError(f"{expected} NOPs take {measured} ticks: the TSC of this Bochs does not count instructions")
    return costs


def read_golden() -> tuple[str, dict[str, float]]:
    lines = GOLDEN.read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return lines[0].removeprefix("# ").strip(), {kind: float(value) for kind, value in rows}


def write_golden(costs: dict[str, float]) -> None:
    GOLDEN.write_text(f"# {compiler()}\n" + "".join(f"{kind} {value:.1f}\n" for kind, value in costs.items()))


def differences(costs: dict[str, float]) -> list[str]:
    """What is no longer as accepted. Another compiler's counts are not comparable: none then."""
    accepted_with, golden = read_golden()
    if accepted_with != compiler():
        return []
    wrong = [f"{kind}: measured and not accepted" for kind in costs.keys() - golden.keys()]
    wrong += [f"{kind}: accepted and not measured" for kind in golden.keys() - costs.keys()]
    for kind in costs.keys() & golden.keys():
        off = costs[kind] - golden[kind]
        if abs(off) > TOLERANCE_INSTRUCTIONS and abs(off) > TOLERANCE * golden[kind]:
            wrong.append(f"{kind}: {golden[kind]:.1f} instructions were accepted, it takes {costs[kind]:.1f} now")
    return sorted(wrong)
