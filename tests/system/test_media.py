# SPDX-License-Identifier: MIT
"""The disk image, looked at as firmware does."""

import struct

import pytest

from machine import disk

FAT32_CLUSTERS = 65525  # with fewer it is FAT16 (FAT specification 1.03, "FAT type determination")


def test_the_system_partition_is_fat32(built):
    """Some firmware boots sticks with nothing else. The file has holes where nothing is."""
    image = built / "bulkhead.img"
    offset = disk.esp_offset(image)
    with image.open("rb") as stream:
        stream.seek(offset)
        sector = stream.read(512)
    size, cluster, reserved, tables, roots, small = struct.unpack_from("<HBHBHH", sector, 11)
    hidden, sectors, table = struct.unpack_from("<III", sector, 28)
    assert size == 512 and roots == 0 and small == 0 and hidden == offset // 512
    assert (sectors - reserved - tables * table) // cluster >= FAT32_CLUSTERS
    assert table * 512 // 4 >= FAT32_CLUSTERS + 2
    assert sector[82:90] == b"FAT32   " and sector[510:] == b"\x55\xaa"
    assert image.stat().st_blocks * 512 < 16 << 20, "the image takes its whole size of the disk"


@pytest.mark.tcg
@pytest.mark.timeout(120)
def test_grub_starts_it_under_memory_protection(boot):
    """The unsigned image, with firmware that has EFI_MEMORY_ATTRIBUTE_PROTOCOL."""
    run = boot.to_the_end("[guest alpha]\nimage = hello.elf\nmemory = 4M\nargs = ticks=2\n", firmware="protected", cpus=2,
                          limit=60)
    assert run.outcome().ok
