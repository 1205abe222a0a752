# SPDX-License-Identifier: MIT
"""What the machine's log says about guests, VFs and faults, as names for the demonstration's texts."""

import re

from .logfmt import LogLine

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
INSIDE = 0x200000  # the address that the demonstration walks


def size(text: str) -> int:
    return int(text.rstrip("KMG")) * UNITS[text.lstrip("0123456789")]


class Facts(dict):
    """Names and values; what is not known is "?", and is in `missing`."""

    def __init__(self, events: list[LogLine]) -> None:
        super().__init__()
        self.missing: list[str] = []
        self._memory: list[tuple[int, int, str]] = []
        self._owners: dict[str, str] = {}
        for line in events:
            reader = getattr(self, "_" + line.event.replace(".", "_"), None)
            if reader:
                reader(line)
        self._conclude(events)

    def __missing__(self, name: str) -> str:
        self.missing.append(name)
        return "?"

    def fill(self, text: str) -> str:
        return text.format_map(self)

    def pattern(self, text: str) -> str:
        """The same for a pattern, whose own braces are numbers: {3}."""
        return re.sub(r"\{([a-z]\w*)\}", lambda found: re.escape(self[found.group(1)]), text)

    def owner_of(self, address: int) -> str:
        """The guest whose memory that is, or "the hypervisor": rogue's third target."""
        return next((name for base, end, name in self._memory if base <= address < end), "the hypervisor")

    def add(self, values: dict[str, str]) -> None:
        """Values, and for those that are addresses their owners."""
        for name, value in values.items():
            if value is not None:
                self[name] = value
                if value.startswith("0x"):
                    self[f"{name}_owner"] = self.owner_of(int(value, 16))

    # A line of the log each.

    def _guest_created(self, line: LogLine) -> None:
        name, base = line["name"], line.number("base")
        self.update({f"{name}_memory": line["memory"], f"{name}_base": line["base"], f"{name}_state": "stopped",
                     f"{name}_inside": hex(base + INSIDE)})
        self._memory.append((base, base + size(line["memory"]), name))

    def _guest_started(self, line: LogLine) -> None:
        self[f"{line['name']}_state"] = "running"

    def _guest_stopped(self, line: LogLine) -> None:
        self[f"{line['name']}_state"] = "stopped"

    def _sriov_enabled(self, line: LogLine) -> None:
        self.update(pf_rid=line["pf"], vfs=line["vfs"], total_vfs=line["total"])

    def _sriov_vf(self, line: LogLine) -> None:
        self[f"vf{line['index']}_rid"] = line["rid"]

    def _device_assigned(self, line: LogLine) -> None:
        self._owners[line["rid"]] = line["guest"]

    def _dma_fault(self, line: LogLine) -> None:
        self.add({f"fault_{key}": line.get(key) for key in ("rid", "guest", "access", "reason")})
        self["fault_address"], self["fault_owner"] = line["address"], self.owner_of(line.number("address"))

    def _guest_event(self, line: LogLine) -> None:
        """What ping.elf says with its first packet."""
        if line.number("value") == 1:
            self[f"{line['name']}_setup_exits"] = line["exits"]
            self[f"{line['name']}_lines"] = "0"

    def _guest_output(self, line: LogLine) -> None:
        lines = f"{line['name']}_lines"
        if lines in self:
            self[lines] = str(int(self[lines]) + 1)

    def _conclude(self, events: list[LogLine]) -> None:
        for number in range(int(self.get("vfs", "0"))):
            rid = self.get(f"vf{number}_rid")
            if rid in self._owners:
                owner = self._owners[rid]
                self[f"vf{number}_owner"] = owner
                for what in ("memory", "inside"):
                    self[f"vf{number}_owner_{what}"] = self.get(f"{owner}_{what}", "?")
                self[f"vf{number}_other"] = "gamma" if owner == "rogue" else "rogue"
        if "alpha_setup_exits" in self:
            lines = int(self["alpha_lines"])
            self["alpha_expected_exits"] = str(int(self["alpha_setup_exits"]) + lines)
            self["alpha_printed"] = f" ({lines} of them to print a line)" if lines else ""
