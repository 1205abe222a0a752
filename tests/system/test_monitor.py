# SPDX-License-Identifier: MIT
"""The prompt: every command, as somebody types it."""

import re

import pytest
from system.checks import PROMPT, ask, of, one

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(240)]

CONFIGURATION = """
[nic uplink]
device = 8086:10c9
vfs    = 3

[guest hello]
image  = hello.elf
memory = 8M
args   = ticks=20 status=5
expect = exit 5

[guest stays]
image  = hostile.elf
memory = 8M
device = uplink.vf0
args   = act=halt
expect = stopped

[guest rogue]
image  = rogue.elf
memory = 32M
device = uplink.vf1
args   = targets=@memory(hello) rounds=1 pause=300000
expect = exit 0
expect_faults = 1
"""


@pytest.fixture(scope="module")
def run(boot):
    run = boot(CONFIGURATION, batch=False, limit=230)
    run.wait_for("monitor.ready", timeout=60)
    for name in ("hello", "rogue"):
        run.wait_for("guest.stopped", timeout=60, name=name)
    return run


COMMANDS = ("help", "log", "more", "guests", "devices", "iommu", "domains", "walk", "why", "groups", "faults", "map", "audit", "exits", "cpus",
            "frames", "version", "uptime", "start", "stop", "restart", "pause", "resume", "move", "console", "reboot", "poweroff")


def test_help(run):
    answer = ask(run, "help")
    assert set(re.findall(r"^  (\w+) ", answer, re.MULTILINE)) >= set(COMMANDS)
    assert all(len(row) < 80 for row in answer.replace("\r", "").splitlines() if row.startswith("  "))


def test_guests(run):
    answer = ask(run, "guests", r"^hello +stopped +1 +8M +0x[0-9a-f]+ +0 +exit 5$")
    assert re.search(r"^stays +running +1 +8M +0x[0-9a-f]+ +0", answer, re.MULTILINE)
    assert re.search(r"^rogue +stopped +1 +32M +0x[0-9a-f]+ +[12] +exit 0$", answer, re.MULTILINE)


def test_devices(run):
    """As a tree: each below what it is behind, and VFs below their PF."""
    answer = ask(run, "devices", r"^  01:00\.0 +8086:10c9 +0 on +hypervisor +uplink +Intel 82576$")
    rows = re.findall(r"^( *)(\w\w:\w\w\.\d) +\w{4}:\w{4} +\S+ (?:on|off) +(\S+) +(\S+) +(\S.*)$", answer.replace("\r", ""), re.MULTILINE)
    port = [rid for _indent, rid, _owner, _name, words in rows if "root port" in words][0]
    at = [row[1] for row in rows].index(port)
    assert rows[at:at + 5] == [("", port, "hypervisor", "-", "QEMU root port"), ("  ", "01:00.0", "hypervisor", "uplink", "Intel 82576"),
                               ("    ", "01:10.0", "stays", "uplink.vf0", "Intel 82576 VF"),
                               ("    ", "01:10.2", "rogue", "uplink.vf1", "Intel 82576 VF"),
                               ("    ", "01:10.4", "free", "uplink.vf2", "Intel 82576 VF")]
    assert ("", "00:1f.2", "free", "-", "Intel ICH9 SATA") in rows
    assert {row[1] for row in rows} == {line["rid"] for line in of(run, "pci.function")} | {"01:10.0", "01:10.2", "01:10.4"}


def test_iommu(run):
    unit = one(run, "iommu.unit")
    answer = ask(run, "iommu", f"^unit 0 at {unit['base']}, version 1.0$")
    assert int(re.search(r"CAP (0x[0-9a-f]+)", answer).group(1), 16) == unit.number("cap")
    assert "translation on, interrupt remapping on, queue on, compatibility-format off" in answer.replace("\n", "")


def test_domains(run):
    answer = ask(run, "domains", r"^\d+ +stays +4 +\w+ +8M +01:10\.0$")
    assert re.search(r"^\d+ +rogue +4 +\w+ +32M +01:10\.2 \(detached\)$", answer, re.MULTILINE)
    assert "hello" not in answer


def test_walk(run):
    base = one(run, "guest.created", name="stays").number("base")
    answer = ask(run, "walk 01:10.0 0x200000", f"^reaches {base + 0x200000:#x} ")
    assert "level 4 PML4E" in answer and "owner stays" in answer
    ask(run, "walk 01:10.0 0x800000", "^blocked: nothing is mapped at 0x800000$")
    ask(run, "walk 01:10.0 0xfee00000", "^blocked: ")
    ask(run, "walk 01:10.2 0x200000", "^blocked: the requester has no context entry$")
    ask(run, "walk 01:00.0 0", "^blocked: nothing is mapped at 0$")
    ask(run, "walk 01:00.0 0x100000", "owner hypervisor")
    ask(run, "walk 00:1f.2 0", "^blocked: the requester has no context entry$")
    ask(run, "walk 55:00.0 0", "no function 55:00.0 is known")
    answer = ask(run, "walk 0000:01:10.0 8388607", "^reaches ")
    assert "8388607 is decimal: 0x7fffff" in answer


def test_names_stand_for_requester_ids(run):
    for name, rid in (("uplink", "01:00.0"), ("uplink.vf0", "01:10.0"), ("uplink.vf1", "01:10.2")):
        for line in ("walk {} 0x100000", "why {} 0x100000"):
            assert ask(run, line.format(name)) == ask(run, line.format(rid))
    assert len({ask(run, f"why {name} 0") for name in ("uplink", "uplink.vf0", "uplink.vf1")}) == 3


def test_why(run):
    """Whose it is, each level, what becomes of a read and a write, and what it last did."""
    base = one(run, "guest.created", name="hello").number("base")
    answer = ask(run, "why 01:10.0 0x200000", "^write: let through$")
    assert re.search(r"^01:10\.0 \(uplink\.vf0\) 8086:10ca, a virtual function, owner stays$", answer, re.MULTILINE)
    assert "level 4 PML4E" in answer and "read: let through" in answer and "no fault on record" in answer
    assert "bus mastering is off" in answer
    ask(run, "why 01:10.0 0x800000", "^write: blocked, reason 0x5: DMA write blocked")
    ask(run, "why 01:10.0 0x1000000000000", "^read: blocked, reason 0x4: request blocked: address above")
    ask(run, "why 01:10.0 0xfee00000", "^write: an interrupt request")
    answer = ask(run, f"why 01:10.2 {base:#x}", "^write: blocked, reason 0x2: request blocked: no context entry")
    assert "(uplink.vf1) 8086:10ca, a virtual function, owner rogue, in no domain; that guest is stopped" in answer
    last = of(run, "dma.fault")[-1]
    assert re.search(rf"its latest fault: \[[\d.]+\] 01:10\.2 guest=rogue {last['access']} address={base:#x} reason {last['reason']}: ", answer), answer


@pytest.mark.parametrize("line", ["walk 01:10.9 0", "walk 1 2", "walk 01:20.0 0", "walk 10000:01:10.0 0", "why uplink.vf9 0",
                                  "why uplink.vf 0", "why down 0", "why - 0", "move uplink.vf9 stays hello"])
def test_devices_that_are_not_there(run, line):
    ask(run, line, f"^{line.split()[1]}: no such device; a device is a name that `devices` shows, or bb:dd.f")


@pytest.mark.parametrize("number", ["0x", "12q", "fee00000", "0x1ffffffffffffffff", "18446744073709551616", "-1"])
def test_numbers_that_are_none(run, number):
    for command in ("walk", "why"):
        ask(run, f"{command} uplink.vf0 {number}", f"^{number}: an address is 0x and hexadecimal digits, or decimal; at most 64")


def records(answer: str) -> dict[str, list[dict[str, str]]]:
    """What `map` prints, by its first word."""
    found = {}
    for line in answer.replace("\r", "").splitlines():
        event, *fields = line.split()
        if event.startswith("map."):
            found.setdefault(event.removeprefix("map."), []).append(dict(field.split("=", 1) for field in fields))
    return found


def test_map(run):
    """The same as the log and the other commands say, in records."""
    found = records(ask(run, "map"))
    unit = one(run, "iommu.unit")
    assert found["unit"] == [{"unit": "0", "base": unit["base"], "usable": "yes"}]
    devices = {record["rid"]: record for record in found["device"]}
    assert set(devices) == set(re.findall(r"(\w\w:\w\w\.\d) +\w{4}:\w{4} ", ask(run, "devices")))
    vf = devices["01:10.0"]
    domain = vf.pop("domain")
    assert vf == {"rid": "01:10.0", "name": "uplink.vf0", "id": "8086:10ca", "class": "020000", "kind": "vf", "parent": "01:00.0",
                  "port": devices["01:00.0"]["port"], "unit": "0", "owner": "stays", "master": "off"}
    assert devices[vf["port"]] | {"kind": "bridge", "parent": "-", "port": "-", "name": "-"} == devices[vf["port"]]
    pf = devices["01:00.0"]
    assert (pf["name"], pf["kind"], pf["parent"], pf["owner"], pf["master"]) == ("uplink", "pf", vf["port"], "hypervisor", "on")
    detached = devices["01:10.2"]
    assert (detached["domain"], detached["owner"], detached["name"]) == ("-", "rogue", "uplink.vf1")
    assert (devices["00:00.0"]["kind"], devices["00:00.0"]["domain"]) == ("function", "-")

    created = one(run, "guest.created", name="stays")
    base, size = created["base"], hex(8 << 20)
    assert [record for record in found["domain"] if record["owner"] == "stays"] == [
        {"domain": domain, "owner": "stays", "levels": "4", "address": "0x0", "physical": base, "size": size, "rights": "rw"}]
    assert {record["address"] for record in found["domain"] if record["domain"] == pf["domain"]} == {"0x100000"}
    cpu = [record for record in found["cpu"] if record["guest"] == "stays"]
    assert cpu[0] == {"guest": "stays", "address": "0x0", "physical": base, "size": size, "rights": "rwx"}
    assert len(cpu) > 1 and {record["rights"] for record in cpu[1:]} == {"rw"}, "its device's registers"
    assert [record["rights"] for record in found["cpu"] if record["guest"] == "hello"] == ["rwx"]
    end = 0
    for record in found["memory"]:
        assert int(record["physical"], 16) >= end
        end = int(record["physical"], 16) + int(record["size"], 16)
    assert {"physical": base, "size": size, "owner": "stays"} in found["memory"]
    for record in cpu:
        start, length = int(record["physical"], 16), int(record["size"], 16)
        owners = {other["owner"] for other in found["memory"] if int(other["physical"], 16) < start + length
                  and start < int(other["physical"], 16) + int(other["size"], 16)}
        assert owners == {"stays"}, record


def test_faults(run):
    base = one(run, "guest.created", name="hello")["base"]
    faults = of(run, "dma.fault")  # two, or one where the unit's only record was not read in time
    answer = ask(run, "faults", rf"^{len(faults)} faults in all$")
    shown = re.findall(rf"01:10\.2 guest=rogue (read|write) address={base} reason 0x[56]: \w", answer)
    assert shown == [line["access"] for line in reversed(faults)], "the newest comes first"


def test_audit(run):
    answer = ask(run, "audit", r"audit\.ok ranges=\d+ leaves=\d+ contexts=65536 interrupts=0")
    assert "I1 " not in answer


def test_audit_in_words(run):
    """An invariant a line, of how many things: together what the log says."""
    answer = ask(run, "audit -v", r"audit\.ok").replace("\r", "")
    rows = re.findall(r"^(I\d|W\^X) +\S.*\S +(\d+) ([a-z ]+?) +ok$", answer, re.MULTILINE)
    assert [name for name, _count, _what in rows] == ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "W^X"], answer
    counts = {name: int(count) for name, count, _what in rows}
    line = of(run, "audit.ok")[-1]
    assert (counts["I1"], counts["I4"], counts["I5"]) == (line.number("ranges"), line.number("contexts"), line.number("interrupts"))
    assert counts["I2"] > 0 and counts["I3"] > 0 and counts["W^X"] > 0
    assert line.number("leaves") - 16 <= counts["I2"] + counts["I3"] + counts["W^X"] <= line.number("leaves"), "but for the PF's pages"
    assert counts["I6"] == len([rid for rid in re.findall(r"^ *(\w\w:\w\w\.\d) ", ask(run, "devices"), re.MULTILINE)]) - 3


def test_exits(run):
    """All kinds together are what the log counted, and nothing happens since the last look."""
    first = ask(run, "exits", r"^hello\.0 +hypercall +\d+ +\d+\.\d$").replace("\r", "")
    assert set(re.findall(r"^(\w+)\.0 ", first, re.MULTILINE)) == {"hello", "stays", "rogue"}
    for name in ("hello", "rogue"):
        counts = [int(count) for count in re.findall(rf"^{name}\.0 +\S+ +(\d+) ", first, re.MULTILINE)]
        total = int(re.search(rf"^{name} +all +(\d+) ", first, re.MULTILINE).group(1))
        assert total == sum(counts) == one(run, "guest.stopped", name=name).number("exits")
    again = ask(run, "exits").replace("\r", "")
    assert re.search(r"^hello +all +[1-9]\d* +0\.0$", again, re.MULTILINE)
    assert [row.split()[:3] for row in again.splitlines()] == [row.split()[:3] for row in first.splitlines()]


def test_version_and_uptime(run):
    started = one(run, "boot.start").text.split("boot.start ", 1)[1]
    assert ask(run, "version").replace("\r", "").strip() == started
    times = [float(re.search(r"^\d+ days \d\d:\d\d:\d\d, \[(\d+\.\d{6})\] in the log$", ask(run, "uptime").replace("\r", ""), re.MULTILINE).group(1))
             for _turn in range(2)]
    assert run.events[-1].time <= times[0] < times[1]


def test_help_of_a_command(run):
    """Arguments, an example that works, and what to read."""
    answer = ask(run, "help walk", r"^walk RID ADDRESS \| cpu GUEST GPA \| irq INDEX$").replace("\r", "")
    assert "  walk uplink.vf0 0x200000 " in answer and answer.strip().endswith("More: docs/iommu.md")
    ask(run, "help frobnicate", "^frobnicate: no such command")
    for word in ("wal", "walks", "invariant", "%", "I1"):
        ask(run, f"help {word}", f"^{word}: no such command")


def test_iommu_in_words(run):
    unit = one(run, "iommu.unit")
    answer = ask(run, "iommu -v").replace("\r", "")
    fields = re.findall(r"^  (CAP|ECAP) +(\d+)(?::(\d+))? +(\w+) +(\d+)  \S", answer, re.MULTILINE)
    names = [name for _register, _high, _low, name, _value in fields]
    assert len(fields) > 40 and len(set(names)) == len(names) and {"ND", "CM", "SAGAW", "IR", "EIM", "SC"} <= set(names)
    for register, high, low, name, value in fields:
        low = int(low or high)
        assert unit.number(register.lower()) >> low & (1 << int(high) - low + 1) - 1 == int(value), name
    assert "CAP  " not in ask(run, "iommu").replace("CAP 0x", "")


def test_cpus(run):
    answer = ask(run, "cpus", r"^core 0: APIC id 0, control core$")
    assert re.search(r"^core 2: APIC id 2, guest stays$", answer, re.MULTILINE)
    assert re.search(r"^core 1: APIC id 1, idle$", answer, re.MULTILINE)


def test_frames(run):
    answer = ask(run, "frames", r"^hypervisor: \w+ of RAM, of which \d+ pages are handed out, and \w+ of registers$")
    end = 0
    for first, last, owner in re.findall(r"^(0x[0-9a-f]+)-(0x[0-9a-f]+) +\S+ (\S+)", answer, re.MULTILINE):
        assert int(first, 16) >= end and int(last, 16) > int(first, 16)
        end = int(last, 16) + 1
        assert owner
    base = one(run, "guest.created", name="stays").number("base")
    assert re.search(rf"^0x0*{base:x}-0x0*{base + (8 << 20) - 1:x} +8M stays$", answer, re.MULTILINE), answer


def test_log(run):
    """What the serial line has had, once more."""
    answer = ask(run, "log 5").replace("\r", "").splitlines()
    shown = [line for line in answer if line.startswith("[")]
    assert len(shown) == 5 and re.match(r"\d+ earlier ones: more log 100000$", answer[5]), answer
    said = [line.text for line in run.events]
    assert all(line in said for line in shown), answer
    answer = ask(run, "log boot.phase").replace("\r", "")
    assert [line for line in answer.splitlines() if line.startswith("[")] == \
        list(dict.fromkeys(line.text for line in of(run, "boot.phase"))), answer
    assert ask(run, "log nothing-has-this").strip() == ""
    assert len(re.findall(r"^\[", ask(run, "log"), re.MULTILINE)) == 20
    assert len(re.findall(r"^\[", ask(run, "log 0xffffffffffffffff"), re.MULTILINE)) <= 100
    assert "earlier" in ask(run, "log 0")


def test_more(run):
    """All of an answer, 22 rows at a time, and nothing twice."""
    whole = ask(run, "help").replace("\r", "").splitlines()
    first = ask(run, "more help").replace("\r", "").splitlines()
    assert first[:22] == whole[:22] and re.match(r"-- \d+ more rows: more$", first[22]), first
    second = ask(run, "more").replace("\r", "").splitlines()
    assert [line for line in second if line] == [line for line in whole[22:] if line], second
    for line in ("more", "more more cpus"):
        ask(run, line, "^name a command whose answer is long: more devices$")
    # Rows that wrap count as often as they wrap.
    log = ask(run, "more log 100000").replace("\r", "").splitlines()
    assert sum((len(line) + 80) // 80 for line in log if line.startswith("[")) <= 23, log
    ask(run, "more frobnicate", "^frobnicate: no such command")


@pytest.mark.parametrize("line, answer", [
    ("frobnicate", "^frobnicate: no such command; `help` lists them$"),
    ("HELP", "^HELP: no such command"),
    ("walk", "^usage: walk RID ADDRESS \\| cpu GUEST GPA \\| irq INDEX$"),
    ("walk 01:00.0", "^usage: walk RID ADDRESS \\| cpu GUEST GPA \\| irq INDEX$"),
    ("start", "^usage: start GUEST$"),
    ("stop", "^usage: stop GUEST$"),
    ("start nobody", "^nobody: no such guest; `guests` lists them$"),
    ("stop nobody", "^nobody: no such guest"),
    ("stop hello", "^hello is stopped$"),
    ("start stays", "^stays is running$"),
    ("", r"\A\s*\Z"),
    ("   ", r"\A\s*\Z"),
])
def test_what_cannot_be_done_is_said(run, line, answer):
    ask(run, line, answer)


def test_too_many_words(run):
    ask(run, "walk 01:10.0 0 0 0 0 0", "^usage: walk")


def test_editing(run):
    def type_keys(keys, expected):
        run.console.send(keys + "\r")
        run.console.expect(expected, timeout=20)
        run.console.expect_exact(PROMPT, timeout=20)

    type_keys("cpuz\x7fs", "core 0: APIC id 0")
    type_keys("xx\b\bcpus", "core 0: APIC id 0")
    type_keys("this is wrong\x15cpus", "core 0: APIC id 0")
    type_keys("so is this\x03cpus", "core 0: APIC id 0")
    type_keys("\x7f\x7f\x7fcpus", "core 0: APIC id 0")
    type_keys("\x1bcpus", "core 0: APIC id 0")
    type_keys("\x1b[6~cp\x1b[1;5D\x1b[Cus", "core 0: APIC id 0")  # arrow and function keys
    # Longer than the line: the rest is not taken, nothing overflows.
    type_keys("y" * 300, "y{100,127}: no such command")


def test_stop_and_start(run):
    last = run.events[-1]
    ask(run, "stop stays")
    line = run.wait_for("guest.stopped", timeout=20, after=last, name="stays")
    assert line["reason"] == "monitor"
    run.wait_for("run.verdict", timeout=30, result="ok")
    ask(run, "domains", r"01:10\.0 \(detached\)")
    ask(run, "walk 01:10.0 0x200000", "^blocked: the requester has no context entry$")
    ask(run, "start stays")
    ask(run, "guests", r"^stays +running")
    ask(run, "walk 01:10.0 0x200000", "^reaches ")


def test_restart_runs_to_the_end_again(run):
    for name, status in (("hello", "5"), ("rogue", "0")) * 2:
        last = run.events[-1]
        ask(run, f"start {name}")
        line = run.wait_for("guest.stopped", timeout=60, after=last, name=name)
        assert (line["reason"], line["status"]) == ("exit", status), line.text
    last = run.events[-1]
    ask(run, "audit")
    run.wait_for("audit.ok", timeout=20, after=last)
    assert not of(run, "audit.violation")


def test_poweroff_stops_the_guests_first(run):
    last = run.events[-1]
    run.send("poweroff")
    run.wait_for("guest.stopped", timeout=20, after=last, name="stays", reason="shutdown")
    run.wait(30)
    assert not run.running and not run.expired
    assert [line.event for line in run.events if line.index > last.index][0] == "monitor.poweroff"


def test_reboot(boot):
    """QEMU is told to end rather than to start over: -no-reboot."""
    run = boot(CONFIGURATION, batch=False)
    run.wait_for("monitor.ready", timeout=60)
    run.wait_for("guest.started", timeout=60, name="stays")
    run.send("reboot")
    run.wait_for("guest.stopped", timeout=20, name="stays", reason="shutdown")
    run.wait(30)
    assert of(run, "monitor.reboot") and run.status == 0
