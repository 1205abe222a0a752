# SPDX-License-Identifier: MIT
"""Lines of code as cloc counts them, and the lines of each function.

cloc drops comments and blank lines and counts the rest; test_size.py compares with its results. The sources are
formatted by clang-format, so a function's signature begins in the first column and its last line is `}` alone.
"""

import re
from fnmatch import fnmatchcase as fnmatch
from functools import cache
from pathlib import Path

# A string or character, or a comment.
C_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.S)
NAME = re.compile(r"\b(\w+)\(")
ATTRIBUTE = re.compile(r"__attribute__\(\(.*?\)\)")
ASM_LABEL = re.compile(r"^([A-Za-z_][\w$]*):", re.M)


def without_c_comments(text: str) -> str:
    """Comments become nothing but their line ends; lines keep their numbers."""
    def replace(match: re.Match) -> str:
        token = match.group()
        return "\n" * token.count("\n") if token.startswith("/") else token
    return C_TOKEN.sub(replace, text)


def without_asm_comments(text: str) -> str:
    return re.sub(r";[^\n]*", "", text)


@cache
def code(path: Path) -> str:
    text = path.read_text()
    return without_asm_comments(text) if path.suffix == ".asm" else without_c_comments(text)


@cache
def code_lines(path: Path) -> frozenset[int]:
    return frozenset(number for number, line in enumerate(code(path).splitlines(), 1) if line.strip())


def count(path: Path) -> int:
    return len(code_lines(path))


def signature(lines: list[str], brace: int) -> tuple[int, str] | None:
    """Where the function begins whose `{` is in a line, and its name; macros' functions have blanks in front."""
    indent = len(lines[brace]) - len(lines[brace].lstrip())
    first = brace - 1
    while first > 0 and lines[first].startswith(" " * (indent + 1)):
        first -= 1
    # A long return type stands in a line of its own.
    while first > 0 and re.fullmatch(r" {%d}[A-Za-z_][\w *]*" % indent, lines[first - 1]):
        first -= 1
    name = NAME.search(ATTRIBUTE.sub("", " ".join(lines[first:brace])))
    return (first, name.group(1)) if name else None


@cache
def functions(path: Path) -> dict[str, frozenset[int]]:
    """Lines of code of each function; of an assembly file, from each label to the next.

    A macro that defines functions gives `read##bits`, which stands here as `read*`."""
    text, counted = code(path), code_lines(path)
    found = {}
    if path.suffix == ".asm":
        labels = [(match.group(1), text.count("\n", 0, match.start()) + 1) for match in ASM_LABEL.finditer(text)]
        for (name, first), (_, end) in zip(labels, labels[1:] + [("", text.count("\n") + 2)]):
            found[name] = frozenset(line for line in counted if first <= line < end)
        return found
    lines = [re.sub(r"##\w+", "MACRO", line.removesuffix("\\").rstrip()) for line in text.splitlines()]
    for brace, line in enumerate(lines):
        if line.strip() != "{" or (begun := signature(lines, brace)) is None:
            continue
        first, name = begun
        end = next(number for number in range(brace, len(lines)) if lines[number] == line.replace("{", "}"))
        found[name.replace("MACRO", "*")] = frozenset(number for number in counted if first < number <= end + 1)
    return found


def function_of(path: Path, symbol: str) -> str | None:
    """The function that a symbol of an object stands for: without what the compiler put behind its name."""
    known, name = functions(path), symbol.split(".")[0]
    if name in known:
        return name
    return next((one for one in known if "*" in one and fnmatch(name, one)), None)


@cache
def function_text(path: Path, name: str) -> str:
    lines = code(path).splitlines()
    return "\n".join(lines[number - 1] for number in sorted(functions(path).get(name, ())))
