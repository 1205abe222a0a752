# SPDX-License-Identifier: MIT
"""Programs and configurations that a page has its reader write (`run: file path=...`), and what then is printed
(`run: lesson scenario=...`): both in a copy of the tree. And sessions with gdb."""

import re
import time

import pexpect

from machine import PATIENCE

from . import machines
from .marks import ROOT, Shown
from .match import check_hidden, renewed, sections, selection
from .transcripts import Finding, Machines, environment, rules_of
from .tree import Tree

GDB_PROMPT = "(gdb) "


def write_files(page: list[Shown], tree: Tree) -> None:
    """The files of a page, as it shows them."""
    tree.prepare()
    for block in page:
        if block.mark and block.mark.kind == "file":
            tree.write(block.mark.get("path"), "\n".join(block.lines) + "\n")


def lesson(block: Shown, page: list[Shown], tree: Tree) -> Finding:
    """Writes the page's files, builds and runs the scenario, and looks for the lines in its log."""
    name = block.mark.get("scenario")
    head = [line for line in block.lines if line.startswith("$ ")]
    notes = [] if not head or head == [f"$ make run SCENARIO={name}"] else [f"what is run is `make run SCENARIO={name}`"]
    rules, lines = rules_of(block), block.lines[len(head):]
    check_hidden(lines, rules)
    try:
        write_files(page, tree)
        tree.make("all")
        text = (tree.path / f"config/{name}.conf").read_text()
        run = machines.start(machines.Moment(name, text=text, batch=True), tree.path)
    finally:
        tree.undo()
    real = machines.printed(run)
    fitting = selection(lines, real, rules)
    return Finding(fitting is not None and not notes, head + (fitting or renewed(lines, real, rules)), notes)


def debugger(block: Shown, _shared: Machines) -> Finding:
    """A session with `make debug`, which the block begins with. `^C` is typed when what `wait=` says is in its log."""
    if not block.lines[0].startswith("$ make debug"):
        raise ValueError("the block begins with `$ make debug`")
    real, lines = [block.lines[0]], block.lines[1:]
    session = pexpect.spawn("bash", ["-c", block.lines[0].removeprefix("$ ")], cwd=str(ROOT), encoding="utf-8",
                            codec_errors="replace", timeout=90 * PATIENCE, dimensions=(500, 250),
                            env={**environment(), "GDB_FLAGS": "-nx -iex 'set style enabled off' -iex 'set pagination off'"})

    def said() -> list[str]:
        session.expect_exact(GDB_PROMPT)
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", session.before).replace("\r", "")
        return [text.rstrip() for text in plain.splitlines() if text.strip()]

    try:
        real += said()
        for number, line in enumerate(lines):
            interrupted = lines[number + 1:number + 2] == ["^C"]
            if line.startswith(GDB_PROMPT):
                session.sendline(line.removeprefix(GDB_PROMPT))
            elif line == "^C":
                time.sleep(1)
                session.sendintr()
            else:
                continue
            real.append(line)
            if line == f"{GDB_PROMPT}quit":
                session.expect(pexpect.EOF)
            elif interrupted:
                session.expect_exact("Continuing.")
            else:
                texts = said()
                real += texts[1:] if texts and texts[0].strip() in (line.removeprefix(GDB_PROMPT), "^C") else texts
    finally:
        session.close(force=True)
    rules = rules_of(block)
    rules.typed |= {word for line in lines if line.startswith(GDB_PROMPT) for word in re.findall(r"0x[0-9a-f]+", line)}
    check_hidden(lines, rules)
    fitting = sections(block.lines, real, rules, GDB_PROMPT)
    return Finding(fitting is not None, fitting or renewed(block.lines, real, rules, GDB_PROMPT, selected=True))
