# SPDX-License-Identifier: MIT
"""What `help COMMAND` says fits the commands."""

import re

from conftest import ROOT

TABLE = (ROOT / "hypervisor/monitor/commands.c").read_text()
TEXT = (ROOT / "hypervisor/monitor/help.txt").read_text()
COMMANDS = dict(re.findall(r'^    \{"(\w+)", "([^"]*)",', TABLE, re.MULTILINE))
BLOCKS = {name: (usage, body) for name, usage, body in re.findall(r"^%(\w+) ?(.*)\n([^%]*)", TEXT, re.MULTILINE)}


def test_each_command_has_a_text_with_its_usage():
    assert len(COMMANDS) > 20 and {name: usage for name, (usage, _body) in BLOCKS.items()} == COMMANDS


def test_each_text_has_an_example_and_a_chapter_that_exists():
    for name, (_usage, body) in BLOCKS.items():
        assert re.search(rf"^  {name}( |$)", body, re.MULTILINE), f"{name}: no example"
        chapter = re.search(r"^More: docs/(\S+)\n\Z", body, re.MULTILINE)
        assert chapter and (ROOT / "docs" / chapter.group(1)).exists(), f"{name}: no chapter"


def test_rows_fit_a_screen():
    assert TEXT.isascii()
    assert all(len(row) < 80 for row in TEXT.splitlines())
