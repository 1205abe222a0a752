"""Bochs 3.0: alone (VMX and SMP, no IOMMU), and as the ground floor of the stacked machine, which is
Bochs (VMX) -> Linux and KVM -> QEMU with intel-iommu and igb -> UEFI -> the image under test."""

import re
import socket
import subprocess
from pathlib import Path

from . import disk, paths, stackdisk
from .machine import Machine, MachineError
from .qemu import prepare_medium
from .qemu_command import Places, qemu_arguments

CPU_MODEL = "corei7_skylake_x"
INSTRUCTIONS_PER_SECOND = 50_000_000  # stack/grub.cfg tells Linux the same
STACK_MEMORY = 2048
JOB_BYTES = 64 * 1024
CYLINDER = 16 * 63 * 512
CONNECT_SECONDS = 20


def configuration(directory: Path, cpus: int, memory: int, port: int, disks: dict[str, str]) -> str:
    """Bochs' configuration file. disks: place ("ata0-master") -> type and path."""
    tree = paths.tree()
    lines = [
        # The Debian build has no display library without a display; nobody need connect to this one.
        'display_library: rfb, options="timeout=0"',
        "config_interface: textconfig",
        "plugin_ctrl: speaker=0",
        f"cpu: model={CPU_MODEL}, count={cpus}, ips={INSTRUCTIONS_PER_SECOND}, ignore_bad_msrs=1",
        f"memory: guest={memory}, host={memory}",
        f"romimage: file={tree}/usr/share/bochs/BIOS-bochs-latest",
        f"vgaromimage: file={tree}/usr/share/bochs/VGABIOS-lgpl-latest",
        "clock: sync=none",
        "port_e9_hack: enabled=0",
        "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
        "ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15",
        *(f"{place}: {what}" for place, what in disks.items()),
        "boot: cdrom",
        f"com1: enabled=1, mode=socket-client, dev=localhost:{port}",
        f"log: {directory}/bochs.log",
        "panic: action=fatal",
        "error: action=report",
        "info: action=ignore",
        "debug: action=ignore",
    ]
    return "\n".join(lines) + "\n"


class Bochs(Machine):
    """Bochs boots the multiboot2 ISO. It ends with status 1 always; the log's verdict decides."""

    name = "bochs"
    status_is_meaningful = False

    def _disks(self) -> dict[str, str]:
        iso = prepare_medium(self.spec.but(boot="iso"), self._copy)
        if iso is None:
            raise MachineError("bochs needs an ISO: it has no UEFI")
        return {"ata0-master": f"type=cdrom, path={iso}, status=inserted"}

    def _size(self) -> tuple[int, int]:
        return self.spec.cpus, self.spec.memory

    def _launch(self) -> tuple[subprocess.Popen, int]:
        disks = self._disks()
        with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
            server.settimeout(0.2)
            cpus, memory = self._size()
            text = configuration(self.directory, cpus, memory, server.getsockname()[1], disks)
            (self.directory / "bochsrc").write_text(text)
            process = self._spawn([paths.IN_TREE, "--tree", paths.tree(), "bochs", "-q", "-f", "bochsrc"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            line = None
            for _ in range(CONNECT_SECONDS * 5):
                try:
                    line, _peer = server.accept()
                    break
                except TimeoutError:
                    if process.poll() is not None:
                        break
            if line is None:
                self._process = process
                self._kill()
                process.wait()
                raise MachineError(self.explain("Bochs did not start") + self._read_text("bochs.log")[-1500:])
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setblocking(True)
        return process, line.detach()


class Stack(Bochs):
    """VMX, VT-d and SR-IOV in one machine, on any computer. Slow: Bochs interprets all of it."""

    name = "stack"
    status_is_meaningful = True
    _ENDED = re.compile(r"stack: qemu ended status=(\d+)")
    _FAILED = re.compile(r"stack: error ")

    def _size(self) -> tuple[int, int]:
        return 1, STACK_MEMORY

    def _disks(self) -> dict[str, str]:
        parts = stackdisk.ensure()
        medium = prepare_medium(self.spec, self._copy)
        image = Path(medium) if medium else self._copy("empty.img")
        size = image.stat().st_size if medium else 0
        # Bochs counts whole cylinders; QEMU is told the true size.
        with image.open("ab") as stream:
            stream.truncate(max(1, -(-size // CYLINDER)) * CYLINDER)
        places = Places(firmware_code="/tools/code.fd", firmware_variables="/tmp/vars.fd",
                        disk=f"file.driver=host_device,file.filename=/dev/image,size={size}" if medium else None,
                        directory="/tmp")
        arguments = ["-L", "/tools/qemu", *qemu_arguments(self.spec, "kvm", places)]
        job = ("\n".join(arguments) + "\n").encode()
        if len(job) > JOB_BYTES:
            raise MachineError(f"QEMU's command line has {len(job)} bytes; {JOB_BYTES} is the most here")
        job_disk = self._copy("job.img")
        with job_disk.open("wb") as stream:
            stream.write(job)
            stream.truncate(CYLINDER)
        tools = self._copy("tools.img")
        tools.unlink(missing_ok=True)
        tools.symlink_to(parts / "tools.img")
        (self.directory / "command").write_text(job.decode())
        return {
            "ata0-master": f"type=cdrom, path={parts}/boot.iso, status=inserted",
            "ata0-slave": f"type=disk, mode=flat, path={tools}",
            "ata1-master": f"type=disk, mode=flat, path={image}",
            "ata1-slave": f"type=disk, mode=flat, path={job_disk}",
        }

    def _line_arrived(self, line: str) -> None:
        ended = self._ENDED.search(line)
        if ended:
            self.status = int(ended.group(1))
        if ended or self._FAILED.search(line):
            # Linux has nothing left to do; its own way down takes seconds here.
            self._kill()
