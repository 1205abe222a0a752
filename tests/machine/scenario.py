# SPDX-License-Identifier: MIT
"""What a machine needs for a scenario, as its configuration says, which the hypervisor's own parser reads
(configuration.py)."""

import re
from pathlib import Path

from . import linuxguest, paths
from .configuration import encoded, parse, text_of as text_of_file
from .spec import Nic, Nvme, SharedMemory, scenario_file

SHARED_MEMORY = "1af4:1110"
XHCI = "1b36:000d"
MODELS = {"8086:10c9": "igb", "8086:10d3": "e1000e", "1af4:1041": "virtio-net-pci"}
MIB = 1 << 20
OVERWRITING = 30  # seconds a GiB
FIRMWARE_MEMORY = 448  # MiB beside the guests': firmware, hypervisor, modules


def text_of(name: str | None) -> str:
    """The configuration of that name in config/, "" when there is none: it may be on the medium alone."""
    path = paths.REPOSITORY / "config" / scenario_file(name or "sriov")
    return text_of_file(path) if path.exists() else ""


def files(text: str) -> dict[str, bytes | Path]:
    """Kernels and initial RAM disks that it names and that are not part of the image."""
    wanted = {f"/bulkhead/{guest[key]}" for guest in parse(text)["guests"] for key in ("image", "initrd")}
    made = sorted(wanted & set(linuxguest.NAMES))
    return linuxguest.files(made) if made else {}


# In the stacked machine Linux goes without what it does against speculation (most of all two sets of page tables),
# others wait longer for it, and each guest has one vCPU: when one is started there by another the whole machine stands
# still (docs/linux.md).
STACK_WORDS = ((r"(?m)^(args[ \t]*=.*\bquiet\b)", r"\1 mitigations=off"), (r"\blimit=(\d+)", r"limit=\g<1>0"),
               (r"(?m)^cpus[ \t]*=.*\n", ""))


def for_machine(name: str | None, machine: str) -> dict[str, bytes]:
    """The scenario's configuration as the emulated machine of that name gets it, if that is not as it stands."""
    wanted = text = text_of(name)
    if machine == "stack":
        for pattern, replacement in STACK_WORDS:
            wanted = re.sub(pattern, replacement, wanted)
    return {f"/bulkhead/{scenario_file(name or 'sriov')}": encoded(wanted)} if wanted != text else {}


def nics(text: str) -> tuple[Nic, ...]:
    """A card for each [nic] section. Whole ones share a wire; one that is split has its own, as one that also came
    in by another card would be somebody's twice."""
    cards = []
    sections = [section for section in parse(text)["nics"]
                if not section["disk"] and section["device"] not in (SHARED_MEMORY, XHCI)]
    for section in sections:
        model = MODELS.get(section["device"], Nic.model)
        vfs = section["vfs"] if model == "virtio-net-pci" else 0
        alone = section["vfs"] or len(sections) == 1
        cards.append(Nic(model, vfs=vfs) if alone else Nic(model, netdev="hubport,hubid=0"))
    return tuple(cards) or (Nic(),)


def nvmes(text: str) -> tuple[Nvme, ...]:
    """A controller for each [disk NAME], with a namespace for each VF and one more, each of a size of its own."""
    counts = [section["vfs"] for section in parse(text)["nics"] if section["disk"]]
    return tuple(Nvme(vfs, tuple(16 + 8 * n for n in range(vfs + 1))) for vfs in counts)


def memories(text: str) -> tuple[SharedMemory, ...]:
    """One for each section that names such a function."""
    return tuple(SharedMemory() for section in parse(text)["nics"] if section["device"] == SHARED_MEMORY)


def usb(text: str, boot: str) -> tuple[str, ...]:
    """QEMU's words for a controller with a keyboard, if a section names one; a stick that is booted has one already."""
    if all(section["device"] != XHCI for section in parse(text)["nics"]):
        return ()
    return (() if boot == "usb" else ("-device", "qemu-xhci,id=xhci")) + ("-device", "usb-kbd,id=keyboard,bus=xhci.0")


def typed(text: str) -> str:
    """What is typed on that keyboard when nobody is there to do it: its guest is the last to go."""
    drivers = [guest["name"] for guest in parse(text)["guests"] if guest["console_input"]]
    return "".join(f"guests\rstop {name}\r" for name in drivers)


def memory(text: str) -> int:
    """MiB: what its guests have and what the rest needs. Large guests are to find whole GiBs, which what firmware left
    in the first two is not."""
    sizes = [guest["memory"] // MIB for guest in parse(text)["guests"]]
    return max(512, sum(sizes) + FIRMWARE_MEMORY + 1024 * any(size > 2048 for size in sizes))


def overwriting(text: str) -> int:
    """Seconds that it may take until the guests' memory is overwritten, on a busy computer."""
    return sum(guest["memory"] for guest in parse(text)["guests"]) * OVERWRITING // (1024 * MIB)


def cpus(text: str) -> int:
    """One for the hypervisor and one for each vCPU."""
    guests = parse(text)["guests"]
    return max(4, 1 + sum(guest["cpus"] for guest in guests), *(1 + core for guest in guests for core in guest["cores"]))
