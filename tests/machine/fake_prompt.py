#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Plays the machine of the demonstration on standard input and output, for tests of the guide: a log, a prompt that
echoes, and answers to a few commands.

  fake_prompt.py [wrong] [dies] [mute] [late]
  wrong: `devices` shows nothing of alpha. dies: at `domains`, with a word on standard error. mute: no prompt. late:
  echo and answers come a while after the keys."""

import os
import sys
import time
import tty

LOG = """[0.1] boot.start version=1
[0.2] cpu.backend name=svm
[0.3] sriov.enabled pf=07:00.0 vfs=3 total=9 offset=128 stride=2 ari=yes
[0.3] sriov.vf rid=07:10.0 bar0=0x1 size=16K index=0 id=8086:10ca
[0.3] sriov.vf rid=07:10.2 bar0=0x1 size=16K index=1 id=8086:10ca
[0.3] sriov.vf rid=07:10.4 bar0=0x1 size=16K index=2 id=8086:10ca
[0.4] device.assigned guest=alpha rid=07:10.0 slot=00:01.0 vectors=3
[0.4] guest.created name=alpha cpus=1 memory=8M base=0x5000000 devices=1 cores=1 node=0
[0.4] device.assigned guest=beta rid=07:10.2 slot=00:01.0 vectors=3
[0.4] guest.created name=beta cpus=1 memory=8M base=0x6000000 devices=1 cores=2 node=0
[0.4] device.assigned guest=rogue rid=07:10.4 slot=00:01.0 vectors=3
[0.4] guest.created name=rogue cpus=1 memory=8M base=0x7000000 devices=1 cores=3 node=0
[0.4] guest.created name=gamma cpus=1 memory=4M base=0x8000000 devices=0 cores=4 node=0
[0.5] guest.started name=alpha core=1
[0.5] guest.started name=beta core=2
[0.5] guest.started name=rogue core=3
[0.5] guest.started name=gamma core=4
[0.6] monitor.ready message="type help"
[0.7] guest.event name=alpha value=0x1 exits=28
[0.8] dma.fault rid=07:10.4 guest=rogue address=0x6000000 access=write reason=0x5 action=log message="blocked"
"""
ANSWERS = {
    "guests": """name         state     cpus  memory  at                 faults   ended
alpha        running   1     8M      0x5000000          0
beta         running   1     8M      0x6000000          0
rogue        running   1     8M      0x7000000          17
gamma        running   1     4M      0x8000000          0
""",
    "devices": """07:00.0 8086:10c9 0 on hypervisor uplink
  07:10.0 8086:10ca 0 on alpha uplink.vf0
  07:10.2 8086:10ca 0 on beta uplink.vf1
  07:10.4 8086:10ca 0 on rogue uplink.vf2
""",
    "move uplink.vf2 rogue gamma": "alpha is moving; one move at a time\n",
}


def say(text: str) -> None:
    os.write(1, text.replace("\n", "\r\n").encode())


def main() -> None:
    if os.isatty(0):
        tty.setraw(0)
    words = sys.argv[1:]
    say(LOG)
    if "mute" in words:
        time.sleep(600)
    say("bulkhead> ")
    line = ""
    while True:
        key = os.read(0, 1).decode()
        if "late" in words:
            time.sleep(0.05)
        if not key:
            return
        if key == "\x15":
            say("\b \b" * len(line))
            line = ""
        elif key == "\t":
            say("hest"[len(line):] if "hest".startswith(line) else "")
            line = "hest"
        elif key == "\r":
            say("\n")
            if line == "domains" and "dies" in words:
                os.write(2, b"qemu: assertion failed\n")
                sys.exit(3)
            if line == "devices" and "wrong" in words:
                say(ANSWERS["devices"].replace("alpha", "delta"))
            elif line:
                say(ANSWERS.get(line, f"{line}: no such command; `help` lists them\n"))
            say("bulkhead> ")
            line = ""
        elif key in "\x7f\b":
            say("\b \b" if line else "")
            line = line[:-1]
        elif " " <= key <= "~":
            line += key
            say(key)


if __name__ == "__main__":
    main()
