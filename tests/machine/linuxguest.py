#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes what Linux guests boot from, without root: for each Debian release the stock kernel and an initramfs
of busybox, iperf3, network drivers and our own init (linux/init).

  guests/*/12/vmlinuz, guests/*/12/initrd       Debian 12's kernel
  guests/*/13/vmlinuz, guests/*/13/initrd       Debian 13's
  guests/*/13/initrd-dpdk                       with DPDK's testpmd and uio drivers in place of iperf3 and the kernel's

They do not depend on the image under test, so they are made once and kept in the cache.
"""

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import paths  # noqa: E402
from machine.initramfs import (LIBRARIES, Cpio, add_modules, load_order, module_files, read_module,  # noqa: E402
                               shared_libraries)

RELEASES = ("12", "13")
MODULES = ("igbvf", "igb", "e1000e", "nvme", "virtio_pci", "virtio_net")
VIRTIO = b"pci:v00001AF4d*sv*sd*bc*sc*i*"  # virtio_net drives what virtio_pci, which may be built in, finds there
DPDK_RELEASE = "13"
DPDK_MODULES = ("uio_pci_generic",)
DPDK_DRIVERS = ("librte_net_e1000.so.25", "librte_mempool_ring.so.25")
CANCEL = "libgcc_s.so.1"  # pthread_cancel() loads it by name
NAMES = (*(f"/bulkhead/{name}-{release}" for release in RELEASES for name in ("vmlinuz", "initrd")),
         f"/bulkhead/initrd-dpdk-{DPDK_RELEASE}")


def compiled(source: Path) -> bytes:
    with tempfile.TemporaryDirectory() as work:
        program = Path(work) / source.stem
        subprocess.run(["gcc", "-std=gnu17", "-Os", "-Wall", "-Wextra", "-Werror", "-static", "-s", "-o", program, source],
                       check=True)
        return program.read_bytes()


def stripped(path: Path) -> bytes:
    done = subprocess.run(["strip", "--strip-unneeded", "-o", "/dev/stdout", path], check=False, capture_output=True)
    return done.stdout or path.read_bytes()


def add_program(archive: Cpio, tree: Path, program: Path, *loaded: str) -> None:
    """The program with its libraries and those that it loads by name."""
    archive.add(f"bin/{program.name}", stat.S_IFREG | 0o755, program.read_bytes())
    for library in [*shared_libraries(tree, program), *(tree / LIBRARIES / name for name in loaded)]:
        archive.add(f"lib/{library.name}", stat.S_IFREG | 0o755, stripped(library))
    archive.add("lib64/ld-linux-x86-64.so.2", stat.S_IFREG | 0o755,
                (tree / LIBRARIES / "ld-linux-x86-64.so.2").read_bytes())


def pci_aliases(modules: Path, names) -> bytes:
    """A line for each module: its name and the devices that it is loaded for, as the kernel's modalias writes them."""
    files = module_files(modules)
    wanted: dict[str, list[bytes]] = {}
    for name in filter(files.__contains__, names):
        found = [VIRTIO] if name == "virtio_net" else re.findall(rb"\0alias=(pci:[^\0]+)", read_module(files[name]))
        for module in load_order([name], lambda needed: read_module(files[needed])):
            wanted.setdefault(module, []).extend(found)
    return b"".join(b" ".join([name.encode(), *dict.fromkeys(found)]) + b"\n" for name, found in wanted.items())


def make_initrd(tools: Path, modules: Path, dpdk: Path | None = None) -> bytes:
    archive = Cpio()
    for directory in ("bin", "dev", "lib", "lib64", "proc", "sys", "tmp"):
        archive.add(directory, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("bin/busybox", stat.S_IFREG | 0o755, (tools / "usr/bin/busybox").read_bytes())
    archive.add("init", stat.S_IFREG | 0o755, (paths.HERE / "linux/init").read_bytes())
    if dpdk is None:
        archive.add("bin/nvme-attach", stat.S_IFREG | 0o755, compiled(paths.HERE / "linux/nvme-attach.c"))
        add_program(archive, tools, tools / "usr/bin/iperf3", CANCEL)
        add_modules(archive, modules, MODULES)
        archive.add("lib/aliases", stat.S_IFREG | 0o644, pci_aliases(modules, MODULES))
    else:
        add_program(archive, dpdk, dpdk / "usr/bin/dpdk-testpmd", CANCEL, *DPDK_DRIVERS)
        add_modules(archive, modules, DPDK_MODULES)
        archive.add("lib/igb_uio.ko", stat.S_IFREG | 0o644, stripped(paths.module_packages() / "igb_uio.ko"))
    return archive.finish()


def fingerprint(source: Path, dpdk: Path) -> str:
    """Changes whenever what is made would change."""
    digest = hashlib.sha256()
    for path in (Path(__file__), paths.HERE / "initramfs.py", paths.HERE / "linux/init",
                 paths.HERE / "linux/nvme-attach.c", source / "packages.txt", dpdk / "packages.txt",
                 paths.module_packages() / "igb_uio.ko"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def only(found, what: str) -> Path:
    found = list(found)
    if len(found) != 1:
        raise paths.MissingEmulators(f"{len(found)} {what} instead of one: run tests/machine/setup.sh guests")
    return found[0]


def ensure() -> Path:
    """Makes the files when they are not there or outdated; returns their directory."""
    source, dpdk = paths.guest_packages(), paths.dpdk_packages()
    # By what it is made of, so that two checkouts do not take it from each other.
    final = paths.cache() / "guests" / fingerprint(source, dpdk)[:16]
    if final.exists():
        return final
    work = final.with_name(f"{final.name}.partial.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    try:
        for release in RELEASES:
            kernel = source / release
            (work / release).mkdir(parents=True)
            shutil.copy(only((kernel / "boot").glob("vmlinuz-*"), "kernels"), work / release / "vmlinuz")
            modules = only([*kernel.glob("lib/modules/*"), *kernel.glob("usr/lib/modules/*")], "sets of modules")
            (work / release / "initrd").write_bytes(make_initrd(source / "tools", modules))
            if release == DPDK_RELEASE:
                (work / release / "initrd-dpdk").write_bytes(make_initrd(source / "tools", modules, dpdk))
        if not final.exists():  # or somebody was faster
            work.rename(final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final


def files(names=NAMES[:-1]) -> dict[str, bytes | Path]:
    """What goes onto the boot medium of a machine with Linux guests; not all of it fits at once."""
    made = ensure()
    return {target: made.joinpath(*reversed(Path(target).name.rsplit("-", 1))) for target in names}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(f"usage: {sys.argv[0]} (no arguments)")
    try:
        print(f"setup: guests: {ensure()} is complete")
    except (paths.MissingEmulators, subprocess.CalledProcessError, OSError) as error:
        sys.exit(f"setup: error: {error}")
