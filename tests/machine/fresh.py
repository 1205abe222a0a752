#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a new user gets: the README's commands and the tests in a bare Debian.

A root of the release is made with debootstrap (minbase, git, make), HEAD of this checkout is cloned into it, and
`make demo DEMO=check`, `make run` and `make test` run there. Packages come from the mirror that apt uses on this
machine. Nothing else of this machine is seen inside but its network, its kernel and, with --cache, what an earlier
set-up downloaded: that is for work on the tests, and proves less.

Needs root (sudo is asked), debootstrap (tests/machine/setup.sh fresh) and 8 GB; `make test` alone takes 45 minutes at
most on 2 cores. A root in which something failed is left there; the next run replaces it.
"""

import argparse
import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SUITES = {"12": "bookworm", "13": "trixie"}
TAIL = 60
# What the README begins with, in its order: the first one sets everything up.
COMMANDS = (("demo", "make demo DEMO=check", "steps are as they say"), ("run", "make run", "run.verdict result=ok"))
RUN_LIMIT = 30 * 60
TEST_LIMIT = 120 * 60
SPACE = 8 << 30
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "kvm")
PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "BULKHEAD_LONG")
# In a mount and process name space of its own: when this ends, however it ends, so do the mounts and what still runs.
INSIDE = """
set -eu
root=$1 cache=$2
shift 2
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in DEVICES; do
    [ -e "/dev/$device" ] || continue
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
if [ -n "$cache" ]; then
    mkdir -p "$root/var/cache/bulkhead" "$root/cache.new" "$root/cache.work"
    mount -t overlay -o "lowerdir=$cache,upperdir=$root/cache.new,workdir=$root/cache.work" cache \
        "$root/var/cache/bulkhead"
fi
exec chroot "$root" /bin/sh -c "cd /srv/bulkhead && $1"
""".replace("DEVICES", " ".join(DEVICES))
# Makes another system of Debian: it has the tools, with OVMF where Arch has it, and neither apt nor dpkg.
FOREIGN = """
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -y install --no-install-recommends gcc libc6-dev nasm binutils gnu-efi mtools fdisk util-linux \
    grub-efi-amd64-bin grub-pc-bin grub-common xorriso python3 python3-pexpect python3-pyte qemu-system-x86 ovmf \
    mawk
mkdir -p /usr/share/edk2/x64
mv /usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/edk2/x64/OVMF_CODE.4m.fd
mv /usr/share/OVMF/OVMF_VARS_4M.fd /usr/share/edk2/x64/OVMF_VARS.4m.fd
mv /usr/lib/grub /usr/share/grub2
mv /usr/bin/grub-mkimage /usr/bin/grub2-mkimage
mv /usr/bin/grub-mkrescue /usr/bin/grub2-mkrescue
rm -rf /usr/share/OVMF /usr/bin/apt* /usr/bin/dpkg* /usr/lib/apt /usr/lib/dpkg /var/lib/apt /var/lib/dpkg /etc/apt
rm -f /etc/os-release
printf 'ID=other\nPRETTY_NAME="another system"\n' >/etc/os-release
"""


def say(text: str) -> None:
    print(f"fresh: {text}", flush=True)


def fail(text: str) -> None:
    print(f"fresh: error: {text}", file=sys.stderr, flush=True)
    sys.exit(2)


def output(*command: str) -> str:
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"    {line}" for line in lines[-TAIL:])


def duration(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Step(threading.Thread):
    """A command whose output goes to a log; a line a minute says how far it is, on a terminal the same line."""

    def __init__(self, name: str, command: list[str], log: Path, limit: float) -> None:
        super().__init__(daemon=True)
        self.name, self.command, self.log, self.limit = name, command, log, limit
        self.over = threading.Event()
        self.seconds = 0.0

    def progress(self) -> str:
        text = self.log.read_text(errors="replace")
        results = re.findall(r" (PASSED|FAILED|ERROR|SKIPPED) ", text)
        lines = [line for line in text.splitlines() if line.strip()]
        bad = results.count("FAILED") + results.count("ERROR")
        counts = f"{results.count('PASSED')} passed, {bad} failed, " if results else ""
        return f"{self.name} {duration(self.seconds)}: {counts}{lines[-1].strip()[:90] if lines else ''}"

    def run(self) -> None:
        begin = time.monotonic()
        interval = 5 if sys.stdout.isatty() else 60
        while not self.over.wait(interval):
            self.seconds = time.monotonic() - begin
            if sys.stdout.isatty():
                print(f"\r\033[K{self.progress()[:shutil.get_terminal_size().columns - 1]}", end="", flush=True)
            else:
                say(self.progress())
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)

    def finish(self) -> bool:
        """Runs the command to its end or its limit, and says how it ended."""
        begin = time.monotonic()
        with open(self.log, "wb") as log:
            process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       start_new_session=True)
            self.start()
            try:
                status, why = process.wait(self.limit), ""
            except subprocess.TimeoutExpired:
                status, why = -1, f"the limit of {duration(self.limit)} minutes is over"
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                self.over.set()
                self.join()
        self.seconds = time.monotonic() - begin
        if status:
            print(f"fresh: {self.name} failed ({why or f'status {status}'}); the end of {self.log}:\n{tail(self.log)}",
                  flush=True)
        return status == 0


def mirror(label: str) -> str:
    """The mirror that carries these packages, as apt on this machine knows it; "" when it knows none."""
    targets = output("apt-get", "indextargets", "--format", "$(LABEL)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages")
    return next((fields[2] for fields in (line.split("|") for line in targets.splitlines())
                 if fields[:2] == [label, "main"]), "")


def sources(suite: str) -> str:
    """The root's list of sources: the release, its updates and, where apt here knows them, its security updates."""
    keyring, text = "/usr/share/keyrings/debian-archive-keyring.gpg", ""
    for uri, suites in ((mirror("Debian"), f"{suite} {suite}-updates"), (mirror("Debian-Security"), f"{suite}-security")):
        if uri:
            text += f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: {keyring}\n\n"
    return text


class Root:
    """A bare Debian in a directory."""

    def __init__(self, release: str, place: Path, logs: Path, cache: str) -> None:
        self.release, self.place, self.logs, self.cache = release, place, logs, cache

    def make(self) -> bool:
        suite, uri = SUITES[self.release], mirror("Debian")
        if not uri:
            fail("apt knows no Debian mirror on this machine: apt-get update, and look at /etc/apt/sources*")
        packages = "git,make" + (",ca-certificates" if uri.startswith("https:") else "")
        self.remove()
        self.place.mkdir(parents=True)
        step = Step("debootstrap", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "debootstrap",
                                    "--variant=minbase", f"--include={packages}", suite, str(self.place), uri],
                    self.logs / "debootstrap.log", RUN_LIMIT)
        if not step.finish():
            return False
        (self.place / "etc/apt/sources.list").unlink(missing_ok=True)
        (self.place / "etc/apt/sources.list.d/debian.sources").write_text(sources(suite))
        settings = output("apt-config", "dump", "Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until")
        (self.place / "etc/apt/apt.conf.d/90host").write_text(settings)
        for name in ("resolv.conf", "hosts"):
            shutil.copyfile(f"/etc/{name}", self.place / "etc" / name)
        say(f"Debian {self.release} is in {self.place} ({duration(step.seconds)})")
        return True

    def clone(self) -> None:
        """HEAD of this checkout, through a bundle: nothing but what is committed gets there."""
        git = ["git", "-c", "safe.directory=*", "-C", str(REPOSITORY)]
        if output(*git, "status", "--porcelain"):
            say("there are uncommitted changes here: they are not part of this")
        say(f"HEAD is {output(*git, 'log', '-1', '--format=%h %s').strip()}")
        bundle = self.place / "srv/bulkhead.bundle"
        output(*git, "bundle", "create", "-q", str(bundle), "HEAD")
        output("chroot", str(self.place), "sh", "-c", "cd /srv && rm -rf bulkhead && "
               "git clone -q bulkhead.bundle bulkhead && rm bulkhead.bundle")

    def run(self, name: str, command: str, limit: float) -> tuple[bool, Path, float]:
        """Runs a command in the clone, with the environment of somebody who has just logged in."""
        environment = {"HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb",
                       **{key: os.environ[key] for key in PASSED_ON if key in os.environ}}
        step = Step(command.split(" PYTEST_FLAGS")[0],
                    ["env", "-i", *(f"{key}={value}" for key, value in environment.items()),
                     "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE, "fresh",
                     str(self.place), self.cache, command], self.logs / f"{name}.log", limit)
        return step.finish(), step.log, step.seconds

    def remove(self) -> None:
        if self.place.is_dir():
            if any(str(self.place) in line for line in Path("/proc/self/mountinfo").read_text().splitlines()):
                fail(f"something is mounted below {self.place}: unmount it, then remove the directory")
            shutil.rmtree(self.place)


def counts(log: Path) -> tuple[int, int, int]:
    """What the tests' closing line says: passed, failed and skipped."""
    found = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped", log.read_text(errors="replace"), re.M)
    return tuple(int(number) for number in found[-1]) if found else (0, 0, 0)


def check(release: str, options) -> bool:
    logs = options.logs / release
    logs.mkdir(parents=True, exist_ok=True)
    root = Root(release, options.root / release, logs, options.cache)
    if options.archive:
        if not root.make():
            return False
        output("tar", "-C", str(root.place), "--numeric-owner", "-cf", str(options.archive), ".")
        root.remove()
        return True
    if options.reuse and (root.place / "root").is_dir():
        say(f"Debian {release} in {root.place} is used again")
    elif not root.make():
        print("0 passed, 1 failed", flush=True)
        return False
    root.clone()
    passed, failed, report = 0, 0, []
    if options.foreign and not root.run("foreign", FOREIGN, RUN_LIMIT)[0]:
        print("0 passed, 1 failed", flush=True)
        return False
    if not options.no_run:
        for name, command, words in COMMANDS:
            fine, log, seconds = root.run(name, command, RUN_LIMIT)
            text = log.read_text(errors="replace")
            fine = fine and words in text and ("the tools on PATH are used" in text) == options.foreign
            report.append(f"make {name} {'ok' if fine else 'FAILED'}, {duration(seconds)}")
            passed, failed = passed + fine, failed + (not fine)
    if options.foreign:
        return finish(root, options, report, passed, failed)
    flags = f" PYTEST_FLAGS={shlex.quote(options.pytest_flags)}" if options.pytest_flags else ""
    if options.busy:
        flags += f" BUSY={options.busy}"
    fine, log, seconds = root.run("test", f"make test{flags}", TEST_LIMIT * (2 if options.busy else 1))
    test_passed, test_failed, skipped = counts(log)
    report.append(f"make test {test_passed} passed, {test_failed} failed, {skipped} skipped, {duration(seconds)}")
    passed, failed = passed + test_passed, failed + max(test_failed, not (fine and test_passed))
    return finish(root, options, report, passed, failed)


def finish(root: Root, options, report: list[str], passed: int, failed: int) -> bool:
    if failed and not options.keep:
        say(f"{root.place} is left for a look: its clone is in srv/bulkhead, the logs are in {root.logs}")
    elif not options.keep:
        root.remove()
    print(f"Debian {root.release}: {'; '.join(report)}\n{passed} passed, {failed} failed", flush=True)
    return failed == 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", nargs="+", choices=SUITES)
    parser.add_argument("--pytest-flags", default="", metavar="FLAGS", help="picks tests, as PYTEST_FLAGS does")
    parser.add_argument("--no-run", action="store_true", help="leave out `make demo` and `make run`")
    parser.add_argument("--busy", type=int, default=0, metavar="N",
                        help="run the tests beside N loops that take the computer's time (three times as long)")
    parser.add_argument("--keep", action="store_true", help="leave the root there afterwards")
    parser.add_argument("--foreign", action="store_true",
                        help="make another system of it, with the tools on PATH and no apt: `make run` alone")
    parser.add_argument("--archive", type=Path, metavar="FILE",
                        help="run nothing: put the bare root into an archive, for a container's base image")
    parser.add_argument("--reuse", action="store_true", help="use a root that --keep left (a new clone, no new root)")
    parser.add_argument("--cache", default="", metavar="DIR",
                        help="an existing BULKHEAD_CACHE: saves its downloads; it is read, not written")
    parser.add_argument("--root", type=Path, default=Path("/var/tmp/bulkhead-fresh"), metavar="DIR",
                        help="where the roots are made (%(default)s)")
    parser.add_argument("--logs", type=Path, default=REPOSITORY / "build/fresh", metavar="DIR",
                        help="where the logs go (%(default)s)")
    return parser.parse_args()


def main() -> int:
    options = parse()
    if os.geteuid():
        if not shutil.which("sudo"):
            fail("this makes and enters a root of another Debian: run it as root (there is no sudo here)")
        os.execvp("sudo", ["sudo", sys.executable, str(Path(__file__).resolve()), *sys.argv[1:]])
    for program in ("debootstrap", "unshare", "git"):
        if not shutil.which(program):
            fail(f"{program} is missing: tests/machine/setup.sh fresh installs it")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        fail("this machine does not allow mount name spaces (a container?): run it on a machine or in a VM")
    options.root.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(options.root).free < SPACE:
        fail(f"{options.root} has less than {SPACE >> 30} GB free: name another place with --root")
    lock = open(options.root / "lock", "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(f"another run uses {options.root}: wait for it, or name another place with --root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return 0 if all([check(release, options) for release in options.release]) else 1
    except subprocess.CalledProcessError as error:
        fail(f"{shlex.join(error.cmd)}: {error.stderr.strip()}")
    except KeyboardInterrupt:
        fail("interrupted")
    return 2


if __name__ == "__main__":
    sys.exit(main())
