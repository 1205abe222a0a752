# SPDX-License-Identifier: MIT
"""What the host's programs and goals take, asked of themselves: for the manual page and for completion."""

import argparse
import re
import runpy
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = ("tests/machine", "tests/report", "tests/tools")


class Found(BaseException):
    """Carries a parser out of the program that made it."""


class Unusable(RuntimeError):
    """A program that does not start here, for want of a module of Python's."""


def programs() -> list[Path]:
    """The programs that people start: those of these folders that parse arguments."""
    return [path for folder in FOLDERS for path in sorted((REPOSITORY / folder).glob("*.py"))
            if path.stat().st_mode & 0o100 and "ArgumentParser" in path.read_text(encoding="utf-8")]


def parser_of(program: Path) -> argparse.ArgumentParser:
    """The parser that a program uses, at the moment when it would parse."""
    def found(parser, *_arguments, **_options):
        raise Found(parser)

    kept, argv = (argparse.ArgumentParser.parse_args, argparse.ArgumentParser.parse_known_args, list(sys.path)), sys.argv
    argparse.ArgumentParser.parse_args = argparse.ArgumentParser.parse_known_args = found
    sys.argv = [str(program)]
    sys.path.insert(0, str(program.parent))
    try:
        runpy.run_path(str(program), run_name="__main__")
    except Found as found_it:
        return found_it.args[0]
    except (SystemExit, ImportError) as error:
        raise Unusable(f"{program.relative_to(REPOSITORY)}: {error}") from error
    finally:
        argparse.ArgumentParser.parse_args, argparse.ArgumentParser.parse_known_args, sys.path[:] = kept
        sys.argv = argv
    raise Unusable(f"{program.relative_to(REPOSITORY)} parses no arguments")


def parsers() -> dict[Path, argparse.ArgumentParser]:
    """Those of all programs. One that lacks something here is left out, and that is said."""
    found = {}
    for program in programs():
        try:
            found[program] = parser_of(program)
        except Unusable as error:
            print(f"left out: {error}", file=sys.stderr)
    return found


def summary(parser: argparse.ArgumentParser) -> str:
    """The first sentence of its description."""
    text = " ".join((parser.description or "").split())
    return re.split(r"(?<=[\w)`])[.:](?: |$)", text)[0]


def goals() -> list[tuple[str, str]]:
    """(goal, what `make help` says of it)."""
    done = subprocess.run(["make", "--no-print-directory", "-s", "help"], cwd=REPOSITORY, text=True, capture_output=True,
                          check=True, timeout=300)
    return [tuple(line.split(None, 1)) for line in done.stdout.splitlines() if line.strip()]


def variables(text: str) -> list[str]:
    """The variables that a goal's line names."""
    return list(dict.fromkeys(re.findall(r"\b([A-Z][A-Z_]+)=", text)))
