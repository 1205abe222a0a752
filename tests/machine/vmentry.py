# SPDX-License-Identifier: MIT
"""Why VM entries were refused, from a run's log: build/entry on what the hypervisor has logged of its VMCSs."""

import subprocess
from pathlib import Path

from . import paths

TOOL = "build/entry"
SECONDS = 20


def explained(events: list, root: Path = paths.REPOSITORY) -> list[str]:
    """A sentence for each refused VMCS, each once; none where the log has no VMCS, or the tool was not built."""
    lines = [line.text for line in events if line.event.startswith("vmx.")]
    if not any("vmx.vmcs " in line for line in lines) or not (root / TOOL).is_file():
        return []
    try:
        done = subprocess.run([root / TOOL], input="\n".join([*lines, ""]), text=True, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        core, colon, sentence = line.partition(": ")
        if colon and core.startswith("core "):
            found.setdefault(sentence, []).append(core.removeprefix("core "))
    return [f"{sentence} (core {', '.join(cores)})" for sentence, cores in found.items()]
