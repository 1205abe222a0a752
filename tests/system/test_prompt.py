# SPDX-License-Identifier: MIT
"""Whatever is typed at the prompt: it is answered, and the next command works."""

import re
import time

import pytest
from system.checks import PROMPT, ask, of, sound

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(240)]

# rogue makes a line of the log now and then; alphabet sends without end when it is not held.
CONFIGURATION = """
[nic uplink]
device = 8086:10c9
vfs    = 3

[guest alpha]
image  = hostile.elf
memory = 8M
device = uplink.vf0
args   = act=halt
expect = stopped

[guest alphabet]
image  = multiboot.elf
initrd = noise.txt
memory = 16M
args   = send=1000000000
expect = stopped

[guest rogue]
image  = rogue.elf
memory = 8M
device = uplink.vf1
args   = targets=@memory(alpha) rounds=1000000 pause=400000
fault_action = log
expect = stopped
"""
NOISE = b"all work and no play\r\n" * 40
QUESTION = "\x1b[6n"
ROW = re.compile(r"^  (\S+) +((?:[A-Z|\[\]. -]+|cpu|irq|-v)*?) {2,}\S", re.MULTILINE)


@pytest.fixture(scope="module")
def run(boot):
    run = boot(CONFIGURATION, batch=False, limit=230, files={"/bulkhead/noise.txt": NOISE})
    run.wait_for("monitor.ready", timeout=60)
    run.wait_for("dma.fault", timeout=60)
    ask(run, "pause alphabet", timeout=60)
    return run


@pytest.fixture(scope="module")
def commands(run):
    names = re.findall(r"^  (\w+) ", ask(run, "help"), re.MULTILINE)
    assert len(names) > 20
    return names


def works(run):
    """The prompt does what it is told."""
    ask(run, "cpus", r"^core 0: APIC id 0, control core$")


def test_too_many_arguments(run, commands):
    """Also those that act: nothing happens."""
    for name in commands:
        ask(run, f"{name} a b c d e f g h", rf"^usage: {name}( |$)")
    for name in ("guests", "frames", "reboot", "poweroff"):
        ask(run, f"{name} alpha", rf"^usage: {name}$")


def test_too_few_arguments(run):
    for line in ("walk", "walk 01:10.0", "why", "why 01:10.0", "start", "stop", "restart", "pause", "resume", "move",
                 "move uplink.vf0", "move uplink.vf0 alpha", "console"):
        ask(run, line, rf"^usage: {line.split()[0]} ")


def test_wrong_arguments(run):
    for name in ("start", "stop", "restart", "pause", "resume", "console"):
        ask(run, f"{name} nobody", "^nobody: no such guest")
        ask(run, f"{name} {'n' * 100}", "^n{100}: no such guest")
        ask(run, f"{name} %s%n\\x1b", "^%s%n.x1b: no such guest")
    for line in ("move nothing alpha alphabet", "move 01:10.0 nobody alpha", "move ff:1f.7 alpha alphabet"):
        ask(run, line, r"no such|has no device|no device")
    for line in ("walk 01:10.9 0", "walk nothing 0", "walk 01:10.0 0x", "walk 01:10.0 -1", "why 01:10.0 1e5"):
        answer = ask(run, line)
        assert answer.strip() and "level 4" not in answer, answer


@pytest.mark.parametrize("line, answer", [
    ("?", r"^  guests "), ("quit", "^quit: no such command; `poweroff` ends the machine"),
    ("exit", "^exit: no such command; `poweroff`"), ("hlep", "^hlep: no such command; `help` lists them$"),
    ("  cpus  ", "^core 0"), ("more   cpus", "^core 0")])
def test_what_people_try(run, line, answer):
    ask(run, line, answer)


def test_every_byte(run):
    """Alone, behind Escape and within a sequence; Ctrl-C then drops what became of it."""
    for first in ("", "\x1b", "\x1b["):
        for low in range(0, 256, 32):
            run.console.send("".join(f"{first}{chr(byte)}\x03" for byte in range(low, low + 32)
                                     if chr(byte) not in "\r\n"))
        works(run)


def test_long_lines(run):
    for size in (127, 128, 1000, 20000):
        run.console.send("\x15" + "z" * size + "\r")
        run.console.expect("\r\nz{127}: no such command", timeout=60)
    run.console.send("\x15" + "a " * 64 + "\r")
    run.console.expect("\r\na: no such command", timeout=20)
    works(run)


def keys(run, keys, expected, timeout=20):
    run.console.send(keys)
    run.console.expect(expected, timeout=timeout)


def test_editing(run):
    keys(run, "\x15gests\x1b[D\x1b[D\x1b[D\x1b[Du\r", r"\nname +state")
    keys(run, "\x15xpus\x01\x1b[3~c\x05\r", r"\ncore 0: APIC id 0")
    keys(run, "\x15cpus nonsense\x17\r", r"\ncore 0: APIC id 0")
    keys(run, "\x15cpus nonsense" + "\x02" * 9 + "\x0b\r", r"\ncore 0: APIC id 0")
    keys(run, "\x15frames 1\r", "\nusage: frames")
    keys(run, "\x1b[A\x1b[A\r", r"\ncore 0: APIC id 0")
    keys(run, "\x1b[A\x1b[A\x7f\x7f\r", r"\nhypervisor: ")
    works(run)


def test_sequences_in_pieces(run):
    """A slow line brings a key's bytes one at a time; others never come to an end."""
    run.console.send("\x15cus")
    for byte in "\x1b[D\x1bOD\x1b[1;5C\x1b[D":
        run.console.send(byte)
        time.sleep(0.02)
    keys(run, "p\r", r"\ncore 0: APIC id 0")
    for broken in ("\x1b", "\x1b[", "\x1b[1;", "\x1bO", "\x1b[" + "9" * 300, "\x1b[" + ";" * 300, "\x1b\x1b\x1b["):
        keys(run, f"\x15cpus{broken}\r", r"\ncore 0: APIC id 0")


def test_completion(run):
    """A list stands where the prompt was, or behind a line of the log that came in the same turn."""
    keys(run, "\x15gue\t\r", r"\nname +state")
    keys(run, "\x15pause al\t", r"pause alpha")
    keys(run, "\t", r"[\r\n]alpha +alphabet *\r\n")
    keys(run, "b\t\x15pau\t\t", r"[\r\n]alpha +alphabet +rogue *\r\n")
    keys(run, "\x15walk upl\t\t", r"[\r\n]uplink +uplink\.vf0 +uplink\.vf1 +uplink\.vf2 *\r\n")
    keys(run, ".vf0\t0x200000\r", r"\nreaches 0x")
    keys(run, "\x15more walk 01:10.0\t0x200000\r", r"\nreaches 0x")
    keys(run, "\x15nothing \t\t\t\x15cpus\r", r"\ncore 0: APIC id 0")


def test_a_log_line_comes_while_somebody_types(run):
    run.console.send("\x15cpuz" + "\x1b[D")
    for _ in range(2):
        run.wait_for("dma.fault", timeout=60, after=run.events[-1])
    # The line is written again, and the cursor put back on its last letter.
    keys(run, "", PROMPT + "cpuz\x08")
    keys(run, "\x1b[3~s\r", r"\ncore 0: APIC id 0")


def test_a_terminal(run):
    """Colour and pages for what answers the question; on it the answer is 20 rows."""
    keys(run, "\x15\x0c", re.escape(QUESTION))
    keys(run, "\x1b[20;80R" + "frobnicate\rhelp\r", r"-- (\d+) more rows: space, Enter, q ")
    first = run.console.before
    rows = re.split(r"\r?\n", first[first.rindex("help\r"):])
    assert len(rows) - 2 == 18 and rows[1].startswith("  help "), rows
    left = int(run.console.match.group(1))
    keys(run, " ", rf"-- {left - 18} more rows: " if left > 18 else "poweroff")
    keys(run, "q\x15cpus\r", r"\ncore 0: APIC id 0")
    keys(run, "walk 01:10.0 0x12345678\r", "\x1b\\[31mblocked: \x1b\\[mnothing")
    last = run.events[-1]
    keys(run, "audit\r", "audit\x1b\\[32m\\.ok \x1b\\[m")
    run.wait_for("audit.ok", timeout=20, after=last)  # colour does not hide it from programs
    for typed in ("top\r", "", ""):  # each table over the one before
        keys(run, typed, r"\x1b\[H\x1b\[Jguest +state .*cores\r?\n")
    keys(run, "qcpus\r", r"\ncore 0: APIC id 0")
    # Another line, where nobody answers.
    keys(run, "\x15\x0c", re.escape(QUESTION))
    answer = ask(run, "walk 01:10.0 0x12345678", "^blocked: nothing")
    assert "\x1b" not in answer
    assert "poweroff" in ask(run, "help")


def test_input_while_output_floods(run):
    """A guest sends without end, into the log and then in front; what is typed gets through."""
    ask(run, "resume alphabet", timeout=60)
    run.wait_for("guest.output", timeout=60, after=run.events[-1], name="alphabet")
    run.console.send("\x15junk\x1b[D\x1b[D\t\x17\x15frobnic\x1b[Da\x1b[Cte\r")
    run.console.expect("\nfrobniacte: no such command", timeout=60)
    run.console.send("\x15console alphabet\r")
    run.console.expect("alphabet\\| all", timeout=60)
    run.console.send("\x1b[A" * 200 + "x" * 2000 + "\x1c")
    ask(run, "pause alphabet", timeout=60)
    works(run)


def test_nothing_of_this_has_broken_anything(run):
    ask(run, "audit", r"audit\.ok ")
    sound(run)
    assert not of(run, "monitor.reboot") and not of(run, "monitor.poweroff")


def test_nobody_is_asked_before_a_key(boot):
    """A log that is only recorded is plain text."""
    run = boot.to_the_end("[guest hello]\nimage = hello.elf\nmemory = 4M\nargs = ticks=3\nexpect = exit 0\n")
    text = (run.directory / "serial.log").read_bytes()
    text = text[text.index(b"boot.start"):]
    assert b"run.verdict" in text and b"\x1b" not in text
