# SPDX-License-Identifier: MIT
"""What make does: again what has changed, and nothing else."""

import fcntl
import json
import os
import shutil
import signal
import subprocess

import pytest

from conftest import ROOT, make
from lint.test_lint import files

OBJECTS = ("hypervisor/base/string.o", "hypervisor/setup/version.o", "efi/hypervisor/base/string.o",
           "guest/runtime/pci.o", "unit/objects/hypervisor/base/string.o", "boot/multiboot2/entry.asm.o")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("build")


def built(folder, *arguments: str) -> list[str]:
    """What make compiled of a few objects."""
    result = make(f"BUILD={folder}", *arguments, *(f"{folder}/{name}" for name in OBJECTS))
    assert result.returncode == 0, result.stdout + result.stderr
    return [line.strip() for line in result.stdout.splitlines() if line.startswith("  ")]


def test_objects_follow_their_flags(folder):
    assert len(built(folder)) == len(OBJECTS)
    assert not built(folder)
    assert built(folder, "WARNINGS=-Wall") == [
        "CC   hypervisor/base/string.c", "CC   hypervisor/setup/version.c", "CC   hypervisor/base/string.c for EFI"]
    assert not built(folder, "WARNINGS=-Wall")
    assert len(built(folder, "CC=clang")) == len(OBJECTS) - 1, "all but what NASM makes"


def test_objects_follow_the_compilers_release(tmp_path):
    """As when the container builds in the same tree."""
    compiler = tmp_path / "gcc"
    for release in ("one", "two", "two"):
        compiler.write_text(f"#!/bin/sh\n[ \"$1\" = --version ] && echo 'gcc {release}' && exit\nexec /usr/bin/gcc \"$@\"\n")
        compiler.chmod(0o755)
        compiled = built(tmp_path / "build", f"CC={compiler}")
    assert not compiled, "twice the same"
    compiler.write_text(compiler.read_text().replace("gcc two", "gcc three"))
    assert len(built(tmp_path / "build", f"CC={compiler}")) == len(OBJECTS) - 1, "all but what NASM makes"


def test_a_commit_compiles_one_file(folder):
    built(folder, "COMMIT=0123456789ab")
    assert built(folder, "COMMIT=ba9876543210") == ["CC   hypervisor/setup/version.c"]
    data = (folder / "hypervisor/setup/version.o").read_bytes()
    assert b"ba9876543210\0" in data and (ROOT / "VERSION").read_bytes().strip() + b"\0" in data


def test_an_archive_knows_no_commit(tmp_path):
    for name in files("*"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    subprocess.run(["make", "-s", "build/hypervisor/setup/version.o"], cwd=tmp_path, check=True, timeout=60)
    assert b"unknown\0" in (tmp_path / "build/hypervisor/setup/version.o").read_bytes()


def test_one_make_at_a_time(tmp_path):
    """While somebody has the lock, nothing is built."""
    for goal in ("all", "programs", "unit"):
        with open(tmp_path / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            waiting = subprocess.Popen(["make", f"BUILD={tmp_path}", goal], cwd=ROOT, start_new_session=True)
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(3)
            os.killpg(waiting.pid, signal.SIGKILL)
            waiting.wait()
            assert [path.name for path in tmp_path.iterdir()] == ["lock"], goal


def test_compile_commands_name_every_source(tmp_path):
    """Editors and analysers find how each file is compiled; one file a folder is compiled so."""
    assert make(f"BUILD={tmp_path}", f"{tmp_path}/compile_commands.json").returncode == 0
    commands = {entry["file"]: entry["command"] for entry in json.loads((tmp_path / "compile_commands.json").read_text())}
    wanted = set(files("boot/*.c", "hypervisor/*.c", "drivers/*.c", "guest/*.c", "tests/unit/*.c", "tests/fuzz/*.c",
                       "tests/tools/*.c", "tests/efi/*.c"))
    assert wanted == set(commands), wanted ^ set(commands)
    for command in {name.rsplit("/", 1)[0]: command for name, command in sorted(commands.items())}.values():
        done = subprocess.run(command.replace(" -c ", " -fsyntax-only "), shell=True, cwd=ROOT, text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, command + done.stderr
