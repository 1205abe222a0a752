# SPDX-License-Identifier: MIT
"""build/entry names the rule that a logged state breaks."""

import subprocess

import pytest

from conftest import ROOT, make

ES, CS, SS, DS, FS, GS, LDTR, TR = range(8)
SELECTOR, LIMIT, RIGHTS, BASE = 0x800, 0x4800, 0x4814, 0x6806
CR0, CR4, RIP, RFLAGS = 0x6800, 0x6804, 0x681e, 0x6820


def flat_protected_mode() -> dict[int, int]:
    fields = {0x2800: 2**64 - 1, 0x4012: 0xd1ff, CR0: 0x31, CR4: 0x2000, RIP: 0x100000, RFLAGS: 2}
    for index in range(8):
        fields |= {SELECTOR + 2 * index: 0x10, LIMIT + 2 * index: 2**32 - 1, RIGHTS + 2 * index: 0xc093,
                   BASE + 2 * index: 0}
    return fields | {SELECTOR + 2 * CS: 8, RIGHTS + 2 * CS: 0xc09b, RIGHTS + 2 * LDTR: 0x10082, LIMIT + 2 * TR: 0x67,
                     RIGHTS + 2 * TR: 0x8b}


def log(fields: dict[int, int]) -> str:
    pairs = [f"{field:#x}={value:#x}" for field, value in fields.items()]
    lines = [f'vmx.vmcs fields="{" ".join(pairs[at:at + 12])}"' for at in range(0, len(pairs), 12)]
    lines += ["vmx.fixed cr0=0x80000021:0xffffffff cr4=0x2000:0x3727ff physical_bits=40"]
    return "".join(f"[    1.234567] {line}\r\n" for line in ["guest.output name=a text=x", *lines, "guest.fault name=a"])


@pytest.mark.parametrize("change, said", [
    ({}, "a rule that is not among those checked here"),
    ({CR4: 0x22000}, "CR4.PCIDE is set outside IA-32e mode"),
    ({RIP: 1 << 40}, "RIP has bits above 31 outside 64-bit mode"),
    ({RIGHTS + 2 * FS: 0xc09a}, "FS is no accessed readable segment"),
    ({LIMIT + 2 * TR: 0x12345678}, "TR limit contradicts its granularity"),
])
def test_the_broken_rule_is_named(change, said):
    make("build/entry")
    told = subprocess.run(ROOT / "build/entry", input=log(flat_protected_mode() | change), text=True, check=True,
                          capture_output=True)
    assert told.stdout == said + "\n"


def test_a_log_without_a_state_says_nothing():
    make("build/entry")
    told = subprocess.run(ROOT / "build/entry", input="guest.output name=a text=x\n", text=True, capture_output=True)
    assert told.returncode == 1 and told.stdout == ""
