# SPDX-License-Identifier: MIT
"""Where the emulators, their firmware and our own caches are."""

import os
from pathlib import Path

from . import onpath

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
IN_TREE = HERE / "in-tree"


class MissingEmulators(RuntimeError):
    """The emulators have not been set up on this machine, or another computer than Debian's has none that will do."""


def cache() -> Path:
    return Path(os.environ.get("BULKHEAD_CACHE", "/var/cache/bulkhead"))


def tree() -> Path:
    """The unpacked trixie tree; raises MissingEmulators with what to do when it is not there."""
    return _unpacked("trixie", "no emulators", "emulators")


# Which QEMU is where, by its major version, and the set-up that unpacks it. The first is the default.
QEMUS = {10: ("trixie", "emulators"), 11: ("qemu11", "qemu11")}


def on_path() -> bool:
    """Whether the emulators are those on PATH: on computers that are not Debian, where none have been unpacked."""
    return not onpath.is_debian() and not (cache() / QEMUS[min(QEMUS)][0] / "version").exists()


def _found(look, *arguments):
    try:
        return look(*arguments)
    except onpath.Missing as why:
        raise MissingEmulators(f"{why}; install it, {onpath.CONTAINER.format(goal='run')}") from why


def qemu_on_path() -> int:
    """Which of QEMUS the one on PATH counts as."""
    version = _found(onpath.qemu)[1]
    return max(known for known in QEMUS if known <= onpath.numbers(version)[0])


def default_qemu() -> int:
    """The version that the environment asks for (BULKHEAD_QEMU), else the first, or the one on PATH where that is used."""
    wanted = os.environ.get("BULKHEAD_QEMU") or str(qemu_on_path() if on_path() else next(iter(QEMUS)))
    if wanted not in map(str, QEMUS):
        raise ValueError(f"BULKHEAD_QEMU={wanted}: there are {' and '.join(map(str, QEMUS))}")
    return int(wanted)


def qemu_tree(version: int) -> Path:
    """The unpacked tree with that QEMU; raises MissingEmulators likewise."""
    name, group = QEMUS[version]
    return _unpacked(name, f"no QEMU {version}", group)


def qemu_command(version: int) -> list:
    """What starts that QEMU. Raises MissingEmulators likewise."""
    if not on_path():
        return [IN_TREE, "--tree", qemu_tree(version), "qemu-system-x86_64"]
    program, found = _found(onpath.qemu)
    if qemu_on_path() < version:
        raise MissingEmulators(f"QEMU {version} is required: {program} is {found}; install it, "
                               + onpath.CONTAINER.format(goal="run"))
    return [program]


# OVMF's code and variables. "secure": Secure Boot is on, with Debian's test key and no other; "strict": so it is, and
# memory is protected by EFI_MEMORY_ATTRIBUTE_PROTOCOL; "protected": this without Secure Boot.
FIRMWARE = {"plain": ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
            "secure": ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.snakeoil.fd"),
            "strict": ("OVMF_CODE_4M.secboot.strictnx.fd", "OVMF_VARS_4M.snakeoil.fd"),
            "protected": ("OVMF_CODE_4M.secboot.strictnx.fd", "OVMF_VARS_4M.fd")}


def ovmf_code(firmware: str = "plain") -> Path:
    if firmware == "plain" and on_path():
        return Path(_found(onpath.ovmf)[0])
    return tree() / "usr/share/OVMF" / FIRMWARE[firmware][0]


def ovmf_variables(firmware: str = "plain") -> Path:
    if firmware == "plain" and on_path():
        return Path(_found(onpath.ovmf)[1])
    return tree() / "usr/share/OVMF" / FIRMWARE[firmware][1]


def test_key() -> tuple[Path, Path]:
    """The key that Secure Boot trusts there, with the pass phrase "snakeoil", and its certificate."""
    return tree() / "usr/share/ovmf/PkKek-1-snakeoil.key", tree() / "usr/share/ovmf/PkKek-1-snakeoil.pem"


def stack() -> Path:
    """What the stacked machine boots, made by stackdisk.py."""
    return cache() / "stack"


def guest_packages() -> Path:
    """The unpacked packages that Linux guests are made of; raises MissingEmulators when they are not there."""
    return _unpacked("guest-packages", "no packages for Linux guests", "guests")


def dpdk_packages() -> Path:
    """The same for DPDK's."""
    return _unpacked("dpdk-packages", "no packages for Linux guests", "guests")


def module_packages() -> Path:
    """Where igb_uio is, built for Debian 13's kernel."""
    return _unpacked("module-packages", "no packages for Linux guests", "guests")


def _unpacked(name: str, missing: str, group: str) -> Path:
    path = cache() / name
    if not (path / "version").exists():
        if not onpath.is_debian():
            raise MissingEmulators(f"{missing} in {path}, and they are made of Debian's packages: use a lane and a scenario "
                                   f"that need none (tcg, sriov), {onpath.CONTAINER.format(goal='run')}")
        raise MissingEmulators(f"{missing} in {path}: run tests/machine/setup.sh {group}")
    return path
