# SPDX-License-Identifier: MIT
"""Multiboot 1 kernels as guests: what the loader promises them, their serial line, their exit status."""

from pathlib import Path

import pytest
from system.checks import of, one, sound, stopped, verdict

pytestmark = [pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
NOTE = b"a module's text"
LANES = [pytest.param("tcg", marks=pytest.mark.tcg), pytest.param("bochs", marks=pytest.mark.bochs)]


def kernel(name, arguments, more="", expect="stopped"):
    return f"[guest {name}]\nimage = multiboot.elf\nmemory = 16M\nargs = {arguments}\n{more}expect = {expect}\n"


@pytest.fixture(scope="module", params=LANES)
def run(boot, request):
    text = (kernel("alpha", "exit=33 first second", "initrd = note.txt\n", "exit 33")
            + kernel("beta", "exit=0", expect="exit 0") + kernel("gamma", "touch=2147483648 exit=0")
            + "[guest delta]\nimage = hello.elf\nmemory = 4M\ninitrd = note.txt\nexpect = refused\n"
            + "[guest epsilon]\nimage = broken.elf\nmemory = 16M\nexpect = refused\n")
    return boot.to_the_end(text, on=request.param, cpus=6, limit=120, files={
        "/bulkhead/note.txt": NOTE, "/bulkhead/broken.elf": broken()})


def broken() -> bytes:
    """The kernel, but it cannot do without a video mode."""
    content = bytearray((ROOT / "build/guest/multiboot.elf").read_bytes())
    at = content.index(bytes.fromhex("02b0ad1b"))
    flags = 7
    content[at + 4:at + 12] = flags.to_bytes(4, "little") + (-(0x1BADB002 + flags) % (1 << 32)).to_bytes(4, "little")
    return bytes(content)


def said(run, guest):
    return [line["text"] for line in of(run, "guest.output", name=guest)]


def test_it_is_told_what_was_promised(run):
    assert said(run, "alpha") == [
        "loaded by Bulkhead: multiboot.elf exit=33 first second",
        "memory: 640K low, 15360K high, 16256K by the map",
        f"module note.txt on a page, {len(NOTE)} bytes: {NOTE.decode()}"]
    assert said(run, "beta")[0] == "loaded by Bulkhead: multiboot.elf exit=0"
    assert not [line for line in said(run, "beta") if "module" in line]


def test_its_exit_status_is_the_guests(run):
    assert one(run, "guest.stopped", name="alpha")["status"] == "33"
    stopped(run, "alpha", status=33)
    stopped(run, "beta")


def test_memory_ends_where_the_map_says(run):
    assert "touching" in said(run, "gamma")
    assert one(run, "guest.stopped", name="gamma")["reason"] == "memory-access"


def test_what_it_cannot_have_is_refused(run):
    assert "video mode" in one(run, "guest.refused", guest="epsilon")["message"]
    assert "a Multiboot kernel a module" in one(run, "guest.refused", guest="delta")["message"]


def test_the_run_ends_well(run):
    verdict(run)
    sound(run)
