# SPDX-License-Identifier: MIT
"""The two commands in a container: what podman and docker are asked for, and what is said where they are not there."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, make
from machine import PATIENCE

SCRIPT = ROOT / "tests/machine/container.sh"
PROGRAMS = ("sh", "cat", "dirname", "id", "git", "env")


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A PATH without podman and docker."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in PROGRAMS:
        (place / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(place))
    for name in ("CONTAINER", "IMAGE", "BASE", "CONTAINER_FLAGS", "CONTAINER_BUILD_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    return place


def fake(place, name: str, fails: str = "") -> None:
    """A program that notes its arguments, and fails where one of them is `fails`."""
    text = (f"#!{sys.executable}\nimport json, sys\nopen({str(place / 'calls')!r}, 'a').write(json.dumps([{name!r}, *sys.argv[1:]]) + '\\n')\n"
            f"sys.exit(125 if {fails!r} in sys.argv[1:] else 0)\n")
    (place / name).write_text(text, encoding="utf-8")
    (place / name).chmod(0o755)


def calls(place) -> list:
    return [json.loads(line) for line in (place / "calls").read_text().splitlines()]


def container(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run([SCRIPT, *arguments], text=True, capture_output=True, check=False, timeout=60 * PATIENCE,
                          env={**os.environ, **variables}, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("command", [("build",), ("run", "run"), ("base",)])
def test_neither_is_there(programs, command):
    done = container(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "container: error: there is neither podman nor docker here: install one of them\n"


@pytest.mark.parametrize("arguments, variables, reason", [
    (("run", "run"), {"CONTAINER": "buildah"}, "CONTAINER=buildah: there is no buildah here"),
    (("run", "run"), {"CONTAINER": "env podman"}, "CONTAINER=env podman: give podman or docker, with its global options"),
    (("run",), {}, "name a goal: make container-run GOAL=run"), (("nonsense",), {}, "unknown command 'nonsense'"),
    ((), {}, "unknown command ''")])
def test_what_is_wrong(programs, arguments, variables, reason):
    fake(programs, "podman")
    done = container(*arguments, **variables)
    assert done.returncode == 1 and done.stderr.startswith(f"container: error: {reason}"), done.stderr


def test_no_image_yet(programs):
    fake(programs, "podman", fails="inspect")
    done = container("run", "run")
    assert done.returncode == 1 and done.stderr == "container: error: there is no image bulkhead: make container\n"


def test_the_image(programs):
    fake(programs, "docker")
    assert container("build", BASE="other:13", CONTAINER_BUILD_FLAGS="--pull --no-cache").returncode == 0
    assert calls(programs) == [["docker", "build", "-t", "bulkhead", "--build-arg", "BASE=other:13", "--pull", "--no-cache", "-f",
                                f"{ROOT}/Containerfile", str(ROOT)]]


def test_an_image_that_cannot_be_built(programs):
    fake(programs, "podman", fails="build")
    done = container("build")
    assert done.returncode == 1 and "if debian:13 cannot be fetched: make container-base" in done.stderr


def test_a_goal(programs):
    """What was built belongs to whoever asked: docker's root is everybody's root."""
    for name, user in (("podman", False), ("docker", True)):
        fake(programs, name)
        (programs / "calls").unlink(missing_ok=True)
        assert container("run", "test", "PYTEST_FLAGS=-k 'a or b'", CONTAINER=f"{name} --root /x", CONTAINER_FLAGS="--pids-limit 9",
                         BULKHEAD_QEMU="11").returncode == 0
        call = calls(programs)[-1]
        assert call[:5] == [name, "--root", "/x", "run", "--rm"]
        assert call[-5:] == ["bulkhead", "make", "--no-print-directory", "test", "PYTEST_FLAGS=-k 'a or b'"]
        for words in (["-v", f"{ROOT}:{ROOT}"], ["-w", str(ROOT)], ["--pids-limit", "9"], ["-e", "BULKHEAD_QEMU"]):
            assert words[1] in call and call[call.index(words[1]) - 1] == words[0], call
        assert ("--user" in call) == user and "-t" not in call


def test_make_passes_variables_on(programs, monkeypatch):
    """The goal's own, whatever is in them; not those that are about the container."""
    fake(programs, "podman")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    done = make("container-run", "GOAL=run", "SCENARIO=whole", "RUN_FLAGS=--cpus 6 --extra 'it s' \"x\"", f"CONTAINER={programs}/podman", "IMAGE=mine",
                "CONTAINER_FLAGS=--network none")
    assert done.returncode == 0, done.stderr
    call = calls(programs)[-1]
    begin = call.index("mine")
    assert call[begin:begin + 4] == ["mine", "make", "--no-print-directory", "run"] and "none" in call[:begin]
    assert sorted(call[begin + 4:]) == ["RUN_FLAGS=--cpus 6 --extra 'it s' \"x\"", "SCENARIO=whole"]


def test_the_containerfile():
    """What it copies is there, the groups are setup.sh's, and no registry is named."""
    text = (ROOT / "Containerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*)", text, re.M) for word in line.split()[:-1]]
    assert copied and all((ROOT / word).exists() for word in copied)
    known = re.search(r"there are: ([^)]*)", (ROOT / "tests/machine/setup.sh").read_text()).group(1).split(", ")
    groups = " ".join(re.findall(r'^ARG (?:TOOLS|EMULATORS)="([^"]*)"', text, re.M)).split()
    recipe = re.search(r"^setup:.*\n(?:\t.*\n)+", (ROOT / "Makefile").read_text(), re.M).group()
    wanted = " ".join(re.findall(r"setup\.sh ([a-z0-9 ]+)", recipe)).split()
    assert set(wanted) == {"build", *groups} <= set(known), wanted
    assert re.search(r"^ARG BASE=debian:13\nFROM \$\{BASE\}$", text, re.M)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not (shutil.which("podman") and shutil.which("runc") and os.geteuid() == 0),
                    reason="needs podman, runc and root")
def test_for_real(tmp_path):
    """From a base that debootstrap makes: the image, and make run in it. Limits and isolation are those of a small VM."""
    engine = f"podman --root {tmp_path}/storage --runroot {tmp_path}/run --runtime runc"
    flags = ("CONTAINER_FLAGS=--ulimit nofile=1024:1024 --ulimit nproc=4096:4096", "CONTAINER_BUILD_FLAGS=--isolation chroot "
             "--build-arg TOOLS= --build-arg EMULATORS=emulators")
    try:
        for words in (("container-base",), ("container", "BASE=bulkhead-base:13"), ("container-run", "GOAL=run", "SCENARIO=sriov")):
            done = make(*words, f"CONTAINER={engine}", *flags, timeout=1800)
            assert done.returncode == 0, done.stdout + done.stderr
        assert "run.verdict result=ok" in done.stdout
    finally:
        subprocess.run([*engine.split(), "system", "reset", "--force"], check=False, capture_output=True, timeout=300)
