#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints a log of Bulkhead's, such as \\bulkhead\\last.log, with what its addresses of code are.

  symbols.py LOG                 build/bulkhead.elf has to be the very build that wrote the log
  symbols.py --elf FILE LOG      another file with symbols
  symbols.py -                   the log from standard input

Below cpu.exception and cpu.backtrace stands a line for each address: function and offset, file and line, and what was
inlined there. Exit status 1 when the log is of another build or does not say of which (the log is printed all the same,
without functions), 2 when a file cannot be used.
"""

import argparse
import bisect
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from machine.logfmt import LogLine, parse_line  # noqa: E402

LIMIT = 64 << 20  # bytes; a log of 64 KiB in memory is no larger as a file
NUMBER = re.compile(r"0x[0-9a-f]{1,16}")


class Unusable(Exception):
    """A file that cannot be used, and why."""


def tool(*command: str, text: str = "") -> str:
    try:
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    except FileNotFoundError:
        raise Unusable(f"{command[0]} is not installed: run 'make setup'") from None
    if done.returncode:
        raise Unusable((done.stderr.strip() or f"{command[0]} failed").splitlines()[0])
    return done.stdout


class Image:
    """bulkhead.elf: its build ID, and what is at an address."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise Unusable(f"{path} is not there: run make with the sources that the log's machine ran")
        self.path = path
        found = re.search(r"Build ID: ([0-9a-f]+)", tool("readelf", "-n", str(path)))
        if found is None:
            raise Unusable(f"{path} has no build ID: it is not a bulkhead.elf")
        self.build = found.group(1)
        rows = re.findall(r"^([0-9a-f]+) [tT] (\S+)$", tool("nm", "-n", str(path)), re.MULTILINE)
        self._starts = [int(value, 16) for value, _ in rows]
        self._names = [name for _, name in rows]

    def explain(self, addresses: list[int], returns: bool) -> list[str]:
        """A line for each. A return address belongs to the call before it."""
        asked = [address - returns for address in addresses]
        said = tool("addr2line", "-e", str(self.path), "-a", "-f", "-i",
                    text="".join(f"{address & (1 << 64) - 1:#x}\n" for address in asked))
        places = re.split(r"^0x[0-9a-f]{16}\n", said, flags=re.MULTILINE)[1:]
        return [f"{address:#018x} {self._function(look)}{self._lines(place)}"
                for address, look, place in zip(addresses, asked, places)]

    def _function(self, address: int) -> str:
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0 or address > self._starts[-1] + (1 << 16):
            return "outside the hypervisor's code"
        return f"{self._names[index]}+{address - self._starts[index]:#x}"

    def _lines(self, place: str) -> str:
        """addr2line's pairs of lines, the innermost first."""
        words = place.splitlines()
        known = [(name, self._relative(where)) for name, where in zip(words[::2], words[1::2])
                 if not where.startswith("??")]
        if not known:
            return ""
        inlined = "".join(f" in {name}" for name, _ in known[:-1])
        return f" {known[0][1]}{inlined}"

    @staticmethod
    def _relative(where: str) -> str:
        where = where.split(" (discriminator")[0]
        path, _, line = where.rpartition(":")
        for folder in ("hypervisor/", "drivers/", "boot/"):
            at = path.rfind("/" + folder)
            if at >= 0:
                return f"{path[at + 1:]}:{line}"
        return where


def addresses_of(line: LogLine) -> tuple[list[int], bool]:
    """The addresses of code in a line, and whether they are return addresses."""
    if line.event == "cpu.exception":
        return [int(word, 16) for word in NUMBER.findall(line.get("rip", ""))[:1]], False
    if line.event == "cpu.backtrace":
        return [int(word, 16) for word in NUMBER.findall(line.get("frames", ""))[:64]], True
    return [], False


def read(name: str) -> list[str]:
    try:
        with (sys.stdin.buffer if name == "-" else open(name, "rb")) as stream:
            data = stream.read(LIMIT + 1)
    except OSError as error:
        raise Unusable(f"{name}: {error.strerror}") from None
    if len(data) > LIMIT:
        raise Unusable(f"{name} is larger than {LIMIT >> 20} MiB: no log of Bulkhead's")
    text = data.decode(errors="replace")
    return ["".join(c if c.isprintable() else "?" for c in line) for line in re.split(r"\r*\n", text)]


def show(lines: list[str], image: Image, name: str) -> int:
    build, problem, events = None, None, [parse_line(text) for text in lines]
    if not any(events):
        raise Unusable(f"{name} has no line of Bulkhead's log in it")
    for number, (text, line) in enumerate(zip(lines, events), 1):
        if text or number < len(lines):
            print(text)
        if line is None:
            continue
        if line.event == "boot.start":
            build = line.get("build")
        addresses, returns = addresses_of(line)
        if not addresses:
            continue
        if build == image.build:
            for address in image.explain(addresses, returns):
                print(f"    {address}")
        elif build is None:
            problem = f"{name}:{number}: no boot.start with build= stands before it: nobody knows which build wrote it"
        else:
            problem = (f"{name}:{number}: written by build {build}, but {image.path} is {image.build}: check out the "
                       f"sources of that run (commit= of boot.start), run make, and try again")
    if problem is not None:
        print(f"symbols: {problem}", file=sys.stderr)
    return 1 if problem is not None else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elf", type=Path, default=ROOT / "build/bulkhead.elf", help="default: build/bulkhead.elf")
    parser.add_argument("log", metavar="LOG")
    options = parser.parse_args()
    try:
        return show(read(options.log), Image(options.elf), options.log)
    except Unusable as error:
        print(f"symbols: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


if __name__ == "__main__":
    sys.exit(main())
