# SPDX-License-Identifier: MIT
"""Makes a lab's tree: today's sources without the functions that the lab asks for."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import cutter
from .kinds import Lab
from .manifest import ROOT, lab as lab_named

STATE = ".lab"  # in a lab's tree: what it is, and the functions as they were
HELD_OUT = "tests/labs/heldout"  # not part of a student's tree


class NoTree(RuntimeError):
    """Said to the user in one line."""


def listed(root: Path) -> list[str]:
    """What belongs to the project, new files included, and nothing that was built."""
    done = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root,
                          capture_output=True, check=False)
    if done.returncode == 0:
        names = done.stdout.decode().split("\0")
    else:  # an unpacked archive
        names = [str(path.relative_to(root)) for path in root.rglob("*")]
    return [name for name in names if name and (root / name).is_file() and
            not name.startswith((f"{STATE}/", "build/")) and "__pycache__" not in name]


def update(source: Path, target: Path) -> None:
    """Copies what differs. A file that is there gets the time of copying, so that make sees it as new; one that is not
    keeps its own, so that objects which were made of it elsewhere fit."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    elif (content := source.read_bytes()) != target.read_bytes():
        target.write_bytes(content)
        shutil.copymode(source, target)


def write(path: Path, text: str) -> None:
    if not (path.is_file() and path.read_text() == text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass
class Tree:
    """A lab's tree that exists."""

    root: Path
    lab: Lab
    seed: int

    @classmethod
    def at(cls, root: Path) -> "Tree":
        state = root / STATE / "lab.json"
        if not state.is_file():
            raise NoTree(f"{root} is not the tree of a lab: `make lab L=7 TO=folder` makes one")
        try:
            what = json.loads(state.read_text())
            return cls(root, lab_named(what["lab"]), int(what["seed"]))
        except (ValueError, KeyError, TypeError) as error:
            raise NoTree(f"{state} is damaged ({error}): make the tree again and copy your files into it") from error

    def originals(self) -> dict[str, str]:
        return {file: (self.root / STATE / "filled" / file).read_text() for file in cutter.cut_files(self.lab)}

    def texts(self) -> dict[str, str]:
        found = {}
        for file in cutter.cut_files(self.lab):
            path = self.root / file
            if not path.is_file():
                raise NoTree(f"{file} is missing: it is one of the lab's files")
            found[file] = path.read_text(errors="replace")
        return found

    def fill(self, number: int) -> None:
        """The function as it was, in place of what the student has."""
        step = self.lab.step(number)
        if step is None:
            raise NoTree(f"{self.lab.name} has no step {number}: its steps are 1 to {len(self.lab.steps)}")
        path = self.root / step.file
        body = cutter.body_of(self.originals()[step.file], step.function, step.file)
        path.write_text(cutter.with_body(path.read_text(), step.function, body, step.file))


def write_state(root: Path, lab: Lab, seed: int) -> None:
    """What the tree is of; tests/labs/build.mk reads which files have holes."""
    write(root / STATE / "lab.json", json.dumps({"lab": lab.name, "seed": seed}) + "\n")
    write(root / STATE / "files", " ".join(cutter.cut_files(lab)) + "\n")


def write_headers(root: Path) -> None:
    """What a function that is not written yet includes."""
    for file, text in cutter.HEADERS.items():
        write(root / file, text)


def lay_out(lab: Lab, target: Path, seed: int, root: Path = ROOT) -> None:
    """The files of a lab's tree, in a folder that may have older ones; what was built there stays."""
    cut = cutter.cut_all(lab, root)
    for name in listed(root):
        if name not in cut and not name.startswith(f"{HELD_OUT}/"):
            update(root / name, target / name)
    for file, text in cut.items():
        write(target / file, text)
        write(target / STATE / "filled" / file, (root / file).read_text())
    write_headers(target)
    for file, text in lab.files.items():
        write(target / file, text)
    if lab.config is not None:
        write(target / "config/lab.conf", lab.config(seed))
    write_state(target, lab, seed)


def make_tree(lab: Lab, target: Path, seed: int = 0, root: Path = ROOT) -> Tree:
    """For a student: refuses to touch what is there already."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise NoTree(f"{target} exists already: choose another folder with TO=, or remove it")
    if (root / STATE).exists():
        raise NoTree("this is a lab's tree: make another one from Bulkhead's own tree")
    try:
        target.mkdir(parents=True, exist_ok=True)
        lay_out(lab, target, seed, root)
    except OSError as error:
        raise NoTree(f"{target}: {error.strerror or error}") from error
    # So that `git diff` shows what was written. Without git, or without its user's name, it is a tree all the same.
    git = ["git", "-c", "user.name=lab", "-c", "user.email=lab@localhost", "-c", "commit.gpgsign=false"]
    if shutil.which("git"):
        for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", f"{lab.name}: as it was handed out")):
            if subprocess.run([*git, *words], cwd=target, capture_output=True, check=False).returncode != 0:
                break
    return Tree(target, lab, seed)
