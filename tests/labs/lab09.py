# SPDX-License-Identifier: MIT
"""L9: which registers of a core a guest reaches without an exit, and a meter that shows it."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

POLICY, BITMAPS, METER = "hypervisor/setup/msr_policy.c", "hypervisor/setup/vmx_bitmaps.c", "guest/programs/meter.c"
RULES, PAGES, COUNTS = Host("l09_policy"), Host("l09_bitmaps"), Host("l09_meter")
KINDS = ("nops", "tick", "tpr", "kernel-gs", "efer", "cpuid")  # in the meter's order
FREE = KINDS[:4]
ECHOES = ("# Two guests that send each other 20,000 echo requests, with an interrupt for each packet.\n"
          "# guest.event has the exits before and after.\n\n"
          "[nic uplink]\ndevice = 8086:10c9\nvfs    = 2\n\n" +
          "\n".join(f"[guest {name}]\nimage  = ping.elf\nmemory = 16M\ndevice = uplink.vf{i}\n"
                    f"args   = ip=10.0.0.{1 + i} peer=10.0.0.{2 - i} count=20000 mode=msix limit=300\nexpect = exit 0\n"
                    for i, name in enumerate(("alpha", "beta"))))


def rounds(seed: int) -> int:
    return 20000 + 100 * (seed % 50)


def config(seed: int) -> str:
    return ("# A guest whose exits are counted, in a machine without devices.\n\n"
            f"[guest meter]\nimage  = meter.elf\nmemory = {4 + 2 * (seed % 4)}M\nargs   = rounds={rounds(seed)} batch=100\nexpect = exit 0\n\n"
            "[guest other]\nimage  = hello.elf\nmemory = 4M\nargs   = ticks=100\nexpect = exit 0\n")


def between(run, name: str, first: int, second: int) -> int | None:
    """Exits between two words of a guest, that of the second word taken off."""
    seen = {line.number("value"): line.number("exits") for line in run.events if line.event == "guest.event" and line["name"] == name}
    return seen[second] - seen[first] - 1 if first in seen and second in seen else None


def exits_of(run, kind: str) -> int | None:
    word = 2 + 2 * KINDS.index(kind)
    return between(run, "meter", word, word + 1)


def ticks_of(run, kind: str) -> int | None:
    """Of a batch, by the second meter."""
    for line in run.events:
        if line.event == "guest.output" and line["name"] == "meter" and line["text"].startswith(f"meter kind={kind} "):
            return int(line["text"].split("ticks=")[1])
    return None


def asked_rounds(run) -> int | None:
    for line in run.events:
        if line.event == "guest.output" and line["name"] == "meter" and "rounds=" in line["text"]:
            return int(line["text"].split("rounds=")[1].split()[0])
    return None


def nothing_exits(run) -> str | None:
    for line in run.events:
        if line.event == "guest.output" and line["text"].startswith("exception 13"):
            return (f"guest {line['name']}: {line['text']}: #GP. A register that policy grants is not granted in the bitmap, so its "
                    "access exits, and nothing handles that exit")
    for kind in FREE:
        exits = exits_of(run, kind)
        if exits:
            return (f"{asked_rounds(run)} rounds of {kind} took {exits} exits; none is expected: what a guest does all the time reaches "
                    "the core's own registers")
    for kind in KINDS:
        exits, wanted = exits_of(run, kind), 0 if kind in FREE else asked_rounds(run)
        if exits is not None and wanted is not None and exits != wanted:
            return (f"{wanted} rounds of {kind} took {exits} exits: each round must exit, EFER by policy and CPUID by the architecture, so "
                    "the meter does not count what it should")
    exit_ticks = ticks_of(run, "efer")
    for kind in ("tpr", "kernel-gs"):
        ticks = ticks_of(run, kind)
        if ticks is not None and exit_ticks is not None and 2 * ticks > exit_ticks:
            return (f"a batch of {kind} takes {ticks} ticks, and a batch of efer, in which every round exits, takes {exit_ticks}: work without "
                    "an exit takes a fraction of that")
    return None


def same_exits(run) -> str | None:
    for name in ("alpha", "beta"):
        exits = between(run, name, 1, 2)
        if exits:
            return f"{name} took {exits} exits while it sent 20,000 echo requests and answered 20,000; none is expected"
    return None


LAB = Lab(
    name="L9", title="Zero exits: MSR bitmaps, and a meter", hours=5, config=config, files={"config/echoes.conf": ECHOES},
    steps=(
        Step(1, POLICY, "msr_policy_direct", "(void)write;\nreturn msr_rule_of(msr) == NULL && msr == UINT32_MAX;",
             "Return whether the guest reads (or writes) the register without an exit: its row in the table (msr_rule_of(), "
             "NULL: denied) says DIRECT for that direction, or says DIRECT_IF_PROBED and the probe of this machine succeeded "
             "(msr_machine.timer_entry_direct). hypervisor/vcpu/policy/msr.h.", (RULES,)),
        Step(2, POLICY, "msr_policy_next", "(void)msr;\nreturn UINT32_MAX;",
             "Return the first register from `msr` on, `msr` itself included, that a row of the table has; UINT32_MAX if there "
             "is none. The rows are in ascending order and do not overlap. hypervisor/setup/policy.h.", (RULES,)),
        Step(3, BITMAPS, "grant", "(void)bitmap;\n(void)bit;",
             "Clear one bit: MSR n of a part is bit n % 8 of byte n / 8. A set bit means exit. SDM 3C, 25.6.9.", (PAGES,)),
        Step(4, BITMAPS, "build_half", "(void)read;\n(void)write;\n(void)base;",
             "For the MSRS_PER_BITMAP registers from `base` on, grant in `read` what policy lets a guest read directly, and in "
             "`write` what policy lets it write. Go from one register that policy knows to the next (msr_policy_next()) instead "
             "of asking for all 8192. SDM 3C, 25.6.9.", (PAGES,)),
        Step(5, BITMAPS, "vmx_bitmaps_build", "memset(vmx_msr_bitmap, 0xff, sizeof vmx_msr_bitmap);\nmemset(vmx_io_bitmaps, 0xff, sizeof vmx_io_bitmaps);",
             "Fill the page vmx_msr_bitmap (struct vmx_msr_bitmap): everything exits except what build_half() grants, for the "
             "low registers from 0 on and for the high ones from MSR_HIGH_BASE on. Fill both I/O bitmaps too: every port exits. "
             "SDM 3C, 25.6.4 and 25.6.9.",
             (PAGES,)),
        Step(6, METER, "count_exits", "(void)work;\n(void)word;\n(void)rounds;",
             "Between two event words, `word` and `word` + 1, there must be the exits of `rounds` rounds and no others. Do one "
             "round before the first event: what a kind of work does only the first time does not count. docs/guest.md, calls.", (COUNTS,)),
        Step(7, METER, "tick", "ticks = ticks + 1;",
             "Do one round: start the timer with its initial count (MSR_INITIAL_COUNT, INITIAL; the entry with the vector is "
             "already written), and wait until its interrupt has been taken (count_tick() counts them). Other events wake a core "
             "as well. SDM 3A, 11.5.4.", (COUNTS,)),
        Step(8, METER, "measure", "(void)work;\n(void)rounds;\nreturn 0;",
             "Return the ticks of the time stamp counter (time_stamp()) for `rounds` rounds, without the loop around them: "
             "subtract what the same loop takes around nothing(). Do that BATCHES times, and return the median. SDM 3B, 18.17.", (COUNTS,)),
    ),
    whole=(Machine("bochs", "lab", nothing_exits), Machine("tcg", "echoes", same_exits)),
    units=("test_vmx_bitmaps", "test_msr_policy"),
    questions=(
        Question("tick-exits", "How many exits did the rounds of tick take? (guest.event; the second event is itself an exit)",
                 lambda run: str(exits_of(run, "tick"))),
        Question("efer-exits", "How many exits did the rounds of efer take?", lambda run: str(exits_of(run, "efer"))),
        Question("code-pages", "How large are the largest pages that a guest's code runs from on this processor? "
                               "(vmx.itlb_multihit)",
                 lambda run: next(line for line in run.events if line.event == "vmx.itlb_multihit")["code"]),
    ),
    mistakes=(
        Mistake("direction-ignored", 1, (Edit(POLICY, "rule == NULL ? DENY : write ? rule->write : rule->read;", "rule == NULL ? DENY : rule->read;\n    (void)write;"),),
                r"MSR 0x10: write is direct, policy answers it itself"),
        Mistake("directions-confused", 1, (Edit(POLICY, "write ? rule->write : rule->read;", "write ? rule->read : rule->write;"),),
                r"MSR 0x10: read is not direct, policy grants it"),
        Mistake("unknown-is-direct", 1, (Edit(POLICY, "rule == NULL ? DENY :", "rule == NULL ? DIRECT :"),),
                r"MSR 0: read is direct, policy denies"),
        Mistake("emulated-is-direct", 1, (Edit(POLICY, "    return access == DIRECT || (access", "    return access == DIRECT || access == EMULATE || (access"),),
                r"MSR 0x\w+: (read|write) is direct, policy answers it itself \(EMULATE\)"),
        Mistake("probe-ignored", 1, (Edit(POLICY, "(access == DIRECT_IF_PROBED && msr_machine.timer_entry_direct);", "access == DIRECT_IF_PROBED;"),),
                r"MSR 0x832: write is direct, policy does not grant it on this machine, whose APIC failed the probe"),
        Mistake("probed-is-not-direct", 1, (Edit(POLICY, "    return access == DIRECT || (access == DIRECT_IF_PROBED && msr_machine.timer_entry_direct);", "    return access == DIRECT;"),),
                r"MSR 0x832: write is not direct, policy grants it on this machine \(DIRECT_IF_PROBED\)"),
        Mistake("back-to-the-row's-first", 2, (Edit(POLICY, "return MAX(msr, msr_rules[i].first);", "return msr_rules[i].first;"),),
                r"it is in the middle of a row; whoever goes on behind it"),
        Mistake("behind-it", 2, (Edit(POLICY, "        if (msr <= msr_rules[i].last)", "        if (msr < msr_rules[i].first)"),),
                r"a row begins there, and it counts itself"),
        Mistake("last-register-skipped", 2, (Edit(POLICY, "        if (msr <= msr_rules[i].last)", "        if (msr < msr_rules[i].last)"),),
                r"a row begins there, and it counts itself"),
        Mistake("what-was-asked", 2, (Edit(POLICY, "return MAX(msr, msr_rules[i].first);", "return msr;"),),
                r"msr_policy_next\(0\) is 0 instead of 0x10; that is the first that the table names"),
        Mistake("each-number-asked", 2, (Edit(POLICY, "    for (size_t i = 0; i < msr_rule_count; i++)\n        if (msr <= msr_rules[i].last)\n            return MAX(msr, msr_rules[i].first);\n    return UINT32_MAX;\n", "    while (msr != UINT32_MAX && msr_rule_of(msr) == NULL)\n        msr++;\n    return msr;\n"),),
                r"msr_policy_next\(0xf0000000\) needs \d+ seconds: it asks for each of the numbers behind"),
        Mistake("never-the-end", 2, (Edit(POLICY, "    return UINT32_MAX;\n}\n\nbool", "    return 0;\n}\n\nbool"),),
                r"no row is behind it: UINT32_MAX"),
        Mistake("bit-set", 3, (Edit(BITMAPS, "bitmap[bit / 8] & ~(1u << bit % 8));", "bitmap[bit / 8] | 1u << bit % 8);"),),
                r"nothing is granted: 80bh, the end of an interrupt, exits"),
        Mistake("from-the-top-of-the-byte", 3, (Edit(BITMAPS, "~(1u << bit % 8)", "~(0x80u >> bit % 8)"),),
                r"the bits of each byte are in the wrong order"),
        Mistake("whole-byte", 3, (Edit(BITMAPS, "(uint8_t)(bitmap[bit / 8] & ~(1u << bit % 8));", "(uint8_t)(bitmap[bit / 8] & 0);"),),
                r"MSR 0x\w+: read granted, policy (denies|answers)"),
        Mistake("one-bit-too-far", 3, (Edit(BITMAPS, "    bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] & ~(1u << bit % 8));", "    bit++;\n    bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] & ~(1u << bit % 8));"),),
                r"every grant is one bit too far"),
        Mistake("one-bit-too-low", 3, (Edit(BITMAPS, "    bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] & ~(1u << bit % 8));", "    bit--;\n    bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] & ~(1u << bit % 8));"),),
                r"every grant is one bit too low"),
        Mistake("the-bit-alone", 3, (Edit(BITMAPS, "(uint8_t)(bitmap[bit / 8] & ~(1u << bit % 8));", "(uint8_t) ~(1u << bit % 8);"),),
                r"MSR 0x\w+: read exits, policy grants it"),
        Mistake("read-and-write-confused", 4, (Edit(BITMAPS, "            grant(read, bit);\n        if (msr_policy_direct(base + bit, true))\n            grant(write, bit);", "            grant(write, bit);\n        if (msr_policy_direct(base + bit, true))\n            grant(read, bit);"),),
                r"reads and writes are swapped: the lower 2 KiB of the page are for reads"),
        Mistake("readable-is-writable", 4, (Edit(BITMAPS, "        if (msr_policy_direct(base + bit, true))\n            grant(write, bit);", "        if (msr_policy_direct(base + bit, false))\n            grant(write, bit);"),),
                r"MSR 0x10: write granted, policy answers it itself"),
        Mistake("base-forgotten", 4, (Edit(BITMAPS, "        if (msr_policy_direct(base + bit, false))\n            grant(read, bit);", "        if (msr_policy_direct(bit, false))\n            grant(read, bit);"),),
                r"the read bitmap for high MSRs grants nothing, and policy has \d+ registers for it|MSR 0xc0000\w+: read (exits, policy grants|granted, policy)"),
        Mistake("whatever-policy-knows", 4, (Edit(BITMAPS, "        if (msr_policy_direct(base + bit, false))\n            grant(read, bit);", "        grant(read, bit);"),),
                r"MSR 0x17: read granted, policy answers it itself"),
        Mistake("first-register-alone", 4, (Edit(BITMAPS, "            grant(write, bit);\n    }\n}", "            grant(write, bit);\n        return;\n    }\n}"),),
                r"MSR 0x174: read exits, policy grants it|grants nothing, and policy has"),
        Mistake("one-too-far-on", 4, (Edit(BITMAPS, "msr = base + bit + 1) {", "msr = base + bit + 2) {"),),
                r"MSR 0x\w+: read exits, policy grants it"),
        Mistake("absolute-bit", 4, (Edit(BITMAPS, "            grant(read, bit);\n        if (msr", "            grant(read, (base + bit) & 0x1ff);\n        if (msr"),),
                r"MSR 0x\w+: read (granted|exits), policy"),
        Mistake("halves-swapped", 5, (Edit(BITMAPS, "    build_half(bitmap->read_low, bitmap->write_low, 0);\n    build_half(bitmap->read_high, bitmap->write_high, MSR_HIGH_BASE);", "    build_half(bitmap->read_high, bitmap->write_high, 0);\n    build_half(bitmap->read_low, bitmap->write_low, MSR_HIGH_BASE);"),),
                r"the halves are swapped: what 0 to 1fffh are granted stands where"),
        Mistake("high-half-missing", 5, (Edit(BITMAPS, "    build_half(bitmap->read_high, bitmap->write_high, MSR_HIGH_BASE);\n", ""),),
                r"the read bitmap for high MSRs grants nothing, and policy has \d+ registers for it"),
        Mistake("high-half-from-0", 5, (Edit(BITMAPS, "build_half(bitmap->read_high, bitmap->write_high, MSR_HIGH_BASE);", "build_half(bitmap->read_high, bitmap->write_high, 0);"),),
                r"MSR 0xc00000\w+: read (granted|exits), policy"),
        Mistake("parts-in-another-order", 5, (Edit(BITMAPS, "    build_half(bitmap->read_low, bitmap->write_low, 0);\n    build_half(bitmap->read_high, bitmap->write_high, MSR_HIGH_BASE);", "    build_half(bitmap->read_low, bitmap->read_high, 0);\n    build_half(bitmap->write_low, bitmap->write_high, MSR_HIGH_BASE);"),),
                r"the parts are in another order"),
        Mistake("all-open", 5, (Edit(BITMAPS, "memset(bitmap, 0xff, sizeof *bitmap);", "memset(bitmap, 0, sizeof *bitmap);"),),
                r"all 4096 bytes are 0: every MSR is granted, 1b0h as well"),
        Mistake("not-begun-with-ones", 5, (Edit(BITMAPS, "    memset(bitmap, 0xff, sizeof *bitmap);\n", ""),),
                r"all 4096 bytes are 0: every MSR is granted"),
        Mistake("size-of-the-pointer", 5, (Edit(BITMAPS, "memset(bitmap, 0xff, sizeof *bitmap);", "memset(bitmap, 0xff, sizeof(uint8_t *));"),),
                r"the read bitmap for high MSRs grants everything"),
        Mistake("io-bitmap-a-alone", 5, (Edit(BITMAPS, "memset(vmx_io_bitmaps, 0xff, sizeof vmx_io_bitmaps);", "memset(vmx_io_bitmaps, 0xff, sizeof vmx_io_bitmaps[0]);"),),
                r"port 0x8000 is granted \(I/O bitmap B, byte 0\)"),
        Mistake("io-bitmap-b-alone", 5, (Edit(BITMAPS, "memset(vmx_io_bitmaps, 0xff, sizeof vmx_io_bitmaps);", "memset(vmx_io_bitmaps[1], 0xff, sizeof vmx_io_bitmaps[1]);"),),
                r"port 0 is granted \(I/O bitmap A, byte 0\)"),
        Mistake("ports-open", 5, (Edit(BITMAPS, "    memset(vmx_io_bitmaps, 0xff, sizeof vmx_io_bitmaps);\n", ""),),
                r"port 0 is granted .*the guest would reach the machine's own"),
        Mistake("first-time-counted", 6, (Edit(METER, "    work->round(); /* what a kind does the first time only */\n", ""),),
                r"tick: there is no round before the first word"),
        Mistake("first-round-inside", 6, (Edit(METER, "    work->round(); /* what a kind does the first time only */\n    event(word);\n", "    event(word);\n    work->round();\n"),),
                r"tick: there is no round before the first word"),
        Mistake("one-round-more", 6, (Edit(METER, "    event(word);\n    repeat(work->round, rounds);\n", "    event(word);\n    repeat(work->round, rounds + 1);\n"),),
                r"rounds between the two words instead of"),
        Mistake("a-word-each-round", 6, (Edit(METER, "    event(word);\n    repeat(work->round, rounds);\n    event(word + 1);", "    for (uint64_t i = 0; i < rounds; i++) {\n        event(word);\n        work->round();\n    }\n    event(word + 1);"),),
                r"the word behind the rounds of nops is 2 instead of 3: two words a kind, none twice"),
        Mistake("same-word-twice", 6, (Edit(METER, "    event(word + 1);\n", "    event(word);\n"),),
                r"the word behind the rounds of nops is 2 instead of 3"),
        Mistake("no-second-word", 6, (Edit(METER, "    event(word + 1);\n", ""),),
                r"the word behind the rounds of nops is 4 instead of 3|6 words in all"),
        Mistake("said-in-between", 6, (Edit(METER, "    event(word);\n    repeat(", "    event(word);\n    print(\"%s\\n\", work->kind);\n    repeat("),),
                r"nops: print\(\) between the two words: each is a guest call"),
        Mistake("entry-each-round", 7, (Edit(METER, "    (void)attempt_write_msr(MSR_INITIAL_COUNT, INITIAL);\n", "    (void)attempt_write_msr(MSR_LVT_TIMER, VECTOR_TIMER);\n    (void)attempt_write_msr(MSR_INITIAL_COUNT, INITIAL);\n"),),
                r"tick: the timer's entry \(832h\) is written \d+ times between the two words"),
        Mistake("any-wake-will-do", 7, (Edit(METER, "    while (ticks == seen)\n        interrupt_wait();\n}", "    (void)seen;\n    interrupt_wait();\n}"),),
                r"a round of tick has ended before its interrupt came"),
        Mistake("not-waited-for", 7, (Edit(METER, "    while (ticks == seen)\n        interrupt_wait();\n}", "    (void)seen;\n}"),),
                r"a round of tick has ended before its interrupt came"),
        Mistake("spins-with-interrupts-on", 7, (Edit(METER, "    while (ticks == seen)\n        interrupt_wait();\n}", "    interrupts_on();\n    while (ticks == seen)\n        continue;\n    interrupts_off();\n}"),),
                r"interrupts are opened by interrupts_on\(\): .*interrupt_wait\(\) opens them"),
        Mistake("never-started", 7, (Edit(METER, "    (void)attempt_write_msr(MSR_INITIAL_COUNT, INITIAL);\n", ""),),
                r"tick waits for an interrupt, and the timer was not started"),
        Mistake("loop-left-in", 8, (Edit(METER, "int64_t value = (int64_t)(time_stamp() - middle) - (int64_t)(middle - start);", "int64_t value = (int64_t)(time_stamp() - middle) - (int64_t)(start & 0);"),),
                r"the loop around the rounds is in it"),
        Mistake("the-work-taken-off", 8, (Edit(METER, "int64_t value = (int64_t)(time_stamp() - middle) - (int64_t)(middle - start);", "int64_t value = (int64_t)(middle - start) - (int64_t)(time_stamp() - middle);"),),
                r"what is taken off is the work, and not the loop"),
        Mistake("one-round", 8, (Edit(METER, "        repeat(nothing, rounds);\n        uint64_t middle = time_stamp();\n        repeat(work->round, rounds);", "        repeat(nothing, 1);\n        uint64_t middle = time_stamp();\n        repeat(work->round, 1);"),),
                r"\d+ ticks are those of one round; \d+ were asked for"),
        Mistake("the-least", 8, (Edit(METER, "    return sorted[BATCHES / 2];", "    return sorted[0];"),),
                r"the median has none of that, the mean, the least and the most have"),
        Mistake("the-most", 8, (Edit(METER, "    return sorted[BATCHES / 2];", "    return sorted[BATCHES - 1];"),),
                r"the median has none of that"),
        Mistake("the-mean", 8, (Edit(METER, "    return sorted[BATCHES / 2];", "    int64_t sum = 0;\n    for (unsigned i = 0; i < BATCHES; i++)\n        sum += sorted[i];\n    return sum / BATCHES;"),),
                r"the median has none of that"),
        Mistake("not-sorted", 8, (Edit(METER, "at > 0 && sorted[at - 1] > value; at--)", "at > 0 && sorted[at - 1] > value && value < INT64_MIN; at--)"),),
                r"the median has none of that"),
    ),
)
