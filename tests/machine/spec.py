# SPDX-License-Identifier: MIT
"""The description of a machine: what it has, not how it is run."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from . import paths, tables

PLACEMENTS = ("root-port", "switch", "root-bus", "second-root")
NIC_MODELS = ("igb", "e1000e", "virtio-net-pci")
SECOND_ROOT = 0x80
VIRTIO_VFS = 7  # the other functions of the device
CONSOLES = {"com1": "isa-serial,iobase=0x3f8,irq=4", "com2": "isa-serial,iobase=0x2f8,irq=3",
            "com3": "isa-serial,iobase=0x3e8,irq=4", "com4": "isa-serial,iobase=0x2e8,irq=3", "pci": "pci-serial,addr=0x1e",
            "none": None}
BOOTS = ("disk", "usb", "iso", "none")


@dataclass(frozen=True)
class Nic:
    """One network card.

    placement: "root-port" (function 0 behind a root port of its own), "switch" (behind an upstream and a
               downstream switch port), "root-bus" (an endpoint of bus 0) or "second-root" (behind a root port of a second
               root bus, whose number is SECOND_ROOT: the first such card makes it).
    netdev:    what it is wired to, as QEMU's -netdev without the id. "hubport,hubid=0" on several cards
               puts them on one wire.
    capture:   records what passes on the wire in <directory>/<name>.pcap.
    vfs:       virtio-net-pci only, and only in the newer QEMU, which takes functions 1 to `vfs` of the card for the
               virtual functions of function 0. They are on a wire of their own: behind `netdev`, to which function 0
               alone is wired, QEMU's user network would answer TCP that is not for it. An igb has its VFs anyway.
    """

    model: str = "igb"
    placement: str = "root-port"
    mac: str | None = None
    netdev: str = "user,restrict=on,ipv6=off"
    capture: bool = False
    vfs: int = 0

    def __post_init__(self) -> None:
        if self.model not in NIC_MODELS:
            raise ValueError(f"nic model {self.model!r} is none of {NIC_MODELS}")
        if self.placement not in PLACEMENTS:
            raise ValueError(f"nic placement {self.placement!r} is none of {PLACEMENTS}")
        splittable = self.model == "virtio-net-pci" and self.placement != "root-bus"
        if not 0 <= self.vfs <= (VIRTIO_VFS if splittable else 0):
            raise ValueError(f"vfs={self.vfs} for {self.model}@{self.placement}: only a virtio-net-pci behind a port can "
                             f"be given them, 1 to {VIRTIO_VFS}")


@dataclass(frozen=True)
class Nvme:
    """An NVMe controller with SR-IOV, behind a root port of its own.

    namespaces: their sizes in MiB. Namespace n (from 1) is the file <directory>/nvme<number>-<n>.raw, which stays
                when the run ends. All are detached at first.
    shared:     whether one may be attached to several controllers.
    """

    vfs: int = 2
    namespaces: tuple[int, ...] = (16, 24)
    shared: bool = False


@dataclass(frozen=True)
class SharedMemory:
    """A PCI function whose BAR 2 is memory (ivshmem-plain), behind a root port of its own.

    size: MiB, a power of two. It is the file <directory>/memory<number>.raw, which takes no more of the disk than is
          written, and stays when the run ends.
    """

    size: int = 16384


@dataclass(frozen=True)
class MachineSpec:
    """One machine. Sizes are in MiB and widths in bits; None leaves a choice to QEMU.

    image/iso: what it boots. The machine runs on a private copy.
    boot:      "disk" (AHCI), "usb" (a stick on XHCI), "iso" (SeaBIOS and GRUB instead of UEFI) or "none"
               (firmware alone, or a kernel given in `extra`).
    scenario:  name of the file in the ESP's /bulkhead that the hypervisor reads as its configuration.
    batch:     the hypervisor powers the machine off once its guests have ended.
    files:     what else to put onto the ESP (or the ISO): path -> content, or the path of a file here.
    threads:   of a core: CPUs 0 to threads - 1 are the first core's, and so on. Not in the stacked machine.
    stepped:   Bochs only: its debugger carries out one instruction at a time, and the TSC counts exactly those of
               the busiest CPU (bochs.py says why it does not otherwise).
    ips:       Bochs only: instructions a second of its own time. With fewer, waits for time (the serial line's above all)
               take fewer instructions.
    strict:    Bochs only: registers that it does not have fault, rather than read as zero.
    board:     more properties of QEMU's -M, such as "i8042=off".
    console:   where the serial line is that the log comes by, one of CONSOLES. With "none" there is none: the log is read
               in the machine's memory, and what is sent is typed on its keyboard (TCG and KVM).
    screen:    width and height of a display, None for no display.
    tables:    ACPI tables other than QEMU's own (tables.py says how they are named). UEFI only.
    trace:     what QEMU traces. For a stepped Bochs: a linear address, and the CPUs whose every instruction is written
               down from then on. In trace.log.
    signed:    the medium is signed with the test key that the firmware trusts (signing.py): "secure" and "strict" start no
               other. The configuration that starts is `scenario`.
    firmware:  one of paths.FIRMWARE, in QEMU's machines: "plain", "secure" (Secure Boot), "strict" (with NX as well),
               "protected" (NX alone).
    qemu:      the major version, one of paths.QEMUS. None: what the devices need, else what BULKHEAD_QEMU says, else
               the default. The stacked machine has one of its own.
    """

    cpus: int = 4
    threads: int = 1
    memory: int = 512
    iommu: bool = True
    intremap: bool = True
    eim: bool | None = True
    aw_bits: int = 48
    caching_mode: bool = False
    device_iotlb: bool = False
    snoop_control: bool = True
    scalable: bool = False
    nics: tuple[Nic, ...] = (Nic(),)
    nvmes: tuple[Nvme, ...] = ()
    memories: tuple[SharedMemory, ...] = ()
    image: Path | None = None
    iso: Path | None = None
    boot: str = "disk"
    scenario: str | None = None
    batch: bool = True
    files: dict[str, bytes | Path] = field(default_factory=dict)
    cpu: str | None = None
    stepped: bool = False
    ips: int | None = None
    strict: bool = False
    icount: int | None = None
    board: str = ""
    console: str = "com1"
    screen: tuple[int, int] | None = None
    tables: dict[str, bytes] = field(default_factory=dict)
    trace: tuple[str, ...] = ()
    gdb: int | None = None
    wait_for_gdb: bool = False
    extra: tuple[str, ...] = ()
    qemu: int | None = None
    firmware: str = "plain"
    signed: bool = False

    def __post_init__(self) -> None:
        if self.boot not in BOOTS:
            raise ValueError(f"boot {self.boot!r} is none of {BOOTS}")
        if self.signed and self.boot not in ("disk", "usb"):
            raise ValueError(f"boot={self.boot!r}: only a medium for UEFI can be signed")
        if self.firmware not in paths.FIRMWARE:
            raise ValueError(f"firmware {self.firmware!r} is none of {tuple(paths.FIRMWARE)}")
        if self.aw_bits not in (39, 48):
            raise ValueError(f"aw_bits is {self.aw_bits}: QEMU's intel-iommu has 39 and 48 only")
        if self.threads < 1 or self.cpus % self.threads:
            raise ValueError(f"cpus={self.cpus} threads={self.threads}: each core has as many threads as the others")
        if self.cpus < 1 or self.memory < 64:
            raise ValueError(f"cpus={self.cpus} memory={self.memory}: at least 1 CPU and 64 MiB are needed")
        if self.console not in CONSOLES:
            raise ValueError(f"console {self.console!r} is none of {', '.join(CONSOLES)}")
        if self.tables and self.boot not in ("disk", "usb"):
            raise ValueError(f"boot={self.boot!r} with tables: what changes them is an EFI program")
        if not self.intremap and self.eim:
            object.__setattr__(self, "eim", False)
        if self.qemu is not None and self.qemu not in paths.QEMUS:
            raise ValueError(f"there is no QEMU {self.qemu} here: there are {' and '.join(map(str, paths.QEMUS))}")
        if self.needed_qemu() > (self.qemu or self.needed_qemu()):
            raise ValueError(f"a virtio-net-pci with virtual functions needs QEMU {self.needed_qemu()}, "
                             f"not {self.qemu}")

    def needed_qemu(self) -> int:
        """The oldest version that has these devices."""
        return 11 if any(nic.vfs for nic in self.nics) else min(paths.QEMUS)

    def chosen_qemu(self) -> int:
        """The version it runs in."""
        return self.qemu or max(self.needed_qemu(), paths.default_qemu())

    def but(self, **changes) -> "MachineSpec":
        """The same machine with some things different."""
        return dataclasses.replace(self, **changes)

    def injected_files(self) -> dict[str, bytes | Path]:
        """Everything that goes onto the boot medium: the choices of this description and `files`."""
        wanted: dict[str, bytes | Path] = {}
        if self.scenario:
            wanted["/bulkhead/default"] = scenario_file(self.scenario).encode() + b"\n"
        if self.batch:
            wanted["/bulkhead/batch"] = b"1\n"
        if self.tables:
            wanted.update(tables.files(self.tables, self.image.parent if self.image else paths.REPOSITORY / "build"))
        wanted.update(self.files)
        return wanted


def scenario_file(name: str) -> str:
    """The file name of a scenario: 'sriov' and 'sriov.conf' mean the same."""
    if "/" in name or not name.strip("."):
        raise ValueError(f"scenario {name!r}: give a name without directories")
    return name if name.endswith(".conf") else name + ".conf"
