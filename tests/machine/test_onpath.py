# SPDX-License-Identifier: MIT
"""Computers that are not Debian: the tools on PATH, with programs that say whatever version a test wants."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import ROOT
from machine import PATIENCE, onpath, paths
from machine.boot_media import needs_emulators

# What setup.sh itself runs.
SHELL = ("sh", "cat", "dirname", "id", "sed", "env")
TREE = paths.cache() / "trixie"
DEVICES = "".join(f'name "{name}"\n' for name in ("igb", "intel-iommu", "isa-debug-exit", "pcie-root-port"))


def script(place: Path, name: str, text: str) -> None:
    file = place / name
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A system with every program, all of the oldest release that will do; a test spoils what it is about."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in SHELL:
        (programs / name).symlink_to(shutil.which(name))
    for rows in onpath.PROGRAMS.values():
        for names, _flag, oldest in rows:
            script(programs, names[0], f"echo 'the program, version {oldest}'")
    script(programs, "qemu-system-x86_64", f"[ \"$1\" = --version ] && echo 'QEMU emulator version {onpath.OLDEST_QEMU} (x)' "
                                           f"|| printf '%s' '{DEVICES}'")
    script(programs, "gcc", f"[ \"$1\" = -dumpfullversion ] && echo 12.2.0 || PATH={os.environ['PATH']} exec {shutil.which('gcc')} \"$@\"")
    for name in ("code", "variables"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "os-release").write_text('ID=other\nPRETTY_NAME="Other 1.0"\n', encoding="utf-8")
    for name, value in (("PATH", str(programs)), ("BULKHEAD_OS_RELEASE", str(tmp_path / "os-release")),
                        ("BULKHEAD_CACHE", str(tmp_path / "cache")), ("BULKHEAD_OVMF", f"{tmp_path}/code:{tmp_path}/variables")):
        monkeypatch.setenv(name, value)
    for name in ("CC", "BULKHEAD_QEMU"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(onpath, "MORE_PLACES", ())
    onpath.qemu.cache_clear()
    yield programs
    onpath.qemu.cache_clear()


def setup(*groups: str) -> subprocess.CompletedProcess:
    return subprocess.run([ROOT / "tests/machine/setup.sh", *groups], text=True, capture_output=True, check=False,
                          timeout=120 * PATIENCE)


def test_new_enough(other):
    done = setup("build", "emulators")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"setup: {group}: this is not Debian (Other 1.0): the tools on PATH are used"
                                        for group in ("build", "emulators")]


def test_what_is_missing_or_too_old(other):
    """One line for each, with what is required and what is there, and one that says what to do."""
    (other / "nasm").unlink()
    script(other, "ld", "echo 'GNU ld 2.39.90'")
    script(other, "mformat", "echo 'mformat: cannot say'")
    script(other, "xorriso", "exit 1")
    (other / "flock").write_text("#!/nonexistent/interpreter\n", encoding="utf-8")
    script(other, "gcc", "echo 9.4.0")
    done = setup("build")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    for line in (f"gcc 12.2 or newer is required: {other}/gcc is 9.4.0", "nasm 2.16 or newer is required: there is none on PATH",
                 f"ld 2.40 or newer is required: {other}/ld is 2.39.90",
                 f"mformat 4.0.32 or newer is required: {other}/mformat --version says no version, but 'mformat: cannot say'",
                 f"xorriso 1.5.4 or newer is required: {other}/xorriso --version says no version, but ''",
                 f"flock 2.38 or newer is required: {other}/flock does not start: No such file or directory"):
        assert f"setup: build: {line}" in lines, done.stderr
    assert len(lines) == 7 and lines[-1] == (
        "setup: error: this is not Debian (Other 1.0): install what is missing, or use the container: make container && "
        "make container-run GOAL=run (it needs podman or docker)")


def test_every_program_is_looked_at(other):
    """Each row of the table, with a release just too old."""
    for group, rows in onpath.PROGRAMS.items():
        for names, _flag, oldest in rows:
            if oldest:
                script(other, names[0], "echo version 0.9.9")
        lines = onpath.check_group(group)
        for names, _flag, oldest in rows:
            assert not oldest or f"{names[0]} {oldest} or newer is required: {other}/{names[0]} is 0.9.9" in lines, lines


def test_other_names(other):
    """Some distributions' GRUB."""
    for name in ("grub-mkimage", "grub-mkrescue"):
        (other / name).rename(other / name.replace("grub", "grub2"))
    assert onpath.check_group("build") == []


def test_a_program_that_hangs(other, monkeypatch):
    """It is ended, with what it started; so is one that writes without end."""
    monkeypatch.setattr(onpath, "LIMIT", 1)
    script(other, "nasm", f"{shutil.which('sleep', path='/usr/bin')} 1234 & wait")
    script(other, "make", "while :; do echo nothing; done")
    begin = time.monotonic()
    lines = onpath.check_group("build")
    assert time.monotonic() - begin < 100 * PATIENCE
    assert f"nasm 2.16 or newer is required: {other}/nasm -v did not end in 1 s" in lines
    assert any(line.startswith(f"make 4.3 or newer is required: {other}/make --version says no version") for line in lines), lines
    assert not [line for line in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x001234\x00" in contents(line)]


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_qemu_without_devices(other):
    script(other, "qemu-system-x86_64", "echo 'QEMU emulator version 10.2.0'; echo 'name \"intel-iommu\"'")
    assert onpath.check_group("emulators") == [
        "a QEMU with igb and isa-debug-exit and pcie-root-port is required: "
        f"{other}/qemu-system-x86_64 (10.2.0) was built without"]


def test_no_sanitizers(other):
    script(other, "gcc", "[ \"$1\" = -dumpfullversion ] && echo 14.1.0 && exit; echo 'cannot find libasan' >&2; exit 1")
    assert onpath.check_group("build") == ["the sanitizers of gcc (libasan and libubsan) are required: cannot find libasan"]


@pytest.mark.parametrize("pair", onpath.OVMF)
def test_ovmf_is_where_it_is(tmp_path, monkeypatch, pair):
    monkeypatch.delenv("BULKHEAD_OVMF", raising=False)
    with pytest.raises(onpath.Missing, match="OVMF is required: .*BULKHEAD_OVMF=CODE:VARIABLES"):
        onpath.ovmf(str(tmp_path))
    for name in pair:
        (tmp_path / name[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name[1:]).write_bytes(b"")
    assert onpath.ovmf(str(tmp_path)) == tuple(f"{tmp_path}{name}" for name in pair)
    (tmp_path / pair[1][1:]).unlink()
    with pytest.raises(onpath.Missing):
        onpath.ovmf(str(tmp_path))


@pytest.mark.parametrize("value", ["code", "/nonexistent/code:/nonexistent/variables", "a:b:c"])
def test_ovmf_named_wrongly(monkeypatch, value):
    monkeypatch.setenv("BULKHEAD_OVMF", value)
    with pytest.raises(onpath.Missing, match=f"BULKHEAD_OVMF={value}: give two files"):
        onpath.ovmf()


def test_places(tmp_path):
    """What building looks for beside programs, in each place that make and image.sh know."""
    assert len(onpath.check_places(str(tmp_path))) == 5
    places = {"efi.h": onpath.listed("boot/build.mk", "EFI_INCLUDES"),
              "libgnuefi.a": onpath.listed("boot/build.mk", "EFI_LIBS"),
              "i386-pc/multiboot2.mod": onpath.listed("boot/image.sh", "grub_places")}
    for file, where in places.items():
        assert len(where) > 1 and all(place.startswith("/usr/") for place in where)
        for place in where:
            target = tmp_path / place[1:] / file
            target.parent.mkdir(parents=True)
            target.write_bytes(b"")
            assert onpath.check_place("it", file, where, str(tmp_path)) == f"{tmp_path}{place}"
            target.unlink()


@pytest.mark.parametrize("group", ["tools", "guests", "qemu11", "fresh"])
def test_what_only_debian_has(other, group):
    done = setup(group)
    assert done.returncode == 1 and not done.stdout
    first, last = done.stderr.splitlines()
    assert first == f"setup: {group}: what the group '{group}' of tests/machine/setup.sh has is made of Debian's packages"
    assert "use the container: make container && make container-run GOAL=" in last


def test_the_site_wants_a_module(monkeypatch):
    assert not onpath.check_group("site")  # `make test` has installed it
    monkeypatch.setattr(onpath.importlib.util, "find_spec", lambda _name: None)
    assert "the module mkdocs of" in "".join(onpath.check_group("site"))


def test_what_has_been_unpacked_is_enough(other, tmp_path):
    """A cache that was copied from a Debian, or that of the container."""
    version = (ROOT / "tests/machine/setup.sh").read_text(encoding="utf-8").split("\ntree_version=")[1].split()[0]
    (tmp_path / "cache/trixie").mkdir(parents=True)
    (tmp_path / "cache/trixie/version").write_text(f"{version}\n", encoding="utf-8")
    (other / "qemu-system-x86_64").unlink()
    done = setup("emulators")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not paths.on_path() and paths.qemu_command(10)[:3] == [paths.IN_TREE, "--tree", tmp_path / "cache/trixie"]


def test_which_qemu(other):
    assert paths.on_path() and paths.default_qemu() == 10
    assert paths.qemu_command(10) == [str(other / "qemu-system-x86_64")]
    with pytest.raises(paths.MissingEmulators, match=f"QEMU 11 is required: {other}/qemu-system-x86_64 is {onpath.OLDEST_QEMU}"):
        paths.qemu_command(11)
    script(other, "qemu-system-x86_64", "echo 'QEMU emulator version 12.0.1'")
    onpath.qemu.cache_clear()
    assert paths.default_qemu() == 11 and paths.qemu_command(11) == [str(other / "qemu-system-x86_64")]


def test_debian_takes_its_own(other, tmp_path):
    """Debian without apt-get, as in a small container, is another system."""
    (tmp_path / "os-release").write_text("ID=debian\nVERSION_ID=13\n", encoding="utf-8")
    assert paths.on_path()
    script(other, "apt-get", "exit 1")
    assert onpath.is_debian() and not paths.on_path()
    with pytest.raises(paths.MissingEmulators, match="run tests/machine/setup.sh emulators"):
        paths.qemu_command(10)


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, ROOT / "tests/machine/run.py", "--batch", *arguments], text=True, capture_output=True,
                          check=False, timeout=200 * PATIENCE)


@pytest.mark.parametrize("arguments, reason", [
    (("--qemu", "11"), "QEMU 11 is required: {0}/qemu-system-x86_64 is 10.0.7; install it, or use the container"),
    (("--machine", "bochs"), "they are made of Debian's packages: use a lane and a scenario that need none (tcg, sriov), or use "
                             "the container"),
    (("--firmware", "secure"), "they are made of Debian's packages")])
def test_what_a_run_says(other, built, arguments, reason):
    done = run("--scenario", "sriov", *arguments)
    assert done.returncode == 2 and reason.format(other) in done.stderr and "Traceback" not in done.stderr, done.stderr


@needs_emulators
@pytest.mark.tcg
@pytest.mark.timeout(240)
def test_a_run(other, built, tmp_path, monkeypatch):
    """With a QEMU on PATH and OVMF in a place that was named."""
    path = "/usr/local/bin:/usr/bin:/bin"
    (tmp_path / "real").mkdir()
    script(tmp_path / "real", "qemu-system-x86_64", f"exec {paths.IN_TREE} --tree {TREE} qemu-system-x86_64 \"$@\"")
    monkeypatch.setenv("PATH", f"{tmp_path}/real:{path}")
    monkeypatch.setenv("BULKHEAD_OVMF", f"{TREE}/usr/share/OVMF/OVMF_CODE_4M.fd:{TREE}/usr/share/OVMF/OVMF_VARS_4M.fd")
    done = run("--machine", "tcg", "--scenario", "sriov")
    assert done.returncode == 0 and "run.verdict result=ok" in done.stdout, done.stdout + done.stderr
    assert not (tmp_path / "cache").exists()
