# SPDX-License-Identifier: MIT
"""VMX, VT-d and SR-IOV in one machine, on any computer:

  Bochs (VMX) -> Linux and KVM -> QEMU with intel-iommu and igb -> UEFI -> the image under test

Bochs interprets all of it, so what is the same in every run is done once: a snapshot is taken when Linux is up
and has QEMU in memory, and every run starts from there, with its own image and its own QEMU command line in
the drives."""

import fcntl

import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pexpect

from . import paths, stackdisk
from .bochs import CPU_MODEL, Bochs
from .machine import PATIENCE, MachineError
from .qemu import prepare_medium
from .qemu_command import Places, nested_arguments
from .spec import MachineSpec

LINUX_MEMORY = 512  # MiB beside the memory of QEMU's machine: Linux, and QEMU on a RAM disk
CYLINDER = 16 * 63 * 512
IMAGE_BYTES = 1041 * CYLINDER  # 512 MiB: the snapshot knows drives of fixed sizes
JOB_BYTES = CYLINDER
SNAPSHOT_SECONDS = 240
STACK_QEMU = 10  # what stackdisk.py packs
BUTTON_FROM_RIGHT = 48  # the middle of the second button from the right, "save simulation state"
BUTTON_Y = 10


def place_disk(path: Path, size: int, content: bytes = b"") -> Path:
    """A drive's file: the content (or what is there already), then zeros."""
    with path.open("ab") as stream:
        stream.write(content)
        if stream.tell() > size:
            raise MachineError(f"{path.name} has {stream.tell()} bytes; {size} is the most in the stacked machine")
        stream.truncate(size)
    return path


class LinuxOnBochs(Bochs):
    """The ground floor: from the BIOS to a Linux that waits for a job."""

    name = "stack-boot"
    log_errors = False
    _standard_input = subprocess.PIPE

    def __init__(self, memory: int, directory: Path) -> None:
        super().__init__(MachineSpec(boot="none", memory=memory), SNAPSHOT_SECONDS * PATIENCE, directory)

    def _cpu(self) -> str:
        return CPU_MODEL  # spec.cpu is the upper machine's

    def _size(self) -> tuple[int, int]:
        return 1, LINUX_MEMORY + self.spec.memory

    def _disks(self) -> dict[str, str]:
        parts = stackdisk.ensure()
        tools = self._copy("tools.img")
        tools.unlink(missing_ok=True)
        tools.symlink_to(parts / "tools.img")
        return drives(parts, tools, place_disk(self._copy("image.img"), IMAGE_BYTES),
                      place_disk(self._copy("job.img"), JOB_BYTES))

    def _prepare(self, text: str) -> list:
        # The port of the display is in the log; pressing a button there is the only way to ask for a snapshot.
        (self.directory / "bochsrc").write_text(text.replace("info: action=ignore", "info: action=report"))
        return super()._prepare(text)

    def save(self, target: Path) -> None:
        """Takes the snapshot and ends the machine."""
        try:
            self.console.expect_exact("stack: ready", timeout=SNAPSHOT_SECONDS)
        except (pexpect.EOF, pexpect.TIMEOUT):
            raise MachineError(self.explain("Linux in Bochs did not come up in time")) from None
        self._process.stdin.write(f"{target}\nno\n".encode())
        self._process.stdin.flush()
        port = re.search(r"listening for connections on port (\d+)", self._read_text("bochs.log"))
        if not port:
            raise MachineError(self.explain("Bochs opened no display"))
        press_save_button(int(port.group(1)))
        # Having saved, Bochs asks whether to go on, and is told not to.
        if not self._ended.wait(60) or not (target / "memory.ram").exists():
            raise MachineError(self.explain("Bochs saved no snapshot"))


def press_save_button(port: int) -> None:
    """Clicks on "save simulation state" as a viewer of Bochs' display would (RFB 3.3)."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        stream = link.makefile("rwb", buffering=0)
        stream.read(12)
        stream.write(b"RFB 003.003\n")
        if struct.unpack(">I", stream.read(4))[0] != 1:
            raise MachineError("Bochs' display asks for a password")
        stream.write(b"\1")
        width = struct.unpack(">H", stream.read(24)[:2])[0]

        def drain() -> None:
            # Bochs stops when its updates are not read.
            try:
                while link.recv(65536):
                    pass
            except OSError:
                pass

        threading.Thread(target=drain, daemon=True).start()
        for pressed in (0, 1):
            stream.write(struct.pack(">BBHH", 5, pressed, width - BUTTON_FROM_RIGHT, BUTTON_Y))
            time.sleep(0.3)


def drives(parts: Path, tools: Path, image: Path, job: Path) -> dict[str, str]:
    return {
        "ata0-master": f"type=cdrom, path={parts}/boot.iso, status=inserted",
        "ata0-slave": f"type=disk, mode=flat, path={tools}",
        "ata1-master": f"type=disk, mode=flat, path={image}",
        "ata1-slave": f"type=disk, mode=flat, path={job}",
    }


def snapshot(memory: int) -> Path:
    """The snapshot for a machine of that many MiB, taken now if there is none yet."""
    parts = stackdisk.ensure()
    final = parts / f"snapshot-{memory}"
    with (parts / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if final.exists():
            return final
        print("stack: booting Linux in Bochs, once for this size of machine (about a minute)", file=sys.stderr, flush=True)
        work = parts / f"snapshot-{memory}.partial"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        with LinuxOnBochs(memory, work / "run") as machine:
            (work / "state").mkdir()
            machine.save(work / "state")
        for image in (work / "state").glob("*.image"):
            image.unlink()
        options = work / "state/logopts"
        options.write_text(re.sub(r"(debug|info|error)=\w+", r"\1=ignore", options.read_text()))
        (work / "state").rename(final)
        shutil.rmtree(work, ignore_errors=True)
    return final


class Stack(Bochs):
    """The whole stack. QEMU's exit status is the run's."""

    name = "stack"
    status_is_meaningful = True
    lacks = {}
    log_errors = False
    _ENDED = re.compile(r"stack: qemu ended status=(\d+)")
    _FAILED = re.compile(r"stack: error ")

    def start(self) -> "Stack":
        wanted = self.spec.qemu or self.spec.needed_qemu()
        if wanted != STACK_QEMU:
            raise MachineError(f"the stacked machine has QEMU {STACK_QEMU} inside, not {wanted}: use the machine tcg")
        # Before the time limit begins to count.
        self._snapshot = snapshot(self.spec.memory)
        super().start()
        # Any byte sets the waiting Linux going.
        self.write(b"\n")
        return self

    def _size(self) -> tuple[int, int]:
        return 1, LINUX_MEMORY + self.spec.memory

    def _job(self, size: int | None) -> bytes:
        """What init hands to QEMU, one argument for each line. size: that of the image, if there is one."""
        # QEMU is told the image's own size: the drive is larger.
        medium = f"file.driver=host_device,file.filename=/dev/image,size={size}" if size is not None else None
        places = Places(firmware_code="/tools/code.fd", firmware_variables="/tmp/vars.fd", disk=medium, directory="/tmp")
        arguments = ["-L", "/tools/qemu", *nested_arguments(self.spec, places)]
        if any("\n" in argument for argument in arguments):
            raise MachineError("an argument of QEMU has two lines; the stacked machine takes one for each")
        text = "\n".join(arguments) + "\n"
        (self.directory / "command").write_text(text)
        return text.encode()

    def _medium(self) -> Path | None:
        """A copy of what is to be /dev/image there."""
        return prepare_medium(self.spec, self._copy)

    def _disks(self) -> dict[str, str]:
        state = self.directory / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        for part in self._snapshot.iterdir():
            (state / part.name).symlink_to(part)
        # Bochs copies these over the drives before it goes on.
        medium = self._medium()
        image = state / "hard_drive.1.drive0.image"
        if medium:
            Path(medium).rename(image)
        place_disk(state / "hard_drive.1.drive1.image", JOB_BYTES, self._job(image.stat().st_size if medium else None))
        place_disk(image, IMAGE_BYTES)
        tools_bytes = (paths.stack() / "tools.img").stat().st_size
        place_disk(state / "hard_drive.0.drive1.image", tools_bytes)
        return drives(paths.stack(), place_disk(self._copy("tools.img"), tools_bytes),
                      place_disk(self._copy("image.img"), IMAGE_BYTES), place_disk(self._copy("job.img"), JOB_BYTES))

    def _prepare(self, text: str) -> list:
        config = self.directory / "state/config"
        config.unlink()
        config.write_text(text)
        return ["-q", "-r", "state"]

    def _remove_copies(self) -> None:
        super()._remove_copies()
        shutil.rmtree(self.directory / "state", ignore_errors=True)
        for lock in self.directory.glob("*.lock"):
            lock.unlink()

    def _line_arrived(self, line: str) -> None:
        ended = self._ENDED.search(line)
        if ended:
            self.status = int(ended.group(1))
        if ended or self._FAILED.search(line):
            # Linux has nothing left to do; its own way down takes seconds here.
            self._kill()
