# SPDX-License-Identifier: MIT
"""The guide of the demonstration: between a terminal and the machine's prompt, it proposes a command, waits until
somebody types it, compares the answer with what the step says, and explains it.

It knows no terminal and no machine: feed() has what the machine sends, key() what is typed, tick() the time."""

import re
import textwrap
import time
from dataclasses import dataclass

import pyte

from .demo_facts import Facts
from .demo_steps import END, ORIENTATION, STEPS, Step
from .logfmt import parse_line

PROMPT = "bulkhead> "
MARK = "| "
COLUMNS = 80
EVENT_SECONDS = 30
ECHO_SECONDS = 0.3  # until the machine has shown what a key did
AT_WORK = {"dma.fault", "guest.event"}  # rogue and alpha
WORDS = {
    "next": "on without this step", "skip": "the same", "back": "one step back", "again": "this step once more",
    "steps": "the list", "step": "`step 4` or `step walk`: go there", "leave": "end the demonstration and the machine",
    "quit": "the same", "exit": "the same",
}
COMMAND, QUIET, PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[m"
KILL_LINE = b"\x15"


class Screen(pyte.Screen):
    """Lines as they stand when they are left, and the one that the cursor is in. No line is too long for it."""

    def __init__(self, line_ended) -> None:
        self._line_ended = line_ended
        super().__init__(1024, 2)

    def text(self) -> str:
        row = self.buffer[self.cursor.y]
        return "".join(row[column].data for column in range(max(row, default=-1) + 1))

    def index(self) -> None:
        self._line_ended(self.text().rstrip())
        super().index()


class Typed:
    """What stands on the line as far as keys tell; `exact` until a key that edits otherwise."""

    def __init__(self) -> None:
        self.clear()
        self._sequence = b""

    def clear(self) -> None:
        self.text, self.exact = "", True

    def key(self, byte: bytes) -> None:
        if self._sequence or byte == b"\x1b":
            self._sequence += byte
            if len(self._sequence) == 2 and byte not in b"[O" or len(self._sequence) > 2 and b"@" <= byte <= b"~":
                # What a terminal answers when it is asked is not a key.
                if byte not in b"Rc":
                    self.exact = False
                self._sequence = b""
        elif byte in b"\x7f\b":
            self.text = self.text[:-1]
        elif byte in b"\x15\x03\x1c":
            self.clear()  # Ctrl-U, Ctrl-C; Ctrl-\ leaves a guest's console, and what came before was the guest's
        elif b" " <= byte <= b"~":
            self.text += byte.decode()
        else:
            self.exact = False


@dataclass
class Attempt:
    """What Enter was pressed for: a command that the step wants, or one that gets it what it needs first."""

    step: Step
    command: str
    unmet: tuple[str, str] | None
    events: int  # that were in the log by then


class Guide:
    """terminal(bytes), machine(bytes): where to write. events(): the log so far. columns(): of the terminal."""

    def __init__(self, terminal, machine, events, columns=lambda: COLUMNS, colour: bool = False, steps=STEPS,
                 clock=time.monotonic) -> None:
        self._terminal, self._machine, self._events, self._columns = terminal, machine, events, columns
        self._colour, self.steps, self._clock = colour, steps, clock
        self.index = 0
        self.shown = False  # the orientation, and with it the first step
        self.proposals = 0  # how often a step was shown
        self.left = False   # the user wants to leave
        self.done: set[str] = set()
        self.failure = ""   # of the latest attempt
        self.latest = ("", "")  # command and answer
        self._screen = Screen(self._line)
        self._stream = pyte.ByteStream(self._screen)
        self._typed = Typed()
        self._unsure_at = 0.0  # when the latest key came that leaves open what stands on the line
        self._running = False  # a command, or a guest's console
        self._command, self._answer = "", []
        self._attempt: Attempt | None = None
        self._event_until: float | None = None
        self._ready_at: float | None = None
        self._blocks: list[list[str]] = []

    # What comes from the machine.

    def feed(self, data: bytes) -> None:
        self._terminal(data)
        self._stream.feed(data)
        if self._command and self._screen.text().startswith(PROMPT):
            self._answered()
        self._flush()

    def _line(self, text: str) -> None:
        if text.startswith(PROMPT):
            self._answered()
            self._command, self._answer = text[len(PROMPT):].strip(), []
            self._running = bool(self._command)
            if self._command and not self._attempt:
                self._note()  # several lines were pasted
        elif self._command:
            self._answer.append(text)

    @property
    def at_prompt(self) -> bool:
        return not self._running and self._screen.text().startswith(PROMPT)

    def tick(self) -> None:
        """Called every now and then: for what the log is waited for."""
        if not self.shown:
            self._begin()
        attempt = self._attempt
        if attempt and self._event_until is not None:
            self._look_for_events(attempt)
        elif attempt and attempt.unmet and not self._command and self._unmet(attempt.step) != attempt.unmet:
            self.go(self.index)
        self._flush()

    def _begin(self) -> None:
        """The orientation comes when the guests are at work, or after a while all the same."""
        names = {line.event for line in self._events()}
        if "monitor.ready" not in names or not self.at_prompt:
            return
        self._ready_at = self._ready_at or self._clock()
        if not AT_WORK <= names and self._clock() < self._ready_at + EVENT_SECONDS:
            return
        facts = Facts(self._events())
        self.shown = True
        self.show(*(facts.fill(text) for text in ORIENTATION))
        self._propose()
        self.failure = unknown(facts)

    # What comes from the user.

    def key(self, data: bytes) -> None:
        for value in data:
            byte = bytes([value])
            if byte in b"\r\n":
                self._enter()
            else:
                self._typed.key(byte)
                self._unsure_at = self._unsure_at if self._typed.exact else self._clock()
                self._machine(byte)
        self._flush()

    def _enter(self) -> None:
        line = self._line_now()
        self._typed.clear()
        if self._running or not self.shown:
            self._machine(b"\r")
            return
        if line is None:
            self._note()
            self._running = True
            self._machine(b"\r")
            return
        words = line.split()
        if is_word(words):
            self._machine(KILL_LINE)
            self._word(words)
            return
        noted = self._note()
        if noted and not words:
            self._machine(self._attempt.command.encode())
        self._running = noted or bool(words)
        self._machine(b"\r")

    def _note(self) -> bool:
        """What the step wants, before a command can change it; False when nothing is required."""
        if not self.shown or self.index == len(self.steps) or self._event_until is not None:
            return False
        self._attempt = Attempt(self.step, self._wanted(), self._unmet(self.step), len(self._events()))
        return True

    def _line_now(self) -> str | None:
        """What stands behind the prompt; None while the machine may not have shown it yet."""
        if self._typed.exact:
            return self._typed.text
        return self._screen.text()[len(PROMPT):] if self._clock() > self._unsure_at + ECHO_SECONDS else None

    def _word(self, words: list[str]) -> None:
        word, count = words[0], len(self.steps)
        if word in ("leave", "quit", "exit"):
            self.left = True
        elif word == "steps":
            marks = ("x" if step.name in self.done else " " for step in self.steps)
            self.show(*(fixed(f"{number:2} {'>' if number == self.index + 1 else mark} {step.name:8} {step.title}")
                        for number, (mark, step) in enumerate(zip(marks, self.steps), 1)))
        elif word == "step":
            number = self._find(" ".join(words[1:]))
            if number is None:
                self.show(f"`step` wants a number from 1 to {count}, or one of: " +
                          " ".join(step.name for step in self.steps) + ".")
            else:
                self.go(number)
        else:
            self.go(min(max(self.index + {"next": 1, "skip": 1, "back": -1, "again": 0}[word], 0), count))

    def _find(self, text: str) -> int | None:
        names = [step.name for step in self.steps]
        if text in names:
            return names.index(text)
        return int(text) - 1 if text.isascii() and text.isdigit() and 1 <= int(text) <= len(names) else None

    def go(self, index: int) -> None:
        """To a step, or behind the last."""
        self.index, self._attempt, self._event_until, self.failure = index, None, None, ""
        self._propose()

    # Steps.

    @property
    def step(self) -> Step:
        return self.steps[min(self.index, len(self.steps) - 1)]

    def _unmet(self, step: Step) -> tuple[str, str] | None:
        """The first guest that is not in the state that the step needs, and that state."""
        facts = Facts(self._events())
        for guest, state in step.needs:
            if facts[f"{facts.fill(guest)}_state"] != state:
                return facts.fill(guest), state
        return None

    def _wanted(self) -> str:
        """What Enter types."""
        unmet = self._unmet(self.step)
        if unmet:
            return f"{'start' if unmet[1] == 'running' else 'stop'} {unmet[0]}"
        return Facts(self._events()).fill(self.step.command)

    def _same(self, typed: str, wanted: str) -> bool:
        """Whether that is the command: words in any distance, VFs by name or by requester id."""
        facts = Facts(self._events())
        names = {facts[f"vf{number}_rid"]: f"uplink.vf{number}" for number in range(int(facts.get("vfs", "0")))}
        return [names.get(word, word) for word in typed.split()] == wanted.split()

    def _answered(self) -> None:
        """The prompt is back."""
        command, answer, attempt = self._command, "\n".join(self._answer), self._attempt
        self._command, self._running = "", False
        if not command:
            return
        self.latest = (command, answer)
        if self._typed.text or not self._typed.exact:
            # Typed ahead, or to a guest or the pager.
            self._typed.exact, self._unsure_at = False, self._clock()
        if is_word(command.split()):
            # Completed or recalled so fast that the machine had not shown it yet.
            self._word(command.split())
            return
        if not attempt or self._event_until is not None:
            return
        if not self._same(command, attempt.command):
            self._attempt = None
        elif not attempt.unmet:
            self._judge(attempt, answer)

    def _judge(self, attempt: Attempt, answer: str) -> None:
        facts = Facts(self._events())
        found: dict[str, str] = {}
        for pattern, words in attempt.step.claims:
            match = re.search(facts.pattern(pattern), answer, re.MULTILINE)
            if not match:
                self._failed(f"the answer does not show this: {facts.fill(words)}")
                return
            found.update(match.groupdict())
        said = [line for line in answer.splitlines() if line and not parse_line(line)]
        if attempt.step.events and said:
            self._failed(f"the machine says `{said[0]}`")
        elif attempt.step.events:
            self._event_until = self._clock() + EVENT_SECONDS
        else:
            self._succeeded(attempt.step, found)

    def _look_for_events(self, attempt: Attempt) -> None:
        """All of the step's, in their order, after Enter was pressed."""
        facts = Facts(self._events())
        found: dict[str, str] = {}
        place = attempt.events
        for name, wanted in attempt.step.events:
            fields = {key: facts.fill(value) for key, value in wanted.items()}
            line = next((line for line in self._events()[place:] if line.matches(name, fields)), None)
            if line is None:
                if self._clock() > self._event_until:
                    self._failed(" ".join([f"in {EVENT_SECONDS} s the log has no {name}",
                                           *(f"{key}={value}" for key, value in fields.items())]))
                return
            place = line.index + 1
            found.update({f"event_{key}": value for key, value in line.fields.items() if f"event_{key}" not in found})
        self._succeeded(attempt.step, found)

    def _failed(self, what: str) -> None:
        self._attempt, self._event_until, self.failure = None, None, what
        self.show(f"This is not what the step is about: {what}. Enter tries again, `next` goes on without it.")

    def _succeeded(self, step: Step, found: dict[str, str]) -> None:
        facts = Facts(self._events())
        facts.add(found)
        self.show(facts.fill(step.seen), f"More: {step.chapter}")
        self.done.add(step.name)
        self.go(self.index + 1)
        self.failure = unknown(facts)

    @property
    def preparing(self) -> bool:
        """What was typed last is not the step's command yet, but what that needs."""
        return self._attempt is not None and self._attempt.unmet is not None

    def _propose(self) -> None:
        self.proposals += 1
        if self.index == len(self.steps):
            self.show(*END)
            return
        facts = Facts(self._events())
        step, unmet = self.step, self._unmet(self.step)
        first = []
        if unmet:
            guest, state = unmet
            first = [f"{guest} is {facts[guest + '_state']}, and this step wants it {state}. First:"]
        self.show(f"Step {self.index + 1} of {len(self.steps)}: {step.title}", facts.fill(step.before), *first,
                  fixed(f"Try: `{self._wanted()}`    (Enter types it)"))

    # The terminal.

    def show(self, *paragraphs: str) -> None:
        """Paragraphs, as soon as nothing else is being written."""
        self._blocks.append(list(paragraphs))

    def _flush(self, now: bool = False) -> None:
        if not self._blocks or not (now or self.at_prompt):
            return
        line = self._screen.text()
        width = max(20, min(self._columns(), COLUMNS)) - len(MARK) - 1
        rows = []
        for block in self._blocks:
            rows += ["", *(row for text in block for row in wrapped(text, width))]
        self._blocks = []
        text = "".join(self._dressed(row) + "\r\n" for row in rows)
        back = "\b" * (len(line) - self._screen.cursor.x)
        self._terminal(f"\r{' ' * min(len(line), COLUMNS - 1)}\r{text}{line}{back}".encode())

    def finish(self) -> None:
        """What was to be shown is shown, wherever the machine stands."""
        self._flush(now=True)

    def _dressed(self, row: str) -> str:
        if not self._colour:
            return (MARK + row).rstrip()
        return QUIET + MARK + PLAIN + re.sub("`([^`]*)`", rf"{COMMAND}\1{PLAIN}", row)


def is_word(words: list[str]) -> bool:
    """Whether that is for the guide."""
    return bool(words) and words[0] in WORDS and (len(words) == 1 or words[0] == "step")


def unknown(facts: Facts) -> str:
    return f"the log does not tell {', '.join(sorted(set(facts.missing)))}" if facts.missing else ""


def fixed(text: str) -> str:
    """A paragraph that stays one line as it is."""
    return text.replace(" ", "\0")


def wrapped(text: str, width: int) -> list[str]:
    """Lines of a paragraph; what is between backquotes stays in one piece."""
    kept = re.sub("`[^`]*`", lambda found: fixed(found.group()), text)
    lines = textwrap.wrap(kept, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]
