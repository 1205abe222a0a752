# SPDX-License-Identifier: MIT
"""Runs a student's hypervisor in an emulator, and says in one sentence what is wrong with the run."""

import itertools
import shutil
import time
from pathlib import Path

from machine import PATIENCE, Machine, MachineSpec, configuration, machine, scenario, vmentry
from machine.logfmt import parse_line
from machine.machine import MachineError

from .building import make
from .kinds import Machine as Check

GOALS = {"tcg": ("build/bulkhead.img",), "bochs": ("build/bulkhead.iso", "build/entry")}
LIMIT = 60
# In the order in which they explain each other: what comes first in the list is said first.
TELLING = (
    ("cpu.exception", "{text}"),
    ("cpu.panic", "{text}"),
    ("lab.todo", "step {step} is still to be done: {message}"),
    ("cpu.refused", "{message} (cpu.refused)"),
    ("vmx.failed", "{instruction}: {message}"),
    ("audit.violation", "the audit finds {invariant} of {subject} violated at {where} (value {value}): {message}"),
    ("vcpu.invalid", "{message}"),
    ("guest.lost", "{text}"),
    ("sriov.refused", "{message} (PF {pf}, offset {offset}, value {value})"),
    ("nic.refused", "{message}"),
    ("iommu.refused", "{message}"),
    ("device.refused", "{message}"),
    ("guest.refused", "{message}"),
    ("boot.failed", "{message}"),
)


class _Missing(dict):
    def __missing__(self, key: str) -> str:
        return "?"


def answer_to(run: Machine, command: str) -> list[str] | None:
    """What the prompt answered to a command that was typed: its lines, without what the log said meanwhile. None: it was
    not typed, or not taken."""
    lines = run.log.lines
    for number, text in enumerate(lines):
        if text.rstrip().endswith(f"bulkhead> {command}"):
            rest = itertools.takewhile(lambda line: not line.startswith("bulkhead>"), lines[number + 1:])
            return [line for line in rest if line and parse_line(line) is None]
    return None


def told(run: Machine) -> str | None:
    """The event that says most about what went wrong."""
    for event, sentence in TELLING:
        for line in run.events:
            if line.event == event:
                return sentence.format_map(_Missing(line.fields | {"text": line.text.split("] ", 1)[-1]}))
    return next((f"guest {line['name']}: {line['text']}" for line in run.events if to_do(line)), None)


def to_do(line) -> bool:
    """Said by the hypervisor, or by a guest program that is not written yet."""
    return line.event == "lab.todo" or (line.event == "guest.output" and line.get("text", "").startswith("lab.todo "))


def processor_words(run: Machine) -> list[str]:
    """What Bochs' processors said of VM entries that they refused."""
    return [f"Bochs: {words}" for words in run.processor_words()] if run.name == "bochs" else []


def stuck(root: Path, run: Machine) -> str | None:
    """A VMCS that breaks a rule, as it was logged before the first entry or after a failed one; a guest that executes nothing."""
    refused, words = vmentry.explained(run.events, root), processor_words(run)
    if refused:
        return f"{refused[0]} ({words[0]})" if words else refused[0]
    for line in run.events:
        if line.event == "lab.livelock":
            return f"{line['count']} times at RIP {line['rip']} ({line['bytes']}): {line['message']}"
    return None


def booted(root: Path, check: Check) -> Machine:
    config = root / f"config/{check.scenario}.conf"
    spec = MachineSpec(image=root / "build/bulkhead.img", iso=root / "build/bulkhead.iso", scenario=check.scenario, batch=True,
                       boot="iso" if check.lane == "bochs" else "disk", nvmes=scenario.nvmes(config.read_text()),
                       scalable=check.scalable,
                       files={f"/bulkhead/{check.scenario}.conf": config.read_bytes()})
    directory = root / "build/run" / f"lab-{check.lane}-{check.scenario}"
    shutil.rmtree(directory, ignore_errors=True)
    return machine(check.lane, spec, LIMIT * PATIENCE, directory)


def type_commands(run: Machine, typed: tuple) -> None:
    """What never comes is not waited for longer than the run: the diagnosis says what is missing."""
    for event, name, command in typed:
        try:
            run.wait_for(event, timeout=LIMIT, name=name)
            run.send(command(run))
        except MachineError:
            return


def control_core_died(run: Machine) -> bool:
    """Its last words are logged, and nothing will come after them."""
    died = any(line.event == "cpu.exception" and line.get("core") == "0" for line in run.events)
    if died:
        time.sleep(1)
    return died


def observed(root: Path, check: Check) -> tuple[Machine | None, str | None]:
    """A run from power on to its end, or why there was none."""
    problem = make(root, *GOALS[check.lane]) or make(configuration.REPOSITORY, str(configuration.TOOL.relative_to(configuration.REPOSITORY)))
    if problem:
        return None, problem
    try:
        run = booted(root, check)
        with run:
            type_commands(run, check.typed)
            while run.running and not control_core_died(run):
                time.sleep(0.05)
    except (MachineError, OSError, ValueError) as error:
        return None, f"the machine did not start: {str(error).splitlines()[0]}"
    return run, None


def diagnosis(root: Path, check: Check) -> str | None:
    """None when the run is as it should be. What the lab itself asks for comes first, since it knows most."""
    run, problem = observed(root, check)
    if run is None:
        return problem
    unwritten = any(to_do(line) for line in run.events)
    sentence = (None if unwritten else stuck(root, run)) or check.diagnose(run)
    if sentence:
        return sentence
    if run.outcome().ok and not unwritten:
        return None
    found, words = told(run) or run.outcome().reason, processor_words(run)
    return f"{found} ({words[0]})" if words else found
