"""What a machine needs for a scenario, read from its configuration."""

import re
from pathlib import Path

from . import linuxguest, paths
from .spec import Nic, Nvme, scenario_file

MODELS = {"8086:10c9": "igb", "8086:10d3": "e1000e"}
FIRMWARE_MEMORY = 448  # MiB beside the guests': firmware, hypervisor, modules


def text_of(name: str | None) -> str:
    """The configuration of that name in config/, "" when there is none: it may be on the medium alone."""
    path = paths.REPOSITORY / "config" / scenario_file(name or "sriov")
    return path.read_text() if path.exists() else ""


def values(text: str, key: str) -> list[str]:
    return re.findall(rf"^[ \t]*{key}[ \t]*=[ \t]*(\S+)", text, re.MULTILINE)


def files(text: str) -> dict[str, bytes | Path]:
    """Kernels and initial RAM disks that it names and that are not part of the image."""
    wanted = {f"/bulkhead/{name}" for key in ("image", "initrd") for name in values(text, key)}
    made = sorted(wanted & set(linuxguest.NAMES))
    return linuxguest.files(made) if made else {}


# In the stacked machine Linux goes without what it does against speculation (most of all two sets of page tables),
# and others wait longer for it.
STACK_WORDS = ((r"(?m)^(args[ \t]*=.*\bquiet\b)", r"\1 mitigations=off"), (r"\blimit=(\d+)", r"limit=\g<1>0"))


def for_machine(name: str | None, machine: str) -> dict[str, bytes]:
    """The scenario's configuration as the emulated machine of that name gets it, if that is not as it stands."""
    wanted = text = text_of(name)
    if machine == "stack":
        for pattern, replacement in STACK_WORDS:
            wanted = re.sub(pattern, replacement, wanted)
    return {f"/bulkhead/{scenario_file(name or 'sriov')}": wanted.encode()} if wanted != text else {}


def nics(text: str) -> tuple[Nic, ...]:
    """A card for each [nic] section. Whole ones share a wire; one that is split has its own, as one that also came
    in by another card would be somebody's twice."""
    cards = []
    for section in re.findall(r"^\[nic [^\[]*", text, re.MULTILINE):
        model = MODELS.get(values(section, "device")[0], Nic.model)
        cards.append(Nic(model) if values(section, "vfs") else Nic(model, netdev="hubport,hubid=0"))
    return tuple(cards) if len(cards) > 1 else (Nic(),)


def nvmes(text: str) -> tuple[Nvme, ...]:
    """A controller for each [disk NAME], with a namespace for each VF and one more, each of a size of its own."""
    counts = [int(values(section, "vfs")[0]) for section in re.split(r"^\[", text, flags=re.MULTILINE)
              if section.startswith("disk ")]
    return tuple(Nvme(vfs, tuple(16 + 8 * n for n in range(vfs + 1))) for vfs in counts)


def memory(text: str) -> int:
    """MiB: what its guests have and what the rest needs."""
    units = {"K": 1 / 1024, "M": 1, "G": 1024}
    guests = sum(int(size[:-1]) * units[size[-1]] for size in values(text, "memory") if size[-1] in units)
    return max(512, int(guests) + FIRMWARE_MEMORY)


def cpus(text: str) -> int:
    """One for the hypervisor and one for each vCPU."""
    guests = len(re.findall(r"^\[guest", text, re.MULTILINE))
    more = sum(int(count) - 1 for count in values(text, "cpus"))
    return max(4, 1 + guests + more)
