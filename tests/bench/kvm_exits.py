"""The same exits under KVM: the guest of exits.py, started by QEMU in the stacked machine's Linux, where Bulkhead would
be, in the same Bochs. Nothing of it is kept but the snapshot that the stacked machine starts from."""

import re
import shutil
from pathlib import Path

from machine import MachineSpec
from machine.stack import Stack

from . import exits

ROOT = Path(__file__).resolve().parents[2]
# So few that a batch passes between two ticks of Linux' timer, and a tick falls into less than half of the batches.
COUNT = 2
SECTOR = 512
# One CPU: Bochs' TSC then counts instructions, to a trace of 32 at each end of a batch.
ACCURACY = 32 / COUNT
# Written to QEMU's output, not to a device of its own with the guest's accesses in between.
LINE = re.compile(r"exit kind=(\S+) count=(\d+) ticks=(\d+) empty=(\d+)")


class KvmOnBochs(Stack):
    """Linux with KVM on Bochs; QEMU loads the ELF by the PVH boot protocol."""

    name = "kvm-on-bochs"

    def _medium(self) -> Path:
        return Path(shutil.copy(ROOT / "build/guest/exits.elf", self._copy("exits.elf")))

    def _job(self, size: int | None) -> bytes:
        return f"copy={-(-(size or 0) // SECTOR)}\n".encode() + super()._job(size)


def kvm_run(limit: float = 240):
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


def kvm_rows(limit: float = 240) -> dict[str, float]:
    """Boots and measures: about two minutes, half of it for the snapshot when there is none yet."""
    return kvm_costs(kvm_run(limit))
