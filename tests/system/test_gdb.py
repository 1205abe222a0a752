# SPDX-License-Identifier: MIT
"""gdb attached to a machine with guests: what its commands read is what the log and the monitor say."""

import re
import socket
import subprocess

import pytest
from system.checks import one

from conftest import ROOT, make
from machine import PATIENCE, gdb

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(240)]

TEXT = "".join(f"[guest {name}]\nimage = hostile.elf\nmemory = {size}M\ncpus = {cpus}\nargs = act=halt\nexpect = stopped\n"
               for name, size, cpus in (("alpha", 8, 1), ("beta", 16, 2)))


@pytest.fixture(scope="module")
def run(boot):
    run = boot(TEXT, batch=False, limit=200, extra=[word for word in gdb.ARGUMENTS if word != "-S"])
    run.wait_for("monitor.ready", timeout=120)
    for name in ("alpha", "beta"):
        run.wait_for("guest.started", name=name, timeout=60)
    return run


def ask(boot, run, *commands: str) -> str:
    """One session: the machine stands while gdb looks, and goes on when it has left."""
    words = [word for command in ("target remote ./gdb.sock", *commands, "detach") for word in ("-ex", command)]
    done = subprocess.run(["gdb", "-nx", "-batch", boot.built / "bulkhead.elf", "-x", ROOT / "tests/tools/bulkhead_gdb.py",
                           *words], cwd=run.directory, text=True, capture_output=True, timeout=60 * PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_guests(boot, run):
    answer = ask(boot, run, "bulkhead-guests")
    for name, kilobytes, cores in (("alpha", 8192, "1"), ("beta", 16384, "2,3")):
        base = one(run, "guest.created", name=name)["base"]
        assert re.search(rf"^{name} +running +cores {cores} +memory {base} {kilobytes}K exits [1-9]", answer,
                         re.MULTILINE), answer


def test_the_hypervisors_tables(boot, run):
    """Text lies where the log says, executable and not writable; a stack's guard page is not mapped, and what ran only
    at boot, with which the image begins, no longer is."""
    begin = 0xffffffff80000000
    image, text = one(run, "boot.start").number("image"), gdb.symbol(boot.built / "bulkhead.elf", "image_text_start")
    answer = ask(boot, run, "bulkhead-walk &image_text_start", "bulkhead-walk &boot_stack_bottom",
                 "bulkhead-walk &boot_stack_guard", f"bulkhead-walk {begin:#x}")
    reached = re.findall(r"^reaches (0x\w+) \((\w+) page, ([a-z ]+)\)", answer, re.MULTILINE)
    assert len(reached) == 2 and int(reached[0][0], 16) == image + text - begin, answer
    assert reached[0][2] == "read execute" and reached[1][2] == "read write"
    assert image < int(reached[1][0], 16) < image + (4 << 20)
    guard = gdb.symbol(boot.built / "bulkhead.elf", "boot_stack_guard")
    assert all(f"nothing is mapped at {address:#x}" in answer for address in (guard, begin)), answer
    assert answer.count("level 4 PML4E") == 4


def test_a_guests_tables(boot, run):
    base = one(run, "guest.created", name="beta").number("base")
    answer = ask(boot, run, "bulkhead-walk 0x123456 beta", "bulkhead-walk 16*1024*1024 beta")
    assert f"reaches {base + 0x123456:#x} (" in answer and "read write execute)" in answer, answer
    assert "nothing is mapped at 0x1000000" in answer
    for words, reason in (("0 gamma", "there is no guest gamma"), ("1 2 3", "bulkhead-walk ADDRESS"),
                          ("1ull<<48 beta", "is above what 4 levels reach")):
        assert reason in ask(boot, run, f"python\ntry:\n  gdb.execute('bulkhead-walk {words}')\n"
                                        "except gdb.error as error:\n  print(error)\nend"), words


def test_the_machine_goes_on(boot, run):
    run.send("stop alpha")
    run.wait_for("guest.stopped", name="alpha", reason="monitor", timeout=30)


def test_make_gdb(boot):
    """As docs/monitor.md says: the machine waits, and stops where the hypervisor begins."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    boot(TEXT, batch=False, limit=200, gdb=port, wait_for_gdb=True)
    done = make("gdb", f"GDB_PORT={port}", "GDB_FLAGS=-nx -batch -ex continue -ex bulkhead-guests -ex 'info registers rip'",
                timeout=120 * PATIENCE)
    assert done.returncode == 0 and re.search(r"rip .*<hypervisor_main", done.stdout), done.stdout + done.stderr
