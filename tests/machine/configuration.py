# SPDX-License-Identifier: MIT
"""Configurations as the hypervisor reads them: by its own parser, compiled for this computer (tests/tools/config.c). Needs
nothing but the standard library."""

import functools
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = REPOSITORY / "build/config"
LARGEST = 1 << 20
_COMPLAINT = re.compile(r"-:(\d+):(\d+): (.*)")


class ToolError(ValueError):
    """The parser is not there or does not do what it should."""


@dataclass(frozen=True)
class Complaint:
    """line, column: from 1."""

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.message}"


def text_of(path: Path) -> str:
    """Any file's content. Bytes that are not text come back as they were in encoded()."""
    with path.open("rb") as stream:
        content = stream.read(LARGEST)
    if len(content) == LARGEST:
        raise ValueError(f"{path} has 1 MiB or more, which no configuration has")
    return content.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@functools.cache
def _read(text: str) -> tuple[dict, tuple[Complaint, ...]]:
    if not TOOL.exists():
        raise ToolError(f"there is no {TOOL}, which reads configurations: run make all")
    try:
        done = subprocess.run([TOOL, "--json", "-"], input=encoded(text), capture_output=True, check=False, timeout=60)
        if done.returncode not in (0, 1):
            raise ValueError(done.stderr.decode(errors="replace").strip()[-200:] or f"status {done.returncode}")
        read = json.loads(done.stdout.decode(errors="replace"))
    except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
        raise ToolError(f"{TOOL} failed ({problem}): run make all") from None
    found = (_COMPLAINT.fullmatch(line) for line in done.stderr.decode(errors="replace").splitlines())
    complaints = sorted((Complaint(int(one[1]), int(one[2]), one[3]) for one in found if one),
                        key=lambda one: (one.line, one.column))
    return read, tuple(complaints)


def parse(text: str) -> dict:
    """What it says. What has an error is left out, as the hypervisor leaves it out."""
    return _read(text)[0]


def complaints(text: str) -> tuple[Complaint, ...]:
    """What is wrong with it, in the order of the text."""
    return _read(text)[1]
