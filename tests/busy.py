#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a command on a busy computer: beside BUSY loops (default: 4) that do nothing but take time.

    BUSY=4 tests/busy.py make unit

The loops end with the command, however it ends, and also when this program is killed outright. Exit status: the
command's."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from machine import choices  # noqa: E402
from machine.machine import die_with_parent  # noqa: E402


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        count = choices.number(os.environ.get("BUSY", "4"), 1, 256)
    except choices.Refused as problem:
        print(f"busy: BUSY: {problem}", file=sys.stderr)
        return 2
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"], preexec_fn=die_with_parent) for _ in range(count)]
    try:
        return subprocess.run(sys.argv[1:]).returncode
    except KeyboardInterrupt:
        return 130
    except OSError as problem:
        print(f"busy: {choices.shown(sys.argv[1])}: {problem.strerror}", file=sys.stderr)
        return 127
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    sys.exit(main())
