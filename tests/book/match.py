# SPDX-License-Identifier: MIT
"""Compares lines that a page shows with lines that were printed.

A page shows a real run. What another run may print differently is named, and nothing else may differ:

- the time at the beginning of a line of the log;
- the page of an address: of a hexadecimal number of five digits or more all but the last three digits. The same page in
  a block is the same page in the run, and another one is another. What was typed stays as it was typed;
- digits in the values of the keys that the mark names, `vary=KEY,KEY`, and in the groups of a regular expression,
  `vary=/RE/`. Letters, units and the number of numbers stay.

`...` stands for what is left out: in a line some of it, alone on a line any number of lines."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest

from machine.logfmt import parse_line

GAP = "..."
WIDTH = 160
_TIME = re.compile(r"^\[\s*\d+(?:\.\d+)?\]")
_ADDRESS = re.compile(r"\b0x([0-9a-f]{2,})([0-9a-f]{3})\b")
_DIGITS = re.compile(r"0x[0-9a-f]+|[0-9][0-9.,]*[0-9]|[0-9]")
LEAST_FIXED = 3  # letters that a line keeps when what varies is taken out


class Hidden(ValueError):
    """What may vary leaves nothing to compare, or is not there at all."""


def names_of(texts: Iterable[str]) -> list[str]:
    """The names in `vary=` words; a regular expression, between slashes, may have commas."""
    names = []
    for text in texts:
        names += [text] if text.startswith("/") else [name for name in text.split(",") if name]
    return names


@dataclass
class Rules:
    """What may vary in one block."""

    vary: list[str] = field(default_factory=list)
    typed: set[str] = field(default_factory=set)  # hexadecimal numbers in commands
    exact: bool = False                           # addresses, too, are what they are

    def _varying(self, line: str) -> list[tuple[int, int]]:
        places = []
        for name in self.vary:
            if name.startswith("/"):
                for found in re.finditer(name.strip("/"), line):
                    places += [found.span(group) for group in range(1, (found.re.groups or 0) + 1) if found[group]]
            else:
                places += [found.span(1) for found in re.finditer(rf'\b{re.escape(name)}=("(?:[^"\\]|\\.)*"|[^\s,)"]+)', line)]
        return places

    def used(self, line: str) -> set[str]:
        """Which of the names are in the line."""
        return {name for name in self.vary if Rules([name])._varying(line)}

    def pieces(self, line: str) -> list[tuple[str, str]]:
        """The line in pieces: (kind, text) with the kinds text, blank (of a column), time, page, digits and gap."""
        marks: list[tuple[int, int, str]] = []
        if time := _TIME.match(line):
            marks.append((*time.span(), "time"))
        for begin, end in self._varying(line):
            marks += [(begin + found.start(), begin + found.end(), "digits") for found in _DIGITS.finditer(line[begin:end])]
        if not self.exact:
            marks += [(found.start(1), found.end(1), "page") for found in _ADDRESS.finditer(line)
                      if found[0] not in self.typed]
        marks += [(found.start(), found.end(), "gap") for found in re.finditer(re.escape(GAP), line)]
        pieces, at = [], 0
        for begin, end, kind in sorted(marks):
            if begin < at:
                continue
            pieces += [("text", line[at:begin]), (kind, line[begin:end])]
            at = end
        pieces.append(("text", line[at:]))
        return [(("blank" if part.startswith("  ") else kind) if kind == "text" else kind, part) for kind, text in pieces
                for part in (re.split("( {2,})", text) if kind == "text" else [text]) if part or kind != "text"]

    def fixed(self, line: str) -> int:
        """How many letters have to be as they are."""
        return sum(letter.isalpha() for kind, text in self.pieces(line) if kind == "text" for letter in text.replace("0x", ""))


@dataclass(frozen=True)
class Bound:
    """Which page of the block is which page of the run."""

    pairs: tuple[tuple[int, int], ...] = ()

    def with_(self, shown: int, real: int) -> "Bound | None":
        for left, right in self.pairs:
            if (left == shown) != (right == real):
                return None
        return self if (shown, real) in self.pairs else Bound((*self.pairs, (shown, real)))


def match_line(shown: str, real: str, rules: Rules, bound: Bound) -> tuple[Bound, str] | None:
    """Whether the printed line is the shown one: what it says of pages, and the shown line with the run's values."""
    pattern, kinds = "", []
    for kind, text in rules.pieces(shown):
        if kind == "text":
            pattern += re.escape(text)
            continue
        kinds.append((kind, text))
        hexadecimal = kind == "page" or text.startswith("0x")
        pattern += {"gap": r"(.*?)", "blank": r"( {2,})", "time": r"(\[\s*\d+(?:\.\d+)?\])"}.get(
            kind, r"((?:0x)?[0-9a-f]+)" if hexadecimal and kind != "page" else r"([0-9a-f]+)" if hexadecimal else r"([0-9][0-9.,]*|[0-9])")
    found = re.fullmatch(pattern + r"\s*", real)
    if not found:
        return None
    values = iter(found.groups())
    line = ""
    for kind, text in rules.pieces(shown):
        if kind == "text":
            line += text
            continue
        value = next(values)
        if kind == "page":
            bound = bound.with_(int(text, 16), int(value, 16))
            if bound is None:
                return None
        line += GAP if kind == "gap" else value
    return bound, line


def bare(line: str) -> str:
    """A line of the log without its time."""
    return _TIME.sub("", line).strip()


def is_event(line: str) -> bool:
    return parse_line(line) is not None


def transcript(shown: list[str], real: list[str], rules: Rules, at: int = 0, place: int = 0,
               bound: Bound = Bound()) -> list[str] | None:
    """The shown lines with the run's values, or None. Lines of the log may come at any time between the others."""
    if at == len(shown):
        return [] if all(is_event(line) or not line.strip() for line in real[place:]) else None
    if shown[at].strip() == GAP:
        for next_place in range(place, len(real) + 1):
            rest = transcript(shown, real, rules, at + 1, next_place, bound)
            if rest is not None:
                return [shown[at], *rest]
        return None
    if place == len(real):
        return None
    matched = match_line(shown[at], real[place], rules, bound)
    if matched:
        rest = transcript(shown, real, rules, at + 1, place + 1, matched[0])
        if rest is not None:
            return [matched[1], *rest]
    if is_event(real[place]) or not real[place].strip():
        return transcript(shown, real, rules, at, place + 1, bound)
    return None


def _voice(line: str) -> str:
    """Who speaks: lines of different cores have no order between them."""
    event = parse_line(line if _TIME.match(line) else f"[0.0] {line}")
    return event["name"] if event and event.event in ("guest.output", "guest.event") and "name" in event.fields else ""


def selection(shown: list[str], real: list[str], rules: Rules) -> list[str] | None:
    """Lines of a log, each voice's in the order in which they were printed; others between them. The result is in the
    order of the run."""
    wanted = [line for line in shown if line.strip() != GAP]
    placed: list[tuple[int, str]] = []

    def place(at: int, after: dict[str, int], bound: Bound) -> bool:
        if at == len(wanted):
            return True
        voice, taken = _voice(wanted[at]), {index for index, _ in placed}
        for index in range(after.get(voice, -1) + 1, len(real)):
            text = real[index] if _TIME.match(wanted[at]) else bare(real[index])
            matched = index not in taken and match_line(wanted[at], text, rules, bound)
            if matched:
                placed.append((index, matched[1]))
                if place(at + 1, {**after, voice: index}, matched[0]):
                    return True
                placed.pop()
        return False

    if not place(0, {}, Bound()):
        return None
    lines = iter(line for _, line in sorted(placed))
    return [line if line.strip() == GAP else next(lines) for line in shown]


def sections(shown: list[str], real: list[str], rules: Rules, prompt: str) -> list[str] | None:
    """Lines behind each prompt, in their order, others between them: of a program that says more than a page wants."""
    lines, place, bound = [], 0, Bound()
    for line in shown:
        if line.strip() == GAP:
            lines.append(line)
            continue
        while place < len(real):
            matched = match_line(line, real[place], rules, bound)
            if matched or (real[place].startswith(prompt) and real[place] != line and place > 0 and not line.startswith(prompt)):
                break
            place += 1
        else:
            return None
        if not matched:
            return None
        bound, text = matched
        lines.append(text)
        place += 1
    return lines


def cut(line: str) -> str:
    """A line that fits the page."""
    return line if len(line) <= WIDTH else line[:WIDTH - len(GAP)].rstrip() + GAP


def similar(shown: str, real: Iterable[str], rules: Rules) -> int | None:
    """The place of the line that is most like the shown one."""
    def plain(line: str) -> str:
        return "".join(text if kind == "text" else "#" for kind, text in rules.pieces(bare(line)))

    wanted = parse_line(shown if _TIME.match(shown) else f"[0.0] {shown}")
    best, place = 0.5, None
    for index, line in enumerate(real):
        event = parse_line(line) or parse_line(f"[0.0] {line}")
        if wanted and (event is None or event.event != wanted.event):
            continue
        ratio = difflib.SequenceMatcher(None, plain(shown), plain(line)[:len(plain(shown)) + 40], autojunk=False).ratio()
        if ratio > best + (0.001 if place is not None else 0):
            best, place = ratio, index
    return place


def _sections(lines: list[str], prompt: str) -> list[list[str]]:
    """Each prompt with what is behind it."""
    found: list[list[str]] = []
    for line in lines:
        if not found or (prompt and line.startswith(prompt)):
            found.append([])
        found[-1].append(line)
    return found


def renewed(shown: list[str], real: list[str], rules: Rules, prompt: str = "", selected: bool = False) -> list[str]:
    """What the block should be when it does not fit: all that was printed, or, where it leaves out lines, those that are
    most like the lines it has."""
    lines: list[str] = []
    for wanted, printed in zip_longest(_sections(shown, prompt), _sections(real, prompt), fillvalue=[]):
        if prompt and not selected and GAP not in (line.strip() for line in wanted):
            lines += [cut(line.rstrip()) for line in printed if line.strip() and (not is_event(line) or similar(line, wanted, rules) is not None)]
            continue
        places = {line: similar(line, printed, rules) for line in wanted if line.strip() != GAP}
        order = iter(sorted({place for place in places.values() if place is not None}))
        for line in wanted:
            if line.strip() == GAP:
                lines.append(line)
            elif places[line] is not None and (place := next(order, None)) is not None:
                new = printed[place].rstrip()
                lines.append(cut(new if prompt or _TIME.match(line) else bare(new)))
    return lines


def check_hidden(shown: list[str], rules: Rules) -> None:
    """Raises Hidden when a line has nothing left to compare, or a name is in no line."""
    for line in shown:
        hides = line.strip() != GAP and any(kind not in ("text", "blank") for kind, _ in rules.pieces(line))
        if hides and rules.fixed(line) < LEAST_FIXED:
            raise Hidden(f"{line.strip()!r} has nothing left to compare: show more of it, or let less vary")
    unused = set(rules.vary) - {name for line in shown for name in rules.used(line)}
    if unused:
        raise Hidden(f"vary={','.join(sorted(unused))}: no line of the block has that")
