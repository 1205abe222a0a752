# SPDX-License-Identifier: MIT
"""What tests of the whole system ask of a log, and of the prompt."""

import functools
import itertools
import re

from machine.machine import latest

PROMPT = "bulkhead> "
_marks = itertools.count(1)


def of(run, event: str, **wanted) -> list:
    """All events of that name with these fields."""
    return [line for line in run.events if line.matches(event, wanted)]


def one(run, event: str, **wanted):
    """The only such event."""
    lines = of(run, event, **wanted)
    assert len(lines) == 1, f"{event} {wanted}: {len(lines)} lines instead of one: {[line.text for line in lines]}"
    return lines[0]


def some(run, event: str, **wanted):
    """The first such event; there must be one."""
    lines = of(run, event, **wanted)
    assert lines, f"no {event} {wanted} in the log"
    return lines[0]


def stopped(run, guest: str, reason: str = "exit", status: int = 0):
    line = one(run, "guest.stopped", name=guest)
    assert (line["reason"], line.number("status")) == (reason, status), line.text
    return line


def sound(run) -> None:
    """Nothing broke that must hold whatever guests and configurations do."""
    for event in ("audit.violation", "boot.failed", "guest.lost", "guest.stop_failed", "guest.scrub_failed",
                  "guest.access_lost", "device.attach_failed", "device.detach_failed", "device.reset_failed",
                  "frames.refused", "cpu.kick-failed", "cpu.irq-pending", "cpu.exception", "iommu.queue", "memory.lost"):
        lines = of(run, event)
        assert not lines, lines[0].text
    audits = of(run, "audit.ok")
    assert len(audits) >= 2, "the audit ran before the guests started and again after they ended"


def verdict(run, result: str = "ok") -> None:
    sound(run)
    assert one(run, "run.verdict")["result"] == result
    assert run.outcome().ok is (result == "ok"), run.outcome().reason


# QEMU's threads of emulation look at an entry of their TLB again after they waited for the lock of all devices; a map of
# memory that changed meanwhile, as it does when a function is reset, then ends QEMU. Devices' registers that are
# accessed without a pause while this computer is busy are the way to see that (2 runs of 5, each another assertion).
QEMU_DIED = ("iotlb_to_section: Assertion", "msix_table_mmio_write: Assertion")


def again_when_qemu_died(test):
    """Runs a test once more, five times at most, when QEMU ended itself by one of these, and for no other reason."""
    @functools.wraps(test)
    def repeated(*arguments, **fixtures):
        for attempt in range(6):
            try:
                return test(*arguments, **fixtures)
            except Exception:
                said = latest().emulator_messages() if latest() is not None and not latest().running else ""
                if attempt == 5 or not any(words in said for words in QEMU_DIED):
                    raise
    return repeated


def ask(run, line: str, expected: str = "", timeout: float = 20) -> str:
    """Types a command; what it answers, up to the next prompt. The log may speak at any time, and the prompt is
    then written again: only a mark that is typed behind the command tells that this prompt is the next one."""
    mark = f"<{next(_marks)}>"
    run.console.send(f"\x15{line}\r{mark}")
    run.console.expect_exact(PROMPT + mark, timeout=timeout)
    run.console.send("\x15")
    echo = list(re.finditer(re.escape(line) + r" *\n", run.console.before.replace("\r", "")))
    assert echo, f"{line!r} was not echoed: {run.console.before!r}"
    answer = echo[-1].string[echo[-1].end():]
    assert re.search(expected, answer, re.MULTILINE), f"{line!r} answered {answer!r}, not {expected!r}"
    return answer


def exits(run, guest: str) -> dict[str, int]:
    """What the first vCPU left guest mode for, those for its serial line apart."""
    said = ask(run, "exits").replace("\r", "")
    counts = {kind: int(count) for kind, count in re.findall(rf"^{guest}\.0 +(\S+) +(\d+) +\d+\.\d$", said, re.MULTILINE)}
    serial = re.search(rf"^{guest} +io of serial line +(\d+) ", said, re.MULTILINE)
    counts["serial"] = int(serial.group(1)) if serial else 0
    counts["io"] = counts.get("io", 0) - counts["serial"]
    return counts
