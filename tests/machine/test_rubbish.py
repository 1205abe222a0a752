# SPDX-License-Identifier: MIT
"""Programs of the host, given what makes no sense: an answer, never a traceback, never without end."""

import os
import random
import subprocess
import sys

import pytest

from conftest import ROOT, make

sys.path.insert(0, str(ROOT / "tests/tools"))
import preflight as explainer  # noqa: E402
from machine import preflight  # noqa: E402

PROGRAMS = ["tests/machine/run.py", "tests/machine/demo.py", "tests/machine/fresh.py", "tests/machine/linuxguest.py",
            "tests/tools/preflight.py",
            "tests/tools/symbols.py", "tests/tools/attacks.py", "tests/tools/check_config.py", "tests/tools/debug.py", "tests/bench/bench.py",
            "tests/bench/plots.py", "tests/prove/prove.py", "tests/mutations/runner.py", "tests/system/architecture.py",
            "tests/size/size.py", "tests/fuzz/seeds.py", "tests/busy.py", "tests/report/report.py", "tests/machine/demo.py",
            "tests/labs/lab.py", "tests/labs/grade.py", "tests/tools/serve.py", "tests/tools/completion.py",
            "tests/tools/manual.py", "boot/application.py",
            "boot/image.sh", "boot/sign.sh", "boot/usb.sh", "build/config", "build/dmar", "build/units"]
# Each of these is wrong for every one of them.
NONSENSE = [["--no-such-option", "x"], ["/dev/null/x", "\udcff", "x" * 3000, "", "\x1b[2J"]]


def answer(command: list, **options) -> tuple[int, str]:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120, **options)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


@pytest.fixture(scope="module")
def tools():
    done = make("-s", "build/config", "build/dmar", "build/units")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_arguments_without_sense(tools, tmp_path, program):
    for words in NONSENSE:
        command = ["/usr/bin/python3", ROOT / program] if program.endswith(".py") else [ROOT / program]
        status, said = answer([*command, *words], cwd=tmp_path)
        assert 0 < status < 128, (words, status, said[-300:])
        assert said.strip() and "Traceback" not in said and "Sanitizer" not in said, (words, said[-600:])
    assert not list(tmp_path.iterdir()), "nothing was made of it"


@pytest.mark.parametrize("name, values, status", [
    ("BULKHEAD_PATIENCE", ("x", "-1", "0", "nan", "inf", "\x1b"), 1), ("BULKHEAD_QEMU", ("12", "x", "-1", "10 "), 2),
    ("BULKHEAD_CACHE", ("/no/such/place", "/dev/null"), 2)])
def test_an_environment_without_sense(built, name, values, status):
    for value in values:
        done, said = answer([ROOT / "tests/machine/run.py", "--machine", "tcg", "--anyway", "--batch"],
                            env={**os.environ, name: value})
        assert done == status and "Traceback" not in said and "error: " in said.splitlines()[-1], (value, said)


@pytest.mark.parametrize("program", ["tests/tools/manual.py", "tests/tools/completion.py", "tests/fuzz/seeds.py fuzz_usb"])
def test_where_nothing_can_be_written(program):
    status, said = answer(["/usr/bin/python3", *program.split(), "/dev/null/x"], cwd=ROOT)
    assert status == 1 and "Traceback" not in said and "/dev/null" in said, said


def spoilt(chance: random.Random, content: bytes) -> bytes:
    """Cut, or with some bytes changed."""
    data = bytearray(content[:chance.randrange(len(content))] if chance.randrange(2) else content)
    for _ in range(chance.randrange(1, 10)):
        if data:
            data[chance.randrange(len(data))] = chance.choice(b"\0\xff \n\"=0x9")
    return bytes(data)


def test_reports_without_sense(capsys, tmp_path, monkeypatch):
    chance, path = random.Random(5), tmp_path / "preflight.txt"
    content = (preflight.REPORTS / "like-server/preflight.txt").read_bytes()
    for text in [b"", b"\0", b"x" * 99, *(spoilt(chance, content) for _ in range(40))]:
        path.write_bytes(text)
        monkeypatch.setattr(sys, "argv", ["preflight.py", str(path)])
        assert explainer.main() in (1, 2) and text != content
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and said[0].startswith("preflight: "), said


LOG = ('[0.1] boot.start version=0.9.0 build=0123456789abcdef image=0x1000\n[0.2] cpu.exception core=0 vector=14 rip=0xffffffff80001000\n'
       '[0.3] cpu.backtrace core=0 frames="0xffffffff80001000 0xffffffff80002000"\n').encode()


def test_logs_without_sense(built, tmp_path):
    """Of a stick: cut, overwritten, with addresses that are none."""
    chance, path = random.Random(6), tmp_path / "last.log"
    texts = [b"", b"\0" * 999, chance.randbytes(4096), LOG.replace(b"0x", b"0xffffffffffffffffffffff"), LOG.replace(b"0x", b"x"),
             LOG[:70], LOG * 2, *(spoilt(chance, LOG) for _ in range(4))]
    for text in texts:
        path.write_bytes(text)
        status, said = answer(["/usr/bin/python3", ROOT / "tests/tools/symbols.py", path])
        assert status in (0, 1, 2) and "Traceback" not in said, (text, said)
    for elf in (tmp_path, path, "/dev/null", tmp_path / "none"):
        status, said = answer(["/usr/bin/python3", ROOT / "tests/tools/symbols.py", "--elf", elf, path])
        assert status == 2 and said.startswith("symbols: ") and len(said.splitlines()) == 1, said


def test_tables_without_sense(tools, tmp_path):
    chance, path = random.Random(7), tmp_path / "DMAR"
    good = (preflight.REPORTS / "like-server/tables/DMAR.bin").read_bytes()
    for content in [b"", b"DMAR", good[:40], good + b"\0" * 9, chance.randbytes(300), *(spoilt(chance, good) for _ in range(10))]:
        path.write_bytes(content)
        for program in ("build/dmar", "build/units"):
            status, said = answer([ROOT / program, path])
            assert 0 <= status < 3 and "Sanitizer" not in said, (program, content, said)


def test_output_that_nobody_takes(built):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(["/usr/bin/python3", ROOT / "tests/tools/check_config.py", "--scenario", "sriov"], stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr
