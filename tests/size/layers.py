# SPDX-License-Identifier: MIT
"""hypervisor/layers.txt: the folders, what each may use, and how long its files stay."""

import re
from dataclasses import dataclass, field
from itertools import chain, combinations, product
from pathlib import Path

LIFETIMES = ("resident", "boot")


@dataclass(frozen=True)
class Folder:
    path: str
    lifetime: str
    uses: tuple[str, ...]
    what: str


@dataclass
class Layers:
    folders: dict[str, Folder] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)  # those whose lifetime is not their folder's
    ground_files: set[str] = field(default_factory=set)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)  # the paths of what a machine may have no use of
    either: list[tuple[str, ...]] = field(default_factory=list)  # groups of which a machine uses one

    @classmethod
    def parse(cls, text: str) -> "Layers":
        layers = cls()
        for number, line in enumerate(text.splitlines(), 1):
            rule, _, what = line.partition("#")
            words = rule.split()
            if not words:
                continue
            if words[0] == "folder" and len(words) >= 4 and words[2] in LIFETIMES and words[3] == ":":
                layers.folders[words[1]] = Folder(words[1], words[2], tuple(words[4:]), what.strip())
            elif words[0] in LIFETIMES and len(words) == 2:
                layers.files[words[1]] = words[0]
            elif words[0] == "ground" and len(words) == 2:
                layers.ground_files.add(words[1])
            elif words[0] == "optional" and len(words) >= 4 and words[2] == ":":
                layers.groups[words[1]] = tuple(words[3:])
            elif words[0] == "either" and len(words) >= 3:
                layers.either.append(tuple(words[1:]))
            else:
                raise ValueError(f"line {number}: {line}")
        for folder in layers.folders.values():
            for used in folder.uses:
                if used not in layers.folders:
                    raise ValueError(f"{folder.path} may use {used}, which is not a folder here")
        for group in chain(*layers.either):
            if group not in layers.groups:
                raise ValueError(f"either names {group}, which is not a group here")
        return layers

    @classmethod
    def read(cls, root: Path) -> "Layers":
        return cls.parse((root / "hypervisor/layers.txt").read_text())

    def missing(self, root: Path) -> list[str]:
        """What the table names and the tree does not have."""
        return [path for path in [*self.folders, *self.files, *sorted(self.ground_files), *chain(*self.groups.values())]
                if not (root / path).exists()]

    def folder_of(self, file: str) -> str:
        path = file
        while "/" in path:
            path = path.rpartition("/")[0]
            if path in self.folders:
                return path
        raise LookupError(f"{file} belongs to no folder of hypervisor/layers.txt")

    def allowed(self, folder: str) -> set[str]:
        """The folders that files of this one may use, itself among them."""
        found = [folder]
        for one in found:
            found += [used for used in self.folders[one].uses if used not in found]
        return set(found)

    def is_boot(self, file: str) -> bool:
        return self.files.get(file, self.folders[self.folder_of(file)].lifetime) == "boot"

    @property
    def machines(self) -> list[tuple[str, ...]]:
        """The groups that a machine uses, for every kind of machine there can be; the one that uses nothing else first."""
        others = sorted(set(self.groups).difference(*self.either))
        return [(*one, *more) for one in product(*self.either)
                for count in range(len(others) + 1) for more in combinations(others, count)]

    def is_ground(self, file: str) -> bool:
        return file in self.ground_files or self.folder_of(file) == "hypervisor/base"

    def may_use(self, file: str, used: str) -> bool:
        return self.is_ground(used) or self.folder_of(used) in self.allowed(self.folder_of(file))

    def includes_upwards(self, root: Path, files: list[str]) -> list[tuple[str, str]]:
        wrong = []
        for file in files:
            for header in re.findall(r'^#include "(\S+)"', (root / file).read_text(), re.M):
                if "/" in header and not self.may_use(file, header):
                    wrong.append((file, header))
        return wrong
