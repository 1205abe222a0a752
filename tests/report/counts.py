# SPDX-License-Identifier: MIT
"""Exits by kind, what the audit found, and what was refused."""

import re

from machine.logfmt import LogLine

from .record import Answer, Record, integer

# A row each: vCPU, kind, exits, exits a second. And as it was up to 0.9: "alpha vcpu 0: cpuid=2 memory=18".
_ROW = re.compile(r"\s*(\S+)\.(\d+)\s+([a-z][a-z0-9-]*)\s+(\d+)\s+[\d.]+\s*")
_VCPU = re.compile(r"\s*(\S+) vcpu (\d+):\s*(.*)")
_SERIAL = re.compile(r"\s*(\S+)\s+(?:io of serial line\s+|serial line:\s+io=)(\d+)(?:\s.*)?")
_INVARIANT = re.compile(r"\s*(I\d+|W\^X)\s+(\S.*?)\s+(\d+ [a-z][a-z ]*?)\s+(ok|VIOLATED.*)")
# What docs/log.md has under these names is about something that did not go as it was meant.
_TROUBLE = re.compile(r"[a-z]+\.(?:refused|error|unexpected|violation|exception|lost|dead|quarantined|[a-z_]*failed)")
_COUNT = re.compile(r"([a-z][a-z0-9-]*)=(\d+)")


def exits(record: Record) -> dict[str, dict[str, int]]:
    """Kinds and their numbers for each vCPU ("alpha vcpu 0"), from the latest answer to `exits`."""
    answer = record.answer("exits")
    found: dict[str, dict[str, int]] = {}
    for line in answer.lines if answer else []:
        if row := _ROW.fullmatch(line):
            found.setdefault(f"{row.group(1)} vcpu {row.group(2)}", {})[row.group(3)] = int(row.group(4))
        elif vcpu := _VCPU.fullmatch(line):
            found[f"{vcpu.group(1)} vcpu {vcpu.group(2)}"] = {
                kind: int(count)
                for kind, count in _COUNT.findall(vcpu.group(3))
            }
    return found


def serial_lines(record: Record) -> dict[str, int]:
    """Exits for guests' serial lines, which are among their io."""
    answer = record.answer("exits")
    rows = (_SERIAL.fullmatch(line) for line in (answer.lines if answer else []))
    return {row.group(1): int(row.group(2)) for row in rows if row}


def invariants(answer: Answer | None) -> list[tuple[str, ...]]:
    """Of `audit -v`: name, words, how many of what were looked at, what was found."""
    rows = (_INVARIANT.fullmatch(line) for line in (answer.lines if answer else []))
    return [row.groups() for row in rows if row]


def exits_in_all(record: Record) -> dict[str, int]:
    """All exits of each guest's latest life, from its last line."""
    return {line["name"]: number for line in record.of("guest.stopped")
            if line.get("name") and (number := integer(line.get("exits"))) is not None}


def audit_answer(record: Record) -> Answer | None:
    """What `audit -v` answered, else `audit`; a prompt that does not know -v says how it is used."""
    answers = (record.answer("audit -v"), record.answer("audit"))
    return next((answer for answer in answers if answer and not answer.lines[0].startswith("usage:")), None)


def troubles(record: Record) -> list[LogLine]:
    """In the order of the log."""
    return [line for line in record.events if _TROUBLE.fullmatch(line.event)]
