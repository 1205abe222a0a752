# SPDX-License-Identifier: MIT
"""The manual pages: they have all that make and the programs say of themselves, and no roff reader complains."""

import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, make
from machine import PATIENCE
from tools import option_tables

pytestmark = pytest.mark.skipif(not all(map(shutil.which, ("help2man", "mandoc", "man"))),
                                reason="help2man, mandoc or man is missing: tests/machine/setup.sh desk")
PROGRAMS = option_tables.programs()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, ROOT / "tests/tools/manual.py", folder], check=True, timeout=300 * PATIENCE)
    return {path.name: path for path in folder.iterdir()}


def shown(page) -> str:
    """As a person reads it, in one line."""
    done = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=200", page], text=True, capture_output=True, check=True, timeout=60 * PATIENCE)
    return " ".join(re.sub(".\b", "", done.stdout).replace("‐", "-").split())


def test_all_are_there(pages):
    assert sorted(pages) == sorted(["bulkhead.7", *(f"bulkhead-{path.stem.replace('_', '-')}.1" for path in PROGRAMS)])
    assert {"run.py", "check_config.py", "preflight.py", "symbols.py", "debug.py"} <= {path.name for path in PROGRAMS}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_every_option(pages, program):
    """With its explanation."""
    text = shown(pages[f"bulkhead-{program.stem.replace('_', '-')}.1"])
    done = subprocess.run([sys.executable, program, "--help"], text=True, capture_output=True, check=True, timeout=60 * PATIENCE)
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", done.stdout))
    assert "--help" in options and all(re.search(rf"(?<![\w-]){option}(?![\w-])", text) for option in options)
    parser = option_tables.parser_of(program)
    assert f" - {option_tables.summary(parser)[1:]}"[3:] in text
    for action in parser._actions:
        words = ((action.help or "") % {**vars(action), "prog": parser.prog}).split()[:6]
        assert " ".join(words) in text, words


def test_every_goal(pages):
    text = shown(pages["bulkhead.7"])
    for goal, what in option_tables.goals():
        assert f" {goal} {' '.join(what.split())}" in text, goal
    for program in PROGRAMS:
        assert str(program.relative_to(ROOT)) in text


def test_no_reader_complains(pages):
    for page in pages.values():
        for command in (["mandoc", "-T", "lint", "-W", "warning", page], ["man", "--warnings", "-l", page]):
            done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=60 * PATIENCE, stdin=subprocess.DEVNULL)
            assert done.returncode == 0 and not done.stderr and (command[0] == "man" or not done.stdout), done.stdout + done.stderr


def test_make_man(pages):
    done = make("man", "PAGE=run")
    assert done.returncode == 0 and "--scenario NAME" in re.sub(".\b", "", done.stdout).replace("‐", "-"), done.stdout + done.stderr
    done = make("man", "PAGE=nosuch")
    assert done.returncode and "man: there is no page 'nosuch': there are " in done.stderr and " run " in done.stderr


def test_summaries():
    """Each program says in its first sentence what it does."""
    for program in PROGRAMS:
        assert 3 <= len(option_tables.summary(option_tables.parser_of(program)).split()) <= 30, program
