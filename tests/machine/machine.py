# SPDX-License-Identifier: MIT
"""What every emulated machine has: a serial console, a log, a time limit, an end."""

import atexit
import ctypes
import itertools
import os
import queue
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path

try:
    import pexpect
    from pexpect.spawnbase import SpawnBase
except ModuleNotFoundError:
    sys.exit("error: the Python module pexpect is missing: run tests/machine/setup.sh build")

from . import choices, paths
from .causes import causes, one_line
from .logfmt import LogLine, LogReader
from .spec import MachineSpec

STATUS_OK = 33      # the hypervisor wrote 0x10 to isa-debug-exit: (0x10 << 1) | 1
STATUS_FAILED = 35  # 0x11: it ended in good order, but not as expected
TAIL_LINES = 60
KEPT_RUNS = 20
# Time limits are for machines that hang; on a busy computer everything takes longer.
def patience(text: str) -> float:
    """From the environment: before anything else, so what makes no sense ends the program in one line."""
    try:
        if 0 < float(text) <= 1000:
            return float(text)
    except ValueError:
        pass
    sys.exit(f"error: BULKHEAD_PATIENCE={choices.shown(text)}: give a factor above 0 and at most 1000; the default is 3")


PATIENCE = patience(os.environ.get("BULKHEAD_PATIENCE") or "3")

_numbers = itertools.count()
_latest: "list[Machine]" = []  # the one that was started last
_running: "weakref.WeakSet[Machine]" = weakref.WeakSet()
_libc = ctypes.CDLL(None)


class MachineError(RuntimeError):
    """A machine did not do what was waited for. The text ends with the tail of its serial log."""


class MachineTimeout(MachineError):
    """It did not happen in time."""


class MachineEnded(MachineError):
    """The machine ended first."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `ok` needs the hypervisor's own verdict; the exit status can only take it away."""

    ok: bool
    verdict: str | None
    status: int | None
    reason: str
    causes: tuple[str, ...] = ()


class Console(SpawnBase):
    """The serial line, with pexpect's interface. It never holds the machine up: a thread of the machine reads
    everything; this only looks at what has arrived."""

    def __init__(self, machine: "Machine") -> None:
        super().__init__(timeout=30, encoding="utf-8", codec_errors="replace")
        self._machine = machine
        self._arrived: "queue.SimpleQueue[bytes]" = queue.SimpleQueue()
        self.name = f"<console of {machine.name}>"
        self.closed = False

    def arrived(self, data: bytes) -> None:
        self._arrived.put(data)

    def read_nonblocking(self, size: int = 1, timeout: float | None = -1) -> str:
        if timeout == -1:
            timeout = self.timeout
        try:
            data = self._arrived.get(timeout=timeout)
        except queue.Empty:
            raise pexpect.TIMEOUT("nothing arrived on the serial line in time") from None
        if not data:
            self._arrived.put(b"")
            self.flag_eof = True
            raise pexpect.EOF("the machine ended")
        text = self._decoder.decode(data, final=False)
        self._log(text, "read")
        return text

    def send(self, text: str) -> int:
        self._log(text, "send")
        return self._machine.write(text.encode())

    def expect_list(self, pattern_list, timeout=-1, *arguments, **options):
        return super().expect_list(pattern_list, self._patient(timeout), *arguments, **options)

    def expect_exact(self, pattern_list, timeout=-1, *arguments, **options):
        return super().expect_exact(pattern_list, self._patient(timeout), *arguments, **options)

    def _patient(self, timeout):
        return timeout and PATIENCE * (self.timeout if timeout == -1 else timeout)

    def sendline(self, text: str = "") -> int:
        return self.send(text + "\r")

    def isalive(self) -> bool:
        return self._machine.running


def die_with_parent() -> None:
    """Runs in the child: when this process is killed outright, so is the emulator."""
    _libc.prctl(1, signal.SIGKILL)


class Machine:
    """One run of one machine. Use as a context manager, or call stop()."""

    name = "machine"
    status_is_meaningful = True
    # Bochs' informational lines and the banner that it ends with.
    _CHATTER = re.compile(r"\d+i\[|=====|\s*(Bochs x86 Emulator|Built from|Timestamp:)|$")

    # What the emulator says of accesses that were to be blocked, and as it is switched off.
    _BELONGS = re.compile(r"(?!)")
    # Refusals that this kind of machine always has -> what it lacks.
    lacks: dict[str, str] = {}

    def __init__(self, spec: MachineSpec, time_limit: float = 60.0, directory: Path | None = None) -> None:
        self.spec = spec
        self.time_limit = time_limit
        self.directory = Path(directory or paths.REPOSITORY / "build/run" / f"{os.getpid()}-{next(_numbers)}")
        self.console = Console(self)
        self.log = LogReader()
        self.expired = False
        self.status: int | None = None
        self.seconds = 0.0
        self.on_data = None
        self._changed = threading.Condition()
        self._process: subprocess.Popen | None = None
        self._serial = -1
        self._keyboard: int | None = None  # where to type, if not on the same descriptor
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._files: list[Path] = []

    # What a kind of machine supplies.

    def _launch(self) -> tuple[subprocess.Popen, int]:
        """Starts the emulator; returns its process and the descriptor of its serial line."""
        raise NotImplementedError

    def _line_arrived(self, line: str) -> None:
        """Sees every complete line of the serial log."""

    # Life.

    def start(self) -> "Machine":
        if self._process:
            raise MachineError(f"{self.name} was started already")
        self._prune()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._started = time.monotonic()
        try:
            self._process, self._serial = self._launch()
        except BaseException:
            self._remove_copies()
            raise
        _running.add(self)
        _latest[:] = [self]
        self._thread = threading.Thread(target=self._pump, name=f"{self.name}-serial", daemon=True)
        self._thread.start()
        return self

    def __enter__(self) -> "Machine":
        return self if self._process else self.start()

    def __exit__(self, *_exception) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._process is not None and not self._ended.is_set()

    def stop(self) -> int | None:
        """Ends the machine now, whatever it is doing; returns the exit status if it had ended by itself."""
        if self._process:
            self._kill()
            self._ended.wait(10)
        return self.status

    def wait(self, timeout: float | None = None) -> int | None:
        """Waits until the machine ends by itself (or its time limit ends it); returns its exit status."""
        if not self._ended.wait(timeout and timeout * PATIENCE):
            raise MachineTimeout(self.explain(f"still running after {timeout * PATIENCE:g} s"))
        if self.expired:
            raise MachineTimeout(self.explain(f"the time limit of {self.time_limit:g} s is over"))
        return self.status

    def outcome(self) -> Outcome:
        """The judgement on a run that has ended."""
        verdicts = [event.get("result") for event in self.log.events if event.event == "run.verdict"]
        verdict = verdicts[-1] if verdicts else None
        why = tuple(causes(self.log.events))
        if self.expired:
            return Outcome(False, verdict, self.status, f"the time limit of {self.time_limit:g} s is over", why)
        if verdict is None:
            return Outcome(False, None, self.status, f"no run.verdict in the log, exit status {self.status}", why)
        if any(other != "ok" for other in verdicts):
            return Outcome(False, verdict, self.status, f"the hypervisor's verdict is not ok: {one_line(list(why))}", why)
        if self.status_is_meaningful and self.status != STATUS_OK:
            return Outcome(False, verdict, self.status, f"the verdict is ok, but the exit status is {self.status}")
        return Outcome(True, verdict, self.status, "the hypervisor's verdict is ok")

    # Talking and listening.

    def write(self, data: bytes) -> int:
        """Sends bytes to the serial line. A line of a machine that has ended swallows them."""
        sent = 0
        while sent < len(data) and self.running:
            keyboard = self._serial if self._keyboard is None else self._keyboard
            _, writable, _ = select.select([], [keyboard], [], 1)
            if writable:
                try:
                    sent += os.write(keyboard, data[sent:])
                except OSError:
                    break
        return sent

    def send(self, line: str) -> None:
        """Types a line."""
        self.console.sendline(line)

    @property
    def events(self) -> list[LogLine]:
        with self._changed:
            return list(self.log.events)

    def wait_for(self, event: str, timeout: float = 30.0, after: LogLine | None = None, **wanted) -> LogLine:
        """The first event of that name with those fields, of all that were logged (after another one, if given).
        Raises MachineEnded or MachineTimeout, with the end of the log."""
        position = after.index + 1 if after else 0
        timeout *= PATIENCE
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for line in self.log.events[position:]:
                    if line.matches(event, wanted):
                        return line
                position = max(position, len(self.log.events))
                if self._ended.is_set():
                    break
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, 1.0))
        what = " ".join([event] + [f"{key}={value}" for key, value in wanted.items()])
        if self.expired:
            raise MachineTimeout(self.explain(f"no {what!r} within the time limit of {self.time_limit:g} s"))
        if self._ended.is_set():
            raise MachineEnded(self.explain(f"ended with status {self.status} before {what!r}"))
        raise MachineTimeout(self.explain(f"no {what!r} in {timeout:g} s"))

    def wait_for_any(self, names: tuple[str, ...], seconds: float) -> LogLine | None:
        """The first event of one of these names; None when that time is over, or the machine, without one."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                line = next((line for line in self.log.events if line.event in names), None)
                left = deadline - time.monotonic()
                if line is not None or left <= 0 or self._ended.is_set():
                    return line
                self._changed.wait(min(left, 1.0))

    def tail(self, count: int = TAIL_LINES) -> str:
        with self._changed:
            return self.log.tail(count)

    def emulator_messages(self, all_went_well: bool = False) -> str:
        """What the emulator itself complained about; without what belongs to a run in which all went well."""
        lines = [line for line in self._read_text("emulator.log").splitlines() if not self._CHATTER.match(line)
                 and not (all_went_well and self._BELONGS.match(line))]
        return "\n".join(lines)[-1500:].strip()

    def explain(self, sentence: str) -> str:
        """The sentence, with the end of the log."""
        errors = self.emulator_messages()
        return (f"{self.name}: {sentence}\n--- last {TAIL_LINES} lines of {self.directory}/serial.log\n{self.tail()}"
                + (f"\n--- the emulator says\n{errors}" if errors else "") + "\n---")

    # Inner workings.

    def _read_text(self, name: str) -> str:
        try:
            return (self.directory / name).read_text(errors="replace")
        except OSError:
            return ""

    def _spawn(self, command: list, **options) -> subprocess.Popen:
        with (self.directory / "emulator.log").open("ab") as errors:
            return subprocess.Popen([str(word) for word in command], stderr=errors, cwd=self.directory,
                                    start_new_session=True, preexec_fn=die_with_parent, **options)

    def _copy(self, name: str) -> Path:
        """A path for a private copy that is removed when the run ends."""
        path = self.directory / name
        self._files.append(path)
        return path

    def _remove_copies(self) -> None:
        for path in self._files:
            path.unlink(missing_ok=True)

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _pump(self) -> None:
        """Reads the serial line until the machine ends or its time is over."""
        deadline = self._started + self.time_limit
        with (self.directory / "serial.log").open("wb", buffering=0) as record:
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    self.expired = True
                    break
                readable, _, _ = select.select([self._serial], [], [], min(left, 0.5))
                if not readable:
                    if self._process.poll() is not None:
                        break
                    continue
                try:
                    data = os.read(self._serial, 65536)
                except ConnectionError:
                    data = b""
                if not data:
                    break
                record.write(data)
                self._received(data)
        self._finish()

    def _received(self, data: bytes) -> None:
        with self._changed:
            before = len(self.log.lines)
            self.log.feed(data)
            lines = self.log.lines[before:]
            self._changed.notify_all()
        self.console.arrived(data)
        if self.on_data:
            self.on_data(data)
        for line in lines:
            self._line_arrived(line)

    def _finish(self) -> None:
        if not self.expired:
            # The line closes a moment before the process is gone.
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        ended_by_itself = self._process.poll() is not None
        self._kill()
        status = self._process.wait()
        if self.status is None and ended_by_itself and status >= 0:
            self.status = status
        for descriptor in {self._serial, self._keyboard} - {None}:
            os.close(descriptor)
        self.seconds = time.monotonic() - self._started
        self._remove_copies()
        with self._changed:
            self.log.finish()
            self._ended.set()
            self._changed.notify_all()
        self.console.arrived(b"")
        _running.discard(self)

    def _prune(self) -> None:
        """Keeps the newest runs; one of a living process is never touched."""
        ages = []
        for path in (paths.REPOSITORY / "build/run").glob("*-*"):
            try:
                ages.append((path.stat().st_mtime, path))
            except FileNotFoundError:
                continue  # another process is pruning too
        for _age, path in sorted(ages, reverse=True)[KEPT_RUNS:]:
            owner = path.name.split("-")[0]
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                shutil.rmtree(path, ignore_errors=True)


def latest() -> "Machine | None":
    """The machine that this process started last."""
    return _latest[0] if _latest else None


@atexit.register
def stop_all() -> None:
    """Ends every machine of this process."""
    for machine in list(_running):
        machine.stop()
