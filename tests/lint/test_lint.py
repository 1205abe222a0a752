# SPDX-License-Identifier: MIT
"""What a machine can say about the sources. `make lint` runs just this."""

import os
import re
import subprocess

import pytest

from prove import prove
from system import architecture
from tools.attacks import read_page

from conftest import PATIENCE, ROOT, make

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
FREESTANDING = ["-std=gnu17", "-ffreestanding", "-mno-red-zone", "-mgeneral-regs-only", "-I."]
MAX_LINES = 500
# Terms of the field that look like slips, and slips that tests make on purpose.
WORDS = "inout,hsa,ue,te,nd,andd,abd,fro,ist,extint,memroy,chek,aer"


def files(*patterns: str) -> list[str]:
    """Sources that git knows or would add."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns], cwd=ROOT,
                            text=True, capture_output=True, check=True).stdout.split()
    return sorted(name for name in set(listed) if (ROOT / name).exists())


def run(*command: str, timeout: float = 600) -> str:
    """Runs a command, which must succeed, and returns what it says."""
    result = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=timeout * PATIENCE)
    assert result.returncode == 0, (result.stdout + result.stderr)[-8000:]
    return result.stdout + result.stderr


# Runs a tool that judges texts, of the release that is the same on every host.
TOOL = "tests/lint/tool"
C_SOURCES = files("boot/*.[ch]", "hypervisor/*.[ch]", "drivers/*.[ch]", "guest/*.[ch]", "tests/*.[ch]")
CORE_SOURCES = files("hypervisor/*.c", "drivers/*.c", "guest/start/*.c")
HEADERS = files("boot/*.h", "hypervisor/*.h", "drivers/*.h", "guest/*.h")


def test_clang_format():
    run(TOOL, "clang-format", "--dry-run", "--Werror", *C_SOURCES)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_headers_compile_alone(compiler):
    for header in HEADERS:
        if header.startswith("boot/efi/"):
            continue  # GNU-EFI's headers have no place of their own in the search path
        run(compiler, *FREESTANDING, *WARNINGS, "-fsyntax-only", "-x", "c",
            *(["-Wno-pragma-once-outside-header"] if compiler == "clang" else []),
            "-include", header, "/dev/null")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_warnings(compiler):
    """The hypervisor, the EFI application, the guests and the tools, every warning an error, with both compilers."""
    result = make(f"-j{os.cpu_count() or 2}", f"CC={compiler}", f"BUILD=build/{compiler}", "programs", timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_warnings_in_tests(compiler):
    """Unit tests and fuzz targets are built with one compiler each, and read by both."""
    for name in files("tests/unit/test_*.c", "tests/fuzz/fuzz_*.c", "tests/labs/checks/l*.c"):
        run(compiler, "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-fno-builtin", "-I.",
            "-fsyntax-only", name)


def arguments(functions: str, text: str):
    """What stands between the parentheses behind one of these names."""
    for start in re.finditer(rf"\b(?:{functions})\(", text):
        depth, end = 1, start.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield text[start.end():end - 1]


def test_formats_are_known():
    """The compiler knows all of C's conversions, hypervisor/base/format.c those that its header names."""
    known = re.compile(r"%[-0#]*\d*(?:ll?|z)?[duxcs]|%%|[^%]")
    printing = r"log_event|log_panic|log|format_text|console_printf|vcpu_fail|say|refuse"
    unknown = [f"{name}: {text}" for name in C_SOURCES if name.startswith(("hypervisor/", "drivers/", "boot/"))
               for call in arguments(printing, (ROOT / name).read_text())
               for text in re.findall(r'"((?:\\.|[^"\\])*)"', call) if not re.fullmatch(f"(?:{known.pattern})*", text, re.S)]
    assert not unknown, unknown


def test_minimum_and_maximum_call_nothing():
    """They evaluate an argument twice: what is read from a device or another core may have changed in between."""
    call = re.compile(r"\b(?!sizeof\b)[a-z_]\w*\(")
    calls = [f"{name}: {inside}" for name in C_SOURCES if not name.startswith("tests/")
             for inside in arguments("MIN|MAX", (ROOT / name).read_text()) if call.search(inside)]
    assert not calls, calls


def test_interrupt_handlers_see_a_volatile_frame():
    """An exception's frame is an argument to the compiler: GCC 14 drops what a handler writes to a plain one."""
    handler = re.compile(r"__attribute__\(\(interrupt\)\)[^;{]*?\((.*?)[,)]", re.S)
    frames = {name: handler.findall((ROOT / name).read_text()) for name in C_SOURCES}
    assert any(frames.values())
    plain = {name: found for name, found in frames.items() if any(not one.startswith("volatile ") for one in found)}
    assert not plain, plain


def test_cppcheck():
    """But for uninitvar, which counts an array as not filled when a loop may fill none of it: clang-tidy knows better."""
    run(TOOL, "cppcheck", "--enable=warning,performance,portability", "--std=c11", "--inline-suppr", "--quiet",
        "--error-exitcode=1", "--suppress=missingIncludeSystem", "--suppress=normalCheckLevelMaxBranches",
        "--suppress=uninitvar", "-I.", *CORE_SOURCES)


def test_clang_tidy():
    # Left out is what this tree does on purpose: `if ((status = f()) != STATUS_OK)`, `i < n && text[i++]`, and bytes of
    # tables read as words.
    checks = "-*,bugprone-*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier," \
             "-bugprone-assignment-in-if-condition,-bugprone-inc-dec-in-conditions,-bugprone-casting-through-void," \
             "clang-analyzer-core.*,misc-redundant-expression,readability-misleading-indentation"
    # A quarter of the usual depth takes a third of the time.
    depth = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=60000"]
    sources = CORE_SOURCES
    half = (len(sources) + 1) // 2
    parts = [subprocess.Popen([TOOL, "clang-tidy", "--quiet", f"--checks={checks}", "--warnings-as-errors=*", *part,
                               "--", *FREESTANDING, *depth], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) for part in (sources[:half], sources[half:])]
    outputs = [part.communicate(timeout=900 * PATIENCE)[0] for part in parts]
    assert all(part.returncode == 0 for part in parts), "".join(outputs)[-8000:]


def test_shellcheck():
    scripts = [name for name in files("*.sh", "tests/*", ".ci/*") if (ROOT / name).read_bytes()[:40].split(b"\n")[0]
               in (b"#!/bin/sh", b"#!/usr/bin/env bash")]
    assert len(scripts) >= 5, scripts
    run(TOOL, "shellcheck", "--severity=warning", *scripts)


def test_file_length():
    """The line that names the licence does not count."""
    long = {name: count for name in files("*.c", "*.h", "*.asm", "*.py", "*.sh")
            if (count := sum("SPDX-License-" "Identifier" not in line
                             for line in (ROOT / name).read_text().splitlines())) > MAX_LINES}
    assert not long, long


def test_packed_structures_are_asserted():
    for name in files("hypervisor/*.h", "boot/*.h", "drivers/*.h"):
        text = (ROOT / name).read_text()
        if re.search(r"\bPACKED\b", text) and not name.endswith("base/core.h"):
            assert "_Static_assert" in text, name


def test_spelling():
    texts = files("*.md", "*.c", "*.h", "*.asm", "*.py", "*.sh", "*.conf", "Makefile", "*.mk")
    run(TOOL, "codespell", f"--ignore-words-list={WORDS}", *texts)


def test_links_lead_somewhere():
    """Pages and pictures that a page of the repository points to."""
    broken = [f"{name}: {target}" for name in files("*.md")
              for target in re.findall(r"\]\(([^)#]+)[^)]*\)", re.sub(r"`[^`]*`", "", (ROOT / name).read_text()))
              if "://" not in target and not ((ROOT / name).parent / target).exists()]
    assert not broken, broken


def test_nothing_unfinished():
    pattern = re.compile(r"\b(TODO|FIXME|XXX)\b")
    found = [f"{name}:{number}" for name in files("*.c", "*.h", "*.asm", "*.py", "*.sh", "Makefile", "*.mk")
             if not name.startswith("tests/lint/")
             for number, line in enumerate((ROOT / name).read_text().splitlines(), 1) if pattern.search(line)]
    assert not found, found


def test_allowed_differences_are_documented():
    """`make architecture-table` writes them."""
    page = architecture.DOCUMENT.read_text()
    assert architecture.MARK + architecture.documentation() + architecture.END_MARK in page


def test_proofs_are_documented():
    """`make prove-table` writes them."""
    assert prove.MARK + prove.documentation() + prove.END_MARK in prove.DOCUMENT.read_text()


def test_what_the_security_page_names_exists():
    """Unit tests, system tests, fuzz targets and mutations that docs/security.md relies on."""
    attacks, missing = read_page()
    assert not missing, missing
    listed = sum(re.fullmatch(r"S\d\d", attack.number) is not None and int(attack.number[1:]) <= 55 for attack in attacks)
    for page in ("docs/security.md", "docs/README.md"):
        text = re.sub(r"<!--.*?-->", "", (ROOT / page).read_text(), flags=re.DOTALL)
        assert f"{listed} attacks of a list and {len(attacks) - listed} that were added later" in text, page
