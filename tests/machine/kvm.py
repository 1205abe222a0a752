# SPDX-License-Identifier: MIT
"""Whether this machine's KVM really offers nested virtualization.

An openable /dev/kvm proves nothing: containers and cloud machines have it with VMX and SVM hidden. What
counts is the CPUID that KVM would give to a guest (KVM_GET_SUPPORTED_CPUID)."""

import fcntl
import os
import struct

KVM_GET_API_VERSION = 0xAE00
KVM_GET_SUPPORTED_CPUID = 0xC008AE05
MAXIMUM_ENTRIES = 256
HEADER = struct.Struct("<II")
ENTRY = struct.Struct("<IIIIIIIIII")  # function, index, flags, eax, ebx, ecx, edx, 3 x padding
VMX = 1 << 5  # CPUID 1, ECX
SVM = 1 << 2  # CPUID 0x80000001, ECX


def supported_cpuid(device: str = "/dev/kvm") -> dict[int, tuple[int, int, int, int]]:
    """Leaf -> (eax, ebx, ecx, edx) of sub-leaf 0, as KVM would give it. Raises OSError."""
    descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        buffer = bytearray(HEADER.pack(MAXIMUM_ENTRIES, 0) + bytes(ENTRY.size * MAXIMUM_ENTRIES))
        fcntl.ioctl(descriptor, KVM_GET_SUPPORTED_CPUID, buffer, True)
    finally:
        os.close(descriptor)
    count = min(HEADER.unpack_from(buffer)[0], MAXIMUM_ENTRIES)
    leaves: dict[int, tuple[int, int, int, int]] = {}
    for number in range(count):
        function, index, _flags, *registers = ENTRY.unpack_from(buffer, HEADER.size + number * ENTRY.size)
        if index == 0:
            leaves[function] = tuple(registers[:4])
    return leaves


def nested_virtualization(read=supported_cpuid) -> tuple[bool, str]:
    """(usable, a sentence that says why)."""
    try:
        leaves = read()
    except FileNotFoundError:
        return False, "there is no /dev/kvm on this machine"
    except PermissionError:
        return False, "/dev/kvm may not be opened by this user (is it in the group kvm?)"
    except OSError as error:
        return False, f"/dev/kvm does not answer: {error.strerror}"
    if leaves.get(1, (0, 0, 0, 0))[2] & VMX:
        return True, "KVM offers VMX to its guests"
    if leaves.get(0x80000001, (0, 0, 0, 0))[2] & SVM:
        return True, "KVM offers SVM to its guests"
    return False, ("/dev/kvm opens, but KVM offers neither VMX nor SVM to its guests "
                   "(no nested virtualization here, or the module parameter nested=0)")


def choose_machine(read=supported_cpuid) -> tuple[str, str]:
    """('kvm' or 'tcg', why)."""
    usable, reason = nested_virtualization(read)
    return ("kvm", reason) if usable else ("tcg", f"{reason}; emulating with SVM instead")
