# SPDX-License-Identifier: MIT
"""Private copies of boot media, with files put into them. No root, no mounting."""

import os
import shutil
import struct
import subprocess
import tempfile
import uuid
from pathlib import Path

SECTOR = 512
ESP_TYPE = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")


class ImageError(RuntimeError):
    """A boot medium is not what it should be."""


def esp_offset(image: Path) -> int:
    """Byte offset of the EFI system partition of a GPT disk image (UEFI 5.3.2, 5.3.3)."""
    size = image.stat().st_size
    with image.open("rb") as stream:
        stream.seek(SECTOR)
        header = stream.read(92)
        if len(header) < 92 or header[:8] != b"EFI PART":
            raise ImageError(f"{image}: no GPT header in sector 1")
        entries_lba, count, entry_size = struct.unpack_from("<QII", header, 72)
        if entry_size < 128 or entry_size > 4096 or count > 1024:
            raise ImageError(f"{image}: the GPT has {count} entries of {entry_size} bytes")
        stream.seek(entries_lba * SECTOR)
        table = stream.read(count * entry_size)
    for start in range(0, len(table) - entry_size + 1, entry_size):
        kind, _unique, first, last = struct.unpack_from("<16s16sQQ", table, start)
        if uuid.UUID(bytes_le=kind) != ESP_TYPE:
            continue
        if first > last or (last + 1) * SECTOR > size:
            raise ImageError(f"{image}: the EFI system partition, sectors {first} to {last}, lies outside the image")
        return first * SECTOR
    raise ImageError(f"{image}: the GPT has no EFI system partition")


def copy_sparse(source: Path, target: Path) -> None:
    _run(["cp", "--sparse=always", "--reflink=auto", "--no-preserve=mode", "--", source, target])


def _stage(files: dict[str, bytes | Path], root: Path) -> None:
    for name, content in files.items():
        relative = name.lstrip("/")
        if ".." in Path(relative).parts or not relative:
            raise ImageError(f"cannot put a file at {name!r}")
        target = root / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            shutil.copyfile(content, target)


def _run(command: list, **options) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise ImageError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def put_into_image(image: Path, files: dict[str, bytes | Path]) -> None:
    """Writes files into the EFI system partition, replacing those that exist."""
    if not files:
        return
    with tempfile.TemporaryDirectory() as stage:
        root = Path(stage)
        _stage(files, root)
        _run(["mcopy", "-s", "-o", "-Q", "-i", f"{image}@@{esp_offset(image)}", *sorted(root.iterdir()), "::/"],
             env={**os.environ, "MTOOLS_SKIP_CHECK": "1"})


def read_from_image(image: Path, name: str) -> bytes:
    """The content of a file of the EFI system partition."""
    done = subprocess.run(["mtype", "-i", f"{image}@@{esp_offset(image)}", f"::/{name.lstrip('/')}"],
                          env={**os.environ, "MTOOLS_SKIP_CHECK": "1"}, capture_output=True, check=False)
    if done.returncode:
        raise ImageError(f"{image}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def grub_selection(files: dict[str, bytes | Path]) -> bytes:
    """What the ISO's grub.cfg sources as /bulkhead/select.cfg: GRUB's script language can read variables from
    a file, but not a file's content into a variable."""
    lines = []
    default = files.get("/bulkhead/default")
    if default is not None:
        text = default if isinstance(default, bytes) else default.read_bytes()
        lines.append(f"set scenario={text.decode().strip()}")
    if "/bulkhead/batch" in files:
        lines.append("set batch=1")
    return "".join(line + "\n" for line in lines).encode()


def copy_iso(source: Path, target: Path, files: dict[str, bytes | Path]) -> None:
    """Copies a bootable ISO, with files added or replaced."""
    with source.open("rb") as stream:
        stream.seek(16 * 2048)
        if stream.read(6)[1:] != b"CD001":  # xorriso would take it for an empty one
            raise ImageError(f"{source}: no ISO 9660 file system")
    if not files:
        copy_sparse(source, target)
        return
    files = {"/bulkhead/select.cfg": grub_selection(files), **files}
    with tempfile.TemporaryDirectory() as stage:
        _stage(files, Path(stage))
        _run(["xorriso", "-indev", source, "-outdev", target, "-boot_image", "any", "replay", "-map", stage, "/"])
