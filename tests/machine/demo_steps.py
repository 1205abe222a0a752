# SPDX-License-Identifier: MIT
"""The demonstration's steps: a table. All numbers in the texts are the machine's: {names} stand for what its log says
(demo_facts.py) and for what the patterns found in its answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step.

    name, title: what `steps` lists and `step NAME` finds.
    before:  shown with the command, which Enter types.
    claims:  (pattern, what it shows): each has to be found in the answer. Named groups are names for `seen`; a group
             that is an address has its owner as NAME_owner.
    seen:    shown when all of it was found. chapter: where there is more.
    events:  lines of the log that have to follow, in this order and with these fields, which are names as event_KEY.
    also:    what the check asks besides, for what `seen` says, and the pattern that the answer has to have.
    needs:   guests and the state they have to be in, "running" or "stopped".
    keys:    what the check types meanwhile.
    """

    name: str
    title: str
    before: str
    command: str
    seen: str
    chapter: str
    claims: tuple[tuple[str, str], ...] = ()
    events: tuple[tuple[str, dict[str, str]], ...] = ()
    also: tuple[tuple[str, str], ...] = ()
    needs: tuple[tuple[str, str], ...] = ()
    keys: tuple[str, ...] = ()


ORIENTATION = (
    "This is Bulkhead in an emulated machine; you are at its prompt. alpha and beta exchange packets, each by a "
    "virtual function (VF) of one network card. rogue has such a VF too, and every five seconds makes it reach for "
    "memory that is not rogue's. gamma waits for what you type at its console.",
    "Lines that begin with [seconds] are the hypervisor's log. `dma.fault` is the one that comes again and again; the "
    "latest: rogue's VF {fault_rid} wanted to {fault_access} at {fault_address}, which is {fault_owner}'s memory, and "
    "the IOMMU blocked it.",
    "Enter types what a step proposes. Type it yourself if you like, or anything else in between. `next`, `back`, "
    "`again`, `steps` and `step N` are for the guide; `leave`, or Ctrl-] at any time, ends it all.",
)

END = (
    "That was the last step. The machine goes on: `help` lists all commands, `steps` these steps, and `leave` ends it.",
    "docs/README.md is the book. Your own guest: docs/guests.md. What each file of config/ shows: docs/running.md.",
)

STEPS = (
    Step("guests", "who runs",
         "Four guests run, each on a core of its own; core 0 is the hypervisor's. Nobody is scheduled.",
         "guests",
         "alpha's {alpha_memory} of memory begin at {at} of the machine's; alpha itself sees them from address 0 on. "
         "`faults` counts blocked requests of a guest's devices: {faults} of rogue's, none of alpha's.",
         "docs/guest.md",
         ((r"^alpha +running +\d+ +{alpha_memory} +(?P<at>{alpha_base}) +0\b", "alpha runs, without a fault"),
          (r"^beta +running ", "beta runs"),
          (r"^rogue +running .* 0x[0-9a-f]+ +(?P<faults>[1-9]\d*)", "rogue runs, with faults"),
          (r"^gamma +running ", "gamma runs")),
         needs=(("alpha", "running"), ("beta", "running"), ("rogue", "running"), ("gamma", "running"))),
    Step("devices", "one card, three virtual functions",
         "The hypervisor made {vfs} VFs of the network card {pf_rid}, which has room for {total_vfs}.",
         "devices",
         "Each function has one owner: {vf0_rid} (uplink.vf0) is alpha's, {vf1_rid} beta's, {vf2_rid} {vf2_owner}'s. A "
         "guest finds its VF on its bus and nothing else. The physical function {pf_rid} (uplink) stays with the "
         "hypervisor, whose driver sets up the VFs and sees none of their packets.",
         "docs/sriov.md",
         ((r"^ *{pf_rid} .*\bhypervisor\b", "the card's physical function is the hypervisor's"),
          (r"^ *{vf0_rid} .*\balpha\b", "uplink.vf0 is alpha's"),
          (r"^ *{vf1_rid} .*\bbeta\b", "uplink.vf1 is beta's"),
          (r"^ *{vf2_rid} .*\b{vf2_owner}\b", "uplink.vf2 is {vf2_owner}'s"))),
    Step("domains", "what each VF can reach",
         "A device does not ask a CPU before it reads or writes memory. Between them stands the IOMMU (Intel VT-d), "
         "with a page table for each guest: a domain.",
         "domains",
         "Domain {domain} is alpha's: {mapped}, all of alpha's memory and nothing else, in {levels} levels of tables "
         "that take {tables}. {vf0_rid} is in it. A function that is in no domain reaches nothing at all.",
         "docs/iommu.md",
         ((r"^ *(?P<domain>\d+) +alpha +(?P<levels>\d) +(?P<tables>\w+) +(?P<mapped>{alpha_memory}) .*{vf0_rid}",
           "alpha's domain maps as much as alpha has"),
          (r"^ *\d+ +beta .*{vf1_rid}", "beta has another"),
          (r"^ *\d+ +{vf2_owner} .*{vf2_rid}", "{vf2_owner} has another")),
         needs=(("alpha", "running"), ("beta", "running"), ("{vf2_owner}", "running"))),
    Step("walk", "the way of a request",
         "The hardware walks that table for every request. `walk` walks the same live table: where does alpha's VF get "
         "when it uses address 0x200000?",
         "walk uplink.vf0 0x200000",
         "The requester id picks a context entry, the entry a table ({levels} levels from {table}), and the table "
         "leads to {physical}: in alpha's memory, which begins at {alpha_base}. The page is {page}, and the rights "
         "are: {rights}. The VF has no way to name anybody else's memory.",
         "docs/iommu.md",
         ((r"^ *root entry = 0x0*[1-9a-f]", "a root entry"),
          (r"^ *context entry = 0x", "a context entry"),
          (r"(?P<levels>\d) levels from (?P<table>0x[0-9a-f]+)", "a table"),
          (r"^reaches (?P<physical>{alpha_inside}) \((?P<page>\w+) page, (?P<rights>read write[^)]*)\), owner alpha",
           "it ends 0x200000 into alpha's memory")),
         needs=(("alpha", "running"),)),
    Step("why", "why rogue is blocked",
         "alpha's memory begins at {alpha_base} of the machine, and rogue's program has been told so. What becomes of "
         "a request of its VF to that address?",
         "why uplink.vf2 {alpha_base}",
         "A read is blocked with reason {read_reason}, a write with {write_reason}: the codes of Intel's VT-d manual, "
         "and of the `dma.fault` lines. The domain of uplink.vf2 maps {vf2_owner}'s {vf2_owner_memory} from address 0 "
         "on, and nothing at {alpha_base}. Requester id and tables decide, not what a program wants.",
         "docs/iommu.md",
         ((r"^read: blocked, reason (?P<read_reason>0x[0-9a-f]+): ", "a read is blocked"),
          (r"^write: blocked, reason (?P<write_reason>0x[0-9a-f]+): ", "a write is blocked"),
          (r"^{vf2_rid} .*owner {vf2_owner}\b", "it is {vf2_owner}'s VF"),
          (r"^blocked: nothing is mapped at {alpha_base}", "its domain has nothing there")),
         needs=(("alpha", "running"), ("{vf2_owner}", "running"))),
    Step("faults", "what was blocked",
         "The IOMMU keeps a record of a blocked request until it is read: that is the `dma.fault` in the log. `faults` "
         "has the latest.",
         "faults",
         "The newest is on top: a {access} by {vf2_rid} at {address}, {address_owner}'s memory. That makes {total} in "
         "all. rogue's section in config/demo.conf says `fault_action = log`, so that you can go on watching, with one "
         "line in the log for each of the first 64 and for ever fewer after that. By default the device would have "
         "been taken off the bus after the eighth.",
         "docs/configuration.md",
         ((r"^\[[\d.]+\] .*{vf2_rid}.* (?P<access>read|write) address=(?P<address>0x[0-9a-f]+) reason 0x[56]: ",
           "a blocked request of uplink.vf2"),
          (r"^(?P<total>[1-9]\d*) faults? in all", "how many there were"))),
    Step("audit", "proof from the tables",
         "Nobody has to take the hypervisor's word for it. The audit reads the tables that the hardware reads, from "
         "the registers down, and trusts no list of its own.",
         "audit",
         "It went through {leaves} leaves of page tables, {contexts} context entries and {interrupts} interrupt "
         "entries in use, and compared them with the owners of {ranges} ranges of memory: no guest and no device "
         "reaches what is not its own. It runs at boot and after each change by itself; `audit.violation` would be the "
         "other answer.",
         "docs/audit.md",
         ((r"audit\.ok ranges=(?P<ranges>\d+) leaves=(?P<leaves>[1-9]\d*) contexts=(?P<contexts>[1-9]\d*) "
           r"interrupts=(?P<interrupts>\d+)", "it found nothing wrong"),)),
    Step("exits", "no hypervisor in between",
         "Each time a guest's core leaves the guest for the hypervisor, that is an exit. How many did alpha's packets "
         "cost?",
         "exits",
         "alpha had made {alpha_setup_exits} exits when it sent its first packet, all of them to set things up. Now, "
         "packets later, it has {now}{alpha_printed}: sending, receiving, interrupts and timer ticks cost none. gamma "
         "looks at its serial line 50 times a second, and the hypervisor emulates that line: {gamma_now} exits.",
         "docs/performance.md",
         ((r"^alpha +all +(?P<now>{alpha_expected_exits}) ",
           "alpha has made no exit since its first packet, but for lines that it printed (`pause` and `move` cost "
           "one)"),
          (r"^gamma +all +(?P<gamma_now>[1-9]\d*) ", "gamma has")),
         needs=(("alpha", "running"), ("gamma", "running"))),
    Step("move", "a device changes hands",
         "uplink.vf2 is {vf2_owner}'s. It can go to {vf2_other} while both run.",
         "move uplink.vf2 {vf2_owner} {vf2_other}",
         "{event_from} has lost the VF as if somebody had pulled a card, and {event_to} has it. In between its bus "
         "mastering went off, it was reset, its context entry and what was cached of it went, its registers left "
         "{event_from}'s memory. `walk uplink.vf2 0x200000` now ends in {event_to}'s. rogue's attempts go on only as "
         "long as it has the VF: with `back` and Enter it changes hands once more.",
         "docs/guest.md",
         events=(("device.moved", {"rid": "{vf2_rid}"}), ("audit.ok", {})),
         also=(("walk uplink.vf2 0x200000", r"^reaches {vf2_owner_inside} .*owner {vf2_owner}"),)),
    Step("stop", "a guest ends",
         "alpha sends packets and leaves its core to nobody. It can be stopped all the same.",
         "stop alpha",
         "An NMI took alpha off its core, after {event_seconds} s and {event_exits} exits. Its VF {vf0_rid} was reset "
         "and is in no domain any more, and alpha's memory was overwritten: who gets it next finds nothing in it. beta "
         "goes on asking, and nobody answers.",
         "docs/guest.md",
         events=(("guest.stopped", {"name": "alpha", "reason": "monitor"}), ("audit.ok", {})),
         needs=(("alpha", "running"),),
         also=(("walk uplink.vf0 0x200000", "^blocked: the requester has no context entry"),
               ("guests", "^beta +running "))),
    Step("start", "and begins anew",
         "Everything of alpha's is still set aside: memory, core, VF.",
         "start alpha",
         "alpha's image was loaded anew, by a program inside of the guest itself: the hypervisor parses no image. It "
         "runs on core {event_core} and has met beta again, {vf0_rid} is in its domain, and the audit has been through "
         "the tables once more.",
         "docs/guest.md",
         events=(("guest.started", {"name": "alpha"}), ("audit.ok", {}),
                 ("guest.event", {"name": "alpha", "value": "0x1"})),
         needs=(("alpha", "stopped"),),
         also=(("walk uplink.vf0 0x200000", "^reaches {alpha_inside} .*owner alpha"),)),
    Step("console", "a guest's serial line",
         "gamma is a small kernel with a serial line. Go there, press Enter, type a line, and come back with Ctrl-\\ "
         "(in some layouts Ctrl-4). If you type `read 0x80000000` there, gamma reads memory that it does not have, and "
         "that is its end.",
         "console gamma",
         "Each of gamma's lines begins with its name, and control sequences of a guest are left out: a guest cannot "
         "pass itself off as the log or as somebody else.",
         "docs/monitor.md",
         ((r"^gamma\| ", "gamma answers"),),
         needs=(("gamma", "running"),), keys=("hello\r", "\x1c")),
)
