# SPDX-License-Identifier: MIT
"""Who refers to whom among the objects of the hypervisor: functions and tables, by relocations.

The objects are built without inlining (`make size`), so every call of a function is a relocation and every function has a
section of its own. Assembly files have calls without relocations and labels that fall through: there a label refers to
every label that its lines name. A table of pointers refers to what it holds; but if its pointers are members that are
called by name (`.run = vmx_run`, `backend->run(vcpu)`), the caller refers to all functions that members of this name hold
and to their tables, and the tables to none of these functions.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from size import sources
from size.elf import PC_RELATIVE, STT_FILE, STT_SECTION, Elf, Symbol

MEMBER_SET = re.compile(r"\.(\w+) = &?(\w+)\b(?!\()")
# `backend->run(vcpu)`, and `void (*handler)(void *) = entry->handler`
MEMBER_CALL = re.compile(r"(?:->|\.)(\w+)\(|\(\*\w+\)\([^;]*?\) =[^;]*?(?:->|\.)(\w+)")
WORD = re.compile(r"[A-Za-z_]\w*")
ASM_LEFT_OUT = re.compile(r"^\w+:|^\s*(?:global|extern|align|section|bits|default|%|\.?\w+\s+equ\b).*")
ASM_END = re.compile(r"\s*(jmp|ret|retf|iretq|db|dw|dd|dq|resb|resq)\b")


@dataclass(frozen=True, order=True)
class Node:
    """A function, or a table or variable: the file that defines it and its name."""
    file: str
    name: str
    function: bool = True

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


def strongly_connected(edges: dict) -> list[list]:
    """Tarjan, without recursion: groups of two and more, the largest first."""
    index, low, on_stack, stack, groups = {}, {}, set(), [], []
    for root in edges:
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in edges:
                    continue
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges[target])))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group = stack[stack.index(node):]
                    del stack[stack.index(node):]
                    on_stack -= set(group)
                    if len(group) > 1:
                        groups.append(sorted(group))
    return sorted(groups, key=lambda group: (-len(group), group))


@dataclass
class Graph:
    root: Path  # of the sources
    links: dict[Node, set[Node]] = field(default_factory=lambda: defaultdict(set))  # as the linker sees them
    edges: dict[Node, set[Node]] = field(default_factory=lambda: defaultdict(set))  # as calls go
    taken: dict[Node, set[Node]] = field(default_factory=lambda: defaultdict(set))  # whose address, and by whom
    headers: dict[str, set[str]] = field(default_factory=dict)  # of each source file
    members: dict[str, set[Node]] = field(default_factory=lambda: defaultdict(set))
    kept: set[Node] = field(default_factory=set)  # what the linker script keeps
    sections: dict[Node, tuple[str, str]] = field(default_factory=dict)  # source file, section of its object

    # --- reading ---

    @classmethod
    def read(cls, root: Path, build: Path, objects: Iterable[Path] | None = None) -> "Graph":
        graph = cls(root)
        parts = [graph._place(path, build) for path in sorted(objects or build.glob("**/*.o"))]
        names = {symbol.name: node for _, elf, nodes in parts for symbol, node in nodes.items()
                 if symbol.is_global and not symbol.undefined}
        for source, elf, nodes in parts:
            graph._connect(source, elf, nodes, names)
        graph.edges.update({node: set(targets) for node, targets in graph.links.items()})
        graph._connect_members()
        return graph

    def _place(self, path: Path, build: Path) -> tuple[str, Elf, dict[Symbol, Node]]:
        """A node for each symbol that an object defines."""
        name = str(path.relative_to(build)).removesuffix(".o")
        source = name if name.endswith(".asm") else name + ".c"
        depends = path.with_suffix(".d").read_text() if path.with_suffix(".d").exists() else ""
        self.headers[source] = set(re.findall(r"(?:^|(?<=\s))((?!/)\S+\.h)(?=\s|$)", depends.replace("\\\n", " ").replace(":", " ")))
        elf = Elf.read(path)
        nodes = {}
        for symbol in elf.symbols:
            if symbol.section is None or symbol.kind in (STT_FILE, STT_SECTION) or not symbol.name or \
                    source.endswith(".asm") and "." in symbol.name:
                continue
            nodes[symbol] = self._node(source, symbol, elf.sections[symbol.section].executable)
            self.sections.setdefault(nodes[symbol], (source, elf.sections[symbol.section].name))
            if ".multiboot2" in elf.sections[symbol.section].name:
                self.kept.add(nodes[symbol])
        return source, elf, nodes

    def _node(self, source: str, symbol: Symbol, executable: bool) -> Node:
        if not executable and not source.endswith(".asm"):
            return Node(source, symbol.name, False)
        for file in [source, *sorted(self.headers[source])]:
            name = sources.function_of(self.root / file, symbol.name)
            if name is not None:
                return Node(file, name)
        if source.endswith(".asm"):
            return Node(source, symbol.name, False)
        raise LookupError(f"{source}: no function {symbol.name} in it or in what it includes")

    def _connect(self, source: str, elf: Elf, nodes: dict[Symbol, Node], names: dict[str, Node]) -> None:
        for node in nodes.values():
            _ = self.links[node]
        if source.endswith(".asm"):
            self._connect_assembly(source, set(nodes.values()))
        places = defaultdict(list)
        for symbol, node in nodes.items():
            places[symbol.section].append((symbol.value, node))
        for place in places.values():
            place.sort(key=lambda one: one[0])

        def at(section: int, offset: int) -> Node:
            # An instruction with an immediate behind the address refers to a little before its target.
            before = [node for value, node in places[section] if value <= offset] or \
                [node for _, node in places[section][:1]]
            return before[-1] if before else Node(source, elf.sections[section].name, False)

        for index, section in enumerate(elf.sections):
            if not section.allocated:
                continue
            for relocation in section.relocations:
                origin, symbol = at(index, relocation.offset), relocation.symbol
                relative = relocation.kind in PC_RELATIVE
                if symbol.kind == STT_SECTION:
                    target = at(symbol.section, relocation.addend + (4 if relative else 0))
                else:
                    target = nodes.get(symbol) or names.get(symbol.name)
                if target is None or target == origin:
                    continue
                self.links[origin].add(target)
                if not relative or target.function and not origin.function:
                    self.taken[target].add(origin)

    def _connect_assembly(self, source: str, nodes: set[Node]) -> None:
        path = self.root / source
        lines, labels = sources.code(path).splitlines(), list(sources.functions(path).items())
        by_name = {node.name: node for node in nodes}
        for position, (name, numbers) in enumerate(labels):
            if name not in by_name:
                continue
            own = [ASM_LEFT_OUT.sub("", lines[number - 1]) for number in sorted(numbers)]
            own = [line for line in own if line.strip()]
            self.links[by_name[name]] |= {by_name[word] for line in own for word in WORD.findall(line)
                                          if word in by_name and word != name}
            falls = not own or not ASM_END.match(own[-1])
            if falls and position + 1 < len(labels) and labels[position + 1][0] in by_name:
                self.links[by_name[name]].add(by_name[labels[position + 1][0]])

    def _connect_members(self) -> None:
        functions = defaultdict(list)
        for node in self.edges:
            if node.function:
                functions[node.name].append(node)
        calls = {node: {called or read for called, read in MEMBER_CALL.findall(
                     sources.function_text(self.root / node.file, node.name))}
                 for node in self.edges if node.function and not node.file.endswith(".asm")}
        called = set().union(*calls.values()) if calls else set()
        tables = defaultdict(set)
        for file in {node.file for node in self.edges if node.file.endswith(".c")}:
            for member, name in MEMBER_SET.findall(sources.code(self.root / file)):
                if member not in called:
                    continue
                for target in functions[name]:
                    holders = [one for one in self.taken.get(target, ()) if one.file == file and not one.function]
                    for holder in holders:
                        self.members[member].add(target)
                        tables[member].add(holder)
                        self.edges[holder].discard(target)
        for caller, names in calls.items():
            for member in names & set(self.members):
                self.edges[caller] |= self.members[member] | tables[member]

    # --- asking ---

    def find(self, name: str) -> Node:
        """By `name`, or by `file:name` where several files have one."""
        file, _, short = name.rpartition(":")
        found = [node for node in self.edges if node.name == short and (not file or node.file == file)]
        if len(found) != 1:
            raise LookupError(f"{name}: " + ("several: " + " ".join(map(str, found)) if found else "no such function"))
        return found[0]

    def closure(self, roots: Iterable[Node], cuts: Iterable[tuple[Node, Node]] = (),
                gone: Iterable[Node] = ()) -> dict[Node, Node | None]:
        """All that the roots reach where some are gone, and from where each was first reached."""
        cut, gone = set(cuts), set(gone)
        reached: dict[Node, Node | None] = {node: None for node in roots if node not in gone}
        queue = list(reached)
        for node in queue:
            for target in sorted(self.edges[node]):
                if target not in reached and target not in gone and (node, target) not in cut:
                    reached[target] = node
                    queue.append(target)
        return reached

    def lines(self, nodes: Iterable[Node]) -> int:
        return sum(len(sources.functions(self.root / node.file).get(node.name, ())) for node in nodes if node.function)

    def file_edges(self, node: Node) -> set[Node]:
        """What a node refers to in files that are linked: functions in headers pass on what they refer to."""
        found, queue = set(), [node]
        for one in queue:
            for target in self.links[one] - found:
                found.add(target)
                if target.file.endswith(".h"):
                    queue.append(target)
        return {one for one in found if not one.file.endswith(".h")}

    def files(self, nodes: Iterable[Node]) -> dict[tuple[str, str], list[str]]:
        """Which files refer to which, and by what, among the nodes."""
        wanted = set(nodes)
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for node in sorted(wanted):
            for target in () if node.file.endswith(".h") else self.file_edges(node) & wanted:
                if target.file != node.file:
                    found[node.file, target.file].add(f"{node.name} -> {target.name}")
        return {pair: sorted(names) for pair, names in sorted(found.items())}
