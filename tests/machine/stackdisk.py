#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes what the stacked machine boots, without root and without mounting anything:

  boot.iso   GRUB, the kernel, and an initramfs of busybox, the KVM and IDE modules and our init
  tools.img  an ext4 disk with QEMU, its libraries and OVMF

Neither depends on the image under test, so both are made once and kept in the cache.
"""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import paths  # noqa: E402
from machine.initramfs import LIBRARIES, Cpio, add_modules, shared_libraries  # noqa: E402

MODULES = ("kvm-intel", "ata_piix", "sd_mod")
# The BIOS and pvh.bin are for guests of Linux' KVM without UEFI (tests/bench).
QEMU_DATA = ("qemu/kvmvapic.bin", "qemu/pvh.bin", "seabios/bios-256k.bin")
QEMU_OPTIONAL_LIBRARIES: tuple[str, ...] = ()
TOOLS_MEBIBYTES = 160


def make_initramfs(tree: Path, version: str) -> bytes:
    archive = Cpio()
    for directory in ("bin", "dev", "lib", "proc", "sys", "tmp", "tools"):
        archive.add(directory, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("bin/busybox", stat.S_IFREG | 0o755, (tree / "usr/bin/busybox").read_bytes())
    archive.add("init", stat.S_IFREG | 0o755, (paths.HERE / "stack/init").read_bytes())
    add_modules(archive, tree / "usr/lib/modules" / version, MODULES)
    return archive.finish()


def make_tools(tree: Path, work: Path) -> None:
    root = work / "tools"
    (root / "lib").mkdir(parents=True)
    (root / "qemu").mkdir()
    program = tree / "usr/bin/qemu-system-x86_64"
    shutil.copy(program, root / "qemu-system-x86_64")
    for library in shared_libraries(tree, program):
        shutil.copy(library, root / "lib" / library.name)
    shutil.copy(tree / LIBRARIES / "ld-linux-x86-64.so.2", root / "lib/ld.so")
    for name in QEMU_DATA:
        shutil.copy(tree / "usr/share" / name, root / "qemu")
    shutil.copy(paths.ovmf_code(), root / "code.fd")
    shutil.copy(paths.ovmf_variables(), root / "vars.fd")
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal,^metadata_csum", "-m", "0", "-d", root,
                    work / "tools.img", f"{TOOLS_MEBIBYTES}M"], check=True)


def make_iso(tree: Path, work: Path, version: str) -> None:
    root = work / "iso"
    (root / "boot/grub").mkdir(parents=True)
    shutil.copy(tree / "boot" / f"vmlinuz-{version}", root / "vmlinuz")
    (root / "initramfs").write_bytes(make_initramfs(tree, version))
    shutil.copy(paths.HERE / "stack/grub.cfg", root / "boot/grub/grub.cfg")
    subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "--fonts=", "--locales=", "--themes=",
                    "--install-modules=linux biosdisk iso9660 normal part_msdos",
                    "-o", work / "boot.iso", root], check=True, capture_output=True)


def fingerprint() -> str:
    """Changes whenever what is made would change."""
    digest = hashlib.sha256()
    for path in (Path(__file__), paths.HERE / "initramfs.py", paths.HERE / "stack/init", paths.HERE / "stack/grub.cfg",
                 paths.tree() / "packages.txt"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ensure() -> Path:
    """Makes the two files when they are not there or outdated; returns their directory."""
    final = paths.stack()
    stamp = final / "fingerprint"
    wanted = fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return final
    tree = paths.tree()
    kernels = sorted((tree / "boot").glob("vmlinuz-*"))
    if not kernels:
        raise paths.MissingEmulators(f"no kernel in {tree}/boot: remove {tree} and run tests/machine/setup.sh emulators")
    version = kernels[-1].name.removeprefix("vmlinuz-")
    work = final.with_name(f"stack.partial.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        make_iso(tree, work, version)
        make_tools(tree, work)
        shutil.rmtree(work / "tools")
        shutil.rmtree(work / "iso")
        (work / "fingerprint").write_text(wanted)
        shutil.rmtree(final, ignore_errors=True)
        work.rename(final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--quiet"]):
        sys.exit(f"usage: {sys.argv[0]} [--quiet]")
    try:
        there = ensure()
        if not sys.argv[1:]:
            print(f"setup: stack: {there} is complete")
    except (paths.MissingEmulators, subprocess.CalledProcessError, OSError) as error:
        detail = getattr(error, "stderr", None) or b""
        sys.exit(f"setup: error: {error} {detail[-800:].decode(errors='replace')}")
