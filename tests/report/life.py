# SPDX-License-Identifier: MIT
"""When what happened: phases of the boot, guests' lives, blocked accesses."""

from dataclasses import dataclass, field

from machine.logfmt import LogLine

from .record import Record

READY = "monitor.ready"


@dataclass(frozen=True)
class Part:
    """From one time to another, in seconds. `kind` is boot, made, runs or paused; `open` says that the log ends first."""

    kind: str
    start: float
    end: float
    open: bool = False


@dataclass(frozen=True)
class Mark:
    """Something that took no time: fault, event or audit."""

    kind: str
    time: float
    words: str


@dataclass
class Row:
    """One line of the picture."""

    name: str
    owner: str = ""
    words: str = ""
    parts: list[Part] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


@dataclass
class Guest:
    name: str
    created: LogLine | None = None
    stopped: list[LogLine] = field(default_factory=list)
    output: list[LogLine] = field(default_factory=list)
    row: Row | None = None

    @property
    def fate(self) -> str:
        if not self.stopped:
            return "running when the log ends" if self.row and self.row.parts else "never started"
        line = self.stopped[-1]
        status = f" {line['status']}" if line.get("status") and line.get("reason") == "exit" else ""
        return f"{line.get('reason', 'stopped')}{status}"


def phases(record: Record) -> list[Row]:
    """Boot phases, each until the next one; the last until the prompt is there."""
    lines = record.of("boot.phase")
    ready = record.last(READY)
    rows = []
    for line, following in zip(lines, [*lines[1:], None]):
        end = following.time if following else ready.time if ready else record.end
        rows.append(Row(line.get("name", "?"), "hypervisor",
                        parts=[Part("boot", line.time, max(end, line.time), open=following is None and ready is None)]))
    return rows


def _life(record: Record, name: str) -> Row:
    """Made, running, paused, gone: in the order of time, as often as it was started."""
    row = Row(name, name)
    since: tuple[str, float] | None = None
    after = {"guest.created": "made", "guest.started": "runs", "guest.resumed": "runs", "guest.paused": "paused"}
    lines = [line for line in record.of(*after, "guest.stopped") if line.get("name") == name]
    for line in sorted(lines, key=lambda one: one.time):
        if since:
            row.parts.append(Part(since[0], since[1], line.time))
        since = (after[line.event], line.time) if line.event in after else None
    if since:
        row.parts.append(Part(since[0], since[1], max(record.end, since[1]), open=True))
    return row


def guests(record: Record) -> list[Guest]:
    """All guests that the log names, with their rows."""
    found: dict[str, Guest] = {}
    for line in record.of("guest.created", "guest.started", "guest.stopped", "guest.output"):
        name = line.get("name")
        if not name:
            continue
        guest = found.setdefault(name, Guest(name))
        if line.event == "guest.created":
            guest.created = line
        elif line.event == "guest.stopped":
            guest.stopped.append(line)
        elif line.event == "guest.output":
            guest.output.append(line)
    for guest in found.values():
        guest.row = _life(record, guest.name)
        marks = [Mark("fault", line.time, f"{line.get('access', 'access')} of {line.get('address', '?')} "
                                          f"by {line.get('rid', '?')} blocked")
                 for line in record.of("dma.fault") if line.get("guest") == guest.name]
        marks += [Mark("event", line.time, f"event {line.get('value', '')}")
                  for line in record.of("guest.event") if line.get("name") == guest.name]
        guest.row.marks = sorted(marks, key=lambda mark: mark.time)
    return list(found.values())


def audits(record: Record) -> Row:
    row = Row("audit", "hypervisor")
    row.marks = [
        Mark("audit" if line.event == "audit.ok" else "fault", line.time,
             "audit: nothing found" if line.event == "audit.ok" else f"audit: {line.get('message', 'violation')}")
        for line in record.of("audit.ok", "audit.violation")
    ]
    return row


def ticks(end: float, most: int = 8) -> list[float]:
    """Round times from 0 on."""
    step = 1e-3
    for factor in [2, 2.5, 2] * 8:
        if end / step <= most:
            break
        step *= factor
    return [step * number for number in range(int(end / step) + 1)]
