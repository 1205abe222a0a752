# SPDX-License-Identifier: MIT
"""QEMU's command line for a MachineSpec: the same for TCG, for KVM and inside the stacked machine."""

from dataclasses import dataclass

from .spec import CONSOLES, SECOND_ROOT, MachineSpec, Nic, Nvme, SharedMemory

# `max` under TCG has SVM with nested paging; x2APIC is not part of it.
TCG_CPU = "max,+x2apic"
HUBS = 64  # from this number on they are those inside cards


@dataclass(frozen=True)
class Places:
    """Where the machine finds its parts, as paths that the QEMU process sees."""

    firmware_code: str
    firmware_variables: str
    disk: str | None
    serial: str = "stdio"
    directory: str = "."
    qmp: str | None = None


def switch(value: bool) -> str:
    return "on" if value else "off"


def iommu_arguments(spec: MachineSpec) -> list[str]:
    if not spec.iommu:
        return []
    device = f"intel-iommu,intremap={switch(spec.intremap)},aw-bits={spec.aw_bits}"
    if spec.eim is not None:
        device += f",eim={switch(spec.eim)}"
    if spec.snoop_control:
        device += ",snoop-control=on"
    if spec.caching_mode:
        device += ",caching-mode=on"
    if spec.device_iotlb:
        device += ",device-iotlb=on"
    if spec.scalable:  # experimental, by its name, in the older one
        device += f",{'x-' if spec.chosen_qemu() < 11 else ''}scalable-mode=on"
    return ["-device", device]


def nic_arguments(nic: Nic, number: int, directory: str) -> list[str]:
    """The card with the bridges that its placement needs. Chassis and slot numbers are unique per card."""
    arguments = ["-netdev", f"{nic.netdev},id=net{number}"]
    if nic.capture:
        arguments += ["-object", f"filter-dump,id=dump{number},netdev=net{number},file={directory}/net{number}.pcap"]
    if nic.placement == "root-bus":
        bus = "pcie.0"
    else:
        bus = f"port{number}"
        root = "second" if nic.placement == "second-root" else "pcie.0"
        arguments += ["-device", f"pcie-root-port,id={bus},bus={root},chassis={number + 1},slot={number + 1}"]
        if nic.placement == "switch":
            arguments += ["-device", f"x3130-upstream,id=up{number},bus={bus}"]
            bus = f"down{number}"
            arguments += ["-device", f"xio3130-downstream,id={bus},bus=up{number},chassis={number + 65},slot=0"]
    if nic.vfs:
        return arguments + virtio_arguments(nic, number, bus)
    device = f"{nic.model},id=nic{number},bus={bus},netdev=net{number},romfile="
    if nic.model == "virtio-net-pci":
        # Only so do its accesses go through the unit, and only so has it ATS.
        device += ",disable-legacy=on,iommu_platform=on,ats=on"
    if nic.mac:
        device += f",mac={nic.mac}"
    return arguments + ["-device", device]


def virtio_arguments(nic: Nic, number: int, bus: str) -> list[str]:
    """A virtio card with virtual functions. QEMU wants these first."""
    device, arguments = f"virtio-net-pci,bus={bus},romfile=,disable-legacy=on,iommu_platform=on", []
    for vf in range(1, nic.vfs + 1):
        arguments += ["-netdev", f"hubport,hubid={HUBS + number},id=net{number}vf{vf}",
                      "-device", f"{device},addr=0.{vf},netdev=net{number}vf{vf},sriov-pf=nic{number}"]
    mac = f",mac={nic.mac}" if nic.mac else ""
    return arguments + ["-device", f"{device},addr=0.0,netdev=net{number},id=nic{number}{mac}"]


def namespace_file(number: int, namespace: int) -> str:
    return f"nvme{number}-{namespace}.raw"


def nvme_arguments(nvme: Nvme, number: int, directory: str) -> list[str]:
    """Three queue pairs and two interrupts for each VF, all of them flexible: the PF has to give them away."""
    queues, vectors, name = 3 * nvme.vfs, 2 * nvme.vfs, f"nvme{number}"
    arguments = ["-device", f"pcie-root-port,id={name}port,bus=pcie.0,chassis={number + 129},slot={number + 129}",
                 "-device", f"nvme-subsys,id={name}subsys",
                 "-device", f"nvme,id={name},bus={name}port,subsys={name}subsys,serial=bulkhead{number},"
                            f"sriov_max_vfs={nvme.vfs},sriov_vq_flexible={queues},sriov_vi_flexible={vectors},"
                            f"sriov_max_vq_per_vf=3,sriov_max_vi_per_vf=2,max_ioqpairs={queues + 2},"
                            f"msix_qsize={vectors + 1}"]
    for namespace in range(1, len(nvme.namespaces) + 1):
        drive = f"{name}ns{namespace}"
        arguments += ["-drive", f"if=none,id={drive},format=raw,file={directory}/{namespace_file(number, namespace)}",
                      "-device", f"nvme-ns,bus={name},drive={drive},nsid={namespace},detached=on,"
                                 f"shared={switch(nvme.shared)}"]
    return arguments


def memory_file(number: int) -> str:
    return f"memory{number}.raw"


def memory_arguments(memory: SharedMemory, number: int, directory: str) -> list[str]:
    name = f"memory{number}"
    return ["-object", f"memory-backend-file,id={name}file,mem-path={directory}/{memory_file(number)},"
                       f"size={memory.size}M,share=on",
            "-device", f"pcie-root-port,id={name}port,bus=pcie.0,chassis={number + 193},slot={number + 193}",
            "-device", f"ivshmem-plain,id={name},bus={name}port,memdev={name}file"]


def console_arguments(spec: MachineSpec, where: str) -> list[str]:
    """COM1 is the board's own; every other line is a device."""
    if spec.console == "com1":
        return ["-serial", where]
    if spec.console == "none":
        return ["-no-shutdown"]
    return ["-chardev", f"{where},id=console", "-device", f"{CONSOLES[spec.console]},chardev=console"]


def disk_arguments(spec: MachineSpec, places: Places) -> list[str]:
    if places.disk is None or spec.boot == "none":
        return []
    drive = ["-drive", f"if=none,id=boot,format=raw,{places.disk}"]
    if spec.boot == "usb":
        return drive + ["-device", "qemu-xhci,id=xhci", "-device", "usb-storage,bus=xhci.0,drive=boot,bootindex=0"]
    if spec.boot == "iso":
        return drive + ["-device", "ide-cd,drive=boot,bootindex=0"]
    return drive + ["-device", "ide-hd,drive=boot,bootindex=0"]


def firmware_arguments(spec: MachineSpec, places: Places) -> list[str]:
    """UEFI, unless the medium is for a BIOS or the kernel comes from QEMU itself."""
    if spec.boot == "iso" or "-kernel" in spec.extra:
        return []
    secure = [] if spec.firmware == "plain" else ["-machine", "smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"]
    return secure + ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={places.firmware_code}",
            "-drive", f"if=pflash,unit=1,format=raw,file={places.firmware_variables}"]


def nested_arguments(spec: MachineSpec, places: Places) -> list[str]:
    """QEMU with nested KVM: on a computer that offers it, and on the middle floor of the stacked machine."""
    return qemu_arguments(spec, "kvm", places)


def qemu_arguments(spec: MachineSpec, accelerator: str, places: Places) -> list[str]:
    """Everything after the program's name. accelerator: "tcg" or "kvm"."""
    if accelerator == "kvm":
        # The full in-kernel irqchip cannot have interrupt remapping.
        machine, accel, cpu = "q35,hpet=off,kernel-irqchip=split", "kvm", spec.cpu or "host"
    elif accelerator == "tcg":
        threads = "single" if spec.icount is not None else "multi"
        machine, accel, cpu = "q35,hpet=off", f"tcg,thread={threads}", spec.cpu or TCG_CPU
    else:
        raise ValueError(f"accelerator {accelerator!r} is neither tcg nor kvm")
    machine += f",{spec.board}" if spec.board else ""
    arguments = ["-nodefaults", "-display", "none", "-no-reboot", "-M", machine, "-accel", accel, "-cpu", cpu,
                 "-smp", str(spec.cpus) + (f",threads={spec.threads}" if spec.threads > 1 else ""),
                 "-m", str(spec.memory)]
    # The remapping unit comes first: devices that are realised before it would bypass it.
    arguments += iommu_arguments(spec)
    if spec.console != "none":
        # It would be gone before its last words were read.
        arguments += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    if spec.screen:
        width, height = spec.screen
        arguments += ["-device", f"VGA,bus=pcie.0,vgamem_mb=64,edid=on,xres={width},yres={height},addr=2"]
    arguments += console_arguments(spec, places.serial)
    arguments += firmware_arguments(spec, places)
    if any(nic.placement == "second-root" for nic in spec.nics):
        arguments += ["-device", f"pxb-pcie,id=second,bus=pcie.0,bus_nr={SECOND_ROOT}"]
    for number, nic in enumerate(spec.nics):
        arguments += nic_arguments(nic, number, places.directory)
    for number, nvme in enumerate(spec.nvmes):
        arguments += nvme_arguments(nvme, number, places.directory)
    for number, memory in enumerate(spec.memories):
        arguments += memory_arguments(memory, number, places.directory)
    arguments += disk_arguments(spec, places)
    if places.qmp:
        arguments += ["-qmp", f"unix:{places.qmp},server=on,wait=off"]
    if spec.icount is not None:
        if accelerator != "tcg":
            raise ValueError("icount needs tcg")
        arguments += ["-icount", f"shift={spec.icount}"]
    if spec.trace:
        arguments += ["-D", f"{places.directory}/trace.log"]
        for event in spec.trace:
            arguments += ["-trace", event]
    if spec.gdb is not None:
        arguments += ["-gdb", f"tcp:127.0.0.1:{spec.gdb}"] + (["-S"] if spec.wait_for_gdb else [])
    return arguments + list(spec.extra)
