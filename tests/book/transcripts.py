# SPDX-License-Identifier: MIT
"""Blocks that show what was printed: run again, and what they should say."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from system.checks import ask

from machine import PATIENCE, Machine, report

from . import machines, numbers
from .marks import ROOT, Shown
from .match import Rules, check_hidden, names_of, renewed, selection, transcript

PROMPTS = {"prompt": "bulkhead> ", "shell": "$ "}
SHELL_LIMIT = 300
# What make says around a command: that there was nothing to build, and that the command failed.
NOISE = re.compile(r"make(\[\d+\])?: |setup: .* (is|are) complete$")


@dataclass
class Finding:
    """What a block should say, and whether it says that but for what may vary."""

    fits: bool
    lines: list[str]
    notes: list[str] = field(default_factory=list)


class Machines:
    """One shared machine at a time: blocks come sorted by the machine they are about."""

    def __init__(self) -> None:
        self._name, self._run = "", None

    def get(self, name: str) -> Machine:
        if name not in machines.MOMENTS:
            raise ValueError(f"there is no machine {name!r} (tests/book/machines.py); there are {', '.join(machines.MOMENTS)}")
        if name != self._name:
            self.stop()
            self._run, self._name = machines.start(machines.MOMENTS[name]), name
        return self._run

    def stop(self) -> None:
        if self._run:
            self._run.stop()
        self._name, self._run = "", None


def rules_of(block: Shown) -> Rules:
    prompt = PROMPTS.get(block.mark.kind, "")
    typed = {word for line in block.lines if prompt and line.startswith(prompt)
             for word in re.findall(r"0x[0-9a-f]+", line)}
    return Rules(names_of(block.mark.all("vary")), typed, block.mark.has("exact"))


def environment() -> dict[str, str]:
    """Commands of the book run in QEMU's emulation unless they say otherwise."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
            "MACHINE": "tcg", "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def shell(command: str, folder: Path = ROOT, limit: float = SHELL_LIMIT) -> tuple[str, int]:
    """What a command prints, on both streams, and its exit status."""
    done = subprocess.run(["bash", "-c", command], cwd=folder, text=True, errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit * PATIENCE, check=False,
                          env=environment())
    return done.stdout, done.returncode


def answers(block: Shown, prompt: str, answer: Callable[[str], str]) -> list[str]:
    """The block's commands with what each prints."""
    real: list[str] = []
    for line in block.lines:
        if line.startswith(prompt):
            command = line.removeprefix(prompt)
            real += [line, *(text.rstrip() for text in answer(command).replace("\r", "").splitlines())]
    if not real:
        raise ValueError(f"no line begins with {prompt!r}")
    return real


def compare(block: Shown, real: list[str], prompt: str) -> Finding:
    rules = rules_of(block)
    check_hidden([line for line in block.lines if not (prompt and line.startswith(prompt))], rules)
    fitting = transcript(block.lines, real, rules)
    if fitting is not None:
        return Finding(True, fitting)
    new = renewed(block.lines, real, rules, prompt)
    notes = ["more was printed than the block shows: `...` stands for what is left out"] if new == block.lines else []
    return Finding(False, new, notes)


def prompt(block: Shown, shared: Machines) -> Finding:
    run = shared.get(block.mark.get("machine"))
    return compare(block, answers(block, PROMPTS["prompt"], lambda command: ask(run, command)), PROMPTS["prompt"])


def command(block: Shown, _shared: Machines) -> Finding:
    """Commands on the host. `status=` is the last one's. `file=` is written before, with the lines of `text=`, and
    removed."""
    statuses = []

    def answer(text: str) -> str:
        said, status = shell(text)
        statuses.append(status)
        return "".join(line + "\n" for line in said.splitlines() if not NOISE.match(line))

    file = ROOT / block.mark.get("file") if block.mark.has("file") else None
    if file and file.exists():
        raise ValueError(f"{file.name} is there already; the block wants to write it")
    try:
        if file:
            file.write_text("".join(line + "\n" for line in block.mark.get("text").split(";")))
        finding = compare(block, answers(block, PROMPTS["shell"], answer), PROMPTS["shell"])
    finally:
        if file:
            file.unlink(missing_ok=True)
    wanted = int(block.mark.get("status", "0"))
    if statuses[-1] != wanted:
        finding.fits = False
        finding.notes.append(f"the last command ended with status {statuses[-1]}, not {wanted}")
    return finding


def log(block: Shown, shared: Machines) -> Finding:
    """Lines of a machine's log. A first line `$ make run ...` is what boots it."""
    name = block.mark.get("machine")
    run = shared.get(name)
    head = [line for line in block.lines if line.startswith("$ ")]
    notes = []
    if head:
        wanted = f"$ {machines.command(machines.MOMENTS[name])}"
        if head != [wanted]:
            notes.append(f"machine={name} is `{wanted}`")
    rules, lines = rules_of(block), block.lines[len(head):]
    check_hidden(lines, rules)
    real = machines.printed(run)
    fitting = selection(lines, real, rules)
    if fitting is not None:
        return Finding(not notes, head + fitting, notes)
    return Finding(False, head + renewed(lines, real, rules), notes)


def _shape(line: str) -> str:
    """A row of a table, without its numbers; but none is none."""
    return re.sub(r"\d[\d.]*", lambda number: "0" if float(number[0].rstrip(".")) == 0 else "#", re.sub(r" +", " ", line.strip()))


def table(block: Shown, shared: Machines) -> Finding:
    """The table that the runner prints when such a run has ended: names and columns, and where nothing was counted."""
    real = [line.rstrip() for line in report.text(shared.get(block.mark.get("machine")).events).splitlines() if line.strip()]
    return Finding([_shape(line) for line in real] == [_shape(line) for line in block.lines], real or block.lines)


def figure(one: Shown, shared: Machines) -> Finding:
    """A number in a sentence, of a machine's log."""
    value = numbers.look(one, shared.get(one.mark.get("machine")))
    return Finding(numbers.agrees(one, value), [value])
