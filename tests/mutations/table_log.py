# SPDX-License-Identifier: MIT
"""Mutations of what outlives a run, and of how a machine is left; see table.py."""

from .kinds import Edit, Mutation, Unit, failed

ACTION = "hypervisor/acpi/action.c"
ERST = "hypervisor/acpi/erst.c"
KEPT = "boot/kept_log.c"
POWER = "hypervisor/setup/power.c"
RING = "hypervisor/base/log_ring.c"

LOG_MUTATIONS = (
    # --- what is left of a log in memory ---
    Mutation("kept-checksum-ignored", "a line that a reset has changed is not believed",
             (Edit(RING, "words[LOG_RECORD_WORDS(size) - 1] == sum ? size : 0", "sum != 0 ? size : 0"),),
             (Unit("test_kept_log", failed("test_each_bit_flipped")),), quick=True),
    Mutation("kept-number-unproved", "a line's number is part of what its checksum proves",
             (Edit(RING, "sum = add(sum, words[i - 1]);", "sum = i != 2 ? add(sum, words[i - 1]) : sum;"),
              Edit(RING, "sum = put_word(history, sum, history->lines++);", "(void)put_word(history, sum, history->lines++);")),
             (Unit("test_kept_log", failed("test_each_bit_flipped")),)),
    Mutation("kept-length-believed", "no line is longer than there is room for",
             (Edit(RING, "size == 0 || size > LOG_LINE_SIZE", "size == 0 || size > UINT16_MAX"),),
             (Unit("test_kept_log", "out of bounds"),)),
    Mutation("kept-line-twice", "a line is saved once, and none behind a newer one",
             (Edit(KEPT, "number < log->next", "number == UINT64_MAX"),),
             (Unit("test_kept_log", failed("test_all_of_it")),)),

    # --- firmware's tables of actions ---
    Mutation("action-waits-on", "an action of firmware's tables waits for a second at most",
             (Edit(ACTION, "microseconds > MOST_WAITING - state->waited", "microseconds == 0"),),
             (Unit("test_actions", failed("test_everything_ends")),)),
    Mutation("action-register-anywhere", "an action's registers are where registers can be",
             (Edit(ACTION, "address == 0 || address >", "address == 0 && address >"),),
             (Unit("test_actions", failed("test_what_is_refused")),)),
    Mutation("action-neighbours-changed", "an action leaves the other bits of a register as they are",
             (Edit(ACTION, "    if (step->preserve)\n", "    if (step->preserve && value == 0)\n"),),
             (Unit("test_actions", failed("test_a_watchdog_is_stopped")),)),
    Mutation("record-of-another", "an operating system's record is not taken for a crash of ours, nor removed",
             (Edit(ERST, "memcmp(record.header.creator, creator, sizeof creator) != 0 ||\n", "sizeof creator == 0 ||\n"),),
             (Unit("test_actions", failed("test_whose_record_it_is")),)),

    Mutation("store-overwritten", "other records are not where a crash of ours is written",
             (Edit("hypervisor/setup/erst.c", "(attributes & ERST_RANGE_NO_BUFFER) != 0)", "attributes > UINT32_MAX)"),),
             (Unit("test_erst", failed("test_what_is_refused")),)),
    Mutation("store-waits-for-nothing", "a record is complete before the store is told that it ends",
             (Edit("hypervisor/x86/steps.c", "read == step->value && !deadline_passed(end)", "read == step->value && deadline_passed(end)"),),
             (Unit("test_erst", failed("test_the_record")),)),

    # --- how a machine is left ---
    Mutation("reset-loses-memory", "a reset does not take the power away from memory",
             (Edit(POWER, "~(uint64_t)RESET_CONTROL_FULL", "UINT8_MAX"),),
             (Unit("test_power", failed("test_reset_as_the_table_says_comes_first")),)),
    Mutation("events-left-pending", "nothing wakes a machine that is switched off at once",
             (Edit(POWER, "        silence_events(fadt);\n", "        (void)silence_events;\n"),),
             (Unit("test_power", failed("test_power_off_leaves_nothing_that_wakes")),)),
    Mutation("emulators-port-anywhere", "ports that mean something to emulators only are written under these only",
             (Edit(POWER, "emulator && i < sizeof word - 1", "i < sizeof word - 1"),),
             (Unit("test_power", failed("test_emulators_ports_are_left_alone_elsewhere")),)),
)
