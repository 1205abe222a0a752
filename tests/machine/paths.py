# SPDX-License-Identifier: MIT
"""Where the emulators, their firmware and our own caches are."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
IN_TREE = HERE / "in-tree"


class MissingEmulators(RuntimeError):
    """The emulators have not been set up on this machine."""


def cache() -> Path:
    return Path(os.environ.get("BULKHEAD_CACHE", "/var/cache/bulkhead"))


def tree() -> Path:
    """The unpacked trixie tree; raises MissingEmulators with what to do when it is not there."""
    path = cache() / "trixie"
    if not (path / "version").exists():
        raise MissingEmulators(f"no emulators in {path}: run tests/machine/setup.sh emulators")
    return path


def ovmf_code() -> Path:
    return tree() / "usr/share/OVMF/OVMF_CODE_4M.fd"


def ovmf_variables() -> Path:
    return tree() / "usr/share/OVMF/OVMF_VARS_4M.fd"


def stack() -> Path:
    """What the stacked machine boots, made by stackdisk.py."""
    return cache() / "stack"


def guest_packages() -> Path:
    """The unpacked packages that Linux guests are made of; raises MissingEmulators when they are not there."""
    return _packages("guest-packages")


def dpdk_packages() -> Path:
    """The same for DPDK's."""
    return _packages("dpdk-packages")


def _packages(name: str) -> Path:
    path = cache() / name
    if not (path / "version").exists():
        raise MissingEmulators(f"no packages for Linux guests in {path}: run tests/machine/setup.sh guests")
    return path
