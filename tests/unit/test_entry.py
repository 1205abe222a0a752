# SPDX-License-Identifier: MIT
"""build/entry names the rule that a logged state breaks."""

import subprocess

import pytest

from conftest import ROOT, make
from machine import vmentry
from machine.logfmt import LogReader

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


CPU = ("vmx.fixed cr0=0x80000021:0xffffffff cr4=0x2000:0x3727ff physical_bits=40",
       "vmx.allowed pin=0x48d:0x16:0xff primary=0x48e:0x4006172:0xfff9fffe secondary=0x48b:0:0x1257ffff "
       "exit=0x48f:0x36dfb:0x407fffff entry=0x490:0x11fb:0xffff")
HOST = {0xc00: 0x10, 0xc02: 8, 0xc04: 0x10, 0xc06: 0x10, 0xc08: 0, 0xc0a: 0, 0xc0c: 0x18, 0x2000: 0x2da000, 0x2002: 0x2db000,
        0x2004: 0x2dc000, 0x201a: 0x1fc4401e, 0x2c00: 0x7040600070106, 0x2c02: 0xd00, 0x4000: 0x3e, 0x4002: 0xb6006d72,
        0x400c: 0x3f6fff, 0x401e: 0x1010ea, 0x6c00: 0x80010033, 0x6c02: 0x1fc17000, 0x6c04: 0x142660, 0x6c08: 2**64 - 4096,
        0x6c0a: 2**64 - 8192, 0x6c0c: 2**64 - 8192, 0x6c0e: 2**64 - 16384}
HOST_RIP = 0x6c16  # the last field of a VMCS in a log


def log(fields: dict[int, int], core: int = 1, boot: bool = True) -> list[str]:
    pairs = [f"{field:#x}={value:#x}" for field, value in (HOST | fields | {HOST_RIP: fields.get(HOST_RIP, 2**64 - 65536)}).items()]
    lines = [f'vmx.vmcs core={core} fields="{" ".join(pairs[at:at + 12])}"' for at in range(0, len(pairs), 12)]
    return [*(CPU if boot else ()), *lines]


def told(lines: list[str]) -> subprocess.CompletedProcess:
    make("build/entry")
    text = "".join(f"[    1.234567] {line}\r\n" for line in ["guest.output name=a text=x", *lines, "guest.fault name=a"])
    return subprocess.run([ROOT / "build/entry"], input=text, text=True, capture_output=True, check=False)


@pytest.mark.parametrize("change, said", [
    ({CR4: 0x22000}, "CR4.PCIDE is set outside IA-32e mode"),
    ({RIP: 1 << 40}, "RIP has bits above 31 outside 64-bit mode"),
    ({RIGHTS + 2 * FS: 0xc09a}, "FS is not an accessed readable segment"),
    ({LIMIT + 2 * TR: 0x12345678}, "TR limit contradicts its granularity"),
])
def test_the_broken_rule_is_named(change, said):
    done = told(log(flat_protected_mode() | change))
    assert (done.returncode, done.stdout) == (0, f"core 1: {said} (guest state, SDM 3C 27.3.1)\n")


@pytest.mark.parametrize("change, said", [
    ({0xc0c: 0}, "host TR selector is 0; SDM 3C 27.2.3 wants a TR that is not 0"),
    ({0x4000: 0x28}, "pin-based controls are 0x28; SDM 3C 27.2.1.1 wants bit 1 to be 1, as this CPU fixes it (MSR 0x48d)"),
    ({0x6c04: 0x140660}, "host CR4 is 0x140660; SDM 3C 27.2.2 wants the bits that VMX fixes (IA32_VMX_CR4_FIXED0 and 1), VMXE among them"),
    ({HOST_RIP: 0}, "host RIP is 0; the first exit continues there"),
    ({0xc0c: 0, RIP: 1 << 40}, "host TR selector is 0; SDM 3C 27.2.3 wants a TR that is not 0"),
])
def test_a_broken_host_state_or_control_is_named(change, said):
    assert told(log(flat_protected_mode() | change)).stdout == f"core 1: {said}\n"


def test_two_cores_at_once():
    one, two = log(flat_protected_mode() | {0xc0c: 0}, 1), log(flat_protected_mode() | {0xc02: 0}, 2, boot=False)
    mixed = [*CPU, *(line for pair in zip(one[2:], two) for line in pair)]
    assert told(mixed).stdout == ("core 1: host TR selector is 0; SDM 3C 27.2.3 wants a TR that is not 0\n"
                                  "core 2: host CS selector is 0; SDM 3C 27.2.3 wants a CS that is not 0\n")


def test_what_breaks_no_rule_is_not_made_up():
    for boot in (True, False):
        done = told(log(flat_protected_mode(), boot=boot))
        assert done.returncode == 0 and done.stdout.startswith("no rule that is checked here is broken"), done.stdout


def test_a_log_without_a_state_says_nothing():
    done = told([])
    assert done.returncode == 1 and done.stdout == ""


def test_a_run_has_the_sentence_once_for_all_cores():
    make("build/entry")
    reader = LogReader()
    for core in (1, 2):
        reader.feed("".join(f"[0.5] {line}\n" for line in log(flat_protected_mode() | {0xc0c: 0}, core)).encode())
    reader.finish()
    assert vmentry.explained(reader.events) == ["host TR selector is 0; SDM 3C 27.2.3 wants a TR that is not 0 (core 1, 2)"]
    assert vmentry.explained([]) == []
