#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A machine and gdb in one command: `make debug`.

The machine waits in its first instruction; gdb loads the symbols and Bulkhead's commands, and stops it where the
hypervisor begins. What the machine says goes to build/debug.log. It ends when gdb does. GDB_PORT, in the environment,
is the port between the two (default: a free one), GDB_FLAGS are more options of gdb."""

import argparse
import os
import pty
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LOG = REPOSITORY / "build/debug.log"
LIMIT = 120  # seconds until the machine listens
LISTEN = "0A"  # /proc/net/tcp


def fail(text: str) -> int:
    print(f"debug: error: {text}", file=sys.stderr)
    return 2


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def take_terminal(group: int = 0) -> None:
    """Makes a process group the one that Ctrl-C goes to; without a number one of this process's own. make is in another,
    and would end with it."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return
    previous = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        if not group:
            os.setpgid(0, 0)
        os.tcsetpgrp(terminal, group or os.getpgrp())
    except OSError:
        pass
    finally:
        signal.signal(signal.SIGTTOU, previous)
        os.close(terminal)


def listens(port: int) -> bool:
    """Without a connection, which would be the debugger's."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:])
    return any(int(fields[1].split(":")[1], 16) == port and fields[3] == LISTEN for fields in lines)


class Machine:
    """run.py on a terminal of its own, as if somebody sat there: it goes on when its guests have ended."""

    def __init__(self, port: int, options: list) -> None:
        self.terminal, theirs = pty.openpty()
        command = [sys.executable, str(REPOSITORY / "tests/machine/run.py"), "--gdb", str(port), *options]
        try:
            # In a session of its own: Ctrl-C is gdb's.
            self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        finally:
            os.close(theirs)
        LOG.parent.mkdir(exist_ok=True)
        self.writer = threading.Thread(target=self.write, args=(open(LOG, "wb", buffering=0),), daemon=True)
        self.writer.start()

    def write(self, log) -> None:
        try:
            while data := os.read(self.terminal, 65536):
                log.write(data)
        except OSError:  # the other end is closed
            pass
        log.close()

    def wait(self, port: int) -> str:
        """Until it listens; what went wrong, or ""."""
        deadline = time.monotonic() + LIMIT
        while not listens(port):
            if self.process.poll() is not None:
                self.writer.join(5)
                return f"the machine did not start:\n{LOG.read_text(errors='replace').strip()}"
            if time.monotonic() > deadline:
                return f"the machine does not listen on port {port} after {LIMIT} s: see {LOG}"
            time.sleep(0.1)
        return ""

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.writer.join(5)


def main(options: list) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
                                     usage="debug.py [-h] [OPTION OF RUN.PY]...")
    options = parser.parse_known_args(options)[1]
    image = REPOSITORY / "build/bulkhead.elf"
    if not image.exists():
        return fail(f"{image} does not exist: run make all first")
    if shutil.which("gdb") is None:
        return fail("there is no gdb here: tests/machine/setup.sh build installs it")
    text = os.environ.get("GDB_PORT") or str(free_port())
    if not text.isdigit() or not 0 < int(text) < 65536:
        return fail(f"GDB_PORT={text}: give a port from 1 to 65535")
    port = int(text)
    if listens(port):
        return fail(f"GDB_PORT={port}: something listens there already")
    lane = next((word for before, word in zip(options, options[1:]) if before == "--machine"), "tcg")
    if lane not in ("tcg", "kvm"):
        return fail(f"MACHINE={lane}: gdb attaches to QEMU's machines, tcg and kvm")
    machine = Machine(port, options)
    try:
        wrong = machine.wait(port)
        if wrong:
            return fail(wrong)
        print(f"debug: the machine waits; its log goes to {LOG.relative_to(REPOSITORY)}; bulkhead-help says what can be asked",
              flush=True)
        commands = ("set confirm off", f"target remote 127.0.0.1:{port}", "hbreak hypervisor_main", "continue")
        words = [word for command in commands for word in ("-ex", command)]
        return subprocess.run(["gdb", "-q", str(image), "-x", str(REPOSITORY / "tests/tools/bulkhead_gdb.py"), *words,
                               *shlex.split(os.environ.get("GDB_FLAGS", ""))], check=False, cwd=REPOSITORY,
                              preexec_fn=take_terminal).returncode
    finally:
        take_terminal(os.getpgrp())
        machine.end()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
