# SPDX-License-Identifier: MIT
"""Blocks that show a text rather than a run: a configuration, lines of a source, a list of commands, lines that only
another machine would log. They are compared with what they are about."""

import contextlib
import functools
import io
import re
import shlex
import subprocess
from pathlib import Path

from machine import like, run as runner

from .marks import ROOT, Shown
from .match import GAP

_TYPES = r"(?:%[-+ #0]*\d*(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z)?[a-zA-Z%])"
_MACROS = re.compile(r'"\s*PRI([diouxX])\d+\s*"')


def configuration(block: Shown) -> list[str]:
    """The hypervisor's own parser has nothing to say. `with=` are lines before it, separated by `;`; `complaint=` what
    it does say."""
    before = "".join(line.strip() + "\n" for line in block.mark.get("with").split(";"))
    text = before + "\n".join(line for line in block.lines if line.strip() != GAP) + "\n"
    done = subprocess.run([ROOT / "build/config", "-"], input=text, text=True, capture_output=True, check=False)
    return [line for line in done.stderr.splitlines()] or ([] if done.returncode == 0 else ["build/config failed"])


def _plain(line: str) -> str:
    return re.sub(r"\s+", " ", line).strip()


def _fits(shown: str, real: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in _plain(shown).split(GAP))
    return re.fullmatch(pattern, _plain(real)) is not None


def source(block: Shown) -> list[str]:
    """The lines stand in a file in this order, one behind the other but where `...` or an empty line is; indentation
    may differ."""
    name = block.mark.get("file")
    path = ROOT / name
    if not name or not path.is_file():
        return [f"file={name}: there is no such file"]
    real, place, free = [line for line in path.read_text().splitlines() if line.strip()], 0, True
    for line in block.lines:
        if line.strip() in ("", GAP):
            free = True
            continue
        found = next((i for i in range(place, len(real) if free else min(place + 1, len(real))) if _fits(line, real[i])), None)
        if found is None:
            behind = f"; there is: {real[place].strip()}" if place < len(real) and not free else ""
            return [f"{name} does not have{'' if free else ' next'}: {line.strip()}{behind}"]
        place, free = found + 1, False
    return []


@functools.cache
def literals() -> tuple[str, ...]:
    """Strings in the sources, neighbours joined as the compiler does."""
    found = []
    for folder in ("hypervisor", "drivers", "boot", "guest", "tests/efi"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            text = _MACROS.sub(lambda match: "%" + match[1], re.sub(r"//[^\n]*", "", path.read_text()).replace('\\"', "\x01"))
            for literal in re.finditer(r'"[^"\n]*"(?:\s*"[^"\n]*")*', text):
                joined = "".join(re.findall(r'"([^"\n]*)"', literal[0]))
                found.append(joined.replace("\x01", '"').replace("\\\\", "\\").replace("\\n", ""))
    return tuple(found)


def _says(candidate: str, shown: str, whole: bool) -> bool:
    """Whether the literal prints the shown text: all of it, or as far as it is shown."""
    parts, at, letters = re.split(_TYPES, candidate), 0, 0
    for number, part in enumerate(parts):
        if not part:
            continue
        place = shown.find(part, at)
        if place < 0 or (number == 0 and place > 0):
            if whole or (number == 0 and not part.startswith(shown)):
                return False
            cut = next((n for n in range(min(len(part), len(shown) - at), 0, -1) if shown.endswith(part[:n])), 0)
            return letters + cut >= min(8, len(shown.strip()) // 4)
        at, letters = place + len(part), letters + len(part)
    return letters >= min(8, len(shown) // 4) and (not whole or parts[-1] == "" or at == len(shown))


def _said(sentence: str) -> bool:
    """Some literal, or a `message=` within one, is the sentence as far as it is shown."""
    shown, whole = sentence.split(GAP)[0].rstrip() if GAP in sentence else sentence, GAP not in sentence
    return any(_says(candidate, shown, whole) for text in literals()
               for candidate in (text, *re.findall(r'message="([^"]*)', text)) if len(candidate) > 3)


def events(block: Shown) -> list[str]:
    """Lines that only a machine with a fault would log: event, keys and message are in the sources."""
    problems = []
    keys = set(re.findall(r"([a-z_]+)=", "\x00".join(literals())))
    for line in block.lines:
        text = re.sub(r"^\[[\d.]+\] ", "", line).strip()
        if text in ("", GAP):
            continue
        event = text.split()[0]
        if event not in literals():
            problems.append(f"no source has the event {event!r}")
        quoted = re.findall(r'(\w+)="([^"]*)', text)
        for key in re.findall(r" ([a-z_0-9]+)=", re.sub(r'"[^"]*("|$)', '""', text)):
            if key not in keys:
                problems.append(f"{event}: no source prints {key}=")
        problems += [f"{event}: no source says {sentence!r}" for key, sentence in quoted
                     if key == "message" and sentence and not _said(sentence)]
    return problems


@functools.cache
def _makefiles() -> tuple[Path, ...]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", "*.mk"], cwd=ROOT, text=True, capture_output=True,
                            check=True).stdout.split()
    return tuple(ROOT / name for name in listed)


@functools.cache
def goals() -> frozenset[str]:
    texts = [(ROOT / "Makefile").read_text(), *(path.read_text() for path in _makefiles())]
    names = {name for text in texts for line in re.findall(r"^([a-z][a-z -]*):(?!=)", text, re.MULTILINE) for name in line.split()}
    return frozenset(names | {f"fuzz-{path.stem.removeprefix('fuzz_')}" for path in (ROOT / "tests/fuzz").glob("fuzz_*.c")})


def _make_words(words: list[str]) -> list[str]:
    problems = []
    for word in words:
        name, given, value = word.partition("=")
        if not given:
            if name not in goals() and not name.startswith(("-", "build/")):
                problems.append(f"make has no goal {name!r}")
        elif name == "SCENARIO" and not (ROOT / f"config/{value.removesuffix('.conf')}.conf").exists():
            problems.append(f"there is no config/{value}.conf")
        elif name == "LIKE" and value not in like.LIKES:
            problems.append(f"there is no LIKE={value}; there are {', '.join(like.LIKES)}")
        elif name == "RUN_FLAGS":
            problems += _run_words(shlex.split(value))
        elif not re.search(rf"\b{name}\b", "".join(path.read_text() for path in [ROOT / "Makefile", *_makefiles()])):
            problems.append(f"no makefile knows {name}=")
    return problems


def _run_words(words: list[str]) -> list[str]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            runner.arguments(words)
    except SystemExit as ended:
        return [] if ended.code == 0 else [f"tests/machine/run.py does not take {' '.join(words)}"]
    except ValueError as error:
        return [str(error)]
    return []


def commands(block: Shown) -> list[str]:
    """A list of commands to choose from, each with an explanation behind two blanks: goals, scenarios, kinds of
    machines and flags exist."""
    problems = []
    for line in block.lines:
        text = re.split(r"\s{2,}|\s#", line.strip())[0]
        if not text or line.startswith("    "):
            continue
        if GAP in text:
            problems.append(f"{text!r} is not a whole command")
            continue
        words = [word for word in shlex.split(re.split(r"\s<", text)[0]) if word]
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words[0] == "make":
            problems += _make_words(words[1:])
        elif words[0] == "tests/machine/run.py":
            problems += _run_words(words[1:])
        elif "/" in words[0] and not words[0].startswith("build/") and not (ROOT / words[0]).exists():
            problems.append(f"there is no {words[0]}")
    return problems


def paths(block: Shown) -> list[str]:
    """Folders and files with what is in them: each that begins a line, or is named with a `/` at its end, exists."""
    problems, folder = [], ""
    for line in block.lines:
        first = re.match(r"([\w./]+/?)\s", line)
        folder = first[1] if first else folder
        inner = re.findall(r"(?:^|[\s(,])([a-z_0-9]+/)(?=[\s,:)]|$)", line[first.end():] if first else line)
        for name in ([folder] if first else []) + [f"{folder}{part}" for part in inner]:
            if not (ROOT / name).exists():
                problems.append(f"there is no {name}")
    return problems


KINDS = {"paths": paths, "config": configuration, "source": source, "events": events, "commands": commands}
