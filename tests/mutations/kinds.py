# SPDX-License-Identifier: MIT
"""What a mutation is made of, and how a test that fails is recognised."""

from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Edit:
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Unit:
    """A unit test that has to fail, with this (a regular expression) in its output."""

    test: str
    symptom: str

    @property
    def lane(self) -> str:
        return "unit"

    @property
    def catcher(self) -> str:
        return self.test


@dataclass(frozen=True)
class System:
    """A scenario in QEMU that has to give a symptom that matches the regular expression."""

    scenario: Callable
    symptom: str

    @property
    def lane(self) -> str:
        return "tcg"

    @property
    def catcher(self) -> str:
        return self.scenario.__name__


@dataclass(frozen=True)
class Mutation:
    name: str
    removes: str
    edits: tuple[Edit, ...]
    checks: tuple[Unit | System, ...]
    quick: bool = False  # part of the selection that `make test` runs


def failed(test: str) -> str:
    """How cmocka reports it."""
    return rf"\[  FAILED  \] {test}\b"
