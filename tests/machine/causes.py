# SPDX-License-Identifier: MIT
"""Why a run was not as it should be, from its log: what the last lines of the runner repeat."""

from .logfmt import LogLine

MOST = 12
LONGEST = 300


def _about(events: list[LogLine], guest: str) -> str:
    """What the log says of a guest that was refused, or that did not end by itself."""
    for line in reversed(events):
        who = line.get("guest") or line.get("name")
        if who == guest and line.event in ("guest.refused", "guest.fault", "guest.lost") and line.get("message"):
            return f"; {line.event}: {line['message']}"
        if who == guest and line.event == "guest.stopped" and line.get("reason") not in ("exit", "refused"):
            return f"; guest.stopped: {line.get('reason')}"
    return ""


def _words(line: LogLine, events: list[LogLine]) -> str:
    if line.event == "run.unexpected":
        guest = line.get("guest", "?")
        return (f"guest {guest}: {line.get('message') or 'not as expected'} (expected {line.get('expected')}, got {line.get('got')})"
                + _about(events, guest))
    if line.event == "config.error":
        return f"{line.get('file')}:{line.get('line')}:{line.get('column')}: {line.get('message')}"
    if line.event == "audit.violation":
        return f"audit, {line.get('invariant')}: {line.get('message')} ({line.get('subject')})"
    return line.text.partition("] ")[2]


def causes(events: list[LogLine]) -> list[str]:
    """A line for each, the configuration's first. Empty when the log has none."""
    found: dict[str, None] = {}
    for names in (("boot.failed", "cpu.exception"), ("config.error",), ("run.unexpected",), ("audit.violation",)):
        for line in events:
            if line.event in names:
                found[_words(line, events)[:LONGEST]] = None
    lines = list(found)
    if not lines:
        lines = [line["message"] for line in events if line.event == "run.verdict" and line.get("message")][-1:]
    return lines[:MOST] + ([f"and {len(lines) - MOST} more"] if len(lines) > MOST else [])


def one_line(lines: list[str]) -> str:
    """The first, and how many there are besides."""
    more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
    return f"{lines[0]}{more}" if lines else "no line of the log says why"
