# SPDX-License-Identifier: MIT
"""The emulator machines that Bulkhead runs on: one description, several ways to run it.

    from machine import MachineSpec, machine
    with machine("tcg", MachineSpec(image=Path("build/bulkhead.img"), scenario="sriov")) as run:
        run.wait_for("monitor.ready")
        run.send("help")
"""

from pathlib import Path

from .bochs import Bochs
from .kvm import choose_machine, nested_virtualization
from .logfmt import LogLine, LogReader, parse_line
from .machine import (PATIENCE, STATUS_FAILED, STATUS_OK, Machine, MachineEnded, MachineError, MachineTimeout, Outcome)
from .qemu import Kvm, Tcg
from .spec import MachineSpec, Nic, Nvme, scenario_file
from .stack import Stack

MACHINES: dict[str, type[Machine]] = {"tcg": Tcg, "kvm": Kvm, "bochs": Bochs, "stack": Stack}


def machine(name: str, spec: MachineSpec, time_limit: float = 60.0, directory: Path | None = None) -> Machine:
    """A machine of that kind, not started yet."""
    if name not in MACHINES:
        raise ValueError(f"machine {name!r} is none of {', '.join(MACHINES)}")
    return MACHINES[name](spec, time_limit, directory)


__all__ = ["MACHINES", "PATIENCE", "STATUS_FAILED", "STATUS_OK", "Bochs", "Kvm", "LogLine", "LogReader", "Machine", "MachineEnded",
           "MachineError", "MachineSpec", "MachineTimeout", "Nic", "Nvme", "Outcome", "Stack", "Tcg", "choose_machine",
           "machine", "nested_virtualization", "parse_line", "scenario_file"]
