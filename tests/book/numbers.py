# SPDX-License-Identifier: MIT
"""Numbers in pages that come from somewhere: written there by `make book-numbers`, and held to it by a test.

    <!-- constant NAME -->64<!-- -->       a #define or an enumerator of the sources; `constant NAME in KiB`, `constant NAME minus 1`,
                                           `constant FILE.c:NAME` where several files define it
    <!-- count mutations -->210<!-- -->    how many there are: COUNTS below has what can be counted
    <!-- bench WHAT -->3,188<!-- -->       the figure of that row of the table in docs/performance.md, which `make plots` writes;
                                           `bench native WHAT`, `bench peer WHAT` its other columns
    <!-- above /RE/ -->0x1fc17<!-- -->     what the group catches in the block above, or in all of it, `above N /RE/`: the Nth
    <!-- seen MACHINE EVENT KEY=VALUE KEY -->32<!-- -->   the last key's value in a machine's log, `KEY in MiB`; `make book` looks

`exit`, `guard` and `size` are others' (tests/bench/pages.py, guards.py, tests/size/size.py)."""

import ast
import functools
import operator
import re
import subprocess
from collections.abc import Callable

from labs import manifest
from mutations import table as mutations
from size import peers
from system import architecture
from tools import attacks

from . import machines
from .marks import ROOT, Mark, Shown

FIGURE = re.compile(r"(<!-- (constant|count|bench|above) ([^>]+?) -->)(`?)([^<`]*)(`?)(<!-- -->)")
SEEN = re.compile(r"(<!-- seen ([\w-]+) ([\w.]+)((?: [\w-]+=[^ >]+)*) ([\w-]+(?: in \w+)?) -->)([^<]*)(<!-- -->)")
SEEN_SLACK = 0.1  # of a figure in a unit: what grows a little with every change does not make a page wrong
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "ms": 1000, "s": 1_000_000, "pages": 4096}
_OPERATORS: dict[type, Callable] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
                                    ast.Div: operator.floordiv, ast.LShift: operator.lshift, ast.BitOr: operator.or_}



def _listed() -> list[bool]:
    """Of each attack of docs/security.md whether it is of the list, S01 to S55."""
    return [re.fullmatch(r"S[0-4]\d|S5[0-5]", one.number) is not None for one in attacks.read_page()[0]]


COUNTS: dict[str, Callable[[], int | str]] = {
    "mutations": lambda: len(mutations.MUTATIONS),
    "attacks": lambda: len(attacks.read_page()[0]),
    "attacks-listed": lambda: sum(_listed()),
    "attacks-added": lambda: sum(not one for one in _listed()),
    "fuzz-targets": lambda: len(list((ROOT / "tests/fuzz").glob("fuzz_*.c"))),
    "proofs": lambda: len(list((ROOT / "tests/prove").glob("prove_*.c"))),
    "unit-tests": lambda: sum(path.read_text().count("cmocka_unit_test") for path in (ROOT / "tests/unit").glob("test_*.c")),
    "scenarios": lambda: len(list((ROOT / "config").glob("*.conf"))),
    "labs": lambda: len(manifest.labs()),
    "lab-mistakes": lambda: sum(len(lab.mistakes) for lab in manifest.labs()),
    "differences": lambda: len(architecture.ALLOWED),
    **{f"lines-{name}": lambda lines=lines: lines for name, lines in peers.WHOLE.items()},
    "peers": lambda: ", ".join(f"{name} {lines:,}" for name, lines in peers.WHOLE.items()),  # lines of other hypervisors
}


@functools.cache
def _definitions() -> dict[str, dict[str, str]]:
    """Text behind each #define with a value, and each enumerator, by file."""
    text = subprocess.run(["git", "grep", "-E", r"^#define [A-Z]\w+ +[^ (]|^#define [A-Z]\w+ +\(|^\s+[A-Z]\w+ = [^,;]+,", "--",
                           "hypervisor/*.[ch]", "drivers/*.[ch]", "boot/*.[ch]"], cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        file, _, code = line.partition(":")
        match = re.match(r"#define (\w+)\s+(.*)", code) or re.match(r"\s+([A-Z]\w+) = ([^,;]+),", code)
        if match:
            found.setdefault(match[1], {})[file] = re.sub(r"/\*.*|//.*", "", match[2]).strip()
    return found


def constant(words: str) -> int:
    """Its value; it may be made of others."""
    wanted, _, name = words.rpartition(":")
    texts = {text for file, text in _definitions().get(name, {}).items() if f"/{file}".endswith(f"/{wanted}" if wanted else file)}
    if len(texts) != 1:
        raise KeyError(f"the sources define no {words}" if not texts else
                       f"{name} is defined several times: constant FILE.c:{name}, of {', '.join(_definitions()[name])}")
    definition, = texts

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name):
            return constant(node.id)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        raise KeyError(f"{name} is not a plain number: {definition}")

    text = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)[uUlL]+\b", r"\1", definition)
    text = re.sub(r"\((uint\d+_t|size_t)\)", "", text)
    text = re.sub(r"\b([KMGT])IB\(", lambda match: f"{1 << {'K': 10, 'M': 20, 'G': 30, 'T': 40}[match[1]]} * (", text)
    try:
        return value(ast.parse(text, mode="eval").body)
    except SyntaxError:
        raise KeyError(f"{name} is not a plain number: {text}") from None


@functools.cache
def _table() -> dict[str, list[str]]:
    rows = [line.strip("| \n").split(" | ") for line in (ROOT / "docs/performance.md").read_text().splitlines() if line.startswith("| ")]
    return {row[0].strip(): [cell.strip() for cell in row] for row in rows if len(row) >= 6}


def bench(words: str) -> str:
    column, _, rest = words.partition(" ")
    place = {"native": 2, "peer": 3}.get(column, 1)
    what = rest if place > 1 else words
    if what not in _table():
        raise KeyError(f"the table of docs/performance.md has no row {what!r}")
    number = re.search(r"[\d,]+(?:\.\d+)?", _table()[what][place])
    if not number:
        raise KeyError(f"{what!r} has no figure in that column")
    value = float(number[0].replace(",", ""))
    return f"{round(value):,}" if value >= 100 else number[0]


def _above(words: str, before: str) -> str:
    """`before`: the page up to the figure."""
    number, _, pattern = words.partition(" ") if not words.startswith("/") else ("1", "", words)
    blocks = re.findall(r"^ *```\n(.*?)^ *```$", before, re.MULTILINE | re.DOTALL)
    found = re.findall(pattern.strip("/"), blocks[-1], re.MULTILINE) if blocks else []
    if len(found) < int(number):
        raise KeyError(f"the block above has no {pattern}")
    return found[int(number) - 1]


def value_of(kind: str, words: str, before: str) -> str:
    if kind == "count":
        if words not in COUNTS:
            raise KeyError(f"there is no count {words!r}; there are {', '.join(COUNTS)}")
        number = COUNTS[words]()
        return number if isinstance(number, str) else f"{number:,}"
    if kind == "bench":
        return bench(words)
    if kind == "above":
        return _above(words, before)
    name, _, unit = words.partition(" in ")
    name, _, less = name.partition(" minus ")
    number = constant(name) - int(less or "0")
    if unit and (unit not in UNITS or number % UNITS[unit]):
        raise KeyError(f"{name} is {number}: no whole number of {unit}")
    return f"{number // UNITS[unit] if unit else number}"


def _figures(text: str) -> list[re.Match]:
    """All but those that are shown in fenced blocks."""
    fenced = [found.span() for found in re.finditer(r"^ *```.*?^ *```$", text, re.MULTILINE | re.DOTALL)]
    return [found for found in FIGURE.finditer(text) if not any(begin < found.start() < end for begin, end in fenced)]


def filled(page: str, text: str) -> str:
    """The page with the numbers as they are; raises KeyError for one that comes from nowhere."""
    done, at = "", 0
    for match in _figures(text):
        try:
            value = value_of(match[2], match[3], text[:match.start()])
        except KeyError as error:
            line = text.count("\n", 0, match.start()) + 1
            raise KeyError(f"{page}:{line}: {error.args[0]}") from None
        done += text[at:match.start()] + match[1] + match[4] + value + match[6] + match[7]
        at = match.end()
    return done + text[at:]


def outdated(page: str, text: str) -> list[str]:
    """Figures that should be others."""
    try:
        new = filled(page, text)
    except KeyError as error:
        return [error.args[0]]
    pairs = zip(_figures(text), _figures(new), strict=True)
    return [f"line {text.count(chr(10), 0, old.start()) + 1}: {old[2]} {old[3]} is {now[5]}, not {old[5]}"
            for old, now in pairs if old[5] != now[5]]


def fill(page: str) -> bool:
    """Writes a page's numbers; whether there was something to write."""
    path = ROOT / page
    text = path.read_text()
    new = filled(page, text)
    if new != text:
        path.write_text(new)
    return new != text


def seen(page: str, text: str) -> list[Shown]:
    """Figures that a run has to confirm."""
    return [Shown(page, text.count("\n", 0, found.start()) + 1, [found[6]],
                  Mark(True, "seen", (("machine", found[2]), ("event", found[3] + found[4]), ("key", found[5]))), "")
            for found in SEEN.finditer(text)]


def look(one: Shown, run) -> str:
    """What the machine's log has in its place."""
    name, wanted = machines.event_of(one.mark.get("event"))
    key, _, unit = one.mark.get("key").partition(" in ")
    for line in run.events:
        if line.matches(name, wanted) and key in line.fields:
            return f"{line.number(key) / UNITS[unit]:.1f}" if unit else line[key]
    raise KeyError(f"the log has no {one.mark.get('event')} with {key}=")


def agrees(one: Shown, value: str) -> bool:
    """Whether the page says that; a figure in a unit may be a little off."""
    shown = one.lines[0]
    return shown == value or (" in " in one.mark.get("key") and abs(float(shown) - float(value)) <= SEEN_SLACK * float(value))


def write_seen(page: str, values: dict[tuple[str, str, str], str]) -> None:
    path = ROOT / page
    path.write_text(SEEN.sub(lambda found: found[1] + values.get((found[2], found[3] + found[4], found[5]), found[6]) + found[7],
                             path.read_text()))
