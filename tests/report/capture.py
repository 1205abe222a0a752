# SPDX-License-Identifier: MIT
"""Boots a scenario and asks the prompt what the report draws: what guests have while they run, why each DMA was blocked
when it was, the counts when all have ended. What it answers is in the run's serial log."""

import contextlib
import re
import time

import pexpect

from machine import Machine, MachineEnded, MachineError, MachineSpec, scenario
from system.checks import ask

from .record import integer

ANSWER = 30.0       # seconds until a command has answered
MOST_QUESTIONS = 64
WHILE_THEY_RUN = ("map",)
AT_THE_END = ("map", "devices", "guests", "faults", "exits", "audit -v")
GOING_ON = 35.0  # seconds for guests that do not end by themselves: the demo's rogue has then tried all that it tries
# Where an answer takes seconds, in which nobody reads the unit's fault records: guests are paused meanwhile.
SLOW = ("stack",)
RESERVE = 60.0      # seconds before the time limit at which the last questions are asked


def can_answer(spec: MachineSpec) -> bool:
    """The log of a machine without a serial line is read in its memory, where answers are not."""
    return spec.console != "none"


class Questions:
    """What was asked of a machine, and what could not be."""

    def __init__(self, run: Machine, say) -> None:
        self.run, self.say = run, say
        self.explained: set[tuple[str, str]] = set()
        self.silent = not can_answer(run.spec)
        if self.silent:
            say("this machine has no serial line, whose prompt could be asked: the report is made of what the log has")

    def ask(self, command: str) -> str:
        """Its answer; "" from a prompt that has stopped answering, which is said once."""
        if self.silent or not self.run.running:
            return ""
        try:
            return ask(self.run, command, timeout=ANSWER)
        except (AssertionError, pexpect.ExceptionPexpect, MachineError):
            self.silent = True
            if self.run.running:
                self.say(f"the prompt does not answer `{command}`: the report is made of what the log has")
            return ""

    @contextlib.contextmanager
    def held(self):
        """Guests that run are paused on a slow machine, since what they do meanwhile would be missed."""
        states: dict[str, str] = {}
        for line in self.run.events:
            if line.event in ("guest.started", "guest.stopped") and line.get("name"):
                states[line["name"]] = line.event
        guests = [name for name, state in states.items() if state == "guest.started"] if self.run.name in SLOW else []
        for name in guests:
            self.ask(f"pause {name}")
        yield
        for name in guests:
            self.ask(f"resume {name}")

    def look(self) -> None:
        """What guests have."""
        with self.held():
            for command in WHILE_THEY_RUN:
                self.ask(command)

    def explain_faults(self) -> None:
        """Asks why for each function and address that is new."""
        keys = {(line.get("rid", ""), line.get("address", "")): None
                for line in self.run.events if line.event == "dma.fault"}
        wanted = [key for key in keys if key not in self.explained and re.fullmatch(r"[0-9a-f:.]+", key[0])
                  and integer(key[1]) is not None][:MOST_QUESTIONS - len(self.explained)]
        if wanted:
            with self.held():
                for rid, address in wanted:
                    self.explained.add((rid, address))
                    self.ask(f"why {rid} {address}")


def never_end(configuration: str) -> bool:
    """Whether each of its guests is expected to run until it is stopped."""
    kept = re.findall(r"^[ \t]*expect[ \t]*=[ \t]*stopped[ \t]*(?:#.*)?$", configuration, re.MULTILINE)
    return bool(kept) and len(kept) == len(scenario.parse(configuration)["guests"])


def follow(run: Machine, configuration: str, seconds: float | None, say) -> None:
    """Until the verdict, `seconds` after the prompt is there, or shortly before the time limit; then the machine is
    switched off."""
    questions = Questions(run, say)
    expected = len(scenario.parse(configuration)["guests"]) if configuration else 0
    typed = scenario.typed(configuration) if configuration else ""
    if seconds is None and configuration and never_end(configuration):
        seconds = GOING_ON
        say(f"these guests go on until they are stopped, which is after {seconds:g} s (FOR= says otherwise)")
    mapped, again, ready = 0, False, None
    started = time.monotonic()
    while run.running:
        time.sleep(0.05)
        events = run.events
        names = [line.event for line in events]
        if "monitor.ready" not in names:
            continue
        ready = ready or time.monotonic()
        running = names.count("guest.started")
        # Guests that end at once have nothing any more when the others have started.
        if mapped < running and (mapped == 0 or running >= expected):
            mapped = running
            questions.look()
        questions.explain_faults()
        if "dma.fault" in names and not again:
            again = True  # by now drivers have switched bus mastering on
            questions.look()
        if typed and any(line.event == "guest.output" and ": a keyboard (" in line["text"] for line in events):
            run.press(typed)
            typed = ""
            time.sleep(1)  # until the last key is at the prompt
        now = time.monotonic()
        if "run.verdict" in names and can_answer(run.spec):
            break  # one that cannot answer switches itself off
        over = now - started >= max(run.time_limit - RESERVE, run.time_limit / 2)
        if over or seconds is not None and now - ready >= seconds:
            say(f"guests are still running after {now - started:.0f} s: they are stopped now")
            break
    for command in AT_THE_END:
        questions.ask(command)
    questions.explain_faults()
    if not run.running or not can_answer(run.spec):
        return
    run.send("poweroff")
    try:
        run.wait(ANSWER)
    except (MachineEnded, MachineError):
        say("the machine did not switch itself off: it is stopped")
