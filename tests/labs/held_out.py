# SPDX-License-Identifier: MIT
"""What decides the last points of a submission: numbers that no student's seed gives, and machines that no student's tree
has. A function that follows the specification stays right on them; one that was written down from answers does not.

A folder has a file for each lab, `l7.py`, which may define

    SEEDS = (4711, 4712)                                 other numbers for the checks as they are
    MACHINES = {"capability-at-1a0": (Edit("tests/labs/checks/sriov_bench.h", ".offset = 0x160", ".offset = 0x1a0"),)}

each of the latter an edit of the models and checks around the submission, never of its own files."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutations.kinds import Edit

from . import cutter
from .kinds import Lab

PUBLIC = Path(__file__).parent / "heldout"  # is in no student's tree, but whoever looks finds it
SEEDS = (90001, 90002)


class DoesNotFit(ValueError):
    """The teacher's own file asks for what there is not."""


@dataclass(frozen=True)
class HeldOut:
    seeds: tuple[int, ...] = SEEDS
    machines: dict[str, tuple[Edit, ...]] | None = None

    @property
    def trials(self) -> list[tuple[str, int, tuple[Edit, ...]]]:
        """Name, seed, edits."""
        return ([(f"seed {seed}", seed, ()) for seed in self.seeds] +
                [(name, 0, edits) for name, edits in (self.machines or {}).items()])


def read(lab: Lab, folder: Path | None, root: Path) -> HeldOut:
    """The lab's file in the folder, or the public one. Raises DoesNotFit for a file that cannot be used."""
    if folder is not None and not folder.is_dir():
        raise DoesNotFit(f"{folder} is not a folder")
    path = (folder or PUBLIC) / f"{lab.name.lower()}.py"
    if not path.is_file():
        return HeldOut()
    spec = importlib.util.spec_from_file_location(f"held_out_{lab.name.lower()}", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a teacher's file does wrong
        raise DoesNotFit(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    seeds, made = getattr(module, "SEEDS", SEEDS), getattr(module, "MACHINES", {})
    if not (isinstance(seeds, tuple) and all(isinstance(seed, int) and 0 <= seed < 1 << 31 for seed in seeds)):
        raise DoesNotFit(f"{path}: SEEDS is a tuple of numbers from 0 to {(1 << 31) - 1}, not {seeds!r}")
    if not isinstance(made, dict):
        raise DoesNotFit(f"{path}: MACHINES is a dictionary of names and tuples of Edit, not {made!r}")
    for name, edits in made.items():
        if not (isinstance(edits, tuple) and edits and all(isinstance(edit, Edit) for edit in edits)):
            raise DoesNotFit(f"{path}: {name} is a tuple of Edit, not {edits!r}")
        for edit in edits:
            if edit.file in cutter.cut_files(lab):
                raise DoesNotFit(f"{path}: {name} edits {edit.file}, which is what students hand in")
            file = root / edit.file
            count = file.read_text().count(edit.old) if file.is_file() else 0
            if count != 1:
                raise DoesNotFit(f"{path}: {name}: {edit.file} has {count} times, not once: {edit.old.strip()!r}")
    return HeldOut(seeds, made)


def texts_of(edits: tuple[Edit, ...], root: Path) -> dict[str, str]:
    """The edited files, whole."""
    texts: dict[str, str] = {}
    for edit in edits:
        texts[edit.file] = texts.get(edit.file, (root / edit.file).read_text()).replace(edit.old, edit.new)
    return texts


def failures(lab: Lab, given: HeldOut, judge_of: Callable, texts: dict[str, str], root: Path) -> list[str]:
    """A sentence for each trial that the submission fails. `judge_of(seed)` gives the judge."""
    found = []
    for name, seed, edits in given.trials:
        judge, around = judge_of(seed), texts_of(edits, root)
        for step in lab.steps:
            verdict = judge.step(texts, step, around)
            if not verdict.right:
                found.append(f"{name}: step {step.number}: {verdict.text}")
                break
    return found
