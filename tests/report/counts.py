# SPDX-License-Identifier: MIT
"""Exits by kind, what the audit found, and what was refused."""

import re

from machine.logfmt import LogLine

from .record import Answer, Record, integer

_VCPU = re.compile(r"\s*(\S+) vcpu (\d+):\s*(.*)")
# What docs/log.md has under these names is about something that did not go as it was meant.
_TROUBLE = re.compile(r"[a-z]+\.(?:refused|error|unexpected|violation|exception|lost|dead|quarantined|[a-z_]*failed)")
_COUNT = re.compile(r"([a-z][a-z0-9-]*)=(\d+)")


def exits(record: Record) -> tuple[dict[str, dict[str, int]], Answer | None]:
    """Kinds and their numbers for each vCPU ("alpha vcpu 0"), from the latest answer to `exits`."""
    answer = record.answer("exits")
    found: dict[str, dict[str, int]] = {}
    for line in answer.lines if answer else []:
        vcpu = _VCPU.fullmatch(line)
        if vcpu:
            found[f"{vcpu.group(1)} vcpu {vcpu.group(2)}"] = {kind: int(count) for kind, count in _COUNT.findall(vcpu.group(3))}
    return found, answer


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
