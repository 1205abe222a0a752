# SPDX-License-Identifier: MIT
"""The page: everything that the template shows. Jinja2 escapes it; what is markup already says so."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from . import blocked, counts, graph, hardware, life, memory, owners, picture
from .record import Record, integer, size_text

HERE = Path(__file__).parent
WIDE_ENOUGH = 0.05  # of a bar, for a name
MOST_OUTPUT = 60    # lines of a guest
MOST_TROUBLES = 40
MOST_BLOCKED = 200  # functions and addresses


@dataclass
class Report:
    """What a record says, subject by subject."""

    record: Record
    answer: hardware.Answer | None
    units: list
    devices: list
    memory: list
    domains: list
    processors: list
    blocked: list
    guests: list
    owners: owners.Owners

    @classmethod
    def of(cls, record: Record) -> "Report":
        answer = hardware.best_map(record)
        devices = hardware.devices(record, answer)
        physical = memory.physical(record, answer)
        guests = life.guests(record)
        named = [guest.name for guest in guests] + [space.owner for space in memory.processors(record, answer)]
        return cls(record, answer, hardware.units(record, answer), devices, physical,
                   memory.domains(record, answer, devices), memory.processors(record, answer),
                   blocked.blocked(record, physical, devices), guests, owners.Owners(named))

    def graph(self) -> str:
        return graph.dot(self.units, self.devices, self.domains, self.memory, self.blocked, self.owners)


def missing(report: Report) -> list[str]:
    """What the log does not have, and what the page does about it."""
    record = report.record
    notes = []
    if record.torn:
        notes.append("The log ends in the middle of a line, which is left out.")
    if record.boots == 0:
        notes.append("There is no boot.start: the beginning of the log is missing.")
    elif record.boots > 1:
        notes.append(f"The log has {record.boots} boots; this is the last one.")
    if report.answer is None:
        notes.append(
            "Nobody asked `map` at the prompt: owners are those that the log names, domains are drawn from guests' memory, "
            "and rights are not known.")
    if not report.guests:
        notes.append("There is no guest.")
    if not report.units:
        notes.append("No VT-d unit is in use: no function can be given to a guest, and no DMA is judged.")
    if not record.of("run.verdict"):
        notes.append("There is no run.verdict: the guests had not all ended when the log did.")
    if record.answer("exits") is None:
        notes.append("Nobody asked `exits` at the prompt: there is only each guest's number of all exits.")
    if counts.audit_answer(record) is None:
        notes.append("Nobody asked `audit -v` at the prompt: only the log's own audits are here.")
    unexplained = sum(one.why is None for one in report.blocked)
    if unexplained:
        notes.append(f"{unexplained} of {len(report.blocked)} blocked addresses have no answer to `why`.")
    dropped = sum(integer(line.get("lines")) or 0 for line in record.of("log.dropped"))
    if dropped:
        notes.append(f"Cores logged too fast: {dropped} lines were dropped.")
    return notes


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def summary(report: Report) -> str:
    """The run in a sentence or two."""
    record = report.record
    lent = [device for device in report.devices if report.owners.is_guest(device.owner)]
    virtual = sum(device.kind == "vf" for device in lent)
    refused = len({line.get("guest") for line in record.of("guest.refused")})
    words = [_count(len(report.guests), "guest") if report.guests else "No guest ran"]
    if refused:
        words[0] += f" ({refused} refused)"
    if lent:
        kinds = [
            _count(count, kind)
            for count, kind in ((virtual, "virtual function"), (len(lent) - virtual, "whole function")) if count
        ]
        words.append("with " + " and ".join(kinds) + " of their own")
    text = " ".join(words) + "."
    faults = record.of("dma.fault")
    if faults:
        who = list(dict.fromkeys(line.get("guest", "?") for line in faults))
        text += f" {_count(len(faults), 'DMA access', 'DMA accesses')} blocked, all from {', '.join(who)}."
    else:
        text += " No DMA access was blocked."
    violations, audits = record.of("audit.violation"), record.of("audit.ok")
    if violations:
        text += f" The audit found {_count(len(violations), 'violation')}."
    elif audits:
        text += f" {_count(len(audits), 'audit')}, no violation."
    return text


def verdict(record: Record) -> tuple[str, str]:
    """A word for the style, and what to say."""
    results = [line.get("result", "?") for line in record.of("run.verdict")]
    if not results:
        return "open", "no verdict"
    return ("ok", "verdict: ok") if all(result == "ok" for result in results) else ("failed", "verdict: failed")


def facts(report: Report) -> list[tuple[str, str]]:
    record = report.record
    backend = record.value("cpu.backend", "name")
    units = record.of("iommu.enabled")
    iommu = ", ".join(f"{key} {value}" for key, value in units[0].fields.items()
                      if key in ("units", "levels", "ir", "page")) if units else ""
    found = [("configuration", record.value("config.read", "file")), ("booted", record.value("clock.date", "utc")),
             ("Bulkhead",
              " ".join(filter(None, (record.value("boot.start", "version"), record.value("boot.start", "commit"))))),
             ("loader", record.value("boot.start", "loader")),
             ("CPU virtualization", {"svm": "SVM", "vmx": "VMX"}.get(backend, backend)),
             ("cores", record.value("cpu.online", "count")), ("VT-d", iommu),
             ("log", f"{record.source}, {record.lines} lines")]
    return [(name, value) for name, value in found if value]


def legend(report: Report) -> list[tuple[str, str, str]]:
    """Owner, style and what is his, for guests first."""
    rows = []
    for name in report.owners.guests:
        mine = [device.name or device.rid for device in report.devices if device.owner == name]
        ram = sum(span.size for space in report.processors if space.owner == name for span in space.spans if span.ram)
        rows.append((name, report.owners.style(name), ", ".join([*([size_text(ram)] if ram else []), *mine])
                     or "no device"))
    return rows


@dataclass
class Bar:
    """A part of a bar, in percent of its length."""

    style: str
    left: float
    width: float
    words: str
    label: str = ""


def ram(report: Report) -> tuple[list[Bar], int]:
    """RAM in true proportion, and where it ends: behind the highest that a guest has or nobody."""
    ends = [one.end for one in report.memory if one.owner == "free"]
    ends += [span.physical + span.size for space in report.processors for span in space.spans if span.ram]
    end = max(ends, default=0)
    return [Bar(report.owners.style(one.owner), 100 * one.physical / end, 100 * one.size / end,
                f"{one.owner}: {one.physical:#x} to {one.end - 1:#x}, {size_text(one.size)}",
                one.owner if one.size / end > WIDE_ENOUGH else "")
            for one in report.memory if end and one.end <= end], end


def spaces(report: Report) -> list[dict]:
    """The pictures, those with something blocked first; a domain beside the CPUs' view of the same guest."""
    backend = {"svm": "NPT", "vmx": "EPT"}.get(report.record.value("cpu.backend", "name"), "EPT or NPT")
    out = []
    for name in dict.fromkeys([space.owner for space in report.domains] + [space.owner for space in report.processors]):
        drawings = []
        for space in (space for space in report.domains if space.owner == name):
            rids = {device.rid for device in space.devices}
            hits = [one for one in report.blocked if one.rid in rids]
            names = ", ".join(device.name or device.rid for device in space.devices) or "no function now"
            drawings.append({
                "title": f"DMA domain {space.domain}".strip(), "words": names, "hits": len(hits),
                "svg": picture.picture(space, hits, report.memory, report.owners, ("device's address", "VT-d"))
            })
        for space in (space for space in report.processors if space.owner == name):
            drawings.append({
                "title": "CPUs", "words": f"guest physical memory, through {backend}", "hits": 0,
                "svg": picture.picture(space, (), report.memory, report.owners, ("CPU's address", backend))
            })
        out.append({"owner": name, "style": report.owners.style(name), "drawings": drawings,
                    "hits": sum(drawing["hits"] for drawing in drawings)})
    return sorted(out, key=lambda one: (-one["hits"], not report.owners.is_guest(one["owner"])))


def _marks(row: life.Row, end: float) -> list[dict]:
    """Marks in percent; those of a kind that would lie over each other are one."""
    places: dict[tuple[str, float], list[life.Mark]] = {}
    for mark in row.marks:
        places.setdefault((mark.kind, round(100 * mark.time / end, 1)), []).append(mark)
    return [{
        "kind": kind, "left": 100 * marks[0].time / end,
        "words": f"{marks[0].time:.3f} s: {marks[0].words}" + (f", and {len(marks) - 1} more" if marks[1:] else "")
    } for (kind, _), marks in places.items()]


def _in_words(row: life.Row) -> str:
    parts = [f"{row.name}, {part.kind}: {part.start:.3f} to {part.end:.3f} s" + (", cut" if part.open else "")
             for part in row.parts]
    names = {"fault": "blocked access", "event": "event", "audit": "audit"}
    kinds = [mark.kind for mark in row.marks]
    parts += [_count(kinds.count(kind), name, "blocked accesses" if kind == "fault" else "")
              for kind, name in names.items() if kind in kinds]
    return "; ".join(parts) or f"{row.name}: nothing"


def timeline(report: Report) -> dict:
    """Rows in percent of the time that the log covers."""
    end = report.record.end or 1.0
    rows = [("boot", row) for row in life.phases(report.record)] + [("guest", guest.row) for guest in report.guests]
    audits = life.audits(report.record)
    if audits.marks:
        rows.append(("audit", audits))
    shown = []
    for group, row in rows:
        length = sum(part.end - part.start for part in row.parts if part.kind in ("boot", "runs"))
        shown.append({
            "group": group, "name": row.name, "style": report.owners.style(row.owner),
            "length": f"{length:.3f} s" if row.parts else "", "words": _in_words(row), "marks": _marks(row, end),
            "parts": [{
                "kind": part.kind, "left": 100 * part.start / end, "width": 100 * (part.end - part.start) / end,
                "words": f"{part.kind}: {part.start:.3f} to {part.end:.3f} s"
            } for part in row.parts]
        })
    return {
        "rows": shown, "end": end, "paused": any(part.kind == "paused" for _, row in rows for part in row.parts),
        "ticks": [(100 * tick / end, f"{tick:g}") for tick in life.ticks(end)]
    }


def tree(report: Report) -> list[tuple]:
    """The functions that are below no other, for each unit, and those that no unit judges."""
    top = hardware.top(report.devices)
    known = {unit.number for unit in report.units}
    if len(known) == 1 and not any(device.unit for device in top):  # as a log without `map` has it
        return [(report.units[0], top)]
    groups = [(unit, [device for device in top if device.unit == unit.number]) for unit in report.units]
    rest = [device for device in top if device.unit not in known]
    return [(unit, found) for unit, found in groups if found] + ([(None, rest)] if rest else [])


def exits(report: Report) -> dict:
    """A row for each kind, a column for each vCPU, with the length of its bar."""
    found = counts.exits(report.record)
    kinds = sorted({kind for numbers in found.values() for kind in numbers},
                   key=lambda kind: -sum(numbers.get(kind, 0) for numbers in found.values()))
    most = max((count for numbers in found.values() for count in numbers.values()), default=0) or 1
    return {"vcpus": [(name, report.owners.style(name.split()[0])) for name in found],
            "rows": [(kind, [(numbers.get(kind, 0), 100 * numbers.get(kind, 0) / most) for numbers in found.values()])
                     for kind in kinds],
            "sums": [sum(numbers.values()) for numbers in found.values()],
            "in_all": counts.exits_in_all(report.record), "serial": counts.serial_lines(report.record)}


def _ticks(text: str) -> Markup:
    """What is in backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _pixels(drawn: str) -> int:
    """Its width: dot says points."""
    found = re.match(r'<svg width="(\d+)pt"', drawn)
    return int(found.group(1)) * 4 // 3 if found else 0


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
                                     lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["ticks"] = _ticks
    return environment.get_template("page.html")


def render(report: Report, drawn: str, drawing_missing: str) -> str:
    """`drawn` is the map's SVG, or "" with the reason why there is none."""
    style = (HERE / "page.css").read_text()
    style = style.replace("/* light */", owners.variables(False)).replace("/* dark */", owners.variables(True))
    style += owners.rules() + graph.STYLE
    record = report.record
    bars, ram_end = ram(report)
    audit = counts.audit_answer(record)
    return _template().render(
        style=Markup(style), report=report, record=record, summary=summary(report), verdict=verdict(record),
        facts=facts(report), missing=missing(report), troubles=counts.troubles(record), most_troubles=MOST_TROUBLES,
        legend=legend(report), tree=tree(report), ram=bars, ram_end=f"{max(ram_end - 1, 0):#x}", spaces=spaces(report),
        timeline=timeline(report), exits=exits(report), faults=report.blocked[:MOST_BLOCKED],
        faults_left_out=max(0, len(report.blocked) - MOST_BLOCKED), audit=audit, invariants=counts.invariants(audit),
        audits=record.of("audit.ok"), violations=record.of("audit.violation"), most_output=MOST_OUTPUT,
        graph=Markup(re.sub(r"<!--.*?-->\n?", "", drawn, flags=re.S)), natural=_pixels(drawn),
        graph_missing=drawing_missing, size_text=size_text)
