#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes the manual pages of what runs on the host (`make man`).

They are bulkhead(7), with the goals and variables of make, and a page for each program, from its own --help by help2man."""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import option_tables  # noqa: E402

REPOSITORY = option_tables.REPOSITORY
OVERVIEW = REPOSITORY / "tests/tools/bulkhead.7"
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
LIMIT = 300


def fail(text: str) -> None:
    print(f"manual: error: {text}", file=sys.stderr)
    sys.exit(1)


def name_of(program: Path) -> str:
    return "bulkhead-" + program.stem.replace("_", "-")


def roff(text: str) -> str:
    """As text that roff leaves alone."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


def date() -> str:
    moment = time.gmtime(EPOCH or None)
    return f"{time.strftime('%B', moment)} {moment.tm_mday}, {moment.tm_year}"


def overview(parsers: dict[Path, argparse.ArgumentParser]) -> str:
    """bulkhead(7): its two lists are what make and the programs say of themselves."""
    goals = "".join(f".It Cm {goal}\n{roff(text)}\n" for goal, text in option_tables.goals())
    pages = "".join(f".It Xr {name_of(program)} 1\n.Pa {program.relative_to(REPOSITORY)} :\n"
                    f"{roff(option_tables.summary(parser))}.\n" for program, parser in parsers.items())
    see = " ,\n".join(f".Xr {name} 1" for name in sorted(map(name_of, parsers)))
    text = OVERVIEW.read_text(encoding="utf-8")
    for mark, lines in (("DATE", f".Dd {date()}\n"), ("GOALS", goals), ("PROGRAMS", pages), ("SEE", see + "\n")):
        text = text.replace(f".\\\" @{mark}@\n", lines)
    return text


def page(program: Path, summary: str, version: str) -> str:
    """From its --help, which help2man asks a script for that says it in help2man's words."""
    name = name_of(program)
    done = subprocess.run([sys.executable, str(program), "--help"], text=True, capture_output=True, check=False, timeout=LIMIT,
                          env={**os.environ, "COLUMNS": "110"})
    if done.returncode:
        fail(f"{program} --help failed: {done.stderr.strip()}")
    usage, _, rest = done.stdout.partition("\n\n")
    usage = "Usage: " + str(program.relative_to(REPOSITORY)) + " " + " ".join(usage.split()[2:])
    rest = re.sub(r"^options:$", "Options:", re.sub(r"^positional arguments:$", "Arguments:", rest, flags=re.M), flags=re.M)
    with tempfile.TemporaryDirectory() as place:
        script = Path(place) / name
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{usage}\n\n{rest}\nEND\n", encoding="utf-8")
        script.chmod(0o755)
        command = ["help2man", "--no-info", "--section=1", "--source=Bulkhead", f"--version-string={version}",
                   "--name=" + roff(summary[:1].lower() + summary[1:]), "--manual=Bulkhead", str(script)]
        try:
            done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=LIMIT)
        except FileNotFoundError:
            fail("there is no help2man here: tests/machine/setup.sh desk installs it")
    if done.returncode:
        fail(f"{shlex.join(command)}: {done.stderr.strip()}")
    lines = done.stdout.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(".TH "):
            lines[number] = f'.TH {name.upper()} 1 "{time.strftime("%Y-%m-%d", time.gmtime(EPOCH or None))}" "Bulkhead {version}" "Bulkhead"'
    return "\n".join(lines) + '\n.SH "SEE ALSO"\n.BR bulkhead (7)\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the pages go")
    folder = parser.parse_args().folder
    version = (REPOSITORY / "VERSION").read_text(encoding="ascii").strip()
    parsers = option_tables.parsers()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bulkhead.7").write_text(overview(parsers), encoding="utf-8")
    for program, one in parsers.items():
        (folder / f"{name_of(program)}.1").write_text(page(program, option_tables.summary(one), version), encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as problem:
        sys.exit(f"manual: error: {problem}")
