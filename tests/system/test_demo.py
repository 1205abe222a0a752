# SPDX-License-Identifier: MIT
"""The demonstration on the real machine: typed by itself, and by somebody at a terminal of 80x24."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pexpect
import pytest
from machine import PATIENCE, paths

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(300)]

DEMO = str(paths.HERE / "demo.py")


def test_every_step_is_as_it_says(built):
    done = subprocess.run([DEMO, "--check", "--machine", "tcg"], check=False, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=250 * PATIENCE)
    said, told = done.stdout.decode(errors="replace"), done.stderr.decode()
    assert done.returncode == 0, told + said[-6000:]
    assert "demo: 12 of 12 steps are as they say" in told
    rows = [row for row in said.replace("\r", "\n").splitlines() if row.startswith("|")]
    assert len(rows) > 100 and max(map(len, rows)) < 80 and "?" not in re.sub(r"\w\?", "", "".join(rows))
    boot, guide = said.index("boot.start"), said.index("| This is Bulkhead in an emulated machine")
    assert boot < said.index("monitor.ready") < guide < said.index("| Step 1 of 12"), "a short orientation comes first"


class Record:
    text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


@pytest.fixture
def session(built):
    user = pexpect.spawn(DEMO, ["--machine", "tcg"], dimensions=(24, 80), timeout=60 * PATIENCE, encoding="utf-8",
                         codec_errors="replace", env={**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1"})
    user.logfile_read = Record()
    yield user
    user.close(force=True)


def process_of(folder: str) -> int:
    """The emulator whose files are there."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"qemu-system" in b" ".join(words) and any(f"{folder}/vars.fd".encode() in word for word in words):
            return int(process.name)
    raise AssertionError(f"no emulator has {folder}")


def test_at_a_terminal(session):
    """Own commands between steps, a function by its requester id, a device there and back, a guest that ends at its own
    console, and at last a machine that dies."""
    session.expect(r"log=(\S+)/serial.log")
    folder = session.match.group(1)
    session.expect(r"rogue's VF\s+(?:\| )?(\S+)\s")
    rid = session.match.group(1)
    session.expect_exact("Step 1 of 12")
    session.send("\r")
    session.expect_exact("Step 2 of 12")
    session.send("bogus\r")
    session.expect_exact("bogus: no such command")
    session.send("step why\r")
    session.expect(r"Try: `why uplink\.vf2 (0x[0-9a-f]+)`")
    session.send(f"why  {rid}  {session.match.group(1)}\r")
    session.expect_exact("A read is blocked with reason 0x6, a write with 0x5")
    session.send("step move\r")
    session.expect_exact("Try: `move uplink.vf2 rogue gamma`")
    session.send("\r")
    session.expect_exact("gamma has it")
    session.expect_exact("Step 10 of 12")
    session.send("back\r")
    session.expect_exact("Try: `move uplink.vf2 gamma rogue`")
    session.send("\r")
    session.expect_exact("rogue has it")
    session.expect(f"dma.fault rid={rid}")
    session.send("step console\r")
    session.expect_exact("Try: `console gamma`")
    session.send("\r")
    session.expect_exact("serial line of gamma")
    session.send("read 0x80000000\r")
    session.expect("guest.stopped name=gamma .* reason=memory-access")
    session.send("\x1c")
    session.expect_exact("That was the last step")
    session.send("back\r")
    session.expect_exact("gamma is stopped, and this step wants it running")
    session.send("\r")
    session.expect_exact("Try: `console gamma`")
    os.kill(process_of(folder), signal.SIGKILL)
    session.expect(pexpect.EOF)
    session.close()
    assert session.exitstatus == 1 and "the machine ended in step 12 (console)" in session.before
    text = session.logfile_read.text
    assert "Traceback" not in text and text.count("no such command") == 1
    assert max(len(row) for row in text.replace("\r", "\n").splitlines() if row.startswith("|")) < 80
