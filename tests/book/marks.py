# SPDX-License-Identifier: MIT
"""What pages show, and the marks that say how it is checked. A mark is a comment, so a reader of the page does not see it:

    <!-- run: KIND WORD=VALUE ... -->      directly before a fenced block, or behind the dash of an item to try
    <!-- not run: REASON -->

Every fenced block and every item under "Things to try" has one."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/**/*.md")
TRY_TITLE = "## Things to try"
_FENCE = re.compile(r"^( *)```(.*)$")
_MARK = re.compile(r"<!-- (run|not run): (.*?)-->", re.DOTALL)
_SPAN = re.compile(r"(`+)(.+?)\1(?!`)", re.DOTALL)
LEAST_REASON = 12  # letters: "hardware" alone says nothing


class MarkError(ValueError):
    """A mark that cannot be understood; the text names page and line."""


@dataclass(frozen=True)
class Mark:
    """The words of one mark. Those that are given several times are steps, in this order."""

    runs: bool
    kind: str
    words: tuple[tuple[str, str], ...]
    reason: str = ""

    def get(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.words if key == name), default)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.words if key == name]

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.words)


@dataclass
class Shown:
    """A fenced block (`lines` are its own) or an item under "Things to try" (`lines` are the item's)."""

    page: str
    line: int       # of the first of `lines`, counted from 1
    lines: list[str]
    mark: Mark | None
    title: str      # the section it is in
    item: bool = False
    indent: int = 0

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def text(self) -> str:
        """An item as one line without its mark."""
        return re.sub(r"\s+", " ", _MARK.sub("", "\n".join(self.lines))).removeprefix("- ").strip()

    def spans(self) -> list[str]:
        """What an item has in code font."""
        return [found[2].strip() for found in _SPAN.finditer(self.text)]


def read_mark(text: str, where: str) -> Mark | None:
    """The mark in a text that begins with one."""
    found = _MARK.match(text.strip())
    if not found:
        return None
    content = re.sub(r"\s+", " ", found[2]).strip()
    if found[1] == "not run":
        if len(re.sub(r"\W", "", content)) < LEAST_REASON:
            raise MarkError(f"{where}: `not run: {content}` gives no reason; say in a few words why it cannot be run")
        return Mark(False, "", (), content)
    try:
        words = shlex.split(found[2])
    except ValueError as error:
        raise MarkError(f"{where}: {error} in the mark") from None
    if not words or "=" in words[0]:
        raise MarkError(f"{where}: the mark names no kind: <!-- run: KIND WORD=VALUE ... -->")
    pairs = [word.partition("=") for word in words[1:]]
    return Mark(True, words[0], tuple((key, value) for key, _, value in pairs))


def _mark_before(lines: list[str], index: int, where: str) -> Mark | None:
    """The mark that ends on the line before `index`."""
    if index == 0 or not lines[index - 1].rstrip().endswith("-->"):
        return None
    first = index - 1
    while first > 0 and "<!--" not in lines[first]:
        first -= 1
    return read_mark("\n".join(lines[first:index]), where)


def shown(page: str, text: str) -> list[Shown]:
    """Everything in a page that has to have a mark."""
    lines, found, title = text.split("\n"), [], ""
    index = 0
    while index < len(lines):
        fence = _FENCE.match(lines[index])
        if fence:
            end = next((i for i in range(index + 1, len(lines)) if lines[i].strip() == "```"), None)
            if end is None:
                raise MarkError(f"{page}:{index + 1}: the fenced block has no end")
            indent = len(fence[1])
            found.append(Shown(page, index + 2, [line[indent:] for line in lines[index + 1:end]],
                               _mark_before(lines, index, f"{page}:{index + 1}"), title, indent=indent))
            index = end + 1
            continue
        if lines[index].startswith("## "):
            title = lines[index]
        if title == TRY_TITLE and lines[index].startswith("- "):
            end = index + 1
            while end < len(lines) and lines[end].startswith("  "):
                end += 1
            where = f"{page}:{index + 1}"
            found.append(Shown(page, index + 1, lines[index:end],
                               read_mark("\n".join(lines[index:end]).removeprefix("- "), where), title, item=True))
            index = end
            continue
        index += 1
    return found


def pages(root: Path = ROOT) -> list[str]:
    return [str(path.relative_to(root)) for pattern in PAGES for path in sorted(root.glob(pattern))]


def all_shown(root: Path = ROOT) -> list[Shown]:
    return [one for page in pages(root) for one in shown(page, (root / page).read_text())]


def replace(root: Path, changes: list[tuple[Shown, list[str]]]) -> None:
    """Writes new lines for blocks, from the last of each page to the first, so that line numbers stay true."""
    for page in {one.page for one, _ in changes}:
        path = root / page
        lines = path.read_text().split("\n")
        for one, new in sorted((change for change in changes if change[0].page == page), key=lambda change: -change[0].line):
            first = one.line - 1
            lines[first:first + len(one.lines)] = [(" " * one.indent + line).rstrip() for line in new]
        path.write_text("\n".join(lines))
