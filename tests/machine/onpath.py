#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tools of a computer that is not Debian: those on PATH, where they are new enough.

    onpath.py build|emulators...       says what is missing, or too old, of what these groups of setup.sh need

What is required is what Debian 12 has, the oldest that everything is tested with; of QEMU, Debian 13's. The other groups of
setup.sh are made of Debian's packages: for them, and for what is missing, there is the container."""

import functools
import importlib.util
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OLDEST_PYTHON = "3.11"
OLDEST_QEMU = "10.0.7"
LIMIT = 30  # seconds for a program to say its version
TEXT = 4096  # bytes of that are looked at
CONTAINER = "or use the container: make container && make container-run GOAL={goal} (it needs podman or docker)"
MORE_PLACES = ("/usr/sbin", "/sbin")

# The names of each program, what makes it say its version, the oldest that will do. Without the latter any will.
PROGRAMS = {
    "build": ((("ld",), "--version", "2.40"),
              (("objcopy",), "--version", "2.40"),
              (("nm",), "--version", "2.40"),
              (("nasm",), "-v", "2.16"),
              (("make",), "--version", "4.3"),
              (("awk",), "", ""),
              (("flock",), "--version", "2.38"),
              (("sfdisk",), "--version", "2.38"),
              (("mformat",), "--version", "4.0.32"),
              (("mcopy",), "--version", "4.0.32"),
              (("grub-mkimage", "grub2-mkimage"), "--version", "2.06"),
              (("grub-mkrescue", "grub2-mkrescue"), "--version", "2.06"),
              (("xorriso",), "--version", "1.5.4")),
    "emulators": ((("qemu-system-x86_64",), "--version", OLDEST_QEMU),
                  (("mcopy",), "--version", "4.0.32")),
    "report": ((("dot",), "-V", "2.42"),),
    "desk": ((("help2man",), "--version", "1.48"), (("mandoc",), "", ""), (("man",), "", "")),
    "site": (),
}
MODULES = {"emulators": "pexpect", "report": "jinja2", "site": "mkdocs"}  # of Python

# Where distributions have OVMF: its code and its variables, as they are in flash.
OVMF = (("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),                    # Debian, Ubuntu
        ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),            # Arch
        ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),                # Fedora
        ("/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"),    # openSUSE
        ("/usr/share/edk2/OvmfX64/OVMF_CODE.fd", "/usr/share/edk2/OvmfX64/OVMF_VARS.fd"),          # Gentoo
        ("/usr/share/edk2-ovmf/OVMF_CODE.fd", "/usr/share/edk2-ovmf/OVMF_VARS.fd"),                # Gentoo, older
        ("/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"),        # Arch, older
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),                          # Alpine and others
        ("/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd"),              # QEMU's own
        ("/usr/local/share/qemu/edk2-x86_64-code.fd", "/usr/local/share/qemu/edk2-i386-vars.fd"))


class Missing(RuntimeError):
    """A program or a file that is wanted is not there, or too old."""


def os_release() -> dict:
    """What this computer's system says of itself. BULKHEAD_OS_RELEASE names another file, for tests."""
    for name in (os.environ.get("BULKHEAD_OS_RELEASE"), "/etc/os-release", "/usr/lib/os-release"):
        if name and os.path.exists(name):
            with open(name, encoding="utf-8", errors="replace") as stream:
                pairs = (line.strip().partition("=") for line in stream)
                return {key: value.strip("'\"") for key, _, value in pairs}
    return {}


def is_debian() -> bool:
    return os_release().get("ID") == "debian" and shutil.which("apt-get") is not None


def find(names: tuple) -> str:
    """The first of these programs that is on PATH, or where administrators' programs are. Raises Missing."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *MORE_PLACES))
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    raise Missing("there is none on PATH")


def said(command: list, limit: float = 0) -> str:
    """The beginning of what a program writes; it is ended after `limit` seconds, with all that it started."""
    deadline = time.monotonic() + (limit or LIMIT)
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
    except OSError as error:
        raise Missing(f"{command[0]} does not start: {error.strerror}") from error
    text, over = b"", False
    try:
        while len(text) < TEXT and not over:
            if not select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Missing(f"{' '.join(command)} did not end in {limit or LIMIT:g} s")
            more = os.read(process.stdout.fileno(), TEXT)
            text, over = text + more, not more
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.stdout.close()
        process.wait()
    return text.decode("utf-8", "replace")


def numbers(version: str) -> list:
    return [int(number) for number in version.split(".")]


def version_of(program: str, flag: str) -> str:
    """The first number with a point in what it says; that may be the end of a word, as in v2.16. Raises Missing."""
    text = said([program, flag])
    found = re.search(r"(?<![\d.])\d+(?:\.\d+)+", text)
    if not found:
        first = (text.strip().splitlines() or [""])[0][:60]
        raise Missing(f"{program} {flag} says no version, but {first!r}")
    return found.group()


def check_program(names: tuple, flag: str, oldest: str) -> str:
    """Where it is. Raises Missing with what is required."""
    wanted = f"{names[0]} {f'{oldest} or newer' if oldest else ''}".strip()
    try:
        program = find(names)
        if oldest:
            version = version_of(program, flag)
            if numbers(version) < numbers(oldest):
                raise Missing(f"{program} is {version}")
    except Missing as why:
        raise Missing(f"{wanted} is required: {why}") from why
    return program


def compiler() -> tuple:
    """The compiler that make would use."""
    name = os.environ.get("CC") or "gcc"
    return ((name,), "-dumpversion", "14") if "clang" in name else ((name,), "-dumpfullversion", "12.2")


def check_sanitizers(program: str) -> None:
    """The tools that make runs on this computer are built with them."""
    command = [program, "-fsanitize=address,undefined", "-x", "c", "-", "-o", os.devnull]
    done = subprocess.run(command, input="int main(void) { return 0; }\n", text=True, capture_output=True, timeout=10 * LIMIT,
                          check=False)
    if done.returncode:
        raise Missing(f"the sanitizers of {program} (libasan and libubsan) are required: "
                      f"{(done.stderr.strip().splitlines() or ['it does not link with them'])[-1][:200]}")


def listed(path: str, name: str) -> list:
    """The words of a make or shell variable: the lists of places that building uses."""
    text = (REPOSITORY / path).read_text(encoding="utf-8").replace("\\\n", " ")
    return re.search(rf"^{name}\s*:?=\s*'?([^'\n]*)", text, re.M).group(1).split()


def check_place(what: str, file: str, places: list, root: str = "") -> str:
    for place in places:
        if os.path.exists(f"{root}{place}/{file}"):
            return f"{root}{place}"
    raise Missing(f"{what} is required: {file} is in none of {', '.join(places)}")


def check_places(root: str = "") -> list:
    """What building needs beside programs. The problems."""
    libraries, modules = listed("boot/build.mk", "EFI_LIBS"), listed("boot/image.sh", "grub_places")
    wanted = (("gnu-efi 3.0.15 or newer", "efi.h", listed("boot/build.mk", "EFI_INCLUDES")),
              ("gnu-efi 3.0.15 or newer", "crt0-efi-x86_64.o", libraries), ("gnu-efi 3.0.15 or newer", "libgnuefi.a", libraries),
              ("GRUB for UEFI", "x86_64-efi/multiboot2.mod", modules), ("GRUB for a BIOS", "i386-pc/multiboot2.mod", modules))
    return problems((check_place, *row, root) for row in wanted)


def ovmf(root: str = "") -> tuple:
    """OVMF's code and variables: BULKHEAD_OVMF=CODE:VARIABLES, or the first place that has both. Raises Missing."""
    chosen = os.environ.get("BULKHEAD_OVMF")
    if chosen:
        pair = tuple(chosen.split(":"))
        if len(pair) != 2 or not all(os.path.isfile(name) for name in pair):
            raise Missing(f"BULKHEAD_OVMF={chosen}: give two files, OVMF's code and its variables, with a colon between")
        return pair
    for pair in OVMF:
        if all(os.path.isfile(root + name) for name in pair):
            return tuple(root + name for name in pair)
    raise Missing("OVMF is required: its code and variables are in no known place "
                  f"({', '.join(code for code, _ in OVMF)}); name them with BULKHEAD_OVMF=CODE:VARIABLES")


@functools.lru_cache(maxsize=None)
def qemu() -> tuple:
    """(where it is, its version) of the QEMU on PATH. Raises Missing."""
    program = check_program(("qemu-system-x86_64",), "--version", OLDEST_QEMU)
    return program, version_of(program, "--version")


def check_module(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise Missing(f"the module {name} of {sys.executable} is required, and there is none")


def check_devices() -> None:
    """Some distributions leave devices out."""
    program, version = qemu()
    devices = subprocess.run([program, "-device", "help"], text=True, capture_output=True, timeout=10 * LIMIT, check=False,
                             stdin=subprocess.DEVNULL).stdout
    lacking = [name for name in ("igb", "intel-iommu", "isa-debug-exit", "pcie-root-port") if f'name "{name}"' not in devices]
    if lacking:
        raise Missing(f"a QEMU with {' and '.join(lacking)} is required: {program} ({version}) was built without")


def problems(checks) -> list:
    found = []
    for check, *arguments in checks:
        try:
            check(*arguments)
        except Missing as why:
            found.append(str(why))
        except subprocess.TimeoutExpired as late:
            found.append(f"{late.cmd[0]} did not end in {late.timeout:g} s")
    return found


def check_group(group: str) -> list:
    """What is missing of a group, a line each."""
    if group not in PROGRAMS:
        return [f"what the group '{group}' of tests/machine/setup.sh has is made of Debian's packages"]
    rows = (compiler(), *PROGRAMS[group]) if group == "build" else PROGRAMS[group]
    found = problems((check_program, *row) for row in rows)
    if group == "build":
        if sys.version_info < tuple(numbers(OLDEST_PYTHON)):
            found.append(f"python3 {OLDEST_PYTHON} or newer is required: {sys.executable} is {sys.version.split()[0]}")
        if shutil.which(compiler()[0][0]):
            found += problems([(check_sanitizers, compiler()[0][0])])
        found += check_places()
    if group in MODULES:
        found += problems([(check_module, MODULES[group])])
    if group == "emulators":
        if not any(line.startswith("qemu") for line in found):
            found += problems([(check_devices,)])
        found += problems([(ovmf,)])
    return found


def main(groups: list) -> int:
    system = os_release().get("PRETTY_NAME") or os_release().get("ID") or "unknown"
    if not groups:
        print(__doc__)
        return 2
    failed = False
    for group in groups:
        found = check_group(group)
        for line in found:
            print(f"setup: {group}: {line}", file=sys.stderr)
        if not found:
            print(f"setup: {group}: this is not Debian ({system}): the tools on PATH are used", flush=True)
        failed = failed or bool(found)
    if failed:
        goal = "test" if {"tools", "emulators"} <= set(groups) else "lint" if "tools" in groups else "site" if groups == ["site"] else "run"
        print(f"setup: error: this is not Debian ({system}): install what is missing, {CONTAINER.format(goal=goal)}",
              file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
