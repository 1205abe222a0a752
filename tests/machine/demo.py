#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows Bulkhead to somebody who has never seen it: guests that go on until they are stopped (config/demo.conf), and a
guide at the machine's prompt that proposes twelve commands and explains what they answer.

With a terminal: Enter types what a step proposes; `leave` or Ctrl-] ends it.
With --check: types every step itself, compares each answer with what the step says, and fails with the step's name."""

import argparse
import os
import queue
import re
import select
import shutil
import signal
import sys
import termios
import time
import tty
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import PATIENCE, MachineError, choose_machine, paths, run  # noqa: E402
try:
    from machine.demo_guide import COLUMNS, Guide  # noqa: E402
    from machine.demo_facts import Facts  # noqa: E402
    from machine.demo_steps import Step  # noqa: E402
except ModuleNotFoundError as missing:
    sys.exit(f"demo: error: Python's module {missing.name} is not here; the package python3-{missing.name} has it")
from machine.disk import ImageError  # noqa: E402

SCENARIO = "demo"
TURN = 0.1            # seconds
STEP_LIMIT = 60       # seconds; the guide itself waits half as long for an event
CHECK_LIMIT = 300     # for all steps
START_LIMIT = {"tcg": 120, "kvm": 120, "stack": 1500}
KEYS_PAUSE = 1.0      # between what is typed at a guest's console


def arguments(argv: list[str] | None) -> tuple[argparse.Namespace, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="All options of run.py but --scenario, --like and --batch are taken, too.")
    parser.add_argument("--check", action="store_true", help="no terminal: types every step and checks its answer")
    own, rest = parser.parse_known_args(argv)
    options = run.arguments(rest)
    if options.scenario or options.like or options.batch:
        parser.error("the demonstration has a scenario of its own: no --scenario, --like or --batch")
    if options.machine not in (None, *START_LIMIT):
        parser.error(f"--machine {options.machine}: the demonstration needs VT-d and SR-IOV, so one of "
                     f"{', '.join(START_LIMIT)}")
    options.scenario = SCENARIO
    return own, options


class Joined:
    """A machine and a guide. What the machine sends comes from a thread of its own and is taken here in turns."""

    def __init__(self, terminal, columns, colour: bool) -> None:
        self.machine = None  # not started yet
        self._arrived: "queue.SimpleQueue[bytes]" = queue.SimpleQueue()
        self.awake, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.guide = Guide(terminal, lambda data: self.machine.write(data), lambda: self.machine.events, columns,
                           colour)

    def arrived(self, data: bytes) -> None:
        self._arrived.put(data)
        try:
            os.write(self._wake, b"\0")
        except BlockingIOError:
            pass  # it has enough to wake up for

    def turn(self) -> None:
        try:
            os.read(self.awake, 4096)
        except BlockingIOError:
            pass
        while not self._arrived.empty():
            self.guide.feed(self._arrived.get())
        self.guide.tick()

    def place(self) -> str:
        guide = self.guide
        if not guide.shown:
            return "before the first step"
        if guide.index == len(guide.steps):
            return "behind the last step"
        return f"in step {guide.index + 1} ({guide.step.name})"


def interact(joined: Joined) -> int:
    """Until the user leaves or the machine ends."""
    saved = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        while joined.machine.running and not joined.guide.left:
            readable, _, _ = select.select([0, joined.awake], [], [], TURN)
            joined.turn()
            if 0 in readable:
                typed = os.read(0, 1024)
                if not typed or run.LEAVE in typed:
                    joined.guide.left = True
                else:
                    joined.guide.key(typed)
        joined.turn()
        joined.guide.finish()
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)
        print()
    if joined.guide.left:
        say(f"left {joined.place()}; `make demo` begins anew, and what the machine said is in "
            f"{joined.machine.directory}/serial.log")
        return 0
    return ended(joined)


def ended(joined: Joined) -> int:
    """The machine is gone and nobody wanted it to."""
    machine = joined.machine
    if any(line.event in ("monitor.poweroff", "monitor.reboot") for line in machine.events):
        say(f"the machine was switched off {joined.place()}, as asked at its prompt; `make demo` begins anew")
        return 0
    why = f"its time of {machine.time_limit:g} s is over" if machine.expired else f"exit status {machine.status}"
    errors = machine.emulator_messages()
    say(f"the machine ended {joined.place()}: {why}; its log is {machine.directory}/serial.log" +
        (f"; the emulator says: {errors.splitlines()[-1]}" if errors else ""))
    return 1


def wait(joined: Joined, limit: float, over) -> bool:
    """Turns until over(); False when the time is over or the machine has ended first."""
    deadline = time.monotonic() + limit * PATIENCE
    while joined.machine.running and time.monotonic() < deadline:
        select.select([joined.awake], [], [], TURN)
        joined.turn()
        if over():
            return True
    return over()


def also(joined: Joined, step: Step) -> str:
    """Asks what the step's text says besides."""
    for command, pattern in step.also:
        joined.guide.latest = ("", "")
        joined.guide.key(f"{command}\r".encode())
        if not wait(joined, STEP_LIMIT, lambda: joined.guide.latest[0] == command):
            return f"no answer to `{command}`"
        wanted = Facts(joined.machine.events).pattern(pattern)
        if not re.search(wanted, joined.guide.latest[1], re.MULTILINE):
            return f"`{command}` answers {joined.guide.latest[1]!r}, not {wanted!r}"
    return ""


def check_step(joined: Joined) -> str:
    """Types the current step, and what it needs first; "" or what went wrong."""
    guide, number, step = joined.guide, joined.guide.index, joined.guide.step
    for _ in range(len(step.needs) + 1):
        proposals = guide.proposals
        guide.key(b"\r")
        for keys in step.keys if not guide.preparing else ():
            time.sleep(KEYS_PAUSE)
            joined.turn()
            guide.key(keys.encode())
        if not wait(joined, STEP_LIMIT, lambda: guide.failure or guide.proposals != proposals):
            return f"no answer in {STEP_LIMIT * PATIENCE:g} s" if joined.machine.running else "the machine ended"
        if guide.failure or guide.index != number:
            return guide.failure or also(joined, step)
    return "what it needs first was not to be had"


def check(joined: Joined, start_limit: float) -> int:
    guide = joined.guide
    if not wait(joined, start_limit, lambda: guide.shown) or guide.failure:
        print()
        say(f"FAILED {joined.place()}: {guide.failure or 'the prompt was not reached'}\n"
            f"{joined.machine.explain('the log')}")
        return 1
    for number, step in enumerate(guide.steps, 1):
        problem = check_step(joined)
        if problem:
            guide.finish()
            print()
            say(f"FAILED in step {number} ({step.name}): {problem}")
            return 1
    joined.turn()
    guide.finish()
    print()
    say(f"{len(guide.done)} of {len(guide.steps)} steps are as they say")
    return 0


def say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    own, options = arguments(argv)
    if not own.check and not (sys.stdin.isatty() and sys.stdout.isatty()):
        say("there is no terminal here to type at: `make demo DEMO=check` types every step itself")
        return 2
    name, reason = (options.machine, "as asked") if options.machine else choose_machine()
    own_limit = PATIENCE * (START_LIMIT[name] + CHECK_LIMIT) if own.check else run.INTERACTIVE_LIMIT
    limit = options.timeout or own_limit
    colour = not own.check and "NO_COLOR" not in os.environ and os.environ.get("TERM", "dumb") != "dumb"
    try:
        columns = (lambda: COLUMNS) if own.check else lambda: shutil.get_terminal_size().columns
        joined = Joined(run.to_stdout, columns, colour)
        with run.started(name, reason, options, not own.check, limit, False, joined.arrived) as joined.machine:
            return check(joined, START_LIMIT[name]) if own.check else interact(joined)
    except (MachineError, ImageError, paths.MissingEmulators, OSError, ValueError) as error:
        say(f"error: {error}")
        return 2


if __name__ == "__main__":
    # So that the machine is stopped in good order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
