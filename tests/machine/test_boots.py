# SPDX-License-Identifier: MIT
"""Tests that start emulators; skipped where none is set up (tests/machine/setup.sh emulators)."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import PATIENCE, MachineEnded, MachineSpec, MachineTimeout, disk, machine, paths  # noqa: E402
from machine.boot_media import gpt, make_image, needs_disk_tools, needs_emulators  # noqa: E402

STARTUP = ('@echo -off\r\necho "[0.25] boot.start from=shell"\r\n{extra}echo "[0.50] run.verdict result={verdict}"\r\n'
           "mm F4 {code} -w 4 -IO -n\r\n")


def shell_image(path, verdict="ok", code=0x10, extra=""):
    """UEFI's own shell stands in for the hypervisor: it prints a log and writes the exit status."""
    return make_image(path, {"/startup.nsh": STARTUP.format(verdict=verdict, code=f"{code:x}", extra=extra).encode()})


def boot_shell(name, spec, limit, directory):
    started = machine(name, spec, limit * PATIENCE, directory).start()
    started.console.expect_exact("to skip", timeout=limit)
    started.console.send("x")
    return started


@needs_emulators
@needs_disk_tools
@pytest.mark.timeout(60)
@pytest.mark.parametrize("verdict, code, ok", [("ok", 0x10, True), ("failed", 0x11, False), ("ok", 0x11, False)])
def test_tcg_reports_verdict_and_status(tmp_path, verdict, code, ok):
    image = shell_image(tmp_path / "disk", verdict, code, "type fs0:\\bulkhead\\default\r\n")
    with boot_shell("tcg", MachineSpec(image=image, scenario="sriov"), 50, tmp_path / "run") as started:
        assert started.wait_for("boot.start", **{"from": "shell"}).time == 0.25
        assert started.wait() == code * 2 + 1
        outcome = started.outcome()
        assert (outcome.ok, outcome.verdict) == (ok, verdict)
        assert "sriov.conf" in started.tail()
    assert not (tmp_path / "run/bulkhead.img").exists()
    assert disk.read_from_image(image, "/startup.nsh")
    with pytest.raises(disk.ImageError):
        disk.read_from_image(image, "/bulkhead/default")


GRUB = """serial --unit=0 --speed=115200
terminal_output serial
source /bulkhead/select.cfg
echo "[0.1] boot.start scenario=$scenario batch=$batch"
echo "[0.2] run.verdict result=ok"
halt
"""


@needs_emulators
@pytest.mark.skipif(not shutil.which("grub-mkrescue"), reason="grub-mkrescue is missing")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name, boot, ok", [("bochs", "disk", True), ("tcg", "iso", False)])
def test_iso_boots_and_is_told_the_scenario(tmp_path, name, boot, ok):
    (tmp_path / "root/boot/grub").mkdir(parents=True)
    (tmp_path / "root/boot/grub/grub.cfg").write_text(GRUB)
    subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", tmp_path / "grub.iso", tmp_path / "root"],
                   check=True, capture_output=True)
    spec = MachineSpec(iso=tmp_path / "grub.iso", boot=boot, scenario="sriov", cpus=2)
    with machine(name, spec, 60 * PATIENCE, tmp_path / "run") as started:
        assert started.wait_for("boot.start", scenario="sriov.conf", timeout=50)["batch"] == "1"
        started.wait()
        # GRUB switches off without a status: enough on Bochs, which has none, and too little elsewhere.
        assert started.outcome().ok is ok and started.outcome().verdict == "ok"


@needs_emulators
@pytest.mark.timeout(60)
def test_time_limit_ends_everything_and_shows_the_log(tmp_path):
    with machine("tcg", MachineSpec(boot="none"), 20, tmp_path) as started:
        process = started._process
        with pytest.raises(MachineTimeout, match="Interactive Shell"):
            started.wait_for("never.logged", timeout=30)
        assert started.expired and not started.outcome().ok
        assert process.poll() is not None
    assert not started.running


@needs_emulators
@pytest.mark.timeout(60)
def test_a_machine_that_ends_early_is_told_apart(tmp_path):
    with machine("tcg", MachineSpec(boot="none"), 30 * PATIENCE, tmp_path) as started:
        started.console.expect_exact("Shell", timeout=20)
        assert started.qmp("query-status")["running"]
        started.stop()
        with pytest.raises(MachineEnded):
            started.wait_for("never.logged")


@needs_emulators
@needs_disk_tools
@pytest.mark.skipif(not os.environ.get("BULKHEAD_SLOW_TESTS"), reason="two minutes: set BULKHEAD_SLOW_TESTS=1")
@pytest.mark.timeout(400)
def test_stack_reports_verdict_and_status(tmp_path):
    image = shell_image(tmp_path / "disk", extra="type fs0:\\bulkhead\\default\r\n")
    with boot_shell("stack", MachineSpec(image=image, scenario="passthrough"), 300, tmp_path / "run") as started:
        assert started.wait() == 33
        assert started.outcome().ok
        assert "passthrough.conf" in started.tail()


@needs_emulators
@needs_disk_tools
@pytest.mark.timeout(60)
@pytest.mark.parametrize("verdict, status", [("ok", 0), ("failed", 1)])
def test_run_without_a_terminal_returns_the_verdict(tmp_path, verdict, status):
    image = shell_image(tmp_path / "disk", verdict)
    done = subprocess.run([paths.HERE / "run.py", "--machine", "tcg", "--image", image, "--timeout", str(50 * PATIENCE)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert f"run.verdict result={verdict}" in done.stdout
    assert done.returncode == status, done.stderr


@needs_emulators
@pytest.mark.timeout(60)
def test_run_shows_where_it_stopped_when_time_is_over(tmp_path):
    image = tmp_path / "disk"
    image.write_bytes(gpt([]))
    done = subprocess.run([paths.HERE / "run.py", "--machine", "tcg", "--image", image], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "no EFI system partition" in done.stderr
    image = make_image(tmp_path / "disk2", {})
    done = subprocess.run([paths.HERE / "run.py", "--machine", "tcg", "--image", image, "--timeout", "20"], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1 and "time limit of 20 s" in done.stderr and "Shell" in done.stderr


@needs_emulators
@needs_disk_tools
@pytest.mark.timeout(60)
def test_run_with_a_terminal_joins_it_to_the_machine(tmp_path):
    image = shell_image(tmp_path / "disk", extra="pause\r\n")
    user = pexpect.spawn(str(paths.HERE / "run.py"), ["--machine", "tcg", "--image", str(image)], timeout=40 * PATIENCE)
    user.expect_exact("to skip")
    user.send("x")
    user.expect_exact("boot.start")
    user.send("\x1d")
    user.expect(pexpect.EOF)
    user.close()
    assert user.exitstatus == 0


@needs_emulators
@pytest.mark.timeout(60)
def test_the_emulator_dies_with_its_starter(tmp_path):
    starter = subprocess.Popen([sys.executable, "-c", (
        "import sys, time\nsys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\n"
        "from machine import MachineSpec, machine\n"
        "run = machine('tcg', MachineSpec(boot='none'), 50, Path(sys.argv[2])).start()\n"
        "print(run._process.pid, flush=True)\ntime.sleep(50)\n"), paths.HERE.parent, tmp_path],
        stdout=subprocess.PIPE, text=True)
    emulator = int(starter.stdout.readline())
    assert Path(f"/proc/{emulator}").exists()
    starter.kill()
    starter.wait()
    deadline = time.monotonic() + 10 * PATIENCE
    while Path(f"/proc/{emulator}").exists() and "Z" not in Path(f"/proc/{emulator}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
