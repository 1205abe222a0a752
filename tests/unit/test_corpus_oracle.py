# SPDX-License-Identifier: MIT
"""The DMAR parser and ACPICA's disassembler must read the same out of real machines' tables."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

from conftest import ROOT, make

CORPUS = Path(os.environ.get("BULKHEAD_DMAR_CORPUS", ROOT / "../shared/reference/dmar-corpus"))
ENOUGH = 200
DRHD, RMRR, ATSR, RHSA, ANDD, SATC, SIDP = range(7)
# A line of a disassembly: [030h 0048   2]  Subtable Type : 0000 [Hardware Unit Definition]
FIELD = re.compile(r"\[([0-9A-F]+)h \d+ +\w+\] +(.+?) : (.*)")


@pytest.fixture(scope="module")
def tool() -> Path:
    result = make("build/dmar")
    assert result.returncode == 0, result.stdout + result.stderr
    return ROOT / "build/dmar"


def run_tool(tool: Path, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run([tool, *arguments], cwd=ROOT, text=True, capture_output=True, timeout=60)


def disassemble(folder: Path, names: list[str]) -> None:
    """Makes NAME.dsl of each NAME.dmar in the folder, where iasl can."""
    for name in names:
        (folder / f"{name}.dsl").unlink(missing_ok=True)
    command = ["iasl", "-d"]
    files = [f"{name}.dmar" for name in names]
    subprocess.run([*command, *files], cwd=folder, capture_output=True, timeout=60)
    for name, file in zip(names, files):  # one bad table may have ended the run for those after it
        if not (folder / f"{name}.dsl").exists():
            subprocess.run([*command, file], cwd=folder, capture_output=True, timeout=10)


def number(fields: dict, name: str) -> int:
    return int(fields[name].split()[0], 16)


def oracle_scope(offset: int, fields: dict, path: list[str]) -> dict:
    flags = number(fields, "Flags") if "Flags" in fields else number(fields, "Reserved") & 0xff
    if number(fields, "Entry Length") != 6 + 2 * len(path):
        raise ValueError("the length of a scope is not that of its path")
    hops = [[int(part, 16) for part in hop.split(",")] for hop in path]
    return {"what": "scope", "offset": offset, "type": number(fields, "Device Scope Type"), "flags": flags,
            "id": number(fields, "Enumeration ID"), "bus": number(fields, "PCI Bus Number"),
            "path": "/".join(f"{device:02x}.{function:x}" for device, function in hops)}


def oracle_structure(offset: int, fields: dict, original: int | None) -> dict:
    """Fields that a type does not have are 0, as in `struct dmar_structure`."""
    kind = number(fields, "Subtable Type") if original is None else original
    found = {"what": "structure", "offset": offset, "type": kind, "length": number(fields, "Length"), "flags": 0,
             "segment": 0, "base": 0, "limit": 0, "size": 0, "proximity": 0, "device": 0, "name": ""}
    if kind in (DRHD, ATSR, SATC):
        found["flags"] = number(fields, "Flags")
    if kind in (DRHD, RMRR, ATSR, SATC, SIDP):
        found["segment"] = number(fields, "PCI Segment Number")
    if kind == DRHD:
        # Reserved until VT-d 4.0 made it the size: 4 KiB << its low four bits.
        size = next(name for name in fields if name.startswith("Size") or name == "Reserved")
        found |= {"base": number(fields, "Register Base Address"), "size": 4096 << (number(fields, size) & 15)}
    elif kind == RMRR:
        found |= {"base": number(fields, "Base Address"), "limit": number(fields, "End Address (limit)")}
    elif kind == RHSA:
        found |= {"base": number(fields, "Base Address"), "proximity": number(fields, "Proximity Domain")}
    elif kind == ANDD:
        name = re.fullmatch(r'"(.*)"', fields["Device Name"]).group(1)
        found |= {"device": number(fields, "Device Number"), "name": name}
    return found


def read_disassembly(text: str, disguised: dict[int, int]) -> tuple[list[dict], tuple[int, int] | None]:
    """Structures and scopes, and the offset and type of the one that iasl does not know (it stops there).

    `disguised` gives the true types of structures, by offset."""
    blocks: list[tuple[int, dict, list[str]]] = [(0, {}, [])]
    for offset, name, value in FIELD.findall(text):
        if name in ("Subtable Type", "Device Scope Type"):
            blocks.append((int(offset, 16), {}, []))
        if name == "PCI Path":
            blocks[-1][2].append(value)
        else:
            blocks[-1][1].setdefault(name, value.strip())
    header = blocks.pop(0)[1]
    found = [{"what": "header", "length": number(header, "Table Length"),
              "width": number(header, "Host Address Width") + 1, "flags": number(header, "Flags")}]
    for offset, fields, path in blocks:
        if "Device Scope Type" in fields:
            found.append(oracle_scope(offset, fields, path))
        elif "[Unknown" in fields["Subtable Type"]:
            # The number in that line is the last it knows plus one, whatever is in the table.
            return found, (offset, int(re.search(r"Unknown DMAR subtable type 0x([0-9A-F]+)", text).group(1), 16))
        else:
            found.append(oracle_structure(offset, fields, disguised.get(offset)))
    return found, None


def oracle(folder: Path, names: list[str]) -> tuple[dict[str, list[dict]], dict[str, str], dict[int, int]]:
    """What iasl reads in each table; why it did not read all of one; how many structures it did not know, by type.

    An iasl that does not know SATC or SIDP stops there. Both keep their scopes where ATSR does (VT-d 8.5, 8.8, 8.9),
    so it is asked again with a copy of the table that says ATSR in that place."""
    found: dict[str, list[dict]] = {}
    trouble: dict[str, str] = {}
    unknown: dict[int, int] = {}
    disguised: dict[str, dict[int, int]] = {name: {} for name in names}
    left = names
    while left:
        disassemble(folder, left)
        again = []
        for name in left:
            listing = folder / f"{name}.dsl"
            text = listing.read_text(errors="replace") if listing.exists() else ""
            if "Host Address Width" not in text:
                trouble[name] = "iasl does not take it for a DMAR table"
                continue
            try:
                found[name], stranger = read_disassembly(text, disguised[name])
            except (KeyError, ValueError) as error:
                trouble[name] = f"iasl's listing is incomplete: {error!r}"
                continue
            if stranger is None:
                end = max((one["offset"] + one["length"] for one in found[name] if one["what"] == "structure"),
                          default=48)
                if end != found[name][0]["length"]:
                    trouble[name] = f"compared up to offset {end:#x}: iasl stops there"
                continue
            offset, kind = stranger
            unknown[kind] = unknown.get(kind, 0) + 1
            if kind not in (SATC, SIDP):
                trouble[name] = f"compared up to offset {offset:#x}: iasl does not know structures of type {kind}"
                continue
            disguised[name][offset] = kind
            file = folder / f"{name}.dmar"
            data = bytearray(file.read_bytes())
            data[offset:offset + 2] = ATSR.to_bytes(2, "little")
            file.write_bytes(data)
            again.append(name)
        left = again
    return found, trouble, unknown


def read_plain(text: str) -> dict[str, list[dict]]:
    """What `build/dmar --plain` prints, by the files' names."""
    tables: dict[str, list[dict]] = {}
    found: list[dict] = []
    for line in text.splitlines():
        if start := re.fullmatch(r'table file="(.*)"', line):
            found = tables[Path(start.group(1)).stem] = []
            continue
        what, *words = line.split()
        if what == "acpi.refused":
            found.append({"what": line.strip()})
            continue
        fields = dict(word.split("=", 1) for word in words)
        fields.pop("checksum", None)
        found.append({"what": what} | {key: value if key in ("path", "name") else int(value, 16)
                                       for key, value in fields.items()})
    return tables


def in_words(found: list[dict]) -> list[str]:
    """Units, reserved memory and scopes in the words of the tool's text for people."""
    kinds = {1: "endpoint", 2: "bridge", 3: "ioapic", 4: "hpet", 5: "namespace"}
    lines = []
    for one in found:
        if one["what"] == "structure" and one["type"] == DRHD:
            lines.append(f"unit segment {one['segment']} registers 0x{one['base']:09x} + {one['size'] // 1024}K")
        elif one["what"] == "structure" and one["type"] == RMRR:
            lines.append(f"reserved segment {one['segment']} 0x{one['base']:09x} .. 0x{one['limit']:09x}")
        elif one["what"] == "scope":
            number = f" id {one['id']}" if one["type"] in (3, 4, 5) else ""
            lines.append(f"{kinds.get(one['type'], 'unknown')} {one['bus']:02x}:{one['path']}{number}")
    return lines


def read_words(text: str) -> list[str]:
    """The same lines out of the tool's text, remarks at their ends left out."""
    line = re.compile(r"  (unit  segment \d+  registers \w+ \+ \d+K|reserved  segment \d+  \w+ \.\. \w+"
                      r"|      \w+ +\w\w:[\w./]+(?:  id \d+)?)")
    return [" ".join(match.group(1).split()) for match in map(line.match, text.splitlines()) if match]


def compare(tool: Path, source: Path, folder: Path) -> tuple[dict[str, list[dict]], str]:
    """Every table of `source`, with iasl at work in `folder`. Fails on any difference.

    Returns what iasl read in each table that it read to the end, and a summary."""
    names = sorted(path.stem for path in source.glob("*.dmar"))
    for name in names:
        shutil.copyfile(source / f"{name}.dmar", folder / f"{name}.dmar")
    files = [source / f"{name}.dmar" for name in names]
    plain, words = run_tool(tool, "--plain", *files), run_tool(tool, *files)
    assert (plain.stderr, words.stderr) == ("", "")
    ours = read_plain(plain.stdout)
    assert list(ours) == names
    told = dict(zip(names, re.split(r"^  verdict: .*\n", words.stdout, flags=re.M)))
    theirs, trouble, unknown = oracle(folder, names)

    different = []
    for name, expected in theirs.items():
        got = ours[name][:len(expected)] if name in trouble else ours[name]
        if got != expected:
            at = next((i for i, pair in enumerate(zip(got, expected)) if pair[0] != pair[1]),
                      min(len(got), len(expected)))
            different.append(f"{name}: Bulkhead {got[at:at + 1]}, iasl {expected[at:at + 1]}")
        said = read_words(told[name])
        if name not in trouble and said != in_words(expected):
            different.append(f"{name}: Bulkhead tells {said}, iasl {in_words(expected)}")
    whole = len(theirs.keys() - trouble.keys())
    count = {what: sum(one["what"] == what for found in theirs.values() for one in found)
             for what in ("structure", "scope")}
    strangers = ", ".join(f"{times} of type {kind}" for kind, times in sorted(unknown.items()))
    summary = "\n  ".join([
        f"\n{whole} of {len(names)} tables compared with iasl to the last byte: {count['structure']} structures, "
        f"{count['scope']} scopes; structures of types it did not know: {strangers or 'none'}",
        *(f"{name}: {why}" for name, why in sorted(trouble.items()))])
    assert not different, "\n".join([*different[:20], summary])
    assert whole >= ENOUGH, f"too few tables were compared: {summary}"
    return {name: found for name, found in theirs.items() if name not in trouble}, summary


def alter(table: bytes, found: list[dict], random: Random) -> bytes:
    """Other values in every field but types, lengths, names and what is in front of the flags."""
    data = bytearray(table)
    kept = set(range(37))
    for one in found[1:]:
        at = one["offset"]
        if one["what"] == "scope":
            kept.add(at + 1)
        else:
            kept.update(range(at, at + 4))
            if one["type"] == ANDD:
                kept.update(range(at + 8, at + one["length"]))
    for at in range(len(data)):
        if at not in kept:
            data[at] = random.randrange(256)
    return bytes(data)


def test_same_as_iasl(tool, tmp_path, capsys):
    """First the tables as they are. Those at hand have segment 0 only, few flags, low addresses: so then with
    arbitrary values in the same structures."""
    if not any(CORPUS.glob("*.dmar")):
        pytest.skip(f"no DMAR tables at {CORPUS}; set BULKHEAD_DMAR_CORPUS to a folder of *.dmar files")
    if shutil.which("iasl") is None:
        pytest.skip("iasl is not installed (package acpica-tools)")
    work, altered, again = (tmp_path / name for name in ("work", "altered", "again"))
    for folder in (work, altered, again):
        folder.mkdir()
    tables, summary = compare(tool, CORPUS, work)
    random = Random(1)
    for name, found in tables.items():
        (altered / f"{name}.dmar").write_bytes(alter((CORPUS / f"{name}.dmar").read_bytes(), found, random))
    _, altered_summary = compare(tool, altered, again)
    with capsys.disabled():
        print(summary, "\nWith other values:" + altered_summary)


@pytest.mark.parametrize("content, status, message", [
    (None, 2, "No such file or directory"),
    (b"", 1, "shorter than a table header"),
    (b"This is a text file, long enough for the header of a table.\n", 1, "another table's signature"),
    (b"DMAR" + (40).to_bytes(4, "little") + bytes(32), 1, "too short for its fixed fields"),
], ids=["missing", "empty", "text", "cut"])
@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["words", "plain"])
def test_not_a_table(tool, tmp_path, options, content, status, message):
    file = tmp_path / "table"
    if content is not None:
        file.write_bytes(content)
    result = run_tool(tool, *options, file)
    assert result.returncode == status, result.stdout + result.stderr
    assert message in result.stdout + result.stderr
    assert str(file) in result.stdout + result.stderr
    assert "structure" not in result.stdout and "verdict: usable" not in result.stdout


def test_unreadable(tool):
    for arguments, message in [([ROOT / "tests"], "no *.dmar file in it"), ([], "usage:"), (["--plain"], "usage:"),
                               (["--help"], "usage:")]:
        result = run_tool(tool, *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert message in result.stderr
