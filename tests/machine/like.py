# SPDX-License-Identifier: MIT
"""Machines like those in laboratories, made of emulated parts and of tables that say what their firmware says:
`make run LIKE=minipc`. docs/hardware.md says what is made and what each of them shows."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from . import dmar
from .spec import SECOND_ROOT, MachineSpec, Nic
from .tables import stoppable_wdat, table

GRAPHICS = (2, 0)
# Memory that QEMU's firmware leaves to whoever wants it and that firmware of these machines would keep.
STOLEN = 0x7800000
MIB = 1 << 20


@dataclass(frozen=True)
class Like:
    """summary: what it stands for, for --help. scenario: what it runs unless another is asked for. make: the machine,
    from the one that the scenario would get."""

    summary: str
    scenario: str
    make: Callable[[MachineSpec], MachineSpec]


def spcr(port: int) -> bytes:
    """A 16550 at an I/O port, 115200 baud (SPCR revision 2)."""
    address = struct.pack("<BBBBQ", 1, 8, 0, 1, port)
    return table("SPCR", struct.pack("<B3x12sBBIBBBBB", 0, address, 0, 0, 0, 7, 0, 1, 0, 0) + bytes(19), revision=2)


def minipc(spec: MachineSpec) -> MachineSpec:
    """No serial line and no PS/2: a screen, a USB keyboard, two network cards without SR-IOV. Its firmware starts what is
    signed, protects memory, and asks not to use x2APIC."""
    regions = dmar.rmrr(STOLEN, STOLEN + 8 * MIB - 1, GRAPHICS)
    return spec.but(
        console="none", screen=(2560, 1440), board="i8042=off", firmware="strict", signed=True,
        nics=(Nic("e1000e", netdev="hubport,hubid=0"), Nic("e1000e", netdev="hubport,hubid=0")),
        tables={"DMAR": table("DMAR", dmar.body(dmar.drhd(dmar.UNIT, scopes=dmar.IO_APIC), regions,
                                                flags=dmar.REMAPPING | dmar.OPT_OUT))})


def workstation(spec: MachineSpec) -> MachineSpec:
    """Its console is COM2, as SPCR says; a serial card besides; two threads a core."""
    return spec.but(
        cpus=2 * max(spec.cpus, 4), threads=2, console="com2", tables={"+SPCR": spcr(0x2f8)},
        extra=(*spec.extra, "-chardev", "null,id=card", "-device", "pci-serial,chardev=card,addr=0x1d"))


def nodes(cpus: int, memory: int) -> tuple[str, ...]:
    """QEMU's words for two nodes, each with half of the CPUs and of the memory (MiB)."""
    words = []
    for node, (first, last) in enumerate(((0, cpus // 2 - 1), (cpus // 2, cpus - 1))):
        words += ["-object", f"memory-backend-ram,id=node{node},size={memory // 2}M",
                  "-numa", f"node,nodeid={node},memdev=node{node},cpus={first}-{last}"]
    return tuple(words)


def server_tables() -> dict[str, bytes]:
    """Firmware keeps memory for the card behind the second root bus, and a watchdog runs."""
    card = dmar.rmrr(STOLEN, STOLEN + MIB - 1, (0, 0), bus=SECOND_ROOT + 1)
    return {"DMAR": table("DMAR", dmar.body(dmar.drhd(dmar.UNIT, scopes=dmar.IO_APIC), card)), "+WDAT": stoppable_wdat()}


def server(spec: MachineSpec) -> MachineSpec:
    """Two root buses and two nodes; firmware keeps memory for the card; a watchdog runs, and ERST keeps records."""
    cpus, memory = max(spec.cpus, 8), max(spec.memory, 1024)
    return spec.but(
        cpus=cpus, memory=memory, nics=tuple(nic_at_the_second_root(nic) for nic in spec.nics), tables=server_tables(),
        extra=(*spec.extra, *nodes(cpus, memory), "-object", "memory-backend-ram,id=erst,size=64K",
               "-device", "acpi-erst,bus=pcie.0,memdev=erst"))


def nic_at_the_second_root(nic: Nic) -> Nic:
    return Nic(nic.model, "second-root", nic.mac, nic.netdev, nic.capture, nic.vfs)


def desktop(spec: MachineSpec) -> MachineSpec:
    """Many tables before DMAR, whose checksum is wrong."""
    broken = bytearray(table("DMAR", dmar.body(dmar.drhd(dmar.UNIT, scopes=dmar.IO_APIC))))
    broken[9] ^= 0x55
    many = {f"+SSDT{n}": table("SSDT", bytes(4)) for n in range(70)}
    return spec.but(tables={"DMAR": b"", **many, "+DMAR!": bytes(broken)})


def amd(spec: MachineSpec) -> MachineSpec:
    """AMD's unit (IVRS) in place of Intel's."""
    return spec.but(iommu=False, extra=(*spec.extra, "-device", "amd-iommu"))


LIKES = {
    "minipc": Like("a mini-PC: screen and USB keyboard only, two cards without SR-IOV", "minipc", minipc),
    "workstation": Like("a workstation: console on COM2, a serial card, two threads a core", "sriov", workstation),
    "server": Like("a server: two root buses, two nodes, firmware's memory for the card, a watchdog", "sriov", server),
    "desktop": Like("an old desktop: no ARI, many and broken tables", "sriov", desktop),
    "amd": Like("a machine of AMD's: IVRS in place of DMAR", "sriov", amd),
}
