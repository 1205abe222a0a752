#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Says what the hypervisor will say to a configuration, by its own parser: FILE:LINE:COLUMN: what is wrong and what is
allowed. `make check-config FILE=my.conf` builds the parser and runs this.

With a preflight report of the machine (--report) also what that machine has not got of what is asked for; such lines, and
those about files that have to come onto the medium, are warnings. The report itself has more (docs/preflight.md).

Exit status: 0 when there is no error, 1 when there is one, 2 when something cannot be read."""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/machine"))
sys.path.insert(0, str(ROOT / "tests"))
import choices  # noqa: E402
import configuration  # noqa: E402
from configuration import Complaint  # noqa: E402

MIB = 1 << 20
# What make has for guests beside its own programs: Linux, put in by the runner.
LINUX = re.compile(r"(vmlinuz|initrd|initrd-dpdk)-(12|13)")
# What is left to guests once the loader is done.
FREE = ("free", "boot-code", "boot-data", "loader-code", "loader-data")


class Unreadable(Exception):
    """A file cannot be read or is not what it should be."""


def built_images() -> set[str]:
    return {f"{source.stem}.elf" for source in (ROOT / "guest/programs").glob("*.c")} | {"architecture.elf", "multiboot.elf"}


def missing_files(read: dict, folder: Path) -> Iterator[Complaint]:
    """Images that neither make puts onto a medium nor lie beside the configuration."""
    there = built_images()
    for guest in read["guests"]:
        for key in ("image", "initrd"):
            name = guest[key]
            if name and name not in there and not LINUX.fullmatch(name) and not (folder / name).is_file():
                yield Complaint(*guest[f"{key}_at"], f"'{name}' is not among the images that make builds nor beside this file; "
                                f"add it to the medium with FILES={name}{choices.nearest(name, there)}")


def loaded_report(name: str):
    from machine import preflight  # needs packages that this program does without otherwise
    try:
        return preflight.load(Path(name))
    except (preflight.ReportError, OSError) as problem:
        raise Unreadable(str(problem)) from None


def lacking(read: dict, report) -> Iterator[Complaint]:
    """What the machine of the report has not got."""
    functions, cards = list(report.all("pci.function")), {card["pf"]: card for card in report.all("pci.sriov")}
    units = report.first("iommu.unit")
    for nic in read["nics"]:
        place, device = nic["at"], nic["device"].removeprefix("0000:")
        found = [one for one in functions if device in (one["id"], one["rid"])]
        if not found:
            near = choices.nearest(device, {one["id"] for one in functions})
            yield Complaint(*place, f"{nic['name']}: that machine has no function {device}{near}")
        elif nic["vfs"] and not any(one["rid"] in cards for one in found):
            yield Complaint(*place, f"{nic['name']}: {device} has no SR-IOV on that machine, and vfs = {nic['vfs']} asks for it")
        elif nic["vfs"] and (most := max(cards[one["rid"]].integer("total") for one in found if one["rid"] in cards)) < nic["vfs"]:
            yield Complaint(*place, f"{nic['name']}: {device} has {most} VFs on that machine, and vfs = {nic['vfs']} asks for more")
        if units is None:
            yield Complaint(*place, f"{nic['name']}: that machine has no VT-d unit, so guests get no devices")
    guests = read["guests"]
    if not guests:
        return
    free = sum(line.integer("kib") for line in report.all("memory.type") if line["name"] in FREE) >> 10
    asked = sum(guest["memory"] for guest in guests) // MIB
    if asked > free:
        yield Complaint(*guests[-1]["at"], f"the guests ask for {asked} MiB together; that machine has {free} MiB for them")
    cores = report.one("cpu.threads").integer("enabled") - 1
    wanted = sum(guest["cpus"] for guest in guests)
    if wanted > cores:
        yield Complaint(*guests[-1]["at"], f"the guests ask for {wanted} cores together; that machine has {cores} beside the "
                        "hypervisor's")
    for guest in guests:
        if any(core > cores for core in guest["cores"]):
            yield Complaint(*guest["at"], f"{guest['name']}: that machine has the cores 1 to {cores} for guests")


def count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def check(path: Path, report) -> int:
    """Prints what there is to say about one file; the number of errors."""
    text = configuration.text_of(path)
    read, errors = configuration.parse(text), configuration.complaints(text)
    for error in errors:
        print(f"{path}:{error}")
    warnings = [*missing_files(read, path.parent), *(lacking(read, report) if report else ())]
    for warning in sorted(warnings, key=lambda one: (one.line, one.column)):
        print(f"{path}:{warning.line}:{warning.column}: warning: {warning.message}")
    if errors:
        print(f"{path}: {count(len(errors), 'error')}; what has one is left out, and the run's verdict is failed")
    elif not read["guests"]:
        print(f"{path}: no error, and no guest: the verdict would be failed")
    else:
        print(f"{path}: no error: {count(len(read['guests']), 'guest')} on {count(sum(g['cpus'] for g in read['guests']), 'core')}, "
              f"{sum(g['memory'] for g in read['guests']) // MIB} MiB, {count(len(read['nics']), 'card')}")
    return len(errors)


def names(options: argparse.Namespace) -> list[Path]:
    """The files. One argument may be a list with blanks, as make has it."""
    found = []
    for word in options.files:
        found += [Path(word)] if Path(word).exists() or not word.split() else [Path(part) for part in word.split()]
    if options.scenario:
        found.append(ROOT / "config" / f"{choices.scenario(options.scenario)}.conf")
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--scenario", metavar="NAME", help="the configuration of that name in config/")
    parser.add_argument("--report", metavar="FILE", help="preflight.txt of a machine, a folder with it or an image of the stick")
    options = parser.parse_args(argv)
    try:
        if not configuration.TOOL.exists():
            subprocess.run(["make", "-s", "-C", ROOT, configuration.TOOL.relative_to(ROOT)], check=True, stdout=sys.stderr)
        files = names(options)
        if not files:
            raise Unreadable("name a configuration: make check-config FILE=my.conf, or SCENARIO=sriov")
        report = loaded_report(options.report) if options.report else None
    except (Unreadable, choices.Refused, OSError, subprocess.SubprocessError, ImportError) as problem:
        print(f"check-config: error: {problem}", file=sys.stderr)
        return 2
    status = 0
    for path in files:
        try:
            status = max(status, 1 if check(path, report) else 0)
        except (OSError, ValueError, configuration.ToolError) as problem:
            words = f"{path}: {problem.strerror}" if isinstance(problem, OSError) and problem.strerror else str(problem)
            print(f"check-config: error: {words}", file=sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main())
