# SPDX-License-Identifier: MIT
"""Builds in a lab's tree, and runs what may hang or leave children."""

import os
import re
import signal
import subprocess
from pathlib import Path

from machine.machine import PATIENCE

BUILD_LIMIT = 900


def ended(command: list, cwd: Path, limit: float, env: dict | None = None) -> tuple[int | None, str]:
    """Status (None: it did not end and was killed, with its children) and what it wrote, 1 MiB at most."""
    with subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True, env=env) as process:
        try:
            output, _ = process.communicate(timeout=limit)
            status = process.returncode
        except subprocess.TimeoutExpired:
            status = None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if status is None:
            output, _ = process.communicate()
    return status, output[-(1 << 20):].decode(errors="replace")


def build_problem(output: str) -> str:
    """The first thing that the compiler or linker minds."""
    for pattern in (r"^\S+:\d+:\d+: (?:fatal )?error: .*$", r"^.*undefined reference to .*$", r"^.*multiple definition of .*$",
                    r"^make.*: \*\*\* .*$"):
        found = re.search(pattern, output, re.MULTILINE)
        if found:
            return found[0].strip()
    return (output.strip().splitlines() or ["make failed and said nothing"])[-1]


def make(root: Path, *goals: str) -> str | None:
    """What is wrong with the build; None if it ended well."""
    status, output = ended(["make", "--no-print-directory", f"-j{os.cpu_count() or 2}", *goals], root, BUILD_LIMIT * PATIENCE)
    if status is None:
        return f"make {' '.join(goals)} did not end within {BUILD_LIMIT} s"
    return None if status == 0 else f"it does not build: {build_problem(output)}"
