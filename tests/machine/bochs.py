# SPDX-License-Identifier: MIT
"""Bochs 3.0: VMX and SMP, but neither IOMMU nor PCI Express."""

import os
import re
import socket
import subprocess
from pathlib import Path

from . import paths
from .machine import Machine, MachineError
from .qemu import prepare_medium

CPU_MODEL = "corei7_skylake_x"
INSTRUCTIONS_PER_SECOND = 50_000_000  # stack/grub.cfg tells Linux the same
CONNECT_SECONDS = 20
# All of them and in this order, since the numbers of Bochs' timers follow from it, and a snapshot refers to
# timers by number: restoring with another order gives the serial line's timer to the USB controller.
PLUGINS = ("biosdev", "iodebug", "parallel", "gameport", "extfpuirq", "serial", "unmapped", "usb_uhci")


def configuration(directory: Path, cpus: int | str, memory: int, port: int, disks: dict[str, str],
                  log_errors: bool = True, cpu: str = CPU_MODEL, ips: int = INSTRUCTIONS_PER_SECOND,
                  strict: bool = False) -> str:
    """Bochs' configuration file. cpus: how many, or packages:cores:threads. disks: place ("ata0-master") -> type and path. cpu: a model of
    `bochs --help cpu`, and further options of that line after a comma."""
    tree = paths.tree()
    lines = [
        # The Debian build has no display library without a display; nobody need connect to this one.
        'display_library: rfb, options="timeout=0, no_gui_console"',
        "config_interface: textconfig",
        "plugin_ctrl: " + ", ".join(f"{plugin}=1" for plugin in PLUGINS) + ", speaker=0",
        f"cpu: model={cpu}, count={cpus}, ips={ips}, ignore_bad_msrs={int(not strict)}",
        f"memory: guest={memory}, host={memory}",
        f"romimage: file={tree}/usr/share/bochs/BIOS-bochs-latest",
        f"vgaromimage: file={tree}/usr/share/bochs/VGABIOS-lgpl-latest",
        "clock: sync=none",
        "port_e9_hack: enabled=0",
        "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
        "ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15",
        *(f"{place}: {what}" for place, what in disks.items()),
        "boot: cdrom",
        f"com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}",
        f"log: {directory}/bochs.log",
        "panic: action=fatal",
        f"error: action={'report' if log_errors else 'ignore'}",
        "info: action=ignore",
        "debug: action=ignore",
    ]
    return "\n".join(lines) + "\n"

# What the TSC counts (main.cc, cpu/icache.cc of Bochs 3.0). Several CPUs take turns: each carries out one "trace", and
# then time moves on by the mean of what each has executed, where a halted CPU counts as much as the option `quantum`
# says. So with two CPUs and quantum=1 the TSC moves by (n+1)/2 in a turn: right as long as every trace is a single
# instruction. But quantum bounds only how traces are built. Where the next instruction already has a trace, that one
# is appended, and two instructions then count as one and a half. That happens when an entry of the trace cache, which
# is indexed by the low 16 bits of the physical address, was thrown out by code at the same place in another 64 KiB:
# where code lies moves counts, by up to four per cent. The debugger appends nothing, and lets time move on by what the
# busiest CPU has executed: exact to five instructions.


class Bochs(Machine):
    """Bochs boots the multiboot2 ISO. It ends with status 1 always; the log's verdict decides."""

    name = "bochs"
    status_is_meaningful = False
    _BELONGS = re.compile(r"Bochs is exiting with the following message:|\[ACPI\s*\] ACPI control: soft power off"
                          r"|\d+e\[\s*\] \S+: ataX-master/slave CHS set to 0/0/0 - autodetection enabled")
    lacks = {"iommu.refused": "VT-d", "acpi.refused": "PCI Express"}
    # Why the processor refused a VMX instruction or a VM entry, or ended an exit in an abort: at the level of errors, which log_errors keeps.
    _REFUSAL = re.compile(r"^\d+[ep]\[(CPU\d+) *\] ((?:VMFAIL|VMENTER FAIL|VMABORT|VMXON|VMPTRLD|VMCLEAR|INVEPT|INVVPID|#GP: VMXON)\b.*)$", re.MULTILINE)

    def processor_words(self) -> list[str]:
        """What the emulated processors said of VM entries that they refused, each once."""
        found: dict[str, list[str]] = {}
        for cpu, words in self._REFUSAL.findall(self._read_text("bochs.log")):
            if cpu not in found.setdefault(words, []):
                found[words].append(cpu)
        return [f"{words} ({', '.join(cpus)})" for words, cpus in found.items()]

    def emulator_messages(self, all_went_well: bool = False) -> str:
        said = super().emulator_messages(all_went_well)
        return said if all_went_well else "\n".join([*self.processor_words(), *([said] if said else [])])

    def _disks(self) -> dict[str, str]:
        iso = prepare_medium(self.spec.but(boot="iso"), self._copy)
        if iso is None:
            raise MachineError("bochs needs an ISO: it has no UEFI")
        return {"ata0-master": f"type=cdrom, path={iso}, status=inserted"}

    def _size(self) -> tuple[int | str, int]:
        """CPUs and MiB of Bochs itself."""
        spec = self.spec
        cpus = f"1:{spec.cpus // spec.threads}:{spec.threads}" if spec.threads > 1 else spec.cpus
        return cpus, spec.memory

    def _cpu(self) -> str:
        return self.spec.cpu or CPU_MODEL

    def _prepare(self, _configuration: str) -> list:
        """Bochs' arguments."""
        arguments = ["-q", "-f", "bochsrc"]
        if self.spec.stepped:
            commands = "continue\n"
            if self.spec.trace:
                # INIT ends tracing, so it begins only now.
                start, *cpus = self.spec.trace
                traced = "".join(f"set $cpu = {cpu}\ntrace on\n" for cpu in cpus)
                commands = f"lbreak {start}\ncontinue\ndelete 1\n{traced}continue\n"
            (self.directory / "debugger").write_text(commands)
            arguments += ["-debugger", "-rc", "debugger"]
        return arguments

    log_errors = True
    _standard_input: int = subprocess.DEVNULL

    def _launch(self) -> tuple[subprocess.Popen, int]:
        disks = self._disks()
        with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
            server.settimeout(0.2)
            cpus, memory = self._size()
            text = configuration(self.directory, cpus, memory, server.getsockname()[1], disks, self.log_errors,
                                 self._cpu(), self.spec.ips or INSTRUCTIONS_PER_SECOND, self.spec.strict)
            (self.directory / "bochsrc").write_text(text)
            with Path(self.directory / "trace.log" if self.spec.trace else os.devnull).open("wb") as output:
                process = self._spawn([paths.IN_TREE, "--tree", paths.tree(), "bochs", *self._prepare(text)],
                                      stdin=self._standard_input, stdout=output)
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
