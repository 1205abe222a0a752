# SPDX-License-Identifier: MIT
"""What a submission may not contain. The hypervisor needs no C library, so a submission that reaches for one wants
something else: to print what is expected, to end the check early, to fork."""

import re
import subprocess
from pathlib import Path

from . import cutter
from .building import make
from .judge import Judge
from .kinds import Lab

FORBIDDEN = (
    (r"^\s*#\s*include\s*(?!\s*\"(?:hypervisor|drivers|boot|guest)/)", "includes what is not of the hypervisor"),
    (r"\b_*asm_*\b", "has assembler text"),
    (r"\b(?:constructor|destructor|section|alias|weak|ifunc)\b\s*(?:\(|\))", "has an attribute that decides where or when code runs"),
    (r"#\s*pragma\b", "has a #pragma"),
    (r"\bLAB_NONCE\b|/proc/self|\blab_check\b|\bis_wrong\b", "reaches for the check itself"),
    (r"^\s*#\s*define\s+(?:expect|is_wrong|asking)\b", "redefines what the check is made of"),
    (r"\?\?[=/'()!<>-]", "has trigraphs"),
)


def stripped(text: str) -> str:
    """Without comments and string literals, and with continued lines joined, so that no spelling hides a word."""
    text = text.replace("\\\n", "")
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"',
                  lambda found: found[0] if found[0].startswith('"') and re.search(r"#\s*include\s*$", text[:found.start()][-40:]) else " ",
                  text, flags=re.DOTALL)


def problem(lab: Lab, texts: dict[str, str], originals: dict[str, str]) -> str | None:
    """What a text has more of than the original. Nothing has been compiled yet."""
    for file, text in texts.items():
        mine, theirs = stripped(text), stripped(originals[file])
        for pattern, says in FORBIDDEN:
            found = re.findall(pattern, mine, re.MULTILINE)
            if len(found) > len(re.findall(pattern, theirs, re.MULTILINE)):
                return f"{file} {says}"
    return None


def names(path: Path, kind: str) -> set[str]:
    """The symbols of an object: `undefined` ones, or those it defines."""
    done = subprocess.run(["nm", "-u" if kind == "undefined" else "--defined-only", "-f", "posix", path], text=True, capture_output=True, check=False)
    return {line.split()[0].split("@")[0] for line in done.stdout.splitlines() if line.strip()}


def symbols(lab: Lab, judge: Judge, texts: dict[str, str]) -> str | None:
    """The objects may call what the solution calls and what the hypervisor defines, and nothing of a library."""
    objects = [f"build/{file.removesuffix('.c')}.o" for file in texts]
    judge.prepare(dict(judge.originals))
    broken = make(judge.work, *objects)
    if broken:
        return f"the tree itself: {broken}"
    allowed = set().union(*(names(judge.work / path, "undefined") | names(judge.work / path, "defined") for path in objects))
    judge.prepare(texts)
    broken = make(judge.work, *objects)
    if broken:
        return broken
    for file, path in zip(texts, objects):
        for name in sorted(names(judge.work / path, "undefined") - allowed):
            if not declared(judge.work, name):
                return f"{file} calls {name}(), which is not of the hypervisor"
    return None


def declared(root: Path, name: str) -> bool:
    """Whether a header of the hypervisor declares it."""
    pattern = re.compile(rf"\b{re.escape(name)}\b\s*[\[(;=]")
    return any(pattern.search(path.read_text(errors="replace")) for folder in ("hypervisor", "drivers", "boot", "guest")
               for path in (root / folder).rglob("*.h"))
