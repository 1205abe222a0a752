# SPDX-License-Identifier: MIT
"""Items under "Things to try" are done, and what the item shows in code font or between quotation marks has to be seen.

The mark has the steps, in this order:

    machine=NAME    a shared machine, which is only looked at; own=NAME one of its own
    type=COMMAND    at its prompt; `same` behind two of them: the answers are the same, rates (0.7) left out
    wait=EVENT      of its log ("NAME KEY=VALUE ..."), behind what was typed last
    edit=FILE old=TEXT new=TEXT    in a copy of the tree, `all=TEXT` instead of `old=` where it stands several times;
                    the machine that is booted next has what is built of it
    file=FILE new=TEXT             another file in that copy
    shell           runs the item's next command; shell=COMMAND this one (in the copy, once there are edits)
    status=N        the exit status of the command before, 0 if it is not said
    expect=TEXT     is printed; absent=TEXT is not
    run             boots what the item's next command says (`make run ...`), until it powers off; run=COMMAND
    until=EVENT     of the log: the next machine is waited for until then only, and has a prompt
    set="OLD => NEW"               in the next machine's configuration; text="LINE;LINE" is all of it
    send=COMMAND    at the prompt, without an answer; `end`: the machine ends
    lines="FILE TEXT N"            N lines of a file beside the serial log have that text; N+ for that or more
    vary=NAMES      what may differ from what the item shows
    skip=SPAN       code font that is neither typed nor printed, and no name in the sources

Everything in code font is then a command that was run, a name that the sources have, or was printed."""

import difflib
import functools
import re
import subprocess
from dataclasses import dataclass, field, replace

from system.checks import ask

from machine import LogLine, Machine

from . import machines
from .marks import ROOT, Shown
from .match import Bound, Rules, bare, match_line, names_of
from .texts import literals
from .transcripts import Machines, shell
from .tree import Tree

_COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:make |tests/|build/|python3 |head |mtype |sed )")


@dataclass
class Try:
    """One item, being done."""

    item: Shown
    shared: Machines
    tree: Tree
    problems: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)   # everything that was printed
    typed: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    run: Machine | None = None
    before: LogLine | None = None
    own: list[Machine] = field(default_factory=list)
    edited: bool = False
    file: str = ""
    old: tuple[str, bool] | None = None
    last_status: int | None = None
    until: str = ""
    text: str = ""
    sets: list[tuple[str, str]] = field(default_factory=list)
    booted: list[str] = field(default_factory=list)
    configurations: list[str] = field(default_factory=list)

    def do(self) -> list[str]:
        try:
            for name, value in self.item.mark.words:
                step = getattr(self, f"_step_{name}", None)
                if step is None:
                    self.problems.append(f"there is no step {name!r} (tests/book/tries.py)")
                    continue
                if name != "status":
                    self._check_status(0)
                step(value)
            self._check_status(0)
            self._look()
        finally:
            for run in self.own:
                run.stop()
            self.tree.undo()
        return self.problems

    # Steps.

    def _step_machine(self, name: str) -> None:
        self.run = self.shared.get(name)
        self.configurations.append(machines.configuration(machines.MOMENTS[name]))
        self.booted.append(machines.command(machines.MOMENTS[name]))

    def _boot(self, moment: machines.Moment) -> None:
        self.shared.stop()
        for run in self.own:
            self._log_too()
            run.stop()
        if self.until:
            moment = replace(moment, batch=False, ready=(self.until,))
        if self.text:
            moment = replace(moment, scenario="book", text=self.text)
        moment = replace(moment, edits=(*moment.edits, *self.sets))
        root = self.tree.path if self.edited else ROOT
        self.configurations.append(machines.configuration(moment, root))
        self.until, self.text, self.sets = "", "", []
        if self.edited:
            self.tree.make("build/bulkhead.img")
        self.run = machines.start(moment, root)
        self.own.append(self.run)

    def _step_own(self, name: str) -> None:
        self._boot(machines.MOMENTS[name])

    def _step_run(self, command: str) -> None:
        command = command or self._next_command()
        self.typed.append(command)
        self._boot(machines.asked(command))

    def _step_set(self, text: str) -> None:
        old, _, new = text.replace("\\n", "\n").partition(" => ")
        self.sets.append((old, new))

    def _step_text(self, text: str) -> None:
        self.text = "".join(line.strip() + "\n" for line in text.split(";"))

    def _note_place(self) -> None:
        """What is waited for comes behind this."""
        events = self.run.events
        self.before = events[-1] if events else None

    def _step_send(self, command: str) -> None:
        self._note_place()
        self.typed.append(command)
        self.run.send(command)

    def _step_end(self, _value: str) -> None:
        self.run.wait(60)

    def _step_lines(self, text: str) -> None:
        name, wanted, count = text.split()
        self.typed.append(wanted)
        found = sum(wanted in line for line in (self.run.directory / name).read_text(errors="replace").splitlines())
        if found != int(count.rstrip("+")) and not (count.endswith("+") and found >= int(count[:-1])):
            self.problems.append(f"{name} has {found} lines with {wanted}, not {count}")

    def _step_until(self, words: str) -> None:
        self.until = words

    def _step_type(self, command: str) -> None:
        self._note_place()
        self.typed.append(command)
        self.answers.append(ask(self.run, command).replace("\r", ""))
        self.said += self.answers[-1].splitlines()

    def _step_same(self, _value: str) -> None:
        left, right = (re.sub(r" +\d+\.\d\b", "", answer) for answer in self.answers[-2:])
        if left != right:
            self.problems.append(f"not the same twice:\n{left}\n{right}")

    def _step_wait(self, words: str) -> None:
        name, wanted = machines.event_of(words)
        self.run.wait_for(name, timeout=60, after=self.before, **wanted)

    def _step_edit(self, name: str) -> None:
        if not self.edited:
            self.tree.prepare()
        self.edited, self.file, self.old = True, name, None

    _step_file = _step_edit

    def _step_old(self, text: str) -> None:
        self.old = (text.replace("\\n", "\n"), False)

    def _step_all(self, text: str) -> None:
        self.old = (text.replace("\\n", "\n"), True)

    def _step_new(self, text: str) -> None:
        text = text.replace("\\n", "\n")
        if self.old is None:
            self.tree.write(self.file, text)
        else:
            self.tree.edit(self.file, self.old[0], text, self.old[1])
            self.old = None

    def _next_command(self) -> str:
        left = [span for span in self.item.spans() if _COMMAND.match(span) and span not in self.typed]
        if not left:
            raise ValueError("the item has no command that is left to run")
        return left[0]

    def _step_shell(self, text: str) -> None:
        text = text or self._next_command()
        self.typed.append(text)
        self.shared.stop()
        if self.run:
            text = text.replace("build/run/LATEST", str(self.run.directory))
        printed, self.last_status = shell(text, self.tree.path if self.edited else ROOT)
        self.said += printed.replace("\r", "").splitlines()

    def _step_status(self, value: str) -> None:
        self._check_status(int(value))

    def _step_expect(self, text: str) -> None:
        if not self._seen(text):
            self.problems.append(f"not printed: {text}")

    def _step_absent(self, text: str) -> None:
        self._log_too()
        if any(text in line for line in self.said):
            self.problems.append(f"printed all the same: {text}")

    def _step_vary(self, _names: str) -> None:
        """For what is looked for, wherever the word stands."""

    def _step_slow(self, _value: str) -> None:
        """For book-all only."""

    def _step_lesson(self, _value: str) -> None:
        """The page's files have been written."""
        self.edited = True

    def _step_skip(self, span: str) -> None:
        self.skipped.append(span)

    # Looking.

    def _check_status(self, wanted: int) -> None:
        if self.last_status is not None and self.last_status != wanted:
            end = "\n".join(self.said[-15:])
            self.problems.append(f"`{self.typed[-1]}` ended with status {self.last_status}, not {wanted}:\n{end}")
        self.last_status = None

    def _log_too(self) -> None:
        for run in {id(run): run for run in [*self.own, self.run] if run}.values():
            self.said += [line for line in machines.printed(run) if line not in self.said]

    def _seen(self, text: str) -> bool:
        self._log_too()
        rules = Rules(names_of(self.item.mark.all("vary")))
        wanted = "..." + re.sub(r"\s+", " ", text.strip()) + "..."
        return any(match_line(wanted, re.sub(r"\s+", " ", part), rules, Bound()) for line in self.said for part in (line, bare(line)))

    def _look(self) -> None:
        spans = self.item.spans()
        for span in spans:
            if not (self._was_typed(span) or self._configured(span) or span in self.skipped or named(span) or self._seen(span)):
                self.problems.append(f"neither typed, nor printed, nor a name in the sources: `{span}`{self._nearest(span)}")
        prose = re.sub(r"`+.+?`+", "", self.item.text)
        for quoted in re.findall(r'"([^"]+)"', prose):
            if not self._seen(quoted) and quoted not in self.skipped:
                self.problems.append(f"not printed: \"{quoted}\"{self._nearest(quoted)}")
        for span in self.skipped:
            if span not in spans and f'"{span}"' not in self.item.text:
                self.problems.append(f"skip={span}: the item does not have that")
        for command in self.typed:
            if not self._is_in_item(command):
                self.problems.append(f"the item says nothing of `{command}`, which is run for it")

    def _nearest(self, span: str) -> str:
        lines = [bare(line) for line in self.said if len(span) > 12]
        found = max(lines, default="", key=lambda line: difflib.SequenceMatcher(None, span, line, autojunk=False).quick_ratio() +
                    2 * (line.split(" ")[0] == span.split(" ")[0]))
        return f"\n    the nearest line: {found}" if found else ""

    def _was_typed(self, span: str) -> bool:
        """Typed as it is, as the beginning of what was typed (`walk`), or as a part of an edit."""
        edits = [value for key, value in self.item.mark.words if key in ("old", "new", "all", "edit", "file", "flags")]
        whole = re.sub(r"\s+", " ", " ".join(edits).replace("\\n", " "))
        return span in whole or any(span in command for command in [*self.typed, *self.booted])

    def _configured(self, span: str) -> bool:
        """A line, a key or a section of a configuration that was used."""
        def plain(text: str) -> str:
            return re.sub(r"[ \t]+", " ", text)

        return any(plain(span) in plain(text) for text in self.configurations)

    def _is_in_item(self, command: str) -> bool:
        return any(span == command or command.startswith(span + " ") or command in span or span in command
                   for span in self.item.spans())


@functools.cache
def _words() -> frozenset[str]:
    texts = subprocess.run(["git", "grep", "-hoE", r"[A-Za-z_][A-Za-z0-9_]{3,}", "--", "*.c", "*.h", "*.asm", "*.py", "*.mk",
                            "Makefile", "*.conf"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return frozenset(texts.split())


@functools.cache
def _keys() -> str:
    """Where the configuration's keys stand."""
    return "".join(path.read_text() for path in sorted((ROOT / "hypervisor/config").glob("*.c")))


def named(span: str) -> bool:
    """A scenario, a guest's program, a key of the configuration, an event, a section of the image, a file, a folder, or a function, variable, section of the sources; what is written `NAME()` or `NAME[]`."""
    path = span.rstrip("/")
    if re.fullmatch(r"[\w./-]+\.(c|h|asm|py|conf|md|elf|log|sh|txt)|Makefile", path):
        pattern = [f"*{path}"] if not path.endswith((".elf", ".log", ".txt")) else None
        return pattern is None or bool(subprocess.run(["git", "ls-files", "--", *pattern], cwd=ROOT, capture_output=True, text=True,
                                                      check=True).stdout.strip())
    if (ROOT / f"config/{span}.conf").exists() or (ROOT / f"guest/programs/{span}.c").exists() or \
            (re.fullmatch(r"[\w/-]+/", span) and (ROOT / span).is_dir()):
        return True
    if f'"{span}"' in _keys() or (re.fullmatch(r"[a-z]+\.[a-z_.-]+", span) and span in literals()):
        return True
    if span.startswith(".") and span in (ROOT / "linker.ld").read_text():
        return True
    found = re.fullmatch(r"([A-Za-z_]\w{3,})(\(\)|\[\])?", span)
    return found is not None and found[1] in _words() and re.search(r"[_A-Z]|\W$", span) is not None


def attempt(item: Shown, shared: Machines, tree: Tree) -> list[str]:
    return Try(item, shared, tree).do()
