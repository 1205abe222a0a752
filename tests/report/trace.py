# SPDX-License-Identifier: MIT
"""The run in the Trace Event format, which ui.perfetto.dev and chrome://tracing open."""

import json
from collections.abc import Iterable

from . import life
from .life import Guest, Row
from .record import Record

BOOT, GUESTS, LOG = 1, 2, 3  # processes of the trace
WORDS = {"boot": "{}", "made": "{} is made", "runs": "{} runs", "paused": "{} is paused"}


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)


def _named(process: int, thread: int, name: str, kind: str = "thread_name") -> dict:
    return {
        "ph": "M", "ts": 0, "pid": process, "tid": thread, "cat": "__metadata", "name": kind, "args": {"name": name}
    }


def _parts(process: int, thread: int, row: Row) -> Iterable[dict]:
    for part in row.parts:
        yield {"ph": "X", "ts": _microseconds(part.start), "dur": _microseconds(part.end) - _microseconds(part.start),
               "pid": process, "tid": thread, "cat": part.kind, "name": WORDS[part.kind].format(row.name),
               "args": {"cut": True} if part.open else {}}


def _marks(process: int, thread: int, row: Row) -> Iterable[dict]:
    for mark in row.marks:
        yield {"ph": "i", "s": "t", "ts": _microseconds(mark.time), "pid": process, "tid": thread, "cat": mark.kind,
               "name": mark.words, "args": {}}


def _log(record: Record) -> Iterable[dict]:
    """Each event of the log, on a track of its subsystem; and the blocked accesses so far, as a curve."""
    tracks: dict[str, int] = {}
    count = 0
    for line in record.events:
        subsystem = line.event.partition(".")[0]
        if subsystem not in tracks:
            tracks[subsystem] = len(tracks) + 1
            yield _named(LOG, tracks[subsystem], subsystem)
        yield {"ph": "i", "s": "t", "ts": _microseconds(line.time), "pid": LOG, "tid": tracks[subsystem], "cat": "log",
               "name": line.event, "args": dict(line.fields)}
        if line.event == "dma.fault":
            count += 1
            yield {"ph": "C", "ts": _microseconds(line.time), "pid": LOG, "tid": 0, "cat": "log",
                   "name": "blocked accesses", "args": {"blocked": count}}


def events(record: Record, guests: list[Guest]) -> list[dict]:
    """In the order of time; cores' lines may stand out of order in the log."""
    found = [_named(process, 0, name, "process_name")
             for process, name in ((BOOT, "boot"), (GUESTS, "guests"), (LOG, "log"))]
    for thread, row in enumerate([*life.phases(record), life.audits(record)], 1):
        found += [_named(BOOT, thread, row.name), *_parts(BOOT, thread, row), *_marks(BOOT, thread, row)]
    for thread, guest in enumerate(guests, 1):
        found += [
            _named(GUESTS, thread, guest.name), *_parts(GUESTS, thread, guest.row), *_marks(GUESTS, thread, guest.row)
        ]
    found += _log(record)
    return sorted(found, key=lambda event: (event["ph"] != "M", event["ts"]))


def text(record: Record, guests: list[Guest]) -> str:
    start = record.last("boot.start")
    return json.dumps({"traceEvents": events(record, guests), "displayTimeUnit": "ms",
                       "otherData": {"log": record.source, **(start.fields if start else {})}}, indent=0) + "\n"
