# SPDX-License-Identifier: MIT
"""Boot media for the tests of the machines, and the marks that say what a test needs."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from . import disk, paths


def gpt(entries, entry_size=128, count=None, size=1 << 20):
    """The smallest thing that esp_offset() reads: a GPT header and its entries."""
    image = bytearray(size)
    struct.pack_into("<8s", image, 512, b"EFI PART")
    struct.pack_into("<QII", image, 512 + 72, 2, len(entries) if count is None else count, entry_size)
    for number, (kind, first, last) in enumerate(entries):
        struct.pack_into("<16s16sQQ", image, 1024 + number * entry_size, kind.bytes_le, bytes(16), first, last)
    return bytes(image)


def make_image(path, files, mebibytes=40):
    """A disk with an ESP, made with the tools that an administrator would use."""
    with path.open("wb") as stream:
        stream.truncate(mebibytes << 20)
    subprocess.run(["/sbin/sfdisk", "-q", path], input="label: gpt\nstart=2048, type=uefi\n", text=True, check=True)
    subprocess.run(["mformat", "-F", "-i", f"{path}@@{1 << 20}", "-T", str((mebibytes - 2) * 2048), "::"], check=True)
    disk.put_into_image(path, files)
    return path


needs_disk_tools = pytest.mark.skipif(not (shutil.which("mformat") and Path("/sbin/sfdisk").exists()),
                                      reason="mtools or sfdisk is missing")


def are_here(trees) -> bool:
    try:
        return bool(trees())
    except paths.MissingEmulators:
        return False


needs_emulators = pytest.mark.skipif(not are_here(paths.tree), reason="no emulators: tests/machine/setup.sh emulators")
needs_qemu_11 = pytest.mark.skipif(not are_here(lambda: paths.qemu_tree(11)),
                                   reason="no QEMU 11: tests/machine/setup.sh qemu11")
