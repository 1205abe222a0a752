# SPDX-License-Identifier: MIT
"""What a lab is made of."""

from dataclasses import dataclass, field
from typing import Callable

from mutations.kinds import Edit

__all__ = ["Edit", "Host", "Lab", "Machine", "Mistake", "Question", "Step"]


@dataclass(frozen=True)
class Host:
    """A program of tests/labs/checks/ that calls the student's function on this computer."""

    program: str


@dataclass(frozen=True)
class Machine:
    """A run of the student's hypervisor. `diagnose` takes the run's events and gives the sentence for what is wrong.

    `typed`: an event, the name in it, and what is typed at the prompt when it has come, from the run so far."""

    lane: str  # tcg, bochs
    scenario: str
    diagnose: Callable[[object], str | None]
    typed: tuple[tuple[str, str, Callable[[object], str]], ...] = ()
    scalable: bool = False  # VT-d with scalable mode


@dataclass(frozen=True)
class Step:
    """One function that the student writes."""

    number: int
    file: str
    function: str
    stub: str  # C statements that stand for the body until it is written
    hint: str  # what to do, and the section of the manual
    checks: tuple[Host | Machine, ...]
    points: int = 10


@dataclass(frozen=True)
class Mistake:
    """What students get wrong: planted by the tests, which want the sentence that a student would see."""

    name: str
    step: int
    edits: tuple[Edit, ...]
    says: str  # a regular expression


@dataclass(frozen=True)
class Question:
    """Answered from the student's own run; `answer` reads it off the grader's run of the same machine."""

    key: str
    text: str
    answer: Callable[[object], str]
    points: int = 5


@dataclass(frozen=True)
class Lab:
    name: str  # L7
    title: str
    hours: int
    steps: tuple[Step, ...]
    mistakes: tuple[Mistake, ...] = ()
    questions: tuple[Question, ...] = ()
    whole: tuple[Host | Machine, ...] = ()  # when all steps are right
    units: tuple[str, ...] = ()  # tests/unit/ programs that the whole has to pass
    config: Callable[[int], str] | None = None  # config/lab.conf, by the student's seed
    files: dict[str, str] = field(default_factory=dict)  # further files that a tree of it begins with

    @property
    def number(self) -> int:
        return int(self.name[1:])

    def step(self, number: int) -> Step | None:
        return next((step for step in self.steps if step.number == number), None)
