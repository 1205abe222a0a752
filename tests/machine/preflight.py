# SPDX-License-Identifier: MIT
"""The preflight report that the EFI application writes (docs/preflight.md): reading it, from anywhere, and saying what
is wrong with a file that is none."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import disk

FORMAT = 1
FILE = "preflight.txt"
FOLDER = "tables"
LARGEST = 4 << 20
TABLE_LARGEST = 16 << 20
REPORTS = Path(__file__).resolve().parent / "reports"

_HEAD = re.compile(r"([a-z][a-z0-9_]*\.[a-z][a-z0-9_.]*)(?: |$)")
_PAIR = re.compile(r'([a-z][a-z0-9_]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)')
_QUOTED = re.compile(r"\\(.)")
_SIGNATURE = re.compile(r"[A-Z0-9]{4}")
_AGAIN = "copy \\bulkhead\\preflight.txt from the stick once more"


class ReportError(ValueError):
    """What is not a report of a preflight, or not a whole one: where, what is there, and what to do."""


@dataclass(frozen=True)
class Line:
    """One line. `number` counts from 1."""

    number: int
    event: str
    fields: dict[str, str]

    def __getitem__(self, key: str) -> str:
        if key not in self.fields:
            raise ReportError(f"line {self.number}: {self.event} has no {key}=; the file was changed, or a newer Bulkhead wrote it")
        return self.fields[key]

    def get(self, key: str, default: str = "") -> str:
        return self.fields.get(key, default)

    def has(self, key: str) -> bool:
        """A yes."""
        return self.fields.get(key) == "yes"

    def integer(self, key: str) -> int:
        """Decimal, or hexadecimal with 0x."""
        text = self[key]
        try:
            return int(text, 0)
        except ValueError:
            raise ReportError(f"line {self.number}: {self.event} {key}={text} is not a number; the file was changed") from None


@dataclass
class Report:
    """A whole report, and the raw tables that were beside it."""

    lines: list[Line] = field(default_factory=list)
    tables: dict[str, bytes] = field(default_factory=dict)
    text: bytes = b""
    remarks: list[str] = field(default_factory=list)

    def all(self, event: str, **wanted: str) -> Iterator[Line]:
        return (line for line in self.lines
                if line.event == event and all(line.fields.get(key) == value for key, value in wanted.items()))

    def first(self, event: str, **wanted: str) -> Line | None:
        return next(self.all(event, **wanted), None)

    def one(self, event: str) -> Line:
        line = self.first(event)
        if line is None:
            raise ReportError(f"there is no line {event}: a Bulkhead of another format wrote it, or the file was changed")
        return line


def digest(content: bytes) -> int:
    """FNV-1a, 64 bits, as the report has it."""
    value = 0xcbf29ce484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return value


def parse_line(number: int, text: str) -> Line:
    head = _HEAD.match(text)
    if not head:
        raise ReportError(f"line {number}: {text[:40]!r} is not an event (subsystem.name key=value ...); the file was changed")
    fields: dict[str, str] = {}
    at = head.end()
    while at < len(text):
        pair = _PAIR.match(text, at)
        if not pair:
            raise ReportError(f"line {number}, column {at + 1}: {text[at:at + 40]!r} is not key=value; the file was changed")
        value = pair[2]
        fields[pair[1]] = _QUOTED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
        at = pair.end()
    return Line(number, head[1], fields)


def _text_of(content: bytes) -> str:
    for at, byte in enumerate(content):
        if byte != 10 and not 0x20 <= byte <= 0x7e:
            raise ReportError(f"byte {at} is 0x{byte:02x}: this is not a report, or it is damaged; {_AGAIN}")
    return content.decode("ascii")


def parse(content: bytes) -> Report:
    """The report, checked against its own last line. Line ends of other systems are accepted."""
    if len(content) > LARGEST:
        raise ReportError(f"{len(content)} bytes are more than a report has; name preflight.txt, a folder with it, or an "
                          "image of the stick")
    if not content:
        raise ReportError(f"the file is empty; {_AGAIN}")
    content = content.replace(b"\r\n", b"\n")
    text = _text_of(content)
    if not text.startswith("preflight.start "):
        raise ReportError(f"it begins with {text[:20]!r}, not with preflight.start: this is not a report of a preflight")
    *complete, rest = text.split("\n")
    if rest:
        raise ReportError(f"line {len(complete) + 1} has no end: the file was cut after {len(content)} bytes; {_AGAIN}")
    start = parse_line(1, complete[0])
    if start.integer("format") != FORMAT:
        raise ReportError(f"format {start['format']} is not {FORMAT}: use the tool of Bulkhead {start.get('version', '?')}, "
                          "which wrote it")
    lines = [parse_line(number, line) for number, line in enumerate(complete, 1)]
    end = lines[-1]
    if end.event != "preflight.end":
        raise ReportError(f"it ends in line {len(lines)} ({end.event}), not with preflight.end: the file was cut after "
                          f"{len(content)} bytes; {_AGAIN}")
    body = content[:content.rindex(b"preflight.end ")]
    for key, is_now, what in (("bytes", len(body), "bytes"), ("lines", len(lines) - 1, "lines"), ("digest", digest(body), "as digest")):
        if end.integer(key) != is_now:
            raise ReportError(f"{is_now:#x} {what} before preflight.end, which says {end.integer(key):#x}: the file was "
                              f"changed or damaged; {_AGAIN}")
    report = Report(lines, text=content)
    if end.integer("lost"):
        report.remarks.append(f"{end['lost']} lines did not fit into the report when it was made")
    return report


def _check_table(report: Report, name: str, content: bytes) -> None:
    saved = report.first("table.saved", name=name)
    if saved is None:
        report.remarks.append(f"{FOLDER}/{name}.bin is of another machine or an earlier boot: the report knows of no such "
                              "table; it is not used")
    elif len(content) != saved.integer("length") or digest(content) != saved.integer("digest"):
        report.remarks.append(f"{FOLDER}/{name}.bin is not the one that the report tells of ({len(content)} bytes of "
                              f"{saved['length']}): cut, or of another boot; it is not used")
    else:
        report.tables[name] = content


def _add_tables(report: Report, files: dict[str, bytes]) -> Report:
    for name, content in sorted(files.items()):
        stem = name.rpartition(".")[0].upper()
        if _SIGNATURE.fullmatch(stem):
            _check_table(report, stem, content)
    for saved in report.all("table.saved"):
        if saved["name"] not in report.tables and saved["name"] not in {name.rpartition(".")[0].upper() for name in files}:
            report.remarks.append(f"{FOLDER}/{saved['name']}.bin is missing: the folder {FOLDER} belongs to the report")
    return report


def _is_image(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(520)[512:] == b"EFI PART"


def _tables_of_image(image: Path, report: bytes) -> dict[str, bytes]:
    files = {}
    for line in parse(report).all("table.saved"):
        try:
            files[f"{line['name']}.bin"] = disk.read_from_image(image, f"/bulkhead/{FOLDER}/{line['name']}.bin")
        except disk.ImageError:
            pass  # a remark later
    return files


def _find(folder: Path, name: str) -> Path | None:
    """FAT knows no case."""
    return next((entry for entry in sorted(folder.iterdir()) if entry.name.lower() == name), None)


def _read(path: Path, largest: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(largest + 1)


def _load_folder(folder: Path) -> Report:
    found = _find(folder, FILE)
    below = _find(folder, "bulkhead")
    if found is None and below is not None and below.is_dir():
        return _load_folder(below)
    if found is None or not found.is_file():
        raise ReportError(f"{folder} has no {FILE}: name the report, the folder with it, or an image of the stick")
    tables = _find(folder, FOLDER)
    files = {entry.name: _read(entry, TABLE_LARGEST) for entry in tables.iterdir() if entry.is_file()} if tables else {}
    return _add_tables(parse(_read(found, LARGEST)), files)


def load(path: Path) -> Report:
    """From the report itself (with the tables beside it), a folder, a mounted stick, or an image of one."""
    try:
        if path.is_dir():
            return _load_folder(path)
        if not path.is_file():
            raise ReportError(f"{path}: there is no such file or folder")
        if _is_image(path):
            try:
                content = disk.read_from_image(path, f"/bulkhead/{FILE}")
            except disk.ImageError:
                raise ReportError(f"{path}: no \\bulkhead\\{FILE} can be read from this image: boot it on the machine once, then "
                                  "name the stick") from None
            return _add_tables(parse(content), _tables_of_image(path, content))
        report, tables = parse(_read(path, LARGEST)), path.parent / FOLDER
        files = {entry.name: _read(entry, TABLE_LARGEST) for entry in tables.iterdir() if entry.is_file()} if tables.is_dir() else {}
        return _add_tables(report, files)
    except (OSError, disk.ImageError, subprocess.SubprocessError) as problem:
        raise ReportError(f"{path}: {problem}") from None


def keep(report: Report, name: str, where: Path = REPORTS) -> Path:
    """Stores it for the tests, under a name of its own."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name):
        raise ReportError(f"NAME={name}: use lower-case letters, digits and -")
    folder = where / name
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(report.text)
    for signature, content in report.tables.items():
        (folder / FOLDER / f"{signature}.bin").write_bytes(content)
    return folder
