# SPDX-License-Identifier: MIT
"""A copy of the tree in which the book's changes of code are made, built and run; the sources are never touched."""

import os
import shutil
import subprocess
from pathlib import Path

from machine import PATIENCE

from .marks import ROOT

TREE = ROOT / "build/book/tree"
# What is built anew in seconds or has nothing to do with an image.
LEFT_OUT = ("run", "book", "mutations", "graph", "unit", "fuzz", "prove", "fresh", "lock")


class Tree:
    """The copy, as the tree is but for edits, which undo() takes back."""

    def __init__(self, path: Path = TREE) -> None:
        self.path = path
        self._ready = False
        self._changed: dict[Path, bytes | None] = {}

    def prepare(self) -> None:
        """Copies sources and what was built of them, with their times, so that make has nothing to do yet."""
        if self._ready:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                                 capture_output=True, check=True).stdout
        for name in filter(None, listing.decode().split("\0")):
            if (ROOT / name).is_file():
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.path / name)
        for part in (ROOT / "build").iterdir():
            if part.name not in LEFT_OUT:
                subprocess.run(["cp", "-a", "--sparse=always", part, self.path / "build"] if (self.path / "build").is_dir()
                               else ["cp", "-a", "--sparse=always", "-t", _made(self.path / "build"), part], check=True)
        self._ready = True

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        self._changed.setdefault(path, path.read_bytes() if path.exists() else None)
        path.write_text(text)

    def edit(self, name: str, old: str, new: str, everywhere: bool = False) -> None:
        text = (self.path / name).read_text()
        count = text.count(old)
        if count != 1 and not (everywhere and count):
            raise ValueError(f"{name} has {count} times, not once: {old.strip()!r}")
        self.write(name, text.replace(old, new))

    def undo(self) -> None:
        """As it was; make builds again what the edits concerned."""
        for path, content in self._changed.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        self._changed = {}

    def make(self, *goals: str, limit: float = 300) -> str:
        done = subprocess.run(["make", "--no-print-directory", "-s", f"-j{os.cpu_count() or 2}", *goals], cwd=self.path, text=True,
                              capture_output=True, timeout=limit * PATIENCE, check=False)
        if done.returncode != 0:
            raise ValueError("does not build: " + "\n".join((done.stdout + done.stderr).splitlines()[-20:]))
        return done.stdout


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
