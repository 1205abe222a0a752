# SPDX-License-Identifier: MIT
"""The guide of the demonstration, with a machine that is played (fake_prompt.py): what goes wrong, and how it looks in
80 columns. With the real one: tests/system/test_demo.py."""

import re
import string
import sys
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from machine import PATIENCE, demo, logfmt  # noqa: E402
from machine.demo_facts import Facts  # noqa: E402
from machine.demo_guide import PROMPT, WORDS, Guide, Typed  # noqa: E402
from machine.demo_steps import END, ORIENTATION, STEPS  # noqa: E402
from machine.fake_prompt import ANSWERS, LOG  # noqa: E402

from conftest import make  # noqa: E402

pytestmark = pytest.mark.timeout(120)

PLAY = """
import sys
sys.path.insert(0, sys.argv[1])
from machine import Kvm, Tcg, demo
how = sys.argv[2].split()
Tcg._program = lambda machine: [sys.argv[1] + "/machine/fake_prompt.py", *how]
Kvm._program = lambda machine: ["false"]
Tcg._arguments = lambda machine, places: []
demo.choose_machine = lambda: ("kvm", "KVM offers VMX to its guests")
sys.exit(demo.main([*([] if "kvm" in how else ["--machine", "tcg"]), *sys.argv[3:]]))
"""


def play(how: str = "", *options: str, term: str = "dumb") -> pexpect.spawn:
    """The demonstration at a terminal of 80x24, with that machine."""
    return pexpect.spawn(sys.executable, ["-c", PLAY, str(ROOT / "tests"), how, *options], dimensions=(24, 80),
                         timeout=20 * PATIENCE, encoding="utf-8", env={"TERM": term, "PATH": "/usr/bin:/bin"})


def end(user: pexpect.spawn) -> tuple[int, str]:
    user.expect(pexpect.EOF)
    user.close()
    return user.exitstatus, user.before


@pytest.fixture
def user(built):
    started = []

    def begin(how: str = "", *options: str, **more) -> pexpect.spawn:
        started.append(play(how, *options, **more))
        return started[-1]
    yield begin
    for one in started:
        one.close(force=True)


def events() -> list:
    reader = logfmt.LogReader()
    reader.feed(LOG.encode())
    return reader.events


# The table.

def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_names_what_there_is(step):
    """Its chapter exists; each name in its texts is in the log or in what its own patterns and events find."""
    assert (ROOT / step.chapter).exists()
    known = Facts(events())
    found = {name for pattern, _ in step.claims for name in re.findall(r"\(\?P<(\w+)>", pattern)}
    patterns = [known.pattern(pattern) for pattern, _ in (*step.claims, *((text, "") for _, text in step.also))]
    for pattern in patterns:
        re.compile(pattern)
    texts = [step.before, step.command, step.seen, *(words for _, words in step.claims),
             *(guest for guest, _ in step.needs)]
    found |= {f"{name}_owner" for name in found}
    loose = {name for text in texts for name in names_in(text)} - set(known) - found
    assert all(name.startswith("event_") and step.events for name in loose), loose
    assert step.claims or step.events, "it has to be able to fail"
    assert not known.missing


def test_the_table_covers_what_it_is_for():
    assert [step.name for step in STEPS] == ["guests", "devices", "domains", "walk", "why", "faults", "audit", "exits",
                                             "move", "stop", "start", "console"]
    assert all(step.command.split()[0] == step.name for step in STEPS)
    commands = set(re.findall(r'^    \{"(\w+)"', (ROOT / "hypervisor/monitor/commands.c").read_text(), re.MULTILINE))
    assert len(commands) > 20 and not commands & set(WORDS), "no word of the guide's hides a command"


def test_the_page_has_the_table():
    page = (ROOT / "docs/demo.md").read_text()
    for number, step in enumerate(STEPS, 1):
        row = rf"^\| {number} \| `{step.name}\b.*` \| {step.title} \| .*\({Path(step.chapter).name}\) \|$"
        assert re.search(row, page, re.MULTILINE), step.name
    assert set(re.findall(r"`(\w+)(?: \w+)?`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)))) >= set(WORDS)


def test_no_number_of_a_machine_is_in_the_texts():
    texts = "\n".join([*ORIENTATION, *END, *(text for step in STEPS for text in (step.before, step.seen))])
    assert not re.search(r"\b[0-9a-f]{2}:[0-9a-f]{2}\.\d\b", texts)
    assert set(re.findall(r"0x[0-9a-f]+", texts)) == {"0x200000", "0x80000000"}, "those that the user is told to type"


def test_facts_are_the_logs():
    facts = Facts(events())
    assert (facts["pf_rid"], facts["vf2_rid"]) == ("07:00.0", "07:10.4")
    assert (facts["vf2_owner"], facts["vf2_other"]) == ("rogue", "gamma")
    assert (facts["alpha_base"], facts["alpha_inside"], facts["fault_owner"]) == ("0x5000000", "0x5200000", "beta")
    assert facts.owner_of(0x4FFFFFF) == "the hypervisor" and facts.owner_of(0x57FFFFF) == "alpha"
    assert (facts["alpha_expected_exits"], facts["alpha_printed"]) == ("28", "")
    assert facts["nothing"] == "?" and facts.missing == ["nothing"]


def test_no_address_reaches_a_pattern_as_a_pattern():
    assert Facts(events()).pattern(r"^{pf_rid} x{3}") == r"^07:00\.0 x{3}"


# Keys.

@pytest.mark.parametrize("keys, text, exact", [
    (b"walk", "walk", True), (b"walx\x7fk", "walk", True), (b"abc\x15x", "x", True), (b"abc\x03", "", True),
    (b"\x1b[24;80Rnext", "next", True), (b"\x1b[?1;2cnext", "next", True), (b"\x1b[A", "", False),
    (b"wa\t", "wa", False),
    (b"\x1bOP", "", False), (b"\x1bf", "", False), (b"\x17", "", False), (bytes(range(256)), None, False)])
def test_what_is_typed(keys, text, exact):
    typed = Typed()
    for value in keys:
        typed.key(bytes([value]))
    assert typed.exact is exact and text in (None, typed.text)


class Played:
    """A guide whose machine is the test."""

    def __init__(self) -> None:
        self.shown, self.sent, self.now, self.log = b"", b"", 0.0, events()
        self.guide = Guide(self.show, self.send, lambda: self.log, lambda: 80, False, clock=lambda: self.now)
        self.say(LOG + PROMPT)
        self.guide.tick()

    def show(self, data: bytes) -> None:
        self.shown += data

    def send(self, data: bytes) -> None:
        self.sent += data

    def say(self, text: str) -> None:
        self.guide.feed(text.replace("\n", "\r\n").encode())

    def screen(self) -> str:
        return self.shown.decode().replace("\r", "\n")


def test_without_a_fault_it_begins_after_a_while():
    played = Played.__new__(Played)
    played.shown, played.sent, played.now = b"", b"", 0.0
    played.log = [line for line in events() if line.event != "dma.fault"]
    played.guide = Guide(played.show, played.send, lambda: played.log, lambda: 80, False, clock=lambda: played.now)
    played.say(LOG + PROMPT)
    for played.now, shown in ((1.0, False), (20.0, False), (32.0, True)):
        played.guide.tick()
        assert played.guide.shown is shown


def test_a_line_that_is_begun_is_drawn_again():
    """What the guide shows takes the prompt's place, and the prompt comes back with what was typed and its cursor."""
    played = Played()
    played.guide.key(b"guests\r")
    played.say("guests\nbulkhead> wal\b")
    played.shown = b""
    played.guide.show("a text")
    played.guide.tick()
    assert played.shown.endswith(b"| a text\r\nbulkhead> wal\b")


def test_nothing_is_shown_within_another_line():
    played = Played()
    played.say("\r          \r[1.0] some.ev")
    played.guide.show("a text")
    played.guide.tick()
    assert "a text" not in played.screen()
    played.say("ent key=1\nbulkhead> ")
    assert "a text" in played.screen()


def test_an_event_that_does_not_come_is_named():
    played = Played()
    played.guide.go(8)
    played.guide.key(b"\r")
    assert played.sent == b"move uplink.vf2 rogue gamma\r"
    played.say("move uplink.vf2 rogue gamma\nbulkhead> ")
    played.now = 31.0
    played.guide.tick()
    assert played.guide.failure == "in 30 s the log has no device.moved rid=07:10.4"


def test_enter_after_a_command_does_not_type_another():
    played = Played()
    played.guide.key(b"\r\r")
    assert played.sent == b"guests\r\r", "the second Enter is the machine's: a command runs"


def test_a_guide_that_misses_its_word_hears_the_machine_say_it():
    """Completed by the machine so late that the line did not show it yet."""
    played = Played()
    played.guide.key(b"ne\t\r")
    played.say("next\nnext: no such command\nbulkhead> ")
    assert played.guide.index == 1


@pytest.mark.parametrize("keys, wait, sent", [
    (b"dev\t\r", 0, b"dev\t\r"), (b"\x1b[A\r", 0, b"\x1b[A\r"), (b"\x1b[A\x1b[B", 1, b"\x1b[A\x1b[Bguests\r"),
    (b"  ", 1, b"  guests\r")])
def test_an_empty_line_is_one_that_is_known_to_be(keys, wait, sent):
    """Enter right behind a key that recalls or completes is the machine's."""
    played = Played()
    played.guide.key(keys)
    if wait:
        played.now += wait
        played.guide.key(b"\r")
    assert played.sent == sent


@pytest.mark.parametrize("keys", [b"gue\t\r", b"\x1b[A\r"])
def test_a_command_that_is_completed_or_recalled_counts(keys):
    played = Played()
    played.guide.key(keys)
    played.say("guests\n" + ANSWERS["guests"] + PROMPT)
    assert played.guide.done == {"guests"}


def test_lines_that_are_pasted_count():
    played = Played()
    played.guide.key(b"guests\rdevices\r")
    played.say("guests\n" + ANSWERS["guests"] + PROMPT + "devices\n" + ANSWERS["devices"] + PROMPT)
    assert played.guide.done == {"guests", "devices"} and played.guide.index == 2


def test_what_is_typed_ahead_is_not_typed_into():
    played = Played()
    played.guide.key(b"guests\rdevices")
    played.say("guests\nbulkhead> ")
    played.say("devices")
    played.now += 1
    played.sent = b""
    played.guide.key(b"\r")
    assert played.sent == b"\r"


def test_in_a_guests_console_all_keys_are_the_guests():
    played = Played()
    played.guide.go(11)
    played.guide.key(b"\r")
    played.say("console gamma\nserial line of gamma; Ctrl-\\ leaves it\n")
    played.sent = b""
    played.guide.key(b"\rleave\r\x1c")
    assert played.sent == b"\rleave\r\x1c" and not played.guide.left
    played.say("gamma| > leave\nbulkhead> ")
    assert "console" in played.guide.done


# The program.

def test_a_session_in_80_columns(user):
    """A wrong command, the list, words of the guide with mistakes, going there and back, leaving."""
    session = user("")
    session.logfile_read = record = Record()
    session.expect_exact("Step 1 of 12: who runs")
    session.expect_exact("Try: `guests`")
    session.send("nonsense\r")
    session.expect_exact("nonsense: no such command")
    session.send("\r")
    session.expect(r"17 of rogue's")
    session.expect_exact("Step 2 of 12")
    session.send("devixes\x7f\x7f\x7fces\r")
    session.expect_exact("07:10.4 rogue's")
    session.expect_exact("Step 3 of 12")
    for typed, shown in (("next", "Step 4 of 12"), ("back", "Step 3 of 12"), ("step 9", "Step 9 of 12"),
                         ("step nowhere", "a number from 1 to 12"), ("step", "a number from 1 to 12"),
                         ("step walk", "Step 4 of 12"), ("again", "Step 4 of 12"), ("skip", "Step 5 of 12"),
                         ("steps", r"x guests .*x devices .*> why .*  console"), ("step 12", "Step 12 of 12"),
                         ("next", "That was the last step"), ("next", "That was the last step"),
                         ("back", "Step 12 of 12")):
        session.send(typed + "\r")
        session.expect(f"(?s){shown}")
    session.send("leave\r")
    status, last = end(session)
    assert status == 0 and "left in step 12 (console)" in last
    assert record.text.count("no such command") == 1, "the guide's words never reach the machine as a command"
    rows = [row for row in record.text.replace("\r", "\n").splitlines() if row.startswith("|")]
    assert len(rows) > 40 and max(map(len, rows)) < 80
    assert "\x1b" not in record.text, "no colour on a terminal that is dumb"


class Record:
    text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_colour_is_discreet_and_can_be_refused(user):
    session = user("", term="xterm-256color")
    session.expect_exact("Try: \x1b[1mguests\x1b[m")
    session.send("\x1d")
    status, last = end(session)
    assert status == 0 and "left in step 1 (guests)" in last


def test_ctrl_bracket_leaves_before_the_prompt(user):
    session = user("mute")
    session.expect_exact("monitor.ready")
    session.send("\x1d")
    status, last = end(session)
    assert status == 0 and "left before the first step" in last


def test_a_machine_that_is_slow_to_echo(user):
    session = user("late")
    session.expect_exact("Step 1 of 12")
    session.send("steps\rnext\r")
    session.expect_exact("Step 2 of 12")
    session.send("ba\x7f\x7fdevices\r")
    session.expect_exact("Step 3 of 12")
    session.send("\x1d")
    assert end(session)[0] == 0


def test_a_machine_that_dies_is_told_with_its_step(user):
    session = user("dies")
    session.expect_exact("Step 1 of 12")
    session.send("step domains\r")
    session.expect_exact("Step 3 of 12")
    session.send("\r")
    status, last = end(session)
    assert status == 1
    assert "the machine ended in step 3 (domains): exit status 3" in last
    assert "the emulator says: qemu: assertion failed" in last and "Traceback" not in last


def test_a_kvm_that_does_not_come_up_is_left_for_tcg(user):
    session = user("kvm")
    session.expect_exact("kvm did not come up: QEMU ended with status 1 before boot.start")
    session.expect_exact("machine=tcg (since kvm did not come up")
    session.expect_exact("Step 1 of 12")
    session.send("leave\r")
    assert end(session)[0] == 0


def test_a_machine_that_refuses_is_quoted(user):
    session = user("")
    session.expect_exact("Step 1 of 12")
    session.send("step move\r")
    session.expect_exact("Try: `move uplink.vf2 rogue gamma`")
    session.send("\r")
    session.expect_exact("This is not what the step is about: the machine says")
    session.send("\x1d")
    assert end(session)[0] == 0


@pytest.mark.parametrize("how, words", [
    ("wrong", r"FAILED in step 2 \(devices\): the answer does not show this: uplink.vf0 is\s+alpha's"),
    ("", r"FAILED in step 3 \(domains\): the answer does not show this: alpha's domain"),
    ("dies", r"FAILED in step 3 \(domains\): the machine ended"),
])
def test_the_check_fails_with_the_steps_name(user, how, words):
    status, said = end(user(how, "--check"))
    assert status == 1 and re.search(words, said), said


@pytest.mark.parametrize("options, words", [
    (["--machine", "bochs"], "the demonstration needs VT-d and SR-IOV, so one of tcg, kvm, stack"),
    (["--scenario", "sriov"], "no --scenario"), (["--like", "server"], "no --scenario, --like"),
    (["--nonsense"], "unrecognized arguments: --nonsense"),
])
def test_what_cannot_be_is_refused(capsys, options, words):
    with pytest.raises(SystemExit) as ended:
        demo.main(options)
    assert ended.value.code == 2 and words in capsys.readouterr().err


def test_make_refuses_what_cannot_be():
    for given, words in (("DEMO=chek", "did you mean 'check'"), ("MACHINE=bochs", "neither VT-d nor SR-IOV")):
        done = make("demo", given)
        assert done.returncode == 2 and words in done.stdout + done.stderr


def test_without_a_terminal_it_says_what_to_do(capsys, monkeypatch):
    monkeypatch.setattr(demo.sys.stdin, "isatty", lambda: False, raising=False)
    assert demo.main([]) == 2
    assert "make demo DEMO=check" in capsys.readouterr().err
