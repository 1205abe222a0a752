# SPDX-License-Identifier: MIT
"""A debugger's side of QEMU's remote protocol: stop the machine at a place, look into memory and change it."""

import os
import socket
import subprocess
import time
from pathlib import Path

from .machine import PATIENCE, Machine, MachineError

# The machine waits for the first go().
ARGUMENTS = ("-chardev", "socket,id=gdb,path=gdb.sock,server=on,wait=off", "-gdb", "chardev:gdb", "-S")
# In the order of the `g` packet, 8 bytes each.
REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp")
CHUNK = 1024


def symbol(image: Path, name: str) -> int:
    """A global symbol's address in an ELF file."""
    for line in subprocess.run(["nm", image], text=True, capture_output=True, check=True).stdout.splitlines():
        if line.split()[-1] == name:
            return int(line.split()[0], 16)
    raise MachineError(f"{image} has no symbol {name}")


class Debugger:
    """Attached to a machine that was started with ARGUMENTS. Memory can be reached while the machine stands."""

    def __init__(self, run: Machine, timeout: float = 60 * PATIENCE) -> None:
        deadline = time.monotonic() + 10 * PATIENCE
        while not (run.directory / "gdb.sock").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        directory = os.open(run.directory, os.O_PATH)
        try:
            self._link = socket.socket(socket.AF_UNIX)
            self._link.settimeout(timeout)
            # Through /proc: the path of a Unix socket may have 107 bytes only.
            self._link.connect(f"/proc/self/fd/{directory}/gdb.sock")
        finally:
            os.close(directory)
        self._buffer = b""
        self._ask("QStartNoAckMode")
        self._link.sendall(b"+")

    def __enter__(self) -> "Debugger":
        return self

    def __exit__(self, *_exception) -> None:
        self._link.close()

    def _send(self, text: str) -> None:
        self._link.sendall(f"${text}#{sum(text.encode()) & 0xff:02x}".encode())

    def _answer(self) -> str:
        while b"#" not in self._buffer or len(self._buffer.split(b"#", 1)[1]) < 2:
            data = self._link.recv(65536)
            if not data:
                raise MachineError("the machine ended under the debugger")
            self._buffer += data
        text, rest = self._buffer.split(b"#", 1)
        self._buffer = rest[2:]
        return text.lstrip(b"+").removeprefix(b"$").decode()

    def _ask(self, text: str) -> str:
        self._send(text)
        answer = self._answer()
        if answer.startswith("E"):
            raise MachineError(f"{text[:40]!r} was answered {answer!r}")
        return answer

    def go(self) -> None:
        self._send("c")

    def stop(self) -> None:
        self._link.sendall(b"\x03")
        self._answer()

    def go_to(self, address: int) -> None:
        """Lets the machine run until some core is about to execute that address."""
        self._ask(f"Z1,{address:x},1")
        self.go()
        self._answer()
        self._ask(f"z1,{address:x},1")

    def registers(self) -> dict[str, int]:
        """Of the core that has stopped."""
        values = bytes.fromhex(self._ask("g")[:16 * len(REGISTERS)])
        return {name: int.from_bytes(values[8 * i:8 * i + 8], "little") for i, name in enumerate(REGISTERS)}

    def place(self, core: int) -> int:
        """The instruction pointer of a core."""
        self._ask(f"Hg{core + 1:x}")
        return int.from_bytes(bytes.fromhex(self._ask("p10"))[:8], "little")

    def jump(self, core: int, address: int) -> None:
        """That core goes on there."""
        self._ask(f"Hg{core + 1:x}")
        self._ask(f"P10={address.to_bytes(8, 'little').hex()}")

    def read(self, address: int, size: int, physical: bool = True) -> bytes:
        self._ask(f"Qqemu.PhyMemMode:{physical:d}")
        return b"".join(bytes.fromhex(self._ask(f"m{at:x},{min(CHUNK, address + size - at):x}"))
                        for at in range(address, address + size, CHUNK))

    def write(self, address: int, data: bytes, physical: bool = True) -> None:
        self._ask(f"Qqemu.PhyMemMode:{physical:d}")
        for at in range(0, len(data), CHUNK):
            part = data[at:at + CHUNK]
            self._ask(f"M{address + at:x},{len(part):x}:{part.hex()}")
