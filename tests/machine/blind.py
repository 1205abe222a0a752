# SPDX-License-Identifier: MIT
"""A machine without a serial line: its log is read in its memory from outside, and what is typed goes to its keyboard."""

import os
import struct
import threading
import time
from pathlib import Path

from .gdb import symbol
from .machine import MachineError

# struct log_history (hypervisor/base/log_ring.h): where its words are, how many, and how many were ever written. In them are
# records: a mark with the text's size, a number, the text, a checksum.
HISTORY = "log_history"
MARK, SIZE_BITS = 0xb1c5e9a7d3f80000, 0xffff
MOST = 1 << 17  # words
PERIOD = 0.2
SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./", strict=True))
KEYS = {" ": "spc", "\n": "ret", "\r": "ret", "\t": "tab", "\b": "backspace", "\x7f": "backspace", "\x1b": "esc", "-": "minus",
        "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon", "'": "apostrophe",
        "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot", "/": "slash"}


def keys_of(character: str) -> list[str]:
    """The keys of an American keyboard that are down together for a character, by QEMU's names."""
    if character in SHIFTED:
        return ["shift", *keys_of(SHIFTED[character])]
    if character in KEYS:
        return [KEYS[character]]
    if "\x01" <= character <= "\x1a":
        return ["ctrl", chr(ord(character) + 0x60)]
    if character.isalpha() and character.isascii():
        return ["shift", character.lower()] if character.isupper() else [character]
    if character.isdigit() and character.isascii():
        return [character]
    raise ValueError(f"no key for {character!r}")


class MemoryLog:
    """Copies what the hypervisor logs into a pipe, until the machine has switched itself off; then ends the emulator."""

    def __init__(self, run, image: Path, pipe: int) -> None:
        self._run, self._pipe, self._written = run, pipe, 0
        self._history = symbol(image, HISTORY)
        threading.Thread(target=self._follow, name=f"{run.name}-memory", daemon=True).start()

    def _read(self, address: int, size: int) -> bytes:
        """Of the first core, which runs the hypervisor and nothing else once that has begun."""
        target = self._run.directory / "memory-log"
        self._run.qmp("memsave", val=address - (1 << 64) if address >> 63 else address, size=size, filename=str(target))
        return target.read_bytes()

    def _fetch(self) -> None:
        try:
            where, count, written = struct.unpack("<QQQ", self._read(self._history, 24))
            if written <= self._written or not 0 < count <= MOST:
                return
            words = struct.unpack(f"<{count}Q", self._read(where, 8 * count))
        except (MachineError, struct.error):
            return  # firmware is still at work, or the machine has ended
        data = self._lines(words, max(self._written, written - count), written)
        while data:
            data = data[os.write(self._pipe, data):]

    def _lines(self, words: tuple[int, ...], start: int, end: int) -> bytes:
        """The texts of the records between two places. What has been overwritten in part is passed over."""
        text, at, count = b"", start, len(words)
        while at < end:
            size = words[at % count] ^ MARK
            last = at + 2 + (size + 7) // 8
            if size > SIZE_BITS:
                at += 1
            elif last >= end:
                break  # it is being written
            else:
                body = struct.pack(f"<{last - at - 2}Q", *(words[n % count] for n in range(at + 2, last)))
                text += body[:size]
                at = last + 1
        self._written = at
        return text

    def _follow(self) -> None:
        try:
            while True:
                time.sleep(PERIOD)
                off = self._run.qmp("query-status")["status"] == "shutdown"
                self._fetch()
                if off:
                    self._run.last_look()
                    self._run.qmp("quit")
                    return
        except (MachineError, OSError, ValueError):
            pass  # it was ended from outside
        finally:
            os.close(self._pipe)
