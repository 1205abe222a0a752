# SPDX-License-Identifier: MIT
"""Initial RAM disks: an archive writer, kernel modules in the order they load, and programs' libraries."""

import io
import lzma
import re
import stat
import subprocess
from pathlib import Path

LIBRARIES = "usr/lib/x86_64-linux-gnu"


def module_depends(module: bytes) -> list[str]:
    """The names in the 'depends=' string of a kernel module."""
    match = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name for name in match.group(1).decode().split(",") if name] if match else []


def load_order(names, read_module) -> list[str]:
    """The named modules and all they depend on, each after what it needs."""
    order: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in order or name in path:
            return
        for dependency in module_depends(read_module(name)):
            visit(dependency.replace("-", "_"), path + (name,))
        order.append(name)

    for name in names:
        visit(name.replace("-", "_"), ())
    return order


class Cpio:
    """A writer of the 'newc' archives that the kernel unpacks as its initramfs."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        self.inode = 0

    def add(self, name: str, mode: int, data: bytes = b"", device=(0, 0)) -> None:
        self.inode += 1
        raw = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(raw), 0)
        self.out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + raw)
        self._pad()
        self.out.write(data)
        self._pad()

    def _pad(self) -> None:
        self.out.write(b"\0" * (-self.out.tell() % 4))

    def finish(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return self.out.getvalue()


def module_files(directory: Path) -> dict[str, Path]:
    """The modules of a kernel (its /lib/modules/VERSION), by name. What is built in has no file."""
    return {path.name.split(".")[0].replace("-", "_"): path for path in (directory / "kernel").rglob("*.ko*")}


def read_module(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def add_modules(archive: Cpio, directory: Path, names) -> None:
    """The named modules of a kernel (its /lib/modules/VERSION) with all that they need, without debugging
    information, as /lib/*.ko; /lib/order names them in the order they have to be loaded in."""
    files = module_files(directory)
    present = [name for name in names if name.replace("-", "_") in files]
    order = load_order(present, lambda name: read_module(files[name]))
    for name in order:
        module = read_module(files[name])
        stripped = subprocess.run(["strip", "--strip-debug", "-o", "/dev/stdout", "/dev/stdin"], check=False,
                                  input=module, capture_output=True)
        archive.add(f"lib/{name}.ko", stat.S_IFREG | 0o644, stripped.stdout or module)
    archive.add("lib/order", stat.S_IFREG | 0o644, "\n".join(order).encode() + b"\n")


def shared_libraries(tree: Path, program: Path) -> list[Path]:
    """Those that the program is linked with, by the names it asks for them."""
    loader = tree / LIBRARIES / "ld-linux-x86-64.so.2"
    search = f"{tree / LIBRARIES}:{tree / LIBRARIES}/pulseaudio"
    listed = subprocess.run([loader, "--library-path", search, "--list", program],
                            check=True, capture_output=True, text=True).stdout
    return [Path(path) for path in re.findall(r"=> (/\S+)", listed)]
