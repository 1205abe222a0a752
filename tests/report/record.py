# SPDX-License-Identifier: MIT
"""What a run left: its events, and what the prompt answered, from the bytes of a serial log."""

import re
from dataclasses import dataclass, field

from machine.logfmt import LogLine, parse_line, strip_escapes

PROMPT = "bulkhead> "
# What tests and the report itself type behind a command, to know where its answer ends.
_MARK = re.compile(r"<\d+>")
# A guest's line on a console that somebody is attached to: what it says is nobody's answer.
_GUEST = re.compile(r"(?:^|\s)[A-Za-z0-9_-]{1,31}\| ")
# What XML has no characters for.
_UNPRINTABLE = re.compile("[^\t\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile(r"\x1b\[[0-9;?=]*[ -/]*[@-~]|\x1b[0-Z\\-_]")
LONGEST = 4096  # columns
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class NoLog(ValueError):
    """These bytes are not a log of Bulkhead. The text says what they are."""


@dataclass
class Answer:
    """A command that was typed at the prompt, what it said, and the time of the latest event before it."""

    command: str
    time: float
    place: int = 0  # of its line in the log
    lines: list[str] = field(default_factory=list)


@dataclass
class Record:
    """One boot. `boots` counts those in the log, of which this is the last; `torn` says that the log ends within a line,
    which is left out."""

    source: str
    events: list[LogLine] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    lines: int = 0
    boots: int = 0
    torn: bool = False

    def of(self, *names: str) -> list[LogLine]:
        return [line for line in self.events if line.event in names]

    def last(self, name: str) -> LogLine | None:
        found = self.of(name)
        return found[-1] if found else None

    def value(self, name: str, key: str, default: str = "") -> str:
        """A field of the first event of that name."""
        found = self.of(name)
        return found[0].get(key, default) if found else default

    def answer(self, command: str) -> Answer | None:
        """The latest one to this command that says anything."""
        found = [answer for answer in self.answers if answer.command == command and any(answer.lines)]
        return found[-1] if found else None

    @property
    def end(self) -> float:
        return max((line.time for line in self.events), default=0.0)


def integer(text: str | None) -> int | None:
    """A decimal or 0x-hexadecimal number, None for what is none."""
    try:
        return int(text or "", 0)
    except ValueError:
        return None


def size(text: str | None) -> int | None:
    """Bytes: a number, or one with K, M, G or T."""
    found = re.fullmatch(r"(\d+)([KMGT]?)", text or "")
    return int(found.group(1)) * _SIZES[found.group(2)] if found else integer(text)


def size_text(number: int) -> str:
    """As the log writes sizes."""
    for unit in ("T", "G", "M", "K"):
        if number and number % _SIZES[unit] == 0:
            return f"{number // _SIZES[unit]}{unit}"
    return str(number)


_MOVES = re.compile(r"\x1b\[(\d*)([CDGK])")


def on_screen(text: str) -> str:
    """What a terminal shows of a line in which the prompt was written, edited and taken back."""
    cells: list[str] = []
    place = at = 0
    while at < len(text):
        move = _MOVES.match(text, at)
        other = None if move else _CONTROL.match(text, at)
        if move:
            count = int(move.group(1) or 0)
            if move.group(2) == "K":
                del cells[place:]
            else:
                ways = {"C": place + max(count, 1), "D": place - max(count, 1), "G": max(count, 1) - 1}
                place = min(max(0, ways[move.group(2)]), LONGEST)
        elif text[at] == "\b":
            place = max(0, place - 1)
        elif text[at] == "\r":
            place = 0
        elif not other:
            cells += " " * (place + 1 - len(cells))
            cells[place] = text[at]
            place += 1
        at = (move or other).end() if move or other else at + 1
    return "".join(cells)


def clean(text: str) -> str:
    """Without control sequences, and with a mark for what cannot stand in a page."""
    return _UNPRINTABLE.sub("\ufffd", strip_escapes(text))


def _boot(record: Record) -> None:
    """Leaves the last boot alone. What is logged before its boot.start is earlier than that; a boot before ended later."""
    starts = [place for place, line in enumerate(record.events) if line.event == "boot.start"]
    record.boots = len(starts)
    if len(starts) < 2:
        return
    first = starts[-1]
    while first > 0 and record.events[first - 1].time <= record.events[first].time:
        first -= 1
    position = record.events[first].index
    record.events = [line for line in record.events if line.index >= position]
    record.answers = [answer for answer in record.answers if answer.place >= position]


def read(data: bytes, source: str) -> Record:
    """Raises NoLog if there is no event in it."""
    record = Record(source)
    seen: set[str] = set()
    open_answer: Answer | None = None
    *complete, rest = data.split(b"\n")
    record.torn = bool(rest.strip())
    record.lines = len(complete)
    for number, raw in enumerate(complete):
        line = raw.decode("utf-8", "replace").rstrip("\r")
        text = clean(line)
        event = parse_line(text, number)
        if event:
            repeating = open_answer is not None and open_answer.command.startswith(("log", "more"))
            if not (repeating and event.text in seen):
                seen.add(event.text)
                record.events.append(event)
            continue
        if PROMPT in text:
            text = clean(on_screen(line[-LONGEST:]))
        before, prompt, typed = text.rpartition(PROMPT)
        if prompt and not _GUEST.search(before + " "):
            command = " ".join(typed.split())
            open_answer = None
            if command and not _MARK.fullmatch(command):
                open_answer = Answer(command, record.events[-1].time if record.events else 0.0, number)
                record.answers.append(open_answer)
        elif open_answer is not None and not _GUEST.match(text):
            open_answer.lines.append(text)
    if not record.events:
        raise NoLog(f"{len(data)} bytes without a line of Bulkhead's log, such as `[0.005287] boot.start ...`")
    _boot(record)
    return record
