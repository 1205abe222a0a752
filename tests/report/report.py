#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Draws a run as a page (HTML), a trace for ui.perfetto.dev and chrome://tracing (JSON), and a map (SVG).

    report.py --scenario sriov                boots it, asks the prompt, draws
    report.py --log build/run/1-0/serial.log  draws what a log has"""

import argparse
import os
import signal
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    __package__ = "report"
from machine import MachineError, choose_machine, paths, scenario  # noqa: E402
from machine import run as runner  # noqa: E402
from machine.disk import ImageError  # noqa: E402

BUILD = paths.REPOSITORY / "build"
PAGE = BUILD / "report.html"
LARGEST = 512 << 20  # bytes of a log


class Refused(Exception):
    """What cannot be drawn or written. The text says why, and what to do."""


def say(text: str) -> None:
    print(f"report: {text}", file=sys.stderr, flush=True)


def arguments(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="What else is given goes to tests/machine/run.py: --scenario, --machine, --like, --qemu, --cpus, ...")
    parser.add_argument("--log", type=Path, metavar="FILE", help="draw this serial log, and boot nothing")
    parser.add_argument("--to",
                        type=Path,
                        metavar="FILE",
                        help="the page; trace and map go beside it (default: build/report.html, "
                        "build/run.trace.json, build/run.map.svg)")
    parser.add_argument("--for",
                        type=float,
                        metavar="S",
                        dest="seconds",
                        help="stop the guests S seconds after they started; "
                        "default: when they have ended")
    options, others = parser.parse_known_args(argv)
    if options.seconds is not None and not 0 < options.seconds < 86400:
        parser.error(f"argument --for: {options.seconds:g}: give more than 0 and less than 86400 seconds")
    if options.log and others:
        parser.error(f"{' '.join(others)}: nothing is booted with --log")
    return options, others


def outputs(to: Path | None) -> tuple[Path, Path, Path]:
    """Page, trace and map. They can be written, as far as one can know before."""
    page = to or PAGE
    if page.suffix.lower() not in (".html", ".htm"):
        raise Refused(f"{page}: a page's name ends in .html (TO=folder/name.html)")
    if to is None:
        page.parent.mkdir(exist_ok=True)
    if not page.parent.is_dir():
        raise Refused(f"{page}: there is no folder {page.parent}: make it first")
    stem = "run" if to is None else page.stem
    files = page, page.parent / f"{stem}.trace.json", page.parent / f"{stem}.map.svg"
    for file in files:
        if file.is_dir():
            raise Refused(f"{file} is a folder: name a file")
    if not os.access(page.parent, os.W_OK):
        raise Refused(f"{page.parent}: nothing may be written there")
    return files


def load(path: Path) -> bytes:
    if path.is_dir():
        raise Refused(f"{path} is a folder: name the log, such as build/run/*/serial.log")
    if not path.is_file():
        raise Refused(f"{path}: there is no such file")
    if path.stat().st_size > LARGEST:
        raise Refused(
            f"{path}: {path.stat().st_size} bytes are more than the {LARGEST} that a report is made of: cut out the boot"
        )
    return path.read_bytes()


def boot(words: list[str], seconds: float | None) -> Path:
    """Runs it with the prompt asked; returns the serial log."""
    from . import capture
    options = runner.arguments(words)
    runner.made(options)
    name, reason = (options.machine, "as asked") if options.machine else choose_machine()
    configuration = scenario.text_of(options.scenario)
    limit = options.timeout or runner.DEFAULT_LIMIT[name] + scenario.overwriting(configuration) + capture.RESERVE
    batch = not capture.can_answer(runner.specification(options, False, name))
    with runner.started(name, reason, options, False, limit, batch=batch, show=lambda data: None) as run:
        capture.follow(run, configuration, seconds, say)
    errors = run.emulator_messages()
    if errors and not any(line.matches("run.verdict", {"result": "ok"}) for line in run.events):
        say(f"the emulator says: {errors}")
    return run.directory / "serial.log"


def shown(path: Path) -> str:
    """Its name in the page: below the tree, where it can be."""
    try:
        return str(path.resolve().relative_to(paths.REPOSITORY))
    except ValueError:
        return str(path)


def write(path: Path, text: str) -> None:
    """All of it or nothing."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def draw(data: bytes, source: str, files: tuple[Path, Path, Path]) -> None:
    from . import graph, page, record, trace
    try:
        report = page.Report.of(record.read(data, source))
    except record.NoLog as error:
        raise Refused(f"{source}: {error}") from None
    drawn, why_not = "", ""
    try:
        drawn = graph.draw(report.graph()) if report.devices else ""
        why_not = "" if drawn else "The log has no PCI function."
    except graph.NoGraphviz as error:
        why_not = str(error)
        say(f"no map: {error}")
    write(files[0], page.render(report, drawn, why_not))
    write(files[1], trace.text(report.record, report.guests))
    if drawn:
        write(files[2], graph.file(drawn))
    else:
        files[2].unlink(missing_ok=True)
    for note in page.missing(report):
        say(f"note: {note}")
    say(f"{page.summary(report)} {page.verdict(report.record)[1]}")
    say(f"open {files[0]} (in a browser), {files[1]} (in ui.perfetto.dev)" + (f", {files[2]}" if drawn else ""))


def main(argv: list[str] | None = None) -> int:
    options, others = arguments(argv)
    try:
        import jinja2  # noqa: F401
    except ImportError:
        say("error: Python's jinja2 is not on this computer: tests/machine/setup.sh report installs it")
        return 2
    try:
        files = outputs(options.to)
        log = options.log or boot(others, options.seconds)
        draw(load(log), shown(log), files)
    except (Refused, MachineError, ImageError, paths.MissingEmulators, OSError, ValueError) as error:
        say(f"error: {error}")
        return 2
    return 0


if __name__ == "__main__":
    # So that the machine is stopped in good order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
