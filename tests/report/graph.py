# SPDX-License-Identifier: MIT
"""The map: units, functions, domains and memory, laid out by Graphviz, with the blocked accesses."""

import re
import shutil
import subprocess
from collections.abc import Sequence

from .blocked import Blocked
from .hardware import Device, Unit
from .memory import Owned, Space
from .owners import Owners, rules, variables
from .record import size_text

LIMIT = 60.0  # seconds
FONT = "Helvetica,Arial,sans-serif"
MOST_EDGES = 40
STYLE = """
text { font-family: Helvetica, Arial, sans-serif; fill: var(--ink); }
.node polygon, .node path, .node ellipse { fill: var(--owner, var(--paper)); fill-opacity: .22; stroke: var(--owner, var(--line)); stroke-width: 1.4; }
.edge path { stroke: var(--line); } .edge polygon { fill: var(--line); stroke: var(--line); }
.cluster polygon { fill: none; stroke: var(--faint); }
.graph > polygon { fill: none; stroke: none; }
.blocked path { stroke: var(--blocked); stroke-width: 2; } .blocked polygon { fill: var(--blocked); stroke: var(--blocked); }
.blocked text { fill: var(--blocked); font-weight: bold; }
"""
PAPER = ("--paper: #fff; --ink: #1c2127; --line: #6b7682; --faint: #c9d0d7;",
         "--paper: #14181c; --ink: #e6eaee; --line: #8b96a1; --faint: #3a434c;")


class NoGraphviz(RuntimeError):
    """dot is not there, or did not draw. The text says which, and what to do."""


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _label(*lines: str) -> str:
    """Lines of a label; what is not known is left out."""
    return _quote("\0".join(line for line in lines if line)).replace("\0", "\\n")


def _targets(memory: Sequence[Owned], spaces: Sequence[Space], hits: Sequence[Blocked]) -> list[Owned]:
    """The memory that is drawn: what a domain leads to, and what a blocked access was meant for."""
    reached = [Owned(span.physical, span.size, space.owner) for space in spaces
               for span in sorted(space.spans, key=lambda span: -span.size)[:2]]
    meant = [one for hit in hits for one in memory if one.physical <= hit.address < one.end]
    found: list[Owned] = []
    for one in [*reached, *meant]:
        if not any(other.physical <= one.physical and one.end <= other.end for other in found):
            found.append(one)
    return found


def dot(units: Sequence[Unit], devices: Sequence[Device], spaces: Sequence[Space], memory: Sequence[Owned],
        hits: Sequence[Blocked], owners: Owners) -> str:
    """The graph in Graphviz' language."""
    out = ["digraph map {", f'rankdir=LR; ranksep=0.45; nodesep=0.12; bgcolor="transparent"; fontname={_quote(FONT)};',
           f'node [shape=box, style="rounded,filled", fontsize=11, fontname={_quote(FONT)}, margin="0.12,0.05"];',
           f'edge [arrowsize=0.6, fontsize=10, fontname={_quote(FONT)}];']
    for unit in units:
        out.append(
            f"{_quote('unit ' + unit.number)} [class=unit, label={_label('VT-d unit ' + unit.number, unit.base)}];")
    listed = {device.rid for device in devices}
    for device in devices:
        owner = f"owner {device.owner}" if device.owner else ""
        out.append(f"{_quote(device.rid)} [class={_quote(owners.style(device.owner))}, "
                   f"label={_label(' '.join((device.rid, device.name)).strip(), device.what, owner)}];")
        if device.parent in listed:
            out.append(f"{_quote(device.parent)} -> {_quote(device.rid)} [arrowhead=none];")
        elif device.unit:
            out.append(f"{_quote('unit ' + device.unit)} -> {_quote(device.rid)} [arrowhead=none];")
    drawn = _targets(memory, spaces, hits)
    out.append("{ rank=sink;")
    for one in drawn:
        out.append(
            f"{_quote(f'memory {one.physical:#x}')} [shape=cylinder, style=filled, class={_quote(owners.style(one.owner))}, "
            f"label={_label(one.owner, f'{one.physical:#x}', size_text(one.size))}];")
    out.append("}")
    for space in spaces:
        name = f"domain {space.domain or space.owner}"
        out.append(f"{_quote(name)} [shape=folder, style=filled, class={_quote(owners.style(space.owner))}, "
                   f"label={_label(f'domain {space.domain}'.strip(), space.owner, size_text(space.size))}];")
        out += [f"{_quote(device.rid)} -> {_quote(name)};" for device in space.devices]
        reached = [one for one in drawn if any(one.physical <= span.physical < one.end for span in space.spans)]
        out += [f"{_quote(name)} -> {_quote(f'memory {one.physical:#x}')};" for one in reached]
    meant: dict[tuple[str, int], list[str]] = {}
    for hit in hits:
        target = next((one for one in drawn if one.physical <= hit.address < one.end), None)
        if target is not None and hit.rid in listed:
            meant.setdefault((hit.rid, target.physical), []).append(f"{hit.address:#x}")
    for (rid, address), addresses in list(meant.items())[:MOST_EDGES]:
        more = [f"and {len(addresses) - 3} more"] if len(addresses) > 3 else []
        out.append(f"{_quote(rid)} -> {_quote(f'memory {address:#x}')} [class=blocked, style=dashed, arrowhead=tee, "
                   f"label={_label(*(f'✕ {one}' for one in addresses[:3]), *more)}];")
    return "\n".join([*out, "}", ""])


def draw(text: str) -> str:
    """The <svg> element that dot makes of it, its size in points."""
    program = shutil.which("dot")
    if program is None:
        raise NoGraphviz("Graphviz' dot is not on this computer: tests/machine/setup.sh report installs it")
    try:
        done = subprocess.run([program, "-Tsvg"], input=text.encode(), capture_output=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise NoGraphviz(f"dot did not draw the map in {LIMIT:g} s") from None
    if done.returncode != 0:
        raise NoGraphviz(f"dot drew no map: {done.stderr.decode(errors='replace').strip()[:300]}")
    drawn = done.stdout.decode()
    return drawn[drawn.index("<svg"):].rstrip()


def file(drawn: str) -> str:
    """As a picture of its own, with its colours for light and dark."""
    style = (
        f"<style>svg {{ {PAPER[0]} {variables(False)} }}\n@media (prefers-color-scheme: dark) {{ svg {{ {PAPER[1]} "
        f"{variables(True)} }} }}\nsvg {{ background: var(--paper); }}\n{rules()}\n{STYLE}</style>")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + re.sub(
        r"(<svg[^>]*>)", lambda found: found.group(1) + style, drawn, count=1) + "\n"
