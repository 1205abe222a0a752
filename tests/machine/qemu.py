# SPDX-License-Identifier: MIT
"""QEMU, emulating (Tcg) or with this machine's KVM (Kvm)."""

import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

from . import disk, paths, signing
from .blind import MemoryLog, keys_of
from .machine import Machine, MachineError
from .qemu_command import Places, namespace_file, nested_arguments, qemu_arguments

KEY_HELD = 20  # ms


def prepare_medium(spec, copy) -> str | None:
    """The private copy of what the machine boots, or None when it boots nothing."""
    source = spec.iso if spec.boot == "iso" else spec.image
    if spec.boot == "none" or source is None:
        return None
    if not source.exists():
        raise MachineError(f"{source} does not exist: run make first")
    if not (source.is_file() or source.is_block_device()):
        raise MachineError(f"{source} is not an image: give a file or a disk")
    if spec.boot == "iso":
        target = copy("bulkhead.iso")
        disk.copy_iso(source, target, spec.injected_files())
    else:
        target = copy("bulkhead.img")
        disk.copy_sparse(source, target)
        disk.put_into_image(target, spec.injected_files())
        if spec.signed:
            first = spec.injected_files()["/EFI/bulkhead/bulkhead.efi"] if spec.tables else None
            signing.sign_medium(target, source.parent, first)
    return str(target)


class Tcg(Machine):
    """QEMU's own emulation: SVM, intel-iommu, igb."""

    name = "tcg"
    _BELONGS = re.compile(r"qemu-system-x86_64: (vtd_\w+: detected (slpte permission error|translation failure)"
                          r"|New fault is not recorded due to compression of faults"
                          r"|warning: hub \d+ is not connected to host network)")

    def _program(self) -> list:
        """QEMU itself."""
        return paths.qemu_command(self.spec.chosen_qemu())

    def _arguments(self, places: Places) -> list[str]:
        return qemu_arguments(self.spec, "tcg", places)

    def _launch(self) -> tuple[subprocess.Popen, int]:
        # What is missing is said before anything is copied.
        program = self._program()
        code, fresh = paths.ovmf_code(self.spec.firmware), paths.ovmf_variables(self.spec.firmware)
        medium = prepare_medium(self.spec, self._copy)
        variables = self._copy("vars.fd")
        disk.copy_sparse(fresh, variables)
        for number, nvme in enumerate(self.spec.nvmes):
            for namespace, size in enumerate(nvme.namespaces, 1):
                with (self.directory / namespace_file(number, namespace)).open("wb") as stream:
                    stream.truncate(size << 20)
        (self.directory / "qmp.sock").unlink(missing_ok=True)
        places = Places(firmware_code=str(code), firmware_variables=str(variables),
                        disk=f"file={medium}" if medium else None, directory=str(self.directory), qmp="qmp.sock")
        command = [*program, *self._arguments(places)]
        (self.directory / "command").write_text("\n".join(str(word) for word in command) + "\n")
        # Two pipes rather than a socket: QEMU writes byte by byte, of which a socket holds some 300 only. When
        # it is full the guest sees a serial port that does not send, waits for it and at last drops text.
        (their_input, keyboard), (output, their_output) = os.pipe(), os.pipe()
        try:
            process = self._spawn(command, stdin=their_input, stdout=their_output)
        except BaseException:
            os.close(keyboard)
            os.close(output)
            raise
        finally:
            os.close(their_input)
            if self.spec.console != "none":
                os.close(their_output)
        self._keyboard = keyboard
        if self.spec.console == "none":
            self.status_is_meaningful = False
            MemoryLog(self, self.spec.image.parent / "bulkhead.elf", their_output)
        return process, output

    def write(self, data: bytes) -> int:
        """To the serial line, or to the keyboard of a machine that has none."""
        if self.spec.console != "none":
            return super().write(data)
        self.press(data.decode("ascii"))
        return len(data)

    def press(self, text: str) -> None:
        """Types on the machine's keyboard, as fast as a person can."""
        for character in text:
            keys = [{"type": "qcode", "data": key} for key in keys_of(character)]
            self.qmp("send-key", keys=keys, **{"hold-time": KEY_HELD})
            time.sleep(2 * KEY_HELD / 1000)

    def screenshot(self, name: str = "screen.png", device: str | None = None) -> Path:
        """What is on the screen, as a picture in the run's directory. device: which card's, if there are several."""
        target = self.directory / name
        chosen = {"device": device} if device else {}
        self.qmp("screendump", filename=str(target), format="png" if name.endswith(".png") else "ppm", **chosen)
        return target

    def last_look(self) -> None:
        """Called when the machine has switched itself off and still is in memory."""
        if self.spec.screen:
            self.screenshot()

    def qmp(self, command: str, **arguments):
        """Runs one QMP command and returns its answer."""
        directory = os.open(self.directory, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(10)
                # Through /proc: the path of a Unix socket may have 107 bytes only.
                link.connect(f"/proc/self/fd/{directory}/qmp.sock")
                stream = link.makefile("rw")
                stream.readline()
                for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                    stream.write(json.dumps(request) + "\n")
                    stream.flush()
                    answer = json.loads(stream.readline())
                    while "event" in answer:
                        answer = json.loads(stream.readline())
        finally:
            os.close(directory)
        if "error" in answer:
            raise MachineError(f"QMP {command}: {answer['error']['desc']}")
        return answer["return"]


class Kvm(Tcg):
    """The same machine on this machine's KVM; it needs nested virtualization."""

    name = "kvm"

    def _arguments(self, places: Places) -> list[str]:
        return nested_arguments(self.spec, places)
