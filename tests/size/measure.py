# SPDX-License-Identifier: MIT
"""What `make size` and lint ask of the objects: resident, reachable, groups of files, arrows upwards."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from size import roots, sources
from size.elf import Elf
from size.graph import Graph, Node, strongly_connected
from size.layers import Layers

LARGEST_GROUP = 4
PLACED = re.compile(r"^ (\.\S+) +0x[0-9a-f]+ +0x([0-9a-f]+) (\S+)\.o$")
OUTPUT = re.compile(r"^(\.\S+)(?: |$)")


def placed_sections(text: str, build: str) -> dict[tuple[str, str], str]:
    """From the linker's map: in which section of the image each section of an object is. Sections left out are not in it."""
    found, output = {}, ""
    text = re.sub(r"^( ?\.\S+)\n +(?=0x)", r"\1 ", text.partition("Linker script and memory map")[2], flags=re.M)
    for line in text.splitlines():
        if match := OUTPUT.match(line):
            output = match.group(1)
        elif (match := PLACED.match(line)) and int(match.group(2), 16) != 0:
            name = match.group(3).removeprefix(build.rstrip("/") + "/")
            found[name if name.endswith(".asm") else name + ".c", match.group(1)] = output
    return found


@dataclass(repr=False)
class Measure:
    root: Path
    graph: Graph
    layers: Layers
    placed: dict[tuple[str, str], str]
    mapped: set[str]  # sections of the image that the processor sees

    @classmethod
    def read(cls, root: Path, build: Path) -> "Measure":
        """Of an image that was built without inlining: build/bulkhead.elf, its map and its objects."""
        shown = str(build.relative_to(root)) if build.is_relative_to(root) else str(build)
        linked = (build / "bulkhead.map").read_text()
        mapped = {section.name for section in Elf.read(build / "bulkhead.elf").sections if section.allocated}
        # Not all that lies there: a source that is gone leaves its object behind.
        objects = [root / name for name in re.findall(r"^LOAD (\S+\.o)$", linked, re.M)]
        found = cls(root, Graph.read(root, build, objects), Layers.read(root), placed_sections(linked, shown), mapped)
        found._declare()
        return found

    def _declare(self) -> None:
        """What tests/size/roots.py says of pointers."""
        for caller, target, _ in roots.STORED:
            for one in self._nodes(caller):
                self.graph.edges[one] |= self._nodes(target)
        for targets in self.graph.edges.values():
            targets -= {node for node in targets if not node.function
                        and any(fnmatchcase(str(node), pattern) for pattern in roots.COPIED)}

    # --- resident ---

    @cached_property
    def files(self) -> set[str]:
        """All that the image is made of, headers included."""
        return set(self.graph.headers).union(*self.graph.headers.values())

    def group(self, section: str) -> str:
        """`boot`, or the group of layers.txt, that a section of the image goes with; "" for what stays everywhere."""
        first = section.split(".")[1] if section.startswith(".") else ""
        return first if first == "boot" or first in self.layers.groups else ""

    def group_of(self, node: Node) -> str:
        return self.group(self.placed.get(self.graph.sections.get(node, ("", "")), ""))

    def resident_on(self, machine: tuple[str, ...]) -> set[str]:
        """Files of which anything stays mapped on a machine that uses these groups, and the headers that they include."""
        stays = {file for (file, _), output in self.placed.items()
                 if output in self.mapped and self.group(output) in ("", *machine)}
        return stays.union(*(self.graph.headers[file] for file in stays if file in self.graph.headers))

    @cached_property
    def resident(self) -> set[str]:
        """On the machine on which most stays."""
        return max((self.resident_on(machine) for machine in self.layers.machines), key=self.code)

    def lost_references(self) -> list[str]:
        """What stays, or may stay, refers to what is gone after the start, or may be."""
        stays = [node for node in self.graph.links if not node.file.endswith(".h") and
                 self.placed.get(self.graph.sections.get(node, ("", ""))) and self.group_of(node) != "boot"]
        return sorted(f"{node} -> {target}" for node in stays
                      for target in self.graph.file_edges(node) if self.group_of(target) not in ("", self.group_of(node)))

    # --- reachable ---

    @cached_property
    def live(self) -> set[Node]:
        return set(self.graph.closure({self.graph.find("hypervisor_entry"), *self.graph.kept}))

    def _nodes(self, name: str) -> set[Node]:
        if name.startswith("->") and self.graph.members.get(name[2:]):
            return self.graph.members[name[2:]]
        try:
            return {self.graph.find(name)}
        except LookupError as error:
            raise LookupError(f"tests/size/roots.py names {error}") from None

    def _cuts(self, cuts: Iterable[tuple[str, str, str]]) -> set[tuple[Node, Node]]:
        found = set()
        for start, end, _ in cuts:
            pairs = {(a, b) for a in self._nodes(start) for b in self._nodes(end) if b in self.graph.edges[a]}
            if not pairs:
                raise LookupError(f"tests/size/roots.py cuts {start} -> {end}, which is not there")
            found |= pairs
        return found

    def reachable_by(self, machine: Iterable[str]) -> dict[str, set[Node]]:
        """What a guest makes run on a machine that uses these groups, and by which of its doings first."""
        cuts = self._cuts((*roots.GUEST_CUTS, *roots.BOOT_CUTS))
        gone = {node for node in self.graph.edges if self.group_of(node) in set(self.layers.groups).difference(machine)}
        found: dict[str, set[Node]] = {}
        for what, names in roots.GUEST:
            reached = set(self.graph.closure(set().union(*map(self._nodes, names)), cuts, gone))
            found[what] = reached.difference(*found.values())
        return found

    def reachable_on(self, machine: Iterable[str]) -> set[Node]:
        return set().union(*self.reachable_by(machine).values())

    @cached_property
    def reachable_anywhere(self) -> set[Node]:
        return self.reachable_on(self.layers.groups)

    @cached_property
    def most_reachable(self) -> tuple[str, ...]:
        """The machine on which a guest reaches most."""
        return max(self.layers.machines, key=lambda machine: self.lines(self.reachable_on(machine)))

    @cached_property
    def reachable(self) -> set[Node]:
        return self.reachable_on(self.most_reachable)

    @cached_property
    def after_start(self) -> set[Node]:
        """All that can run once the guests have started, whoever asks for it."""
        names = [name for _, group in roots.GUEST for name in group] + list(roots.CONTROL)
        return set(self.graph.closure(set().union(*map(self._nodes, names)), self._cuts(roots.BOOT_CUTS)))

    def why(self, name: str) -> dict[str, list[Node]]:
        """A shortest way to a function or table from what a guest does, and from anything else after the start."""
        guest = [name for _, names in roots.GUEST for name in names]
        ways = {"a guest": (guest, (*roots.GUEST_CUTS, *roots.BOOT_CUTS)),
                "the control loop": (roots.CONTROL, roots.BOOT_CUTS)}
        found = {}
        for what, (names, cuts) in ways.items():
            reached = self.graph.closure(set().union(*map(self._nodes, names)), self._cuts(cuts))
            way = [self.graph.find(name)]
            while reached.get(way[-1]) is not None:
                way.append(reached[way[-1]])
            found[what] = way[::-1] if way[-1] in reached else []
        return found

    @cached_property
    def boot_only(self) -> set[Node]:
        return self.live - self.after_start

    def unexplained_pointers(self) -> list[str]:
        """Functions whose address only boot code takes: a pointer may have been stored that is called later."""
        by_member = set().union(*self.graph.members.values())
        known = roots.BOOT_POINTERS
        return sorted(str(node) for node, takers in self.graph.taken.items()
                      if node.function and takers and node in self.boot_only and node not in by_member
                      and not any(fnmatchcase(str(node), pattern) for pattern in known))

    def stale_pointers(self) -> list[str]:
        nodes = [str(node) for node, takers in self.graph.taken.items()
                 if node.function and takers and node in self.boot_only]
        return [pattern for pattern in roots.BOOT_POINTERS if not any(fnmatchcase(node, pattern) for node in nodes)]

    def not_boot(self) -> list[str]:
        """What is in a file that layers.txt calls boot-only, and can run or be read later all the same."""
        return sorted(str(node) for node in self.after_start if not node.file.endswith(".h")
                      and self.layers.is_boot(node.file))

    def could_be_boot(self) -> tuple[set[str], dict[str, set[str]]]:
        """Files of which nothing is used after the start: those that linker.ld could put apart as things are, since only
        others of them refer to them, and by which files the rest is held. What another file takes the address of may
        be used through a pointer."""
        busy = {node.file for node in self.after_start}
        busy |= {node.file for node, takers in self.graph.taken.items() if not node.function and node in self.boot_only
                 and any(taker.file != node.file for taker in takers)}
        known = {file for file in self.graph.headers if self.layers.is_boot(file)}
        free, held = {node.file for node in self.boot_only if not node.file.endswith(".h")} - busy - known, {}
        while True:
            users = {file: {user for user, used in self.uses if used == file and user not in free | known} for file in free}
            lost = {file: names for file, names in users.items() if names}
            if not lost:
                return free, held
            held |= lost
            free -= set(lost)

    def lines(self, nodes: Iterable[Node]) -> int:
        return self.graph.lines(nodes)

    def code(self, files: Iterable[str]) -> int:
        return sum(sources.count(self.root / file) for file in files)

    # --- the graph of files ---

    @cached_property
    def uses(self) -> dict[tuple[str, str], list[str]]:
        return self.graph.files(self.graph.links)

    @cached_property
    def groups(self) -> list[list[str]]:
        """Files that all lead to each other, the ground apart, if there are more than may be."""
        edges: dict[str, set[str]] = defaultdict(set)
        for file, used in self.uses:
            if self.layers.is_ground(file) or not self.layers.is_ground(used):
                edges[file].add(used)
                _ = edges[used]
        return strongly_connected(edges)

    @cached_property
    def arrows(self) -> dict[tuple[str, str], list[str]]:
        """Uses that go upwards."""
        return {pair: names for pair, names in self.uses.items() if not self.layers.may_use(*pair)}
