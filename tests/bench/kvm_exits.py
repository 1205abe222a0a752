# SPDX-License-Identifier: MIT
"""The same exits under KVM: the guest of exits.py, started by QEMU in the stacked machine's Linux, where Bulkhead would
be, in the same Bochs. Nothing of it is kept but the snapshot that the stacked machine starts from."""

import re
import shutil
from pathlib import Path

from machine import MachineSpec
from machine.stack import Stack

from . import exits
from .exit_trace import Exit, exit_profile, run_traced
from .row import Row

ROOT = Path(__file__).resolve().parents[2]
# So few that a batch passes between two ticks of Linux' timer, and a tick falls into less than half of the batches.
COUNT = 2
SECTOR = 512
# One CPU: Bochs' TSC then counts instructions, to a trace of 32 at each end of a batch.
ACCURACY = 32 / COUNT
# Written to QEMU's output, not to a device of its own with the guest's accesses in between.
COUNTED_BY = f"TSC in Bochs with one CPU, median of 31 batches of {COUNT}"
TRACED = "Bochs' trace of every instruction"
CPUID_LIMIT = 130
TIMES_FEWER = 5
LINE = re.compile(r"exit kind=(\S+) count=(\d+) ticks=(\d+) empty=(\d+)")


class KvmOnBochs(Stack):
    """Linux with KVM on Bochs; QEMU loads the ELF by the PVH boot protocol."""

    name = "kvm-on-bochs"

    def _medium(self) -> Path:
        return Path(shutil.copy(ROOT / "build/guest/exits.elf", self._copy("exits.elf")))

    def _job(self, size: int | None) -> bytes:
        return f"copy={-(-(size or 0) // SECTOR)}\n".encode() + super()._job(size)


def kvm_run(limit: float = 240):
    # With the memory that most runs in the stack have: the snapshot is theirs.
    spec = MachineSpec(cpus=1, boot="none", nics=(), iommu=False,
                       extra=("-kernel", "/tmp/image", "-append", f"count={COUNT} settle=100000"))
    with KvmOnBochs(spec, limit) as run:
        run.wait()
    return run


def kvm_costs(run) -> dict[str, float]:
    """Kind of exit -> instructions of a round trip, the guest's own included."""
    found = LINE.findall((run.directory / "serial.log").read_text(errors="replace"))
    costs = {kind: (int(ticks) - int(empty)) / int(count) for kind, count, ticks, empty in found}
    kind, expected = exits.CALIBRATION
    measured = costs.pop(kind, 0)
    if abs(measured - expected) > ACCURACY:
        raise RuntimeError(run.explain(f"{expected} NOPs took {measured} ticks, and {len(costs)} kinds were measured"))
    return costs


def kvm_rows(limit: float = 240) -> list[Row]:
    """Boots and measures: ten seconds, and a minute and a half more when there is no snapshot yet."""
    return [Row(f"KVM's exit {kind}", None, "instructions", COUNTED_BY, peer=value, peer_name="KVM")
            for kind, value in kvm_costs(kvm_run(limit)).items()]


def exit_rows(costs: dict[str, int], profile: dict[str, Exit], kvm: dict[str, float]) -> list[Row]:
    """Bulkhead's exits beside KVM's, and what each reads and writes of the VMCS."""
    rows = []
    for kind in [*costs, *(kind for kind in profile if kind not in costs)]:
        value = costs[kind] if kind in costs else profile[kind].instructions
        by = f"{exits.COUNTED_BY}; KVM: {COUNTED_BY}" if kind in kvm else exits.COUNTED_BY if kind in costs else TRACED
        limit = CPUID_LIMIT if kind.startswith("cpuid") else kvm[kind] / TIMES_FEWER if kind in kvm else None
        rows.append(Row(f"exit {kind}", value, "instructions", by, peer=kvm.get(kind),
                        peer_name="KVM" if kind in kvm else "", limit=limit))
    for kind, seen in profile.items():
        rows.append(Row(f"VMREADs of {kind}", seen.vmreads, "instructions", TRACED))
        rows.append(Row(f"VMWRITEs of {kind}", seen.vmwrites, "instructions", TRACED))
    return rows


def all_exit_rows(costs: dict[str, int] | None = None) -> list[Row]:
    """Everything about exits: two runs in Bochs (one when the costs are known), and KVM's."""
    return exit_rows(costs if costs is not None else exits.exit_costs(exits.run_in_bochs()),
                     exit_profile(run_traced()), kvm_costs(kvm_run()))
