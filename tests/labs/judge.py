# SPDX-License-Identifier: MIT
"""Judges the steps of a lab, each by itself: the student's function among the others as they were."""

import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from machine.machine import PATIENCE

from . import cutter, machines
from .building import ended, make
from .kinds import Host, Lab, Machine, Step
from .tree import STATE, Tree, listed, update, write, write_headers, write_state

LIMIT = 60
GUARD = ["unshare", "--net", "--pid", "--fork", "--kill-child"]  # no network, and nothing outlives it


@dataclass(frozen=True)
class Verdict:
    state: str  # right, to do, wrong
    text: str = ""

    @property
    def right(self) -> bool:
        return self.state == "right"


RIGHT = Verdict("right")


def wrong(text: str) -> Verdict:
    return Verdict("wrong", text)


def explain_crash(output: str, status: int | None) -> str:
    """What the sanitizers or a signal say, in one sentence, and in which call."""
    asked = re.findall(r"^asked: (.*)$", output, re.MULTILINE)
    during = f", in {asked[-1]}" if asked else ""
    found = re.search(r"SUMMARY: \w+Sanitizer: (\S+) (\S+?)(?::\d+)?(?: in (\w+))?$", output, re.MULTILINE)
    runtime = re.search(r"^(\S+?:\d+):\d+: runtime error: (.*)$", output, re.MULTILINE)
    if runtime:
        return f"{runtime[1]}: {runtime[2]}{during}"
    if found:
        kinds = {"SEGV": "reads or writes where nothing is", "heap-buffer-overflow": "goes past the end of the data",
                 "global-buffer-overflow": "goes past the end of an array", "stack-buffer-overflow": "goes past the end of an array",
                 "stack-overflow": "calls itself without end"}
        return f"{found[2]}{f' ({found[3]})' if found[3] else ''} {kinds.get(found[1], found[1])}{during}"
    return f"the check ended with status {status} and did not say what was wrong{during}"


def explain_unit(root: Path, output: str, status: int | None) -> str:
    """The first assertion of a unit test that does not hold, as it stands there."""
    line = re.search(r"^\[ +LINE +\] --- (\S+?):(\d+):", output, re.MULTILINE)
    name = re.search(r"\[  FAILED  \] (\w+)", output)
    if line is None or name is None:
        return explain_crash(output, status)
    values = re.search(r"^\[ +ERROR +\] --- (.+)$", output, re.MULTILINE)
    statement = (root / line[1]).read_text().splitlines()[int(line[2]) - 1:]
    end = next((i for i, text in enumerate(statement) if text.rstrip().endswith(";")), 0)
    said = " ".join(" ".join(statement[:end + 1]).split())
    return f"{name[1]}() fails in line {line[2]}: {said}{f' ({values[1]})' if values else ''}"


def guard() -> list[str]:
    """Without network and without children that stay, where this user may."""
    try:
        return GUARD if subprocess.run([*GUARD, "true"], capture_output=True, timeout=30, check=False).returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired):
        return []


def run_host(root: Path, check: Host, seed: int) -> Verdict:
    problem = make(root, f"build/labs/{check.program}")
    if problem:
        return wrong(problem)
    nonce = secrets.token_hex(16)
    env = {"PATH": os.environ.get("PATH", ""), "LAB_NONCE": nonce, "LAB_SEED": str(seed), "LAB_LIMIT": str(LIMIT * PATIENCE),
           "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"}
    status, output = ended([*guard(), str(root / "build/labs" / check.program)], root, (LIMIT + 10) * PATIENCE, env)
    if status is None:
        return wrong(f"the check did not end within {LIMIT} s")
    found = re.search(r"^wrong: (.*)$", output, re.MULTILINE)
    if found:
        return wrong(found[1])
    if status == 0 and output.rstrip().endswith(f"right {nonce}"):
        return RIGHT
    return wrong(explain_crash(output, status))


def run_machine(root: Path, check: Machine) -> Verdict:
    sentence = machines.diagnosis(root, check)
    return wrong(sentence) if sentence else RIGHT


def run_check(root: Path, check: Host | Machine, seed: int) -> Verdict:
    return run_host(root, check, seed) if isinstance(check, Host) else run_machine(root, check)


class Judge:
    """Works in a tree of its own, so that what was built stays from one step to the next."""

    def __init__(self, lab: Lab, pristine: Path, originals: dict[str, str], work: Path, seed: int):
        self.lab, self.pristine, self.originals, self.work, self.seed = lab, pristine, originals, work, seed

    @classmethod
    def of_tree(cls, tree: Tree) -> "Judge":
        return cls(tree.lab, tree.root, tree.originals(), tree.root / STATE / "work", tree.seed)

    def borrow(self) -> None:
        """Objects that the tree beside has made of the same sources with the same flags need not be made again."""
        objects, flags = "build/unit/objects", "build/flags/unit"
        if (self.work / "build").exists() or not (self.pristine / objects).is_dir() or not (self.pristine / flags).is_file():
            return
        shutil.copytree(self.pristine / objects, self.work / objects)
        (self.work / flags).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.pristine / flags, self.work / flags)

    def prepare(self, texts: dict[str, str]) -> None:
        self.borrow()
        for name in listed(self.pristine):
            if name not in texts:
                update(self.pristine / name, self.work / name)
        write_headers(self.work)
        for file, text in texts.items():
            write(self.work / file, text)
        for file, text in self.lab.files.items():
            if not (self.work / file).exists():
                write(self.work / file, text)
        if self.lab.config is not None:
            write(self.work / "config/lab.conf", self.lab.config(self.seed))
        write_state(self.work, self.lab, self.seed)

    def step(self, texts: dict[str, str], step: Step, around: dict[str, str] | None = None) -> Verdict:
        """`around`: other files of the tree that are to be different."""
        if cutter.is_stub(texts[step.file], self.lab, step):
            return Verdict("to do", f"make lab-hint STEP={step.number}")
        return self.ask(texts, step, around)

    def ask(self, texts: dict[str, str], step: Step, around: dict[str, str] | None = None) -> Verdict:
        """What the checks say, of a stub as well."""
        try:
            cutter.body_of(texts[step.file], step.function, step.file)
            laid = cutter.others_filled(texts, self.originals, self.lab, step)
        except cutter.DoesNotFit as error:
            return wrong(f"{error}; keep its name, and its braces in column 0")
        self.prepare(laid | (around or {}))
        for check in step.checks:
            verdict = run_check(self.work, check, self.seed)
            if not verdict.right:
                return verdict
        if all(isinstance(check, Host) for check in step.checks):  # which the compiler of tests has let pass
            problem = make(self.work, f"build/{step.file.removesuffix('.c')}.o")
            if problem:
                return wrong(f"the check passes, but as part of the hypervisor {problem}")
        return RIGHT

    def whole(self, texts: dict[str, str]) -> Verdict:
        """All that the student has written, together."""
        self.prepare(texts)
        for check in self.lab.whole:
            verdict = run_check(self.work, check, self.seed)
            if not verdict.right:
                return verdict
        for unit in self.lab.units:
            problem = make(self.work, f"build/unit/{unit}")
            if problem:
                return wrong(problem)
            status, output = ended([str(self.work / "build/unit" / unit)], self.work, LIMIT * PATIENCE)
            if status != 0:
                return wrong(f"tests/unit/{unit}.c: {explain_unit(self.work, output, status)}")
        return RIGHT
