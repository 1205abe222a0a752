# SPDX-License-Identifier: MIT
"""Whether a machine that nobody asked for by name comes up. Nested virtualization that CPUID promises may still not
work: QEMU can refuse to start, hang, die at the first VM entry, or leave the hypervisor without what it needs."""

import threading

from .machine import Machine
from .logfmt import LogLine

# What has to be in the log, and within how many seconds of the one before (the first: of QEMU's start). A computer that
# has nested virtualization needs about a tenth of that.
MILESTONES = (("boot.start", 60), ("cpu.backend", 20), ("monitor.ready", 40))
LAST_WORDS = 200


class Held:
    """Keeps what a machine sends until it is let through: nobody reads half a log of a machine that did not come up."""

    def __init__(self, through) -> None:
        self._through = through
        self._lock = threading.Lock()
        self._held: bytearray | None = bytearray()

    def __call__(self, data: bytes) -> None:
        with self._lock:
            if self._held is None:
                self._through(data)
            else:
                self._held += data

    def release(self) -> None:
        with self._lock:
            if self._held:
                self._through(bytes(self._held))
            self._held = None


def reached(run: Machine, event: str, seconds: float) -> tuple[LogLine | None, str]:
    """The first such event, or None and what happened instead. The prompt without a back-end is a machine that runs no
    guest."""
    line = run.wait_for_any((event, "boot.failed", *(("monitor.ready",) if event == "cpu.backend" else ())), seconds)
    if line is not None and line.event == event:
        return line, ""
    if line is not None:
        refused = [seen["message"] for seen in run.events if seen.event == "cpu.refused" and seen.get("message")]
        return None, f"{line.event} came without {event}" + "".join(f"; cpu.refused: {words}" for words in refused[-1:])
    if run.running or run.expired:
        return None, f"there was no {event} in {run.time_limit if run.expired else seconds:g} s"
    status = "" if run.status is None else f" with status {run.status}"
    return None, f"QEMU ended{status} before {event}"


def failure(run: Machine, more: float = 0) -> str:
    """What went wrong with a machine that was started, "" when the prompt was reached. more: seconds that its scenario
    takes besides until then."""
    for number, (event, seconds) in enumerate(MILESTONES, 1):
        line, what = reached(run, event, seconds + (more if number == len(MILESTONES) else 0))
        if line is None:
            return f"{what}; {last_words(run)}"
    return ""


def last_words(run: Machine) -> str:
    said = run.emulator_messages().splitlines()
    if said:
        return f"QEMU says: {said[-1][:LAST_WORDS]}"
    lines = [line.strip() for line in run.tail().splitlines() if line.strip()]
    return f"the last line is: {lines[-1][:LAST_WORDS]}" if lines else "the serial line is empty"
