# SPDX-License-Identifier: MIT
"""The hypervisor's log: one event for each line, `[seconds] subsystem.event key=value message="..."`."""

import re
from dataclasses import dataclass, field

_ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[ -/]*[@-~]|\x1b[0-Z\\-~]|[\x00-\x08\x0b-\x1a\x1c-\x1f]")
_HEAD = re.compile(r"\[\s*(\d+(?:\.\d+)?)\]\s+([a-z][a-z0-9_]*\.[a-z0-9_.]*[a-z0-9_])(?=\s|$)")
# What the console puts in front of each line of a guest that it is attached to.
_GUEST = re.compile(r"(?:^|\s)[A-Za-z0-9_-]{1,31}\| ")
_PAIR = re.compile(r'\s+([A-Za-z][A-Za-z0-9_.-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
_QUOTED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class LogLine:
    """One event. `index` counts the events of a run from 0."""

    time: float
    event: str
    fields: dict[str, str] = field(default_factory=dict)
    index: int = 0
    text: str = ""

    def __getitem__(self, key: str) -> str:
        return self.fields[key]

    def get(self, key: str, default: str | None = None) -> str | None:
        return self.fields.get(key, default)

    def number(self, key: str) -> int:
        """A field as an integer, decimal or 0x-hexadecimal."""
        return int(self.fields[key], 0)

    def matches(self, event: str, wanted: dict) -> bool:
        return self.event == event and all(self.fields.get(key) == str(value) for key, value in wanted.items())


def strip_escapes(text: str) -> str:
    """Without the terminal control sequences that firmware and boot loaders send."""
    return _ESCAPES.sub("", text)


def parse_line(text: str, index: int = 0) -> LogLine | None:
    """The event on this line, or None. Firmware may have left text before the bracket, a guest not; after the event
    only well-formed pairs may follow, so that a torn or interleaved line is not taken for an event."""
    text = strip_escapes(text).rstrip("\r\n")
    head = _HEAD.search(text)
    if not head or _GUEST.search(text, 0, head.start()):
        return None
    fields: dict[str, str] = {}
    position = head.end()
    while position < len(text) and not text[position:].isspace():
        pair = _PAIR.match(text, position)
        if not pair:
            return None
        value = pair.group(2)
        if value.startswith('"'):
            value = _QUOTED.sub(r"\1", value[1:-1])
        fields[pair.group(1)] = value
        position = pair.end()
    return LogLine(float(head.group(1)), head.group(2), fields, index, text[head.start():])


class LogReader:
    """Splits a stream of bytes into lines and keeps those that are events."""

    def __init__(self) -> None:
        self._rest = b""
        self.lines: list[str] = []
        self.events: list[LogLine] = []

    def feed(self, data: bytes) -> None:
        *complete, self._rest = (self._rest + data).split(b"\n")
        for raw in complete:
            self._add(raw)

    def finish(self) -> None:
        """The stream ended: what is left is a line too."""
        if self._rest:
            self._add(self._rest)
            self._rest = b""

    def _add(self, raw: bytes) -> None:
        text = raw.decode("utf-8", "replace").rstrip("\r")
        self.lines.append(strip_escapes(text))
        event = parse_line(text, len(self.events))
        if event:
            self.events.append(event)

    def tail(self, count: int = 60) -> str:
        lines = self.lines + ([strip_escapes(self._rest.decode("utf-8", "replace"))] if self._rest else [])
        return "\n".join(lines[-count:])
