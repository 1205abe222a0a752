# SPDX-License-Identifier: MIT
"""gdb attached to a machine with guests: what its commands read is what the log and the monitor say."""

import json
import os
import re
import socket
import subprocess
import sys

import pexpect
import pytest
from system.checks import one

from conftest import ROOT, make
from machine import PATIENCE, gdb
from tools import debug

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(240)]

TEXT = "".join(f"[guest {name}]\nimage = hostile.elf\nmemory = {size}M\ncpus = {cpus}\nargs = act=halt\nexpect = stopped\n"
               for name, size, cpus in (("alpha", 8, 1), ("beta", 16, 2)))


@pytest.fixture(scope="module")
def run(boot):
    run = boot(TEXT, batch=False, limit=200, extra=[word for word in gdb.ARGUMENTS if word != "-S"])
    run.wait_for("monitor.ready", timeout=120)
    for name in ("alpha", "beta"):
        run.wait_for("guest.event", name=name, timeout=60)  # it has run, and had exits
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


def test_one_guest(boot, run):
    base = one(run, "guest.created", name="beta")["base"]
    answer = ask(boot, run, "bulkhead-guest beta", 'print $guest("beta")', 'print $guest("beta").memory')
    assert re.search(r"^beta: running, owner 17, 0 DMA faults\n  memory   " + base + r", 16384K\n"
                     r"  vcpu 0   core 2, in guest mode, exits: .*\bhypercall [1-9]", answer, re.MULTILINE), answer
    assert "  vcpu 1   core 3, " in answer and re.search(r"= guest beta, running, [1-9]\d* exits = \{\n  name = \"beta\",", answer)
    assert re.search(r"= npt of 4 levels, [1-9]\d* pages = ", answer), answer


def test_the_log(boot, run):
    """As it came by the serial line; it is read in memory."""
    answer = ask(boot, run, "bulkhead-log 100000", "echo ----\\n", "bulkhead-log 3", "echo ----\\n", "bulkhead-log guest.created")
    every, newest, created = (part.strip().splitlines() for part in answer.split("----\n"))
    every = every[every.index(next(line for line in every if line.startswith("["))):]
    sent = [line.text for line in run.events]
    assert len(every) > 50 and all(any(line in words for words in sent) for line in every if " guest." in line)
    assert newest == every[-3:]
    assert [line for line in created if "guest.created" in line] == [line for line in every if "guest.created" in line] != []
    assert "no such line is in the log's memory" in ask(boot, run, "bulkhead-log nosuchword")


def test_devices(boot, run):
    answer = ask(boot, run, "bulkhead-devices")
    for event in (event for event in run.events if event.event == "pci.function"):
        assert re.search(rf"^{re.escape(event['rid'])} +{event['id']} (bridge|function) ", answer, re.MULTILINE), answer


def test_help_names_all_commands(boot, run):
    known = set(re.findall(r'super\(\).__init__\("(bulkhead-[a-z]+)"', (ROOT / "tests/tools/bulkhead_gdb.py").read_text()))
    answer = ask(boot, run, "bulkhead-help")
    assert len(known) >= 6 and all(f"\n    {name} " in answer for name in known), answer


@pytest.mark.parametrize("command, reason", [
    ("bulkhead-walk 0 gamma", "there is no guest gamma"), ("bulkhead-walk 1 2 3", "bulkhead-walk ADDRESS"),
    ("bulkhead-walk", "bulkhead-walk ADDRESS"), ("bulkhead-walk nosuchsymbol", "No symbol"),
    ("bulkhead-walk 1ull<<48 beta", "is above what 4 levels reach"), ("bulkhead-walk 0 beta dma", "beta has no devices"),
    ("bulkhead-guest", "bulkhead-guest NAME"), ("bulkhead-guest gamma", "there is no guest gamma"),
    ("bulkhead-devices all", "bulkhead-devices takes nothing"), ("bulkhead-log 1 2", "bulkhead-log [N|WORD]"),
    ('print $guest("gamma")', "there is no guest gamma")])
def test_bad_input(boot, run, command, reason):
    answer = ask(boot, run, f"python\ntry:\n  gdb.execute({command!r})\nexcept gdb.error as error:\n  print(error)")
    assert reason in answer and "Traceback" not in answer, answer


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


def test_vs_code(boot, built):
    """What .vscode/launch.json has gdb do, by the interface that VS Code uses."""
    launch = json.loads((ROOT / ".vscode/launch.json").read_text())["configurations"][0]
    port = debug.free_port()
    boot(TEXT, batch=False, limit=200, gdb=port, wait_for_gdb=True)
    session = pexpect.spawn(launch["miDebuggerPath"], ["-nx", "-q", "--interpreter=mi", str(built / "bulkhead.elf")], cwd=ROOT,
                            encoding="utf-8", timeout=60 * PATIENCE, echo=False)

    def command(text: str, answer: str) -> None:
        session.expect_exact("(gdb)")
        session.sendline(text.replace("${workspaceFolder}", str(ROOT)))
        assert session.expect([rf"\^{answer}", r"\^error[^\n]*"]) == 0, f"{text}: {session.after}"

    try:
        for setup in launch["setupCommands"]:
            command(setup["text"], "done")
        command(f"-target-select remote 127.0.0.1:{port}", "connected")
        for after in launch["postRemoteConnectCommands"]:
            command(after["text"], "done")
        command("-exec-continue", "running")
        session.expect(r'\*stopped,reason="breakpoint-hit"[^\n]*func="hypervisor_main"')
        command("bulkhead-help", "done")
        command("-gdb-exit", "exit")
    finally:
        session.close(force=True)


def test_make_debug(built):
    """In a terminal: the machine waits, Ctrl-C stops it, and when gdb leaves it is gone."""
    session = pexpect.spawn("make", ["--no-print-directory", "debug", "SCENARIO=sriov", "MACHINE=tcg"], cwd=ROOT, encoding="utf-8",
                            timeout=120 * PATIENCE, env={**os.environ, "GDB_FLAGS": "-nx -iex 'set style enabled off'", "TERM": "dumb"})
    prompt = "\\(gdb\\) "

    def command(text: str) -> str:
        session.sendline(text)
        session.expect(prompt)
        return session.before

    try:
        session.expect(r"Remote debugging using 127\.0\.0\.1:(\d+)")
        port = int(session.match.group(1))
        session.expect("Thread 1 hit Breakpoint 1, hypervisor_main")
        session.expect(prompt)
        command("hbreak guest_note_end")
        assert "guest_note_end (guest=" in command("continue")
        assert re.search(r"function 01:10\.0 +8086:10ca vf +owner alpha +used", command("bulkhead-guest alpha"))
        reached = re.search(r"reaches 0x\w+ \((?:2M|4K) page, read write\)", command("bulkhead-walk 0x200000 alpha dma"))
        assert reached and "nothing is mapped at 0x40000000" in command("bulkhead-walk 0x40000000 alpha dma")
        assert "guest.created name=rogue" in (ROOT / "build/debug.log").read_text(errors="replace")
        command("delete")
        session.sendline("continue")
        session.expect("Continuing")
        session.sendintr()
        session.expect("received signal SIGINT")
        session.expect(prompt)
        session.sendline("quit")
        session.expect(pexpect.EOF)
        session.close()
        assert session.exitstatus == 0, session.before
    finally:
        session.close(force=True)
    assert not debug.listens(port)


@pytest.mark.parametrize("arguments, variables, reason", [
    (("--scenario", "nosuch/name"), {}, "the machine did not start:"), (("--machine", "stack"), {}, "MACHINE=stack: gdb attaches to"),
    ((), {"GDB_PORT": "seven"}, "GDB_PORT=seven: give a port from 1 to 65535"), ((), {"GDB_PORT": "70000"}, "GDB_PORT=70000: give a port")])
def test_debug_says_what_is_wrong(built, arguments, variables, reason):
    done = subprocess.run([sys.executable, ROOT / "tests/tools/debug.py", *arguments], text=True, capture_output=True, check=False,
                          timeout=120 * PATIENCE, env={**os.environ, **variables}, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and done.stderr.startswith(f"debug: error: {reason}"), done.stderr


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run([sys.executable, ROOT / "tests/tools/debug.py"], text=True, capture_output=True, check=False,
                              timeout=60 * PATIENCE, env={**os.environ, "GDB_PORT": str(port)}, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and f"GDB_PORT={port}: something listens there already" in done.stderr
