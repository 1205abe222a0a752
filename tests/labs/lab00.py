# SPDX-License-Identifier: MIT
"""L0: a look round, a guest, and two commands of the prompt."""

import itertools
import re

from machine.logfmt import parse_line

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step
from .machines import answer_to, to_do

TOUR, COMMANDS = "guest/programs/tour.c", "hypervisor/monitor/commands.c"
GREETINGS = ("hello", "ahoy", "servus", "salut", "moin", "ciao")


def config(seed: int) -> str:
    return ("# Your guest, and another one that runs beside it until you stop it at the prompt.\n\n"
            f"[guest tour]\nimage  = tour.elf\nmemory = {8 + 4 * (seed % 5)}M\n"
            f"args   = greeting={GREETINGS[(seed + 1) % 6]} lines={7 + seed % 12}\ntime_limit = 20\nexpect = exit 0\n\n"
            "[guest beside]\nimage  = hello.elf\nmemory = 8M\nargs   = ticks=100000000\nexpect = stopped\n")


def key(run, name: str) -> str:
    """A value in the tour's section of the configuration that this run had."""
    section = run.spec.files["/bulkhead/lab.conf"].decode().split("[guest tour]")[1].split("[guest ")[0]
    return re.search(rf"\b{name} *= *(\S+)", section)[1]


def said(run) -> list[str]:
    return [line["text"] for line in run.events if line.event == "guest.output" and line.get("name") == "tour"]


def counts(run) -> list[int]:
    """Exits of the tour at its first event BEGIN and its first END, as far as they came."""
    found = [next((line.number("exits") for line in run.events
                   if line.event == "guest.event" and line.get("name") == "tour" and line.number("value") == word), None) for word in (1, 2)]
    return list(itertools.takewhile(lambda count: count is not None, found))


def tour_as_predicted(run) -> str | None:
    lines, at = int(key(run, "lines")), counts(run)
    if len(at) < 2:
        return f"tour raised {len(at)} of its two events"
    greeting = f"{key(run, 'greeting')} from the core with APIC id "
    if not any(text.startswith(greeting) and text.endswith(f" {key(run, 'memory').rstrip('M')} MiB of memory") for text in said(run)):
        return f"tour did not say \"{greeting}..., {key(run, 'memory').rstrip('M')} MiB of memory\" (guest.output)"
    told = next((found for text in said(run) if (found := re.match(r"(\d+) exits between", text))), None)
    if told is None:
        return "tour did not say how many exits there are between its two events"
    counted, number = at[1] - at[0], int(told[1])
    if number == counted:
        return None
    why = {-1: f"{lines} lines are {lines} calls, and the second event is one too, which is counted before it is logged: N+1, not N",
           1: "the first event's own exit is already in the first count: N+1, not N+2"}.get(number - counted, "each print() and each event() is one exit")
    return f"tour said {number} exits between its two events, and the log counted {counted}, from {at[0]} to {at[1]}; {why}"


def where_guests_run(run) -> dict[int, str]:
    """Which core runs what when the prompt is asked: the tour has ended."""
    return {line.number("core"): line["name"] for line in run.events if line.event == "guest.started" and line["name"] != "tour"}


def cpus_as_they_are(run) -> str | None:
    answer = answer_to(run, "cpus")
    online = next((line.number("count") for line in run.events if line.event == "cpu.online"), None)
    if answer is None or online is None:
        return "`cpus` was typed when tour had ended, but the prompt did not accept it"
    listed = [line for line in answer if line.startswith("core ")]
    if len(listed) != online:
        return f"`cpus` lists {len(listed)} cores, but {online} are online (cpu.online)"
    for core, line in enumerate(listed):
        guest = where_guests_run(run).get(core)
        state = "control core" if core == 0 else f"guest {guest}" if guest else "idle"
        if not re.fullmatch(rf"core {core}: APIC id \d+, {state}", line):
            what = "control core" if core == 0 else f"guest {guest} runs there (guest.started core={core})" if guest else "no guest runs there"
            return f"`cpus` says \"{line}\"; wanted \"core {core}: APIC id N, {state}\": {what}"
    return None


def times_around(run, text: str) -> tuple[float, float]:
    """What the log says before and after a line of the prompt's answer."""
    number = run.log.lines.index(text)
    times = [event.time if (event := parse_line(line)) else None for line in run.log.lines]
    return (next((time for time in reversed(times[:number]) if time is not None), 0.0),
            next((time for time in times[number:] if time is not None), float("inf")))


def uptime_as_it_is(run) -> str | None:
    answer = answer_to(run, "uptime")
    form = re.compile(r"(\d+) days (\d\d):(\d\d):(\d\d), \[(\d+)\.(\d{6})\] in the log")
    found = [form.fullmatch(line) for line in answer or []]
    if answer is not None and not any(found) and (not any(answer) or any(form.match(line) for line in answer)):
        return "`uptime` answers no line of its own: one ends with \\n, otherwise the prompt follows on the same line"
    if answer is None or not any(found):
        return f"`uptime` answers \"{' '.join(answer or [])}\"; wanted \"D days HH:MM:SS, [S.UUUUUU] in the log\", with zeros in front"
    days, hours, minutes, rest, seconds, fraction = map(int, next(filter(None, found)).groups())
    line = next(filter(None, found)).string
    before, after = times_around(run, line)
    if not before - 1 <= seconds + fraction / 1e6 <= after + 1:
        return f"`uptime` answers \"{line}\", and the log was at {before:.6f} before and {after:.6f} after: clock_microseconds()"
    if ((days * 24 + hours) * 60 + minutes) * 60 + rest != seconds:
        return f"`uptime` answers \"{line}\"; {days} days {hours:02}:{minutes:02}:{rest:02} are not {seconds} seconds"
    return None


def as_it_is(run) -> str | None:
    """What the machine shows against what it is. A guest that ended otherwise is said first; of what is still to be done,
    and of a hypervisor that died, the log says more."""
    if any(to_do(line) or line.event == "cpu.exception" for line in run.events):
        return None
    for line in run.events:
        if line.event == "guest.stopped" and line.get("name") == "tour" and (line["reason"], line["status"]) != ("exit", "0"):
            return (f"tour ended with reason={line['reason']} status={line['status']}; expected reason=exit and status=0"
                    + ("; its time is over: perhaps a loop never ends" if line["reason"] == "time-limit" else ""))
    return tour_as_predicted(run) or cpus_as_they_are(run) or uptime_as_it_is(run)


# beside has raised an event: its core is in guest mode, and no longer on the way there.
RUN = Machine("tcg", "lab", as_it_is, (("guest.stopped", "tour", lambda run: "uptime"), ("guest.event", "beside", lambda run: "cpus"),
                                      ("guest.stopped", "tour", lambda run: "stop beside")))

LAB = Lab(
    name="L0", title="A tour: look round, write a guest, write two commands", hours=3, config=config,
    steps=(
        Step(1, TOUR, "greet", "return true;",
             "Read greeting= from args into 32 bytes (argument()). If it is missing or too long, say so and return false. "
             "Otherwise print \"GREETING from the core with APIC id N, M MiB of memory\" and return true. "
             "guest/runtime/runtime.h has what you need. A line is shown only when it ends.", (Host("l00_tour"),)),
        Step(2, TOUR, "print_lines", "(void)lines;",
             "Raise the event BEGIN, print \"line 1 of N\" to \"line N of N\" with one print() each, then raise the event END.", (Host("l00_tour"),)),
        Step(3, TOUR, "exits_between", "(void)lines;\nreturn 0;",
             "Return how many exits the log counts between the two events when N lines are printed. guest.event has exits=, the "
             "number of all exits so far. Predict the number before you look.", (RUN,)),
        Step(4, TOUR, "guest_main", "return 0;",
             "Read lines= (5 without it), call greet(), print the lines, then print \"N exits between the two events\". The "
             "result is the guest's status: 0, or 2 if there was no greeting.", (Host("l00_tour"),)),
        Step(5, COMMANDS, "uptime", "",
             "Print one line: the days, hours, minutes and seconds since power-on, and the same time in seconds as the log "
             "writes it: \"0 days 00:01:05, [65.000123] in the log\". clock_microseconds() returns the time; console_printf() "
             "prints, with the conversions of hypervisor/base/format.h.", (RUN, Host("l00_uptime"))),
        Step(6, COMMANDS, "list_cpus", "",
             "Print one line for each core: \"core 1: APIC id 1, guest alpha\". Use cpu_count() and cpu_at(). Core 0 is the "
             "\"control core\"; the others show their state (absent, starting, idle, guest, failed, retired), followed by the "
             "guest's name if they have a vCPU. Then, if msr_read_safe() can read MSR_SMI_COUNT, print \"SMIs, each of which "
             "stops all cores: N since reset, M since the last look\" (at the first look, M is N), each in 32 bits. SDM 4, table "
             "2-20.", (RUN, Host("l00_cpus"))),
    ),
    whole=(RUN,),
    questions=(
        Question("exits", "How many exits had tour made when it ended? (guest.stopped)",
                 lambda run: next(line["exits"] for line in run.events if line.event == "guest.stopped" and line["name"] == "tour")),
        Question("greeting-exits", "How many of these exits came up to its first event, including that event's own? (guest.event)", lambda run: str(counts(run)[0])),
        Question("beside-core", "On which core does beside run? (guest.started, cpus)",
                 lambda run: next(str(core) for core, name in where_guests_run(run).items() if name == "beside")),
    ),
    mistakes=(
        Mistake("memory-in-bytes", 1, (Edit(TOUR, "(unsigned long long)(memory_size() >> 20));", "(unsigned long long)memory_size());"),),
                r"memory_size\(\) is in bytes, and a MiB has 2\^20"),
        Mistake("line-not-ended", 1, (Edit(TOUR, "%llu MiB of memory\\n\", word", "%llu MiB of memory\", word"),),
                r"a line ends with \\n, or the next one is on it"),
        Mistake("word-written-in-the-code", 1, (Edit(TOUR, "    print(\"%s from the core with APIC id %u, %llu MiB of memory\\n\", word,", "    print(\"%s from the core with APIC id %u, %llu MiB of memory\\n\", \"Hello\","),),
                r"the first word is the value of greeting= in args"),
        Mistake("core-not-asked", 1, (Edit(TOUR, "own_apic_id(),", "0u,"),), r"the APIC id is own_apic_id\(\)"),
        Mistake("missing-greeting-unseen", 1, (Edit(TOUR, "        return false;\n    }\n    print(\"%s from", "    }\n    print(\"%s from"),
                                               Edit(TOUR, "    char word[32];", "    char word[32] = \"hello\";")),
                r"without greeting= in args tour's status is 0, and 2 is expected"),
        Mistake("greeting-too-long-taken", 1, (Edit(TOUR, "    char word[32];", "    char word[33];"),),
                r"a greeting of 32 characters tour's status is 0, and 2 is expected: argument\(\) is false where it does not fit"),
        Mistake("greeting-that-fits-refused", 1, (Edit(TOUR, "word, sizeof word)", "word, sizeof word - 1)"),),
                r"a greeting of 31 characters tour's status is 2, and 0 is expected"),
        Mistake("one-short", 2, (Edit(TOUR, "line <= lines; line++", "line < lines; line++"),),
                r"lines=7: 6 lines were printed between the two events"),
        Mistake("from-zero", 2, (Edit(TOUR, "for (unsigned line = 1; line <= lines; line++)", "for (unsigned line = 0; line < lines; line++)"),),
                r"is \"line 0 of 7\", wanted \"line 1 of 7\"; they count from 1"),
        Mistake("events-swapped", 2, (Edit(TOUR, "    event(BEGIN);\n", "    event(END);\n"), Edit(TOUR, "lines);\n    event(END);\n}", "lines);\n    event(BEGIN);\n}")),
                r"the events' words are 2 and 1; BEGIN \(1\) comes first"),
        Mistake("no-second-event", 2, (Edit(TOUR, "lines);\n    event(END);\n}", "lines);\n}"),), r"1 events were raised; there are two"),
        Mistake("event-in-the-loop", 2, (Edit(TOUR, "        print(\"line %u of %u\\n\", line, lines);\n    event(END);", "    {\n        print(\"line %u of %u\\n\", line, lines);\n        event(END);\n    }"),),
                r"8 events were raised; there are two"),
        Mistake("half-a-line-a-print", 2, (Edit(TOUR, "        print(\"line %u of %u\\n\", line, lines);", "    {\n        print(\"line %u\", line);\n        print(\" of %u\\n\", lines);\n    }"),),
                r"lines=7: 15 exits from one event to the other, and 8 are expected; .*a line is one print\(\)"),
        Mistake("the-event-itself", 3, (Edit(TOUR, "    return lines + 1;", "    return lines;"),),
                r"tour said 7 exits .* the log counted 8, from \d+ to \d+; 7 lines are 7 calls, and the second event is one too.*N\+1, not N"),
        Mistake("both-events", 3, (Edit(TOUR, "    return lines + 1;", "    return lines + 2;"),),
                r"tour said 9 exits .* the log counted 8.*N\+1, not N\+2"),
        Mistake("two-exits-a-line", 3, (Edit(TOUR, "    return lines + 1;", "    return 2 * lines + 1;"),),
                r"tour said 15 exits .* the log counted 8.*each print\(\) and each event\(\) is one exit"),
        Mistake("status-lost", 4, (Edit(TOUR, "        return 2;", "        return 0;"),), r"without greeting= in args tour's status is 0, and 2 is expected"),
        Mistake("not-zero", 4, (Edit(TOUR, "    return 0;\n}", "    return (int)lines;\n}"),), r"tour's status is 7 and 0 is expected"),
        Mistake("lines-fixed", 4, (Edit(TOUR, "(unsigned)argument_number(\"lines\", 5);", "5;"),), r"lines=7: .*\"line 1 of 5\", wanted \"line 1 of 7\""),
        Mistake("without-lines-none", 4, (Edit(TOUR, "argument_number(\"lines\", 5)", "argument_number(\"lines\", 0)"),), r"lines=5: 0 lines were printed"),
        Mistake("said-before", 4, (Edit(TOUR, "    print_lines(lines);\n    print(\"%u exits between the two events\\n\", exits_between(lines));", "    print(\"%u exits between the two events\\n\", exits_between(lines));\n    print_lines(lines);"),),
                r"2 lines come before the first event, and only the greeting is to"),
        Mistake("milliseconds", 5, (Edit(COMMANDS, "seconds = now / 1000000;", "seconds = now / 1000;"),),
                r"and the log was at \d+\.\d+ before and \d+\.\d+ after: clock_microseconds\(\)"),
        Mistake("one-digit", 5, (Edit(COMMANDS, "%lu days %02lu:%02lu:%02lu, [", "%lu days %lu:%lu:%lu, ["),), r"`uptime` answers \"0 days 0:0:\d+.*with zeros in front"),
        Mistake("fraction-without-zeros", 5, (Edit(COMMANDS, "[%lu.%06lu] in the log", "[%lu.%lu] in the log"),),
                r"the fraction has six digits|with zeros in front"),
        Mistake("seconds-of-all", 5, (Edit(COMMANDS, "seconds / 60 % 60, seconds % 60, seconds, now", "seconds / 60 % 60, seconds, seconds, now"),),
                r"seconds are those of the minute that has begun"),
        Mistake("minutes-of-all", 5, (Edit(COMMANDS, "seconds / 60 % 60, seconds % 60", "seconds / 60, seconds % 60"),), r"minutes are those of the hour that has begun"),
        Mistake("hours-of-all", 5, (Edit(COMMANDS, "seconds / 3600 % 24,", "seconds / 3600,"),), r"hours are those of the day that has begun"),
        Mistake("in-32-bits", 5, (Edit(COMMANDS, "seconds = now / 1000000;", "seconds = (uint32_t)now / 1000000;"),), r"7260000000 microseconds: .*wanted \"0 days 02:01:00.*a time is in 64 bits"),
        Mistake("uptime-not-ended", 5, (Edit(COMMANDS, "[%lu.%06lu] in the log\\n\"", "[%lu.%06lu] in the log\""),), r"`uptime` answers no line of its own: one ends with \\n"),
        Mistake("states-in-another-order", 6, (Edit(COMMANDS, "[CPU_ABSENT] = \"absent\", [CPU_STARTING] = \"starting\"", "[CPU_ABSENT] = \"starting\", [CPU_STARTING] = \"absent\""),),
                r"core 6: APIC id 40, absent\", wanted .*enum cpu_state has the states in their order"),
        Mistake("last-core-forgotten", 6, (Edit(COMMANDS, "i < cpu_count(); i++", "i + 1 < cpu_count(); i++"),), r"`cpus` lists 3 cores, but 4 are online"),
        Mistake("control-core-idle", 6, (Edit(COMMANDS, "i == 0 ? \"control core\" : words_of_state[cpu->state],", "words_of_state[cpu->state],"),),
                r"wanted \"core 0: APIC id N, control core\""),
        Mistake("guest-not-named", 6, (Edit(COMMANDS, "vcpu != NULL ? vcpu->guest->name : \"\");", "\"\");"),), r"\"core \d: APIC id N, guest beside\": guest beside runs there"),
        Mistake("vcpu-not-looked-at", 6, (Edit(COMMANDS, "vcpu != NULL ? vcpu->guest->name : \"\");", "vcpu->guest->name);"),),
                r"cpu\.exception|null pointer|`cpus`"),
        Mistake("number-for-the-id", 6, (Edit(COMMANDS, "i, cpu->apic_id,", "i, i,"),), r"firmware numbers APIC ids as it likes"),
        Mistake("smi-count-unasked", 6, (Edit(COMMANDS, "    uint64_t now;\n    if (!msr_read_safe(MSR_SMI_COUNT, &now))\n        return;\n", "    uint64_t now = 0;\n    (void)!msr_read_safe(MSR_SMI_COUNT, &now);\n"),),
                r"on a machine without SMI_COUNT: \"SMIs"),
        Mistake("last-look-forgotten", 6, (Edit(COMMANDS, "    seen = now;\n", "    (void)seen;\n"),), r"15 since the last look.*the last look's is kept"),
    ),
)
