# SPDX-License-Identifier: MIT
"""Mutations of where the log goes and where keys come from; see table.py."""

from .kinds import Edit, Mutation, Unit, failed

CONSOLE = "hypervisor/setup/console.c"
LATE = "hypervisor/setup/console_late.c"
PCI = "hypervisor/setup/console_pci.c"
SERIAL = "hypervisor/setup/serial.c"
KEYBOARD = "hypervisor/setup/keyboard.c"
SCREEN = "hypervisor/setup/framebuffer.c"
MONITOR = "hypervisor/monitor/monitor.c"
MONITOR_CONSOLE = "hypervisor/monitor/console.c"
EDITOR = "hypervisor/monitor/editor.c"

CONSOLE_MUTATIONS = (
    # --- serial ports that are named ---
    Mutation("no-port-but-the-users", "a port that the configuration names and that is not there is not the only one tried",
             (Edit(CONSOLE, "    if (!done)\n        choose_by_itself(boot);", "    if (!done && wanted.kind == CONSOLE_AUTO)\n        choose_by_itself(boot);"),),
             (Unit("test_console_choice", failed("test_the_users_word")),), quick=True),
    Mutation("port-by-argument-of-a-signed-medium", "arguments do not move the prompt of a signed medium",
             (Edit(CONSOLE, "(boot->flags & BOOT_FLAG_VERIFIED) == 0 &&", "boot->flags != UINT32_MAX &&"),),
             (Unit("test_console_choice", failed("test_the_users_word")),)),
    Mutation("no-port-but-firmwares", "a port that firmware names and that is not there is not the only one tried",
             (Edit(CONSOLE, "        console_refuse(source, place, problem);\n    return problem == NULL;", "        console_refuse(source, place, problem);\n    return true;"),),
             (Unit("test_console_choice", failed("test_what_firmware_says_and_is_not_there")),)),
    Mutation("port-in-memory", "memory is not written to because firmware's table calls it a serial port",
             (Edit(CONSOLE, "        if (memory && overlaps(range, base, size))", "        if (memory && overlaps(range, base, size) && base == size)"),),
             (Unit("test_console_choice", failed("test_what_firmware_says_and_is_not_there")),)),
    Mutation("port-of-the-board", "the reset register is not written to because firmware's table calls it a serial port",
             (Edit(CONSOLE, "(base < PORTS_OF_PCI + 8 && PORTS_OF_PCI < base + size)", "base == PORTS_OF_PCI + 8"),),
             (Unit("test_console_choice", failed("test_what_firmware_says_and_is_not_there")),)),
    Mutation("tables-anywhere", "firmware's tables are read where the loader's map lists memory only",
             (Edit(CONSOLE, "return physical != 0 && listed ?", "return physical != 0 && (listed || boot->range_count == 0) ?"),),
             (Unit("test_console_choice", failed("test_tables_outside_of_memory_are_not_read")),)),
    Mutation("any-memory-is-a-port", "what keeps a byte is not yet a serial port",
             (Edit(SERIAL, "return scratch && loops_back() ? NULL", "return scratch ? NULL"),),
             (Unit("test_serial", failed("test_memory_is_no_port")),)),
    Mutation("written-unseen", "nothing is written to what does not read like a serial port",
             (Edit(SERIAL, "    if (!looks_like_one())\n", "    if (!looks_like_one() && place->address == 0)\n"),),
             (Unit("test_serial", failed("test_nothing_there")),)),
    Mutation("console-given-away", "no guest gets the function that the console is at",
             (Edit(PCI, "        function->owner = OWNER_HYPERVISOR;\n", ""),),
             (Unit("test_console_choice", failed("test_pci_port")),), quick=True),
    Mutation("console-silent-so-far", "a console that comes late shows what was logged before",
             (Edit(CONSOLE, "    console_replay(serial_write, true);\n", ""),),
             (Unit("test_console_choice", failed("test_high_memory")),)),
    Mutation("fifo-taken-for-granted", "a port without a FIFO gets one byte at a time",
             (Edit(SERIAL, "== FIFO_ENABLED ? FIFO_SIZE : 1", "== FIFO_ENABLED ? FIFO_SIZE : 16"),),
             (Unit("test_serial", failed("test_a_port_without_fifo_loses_nothing")),)),
    Mutation("keys-of-nobody", "a serial card that went away types nothing",
             (Edit("drivers/serial/serial.c", " || status == STATUS_NO_PORT)", ")"),),
             (Unit("test_serial", failed("test_a_card_that_went_away")),)),

    # --- screens ---
    Mutation("screen-in-memory", "nothing is drawn over memory because firmware calls it a screen",
             (Edit(SCREEN, "return in_memory(boot) ?", "return in_memory(boot) && boot->range_count == 0 ?"),),
             (Unit("test_framebuffer", failed("test_refuses_what_lies_in_memory")),)),
    Mutation("colours-overlap", "colours that share bits are refused",
             (Edit("boot/screen.h", "(screen->red & screen->green) == 0 &&", ""),),
             (Unit("test_framebuffer", failed("test_colours")),)),
    Mutation("screen-all-at-once", "the control loop draws a part of the screen a turn",
             (Edit("drivers/framebuffer/framebuffer.c", "    draw(screen.turn);\n", "    draw(0);\n"),),
             (Unit("test_framebuffer", failed("test_stores_and_turns")),)),
    Mutation("screen-drawn-by-others", "who logs does not draw once the guests run",
             (Edit("drivers/framebuffer/framebuffer.c", "    if (screen.turn == 0)\n        framebuffer_flush();", "    framebuffer_flush();"),),
             (Unit("test_framebuffer", failed("test_stores_and_turns")),)),
    Mutation("last-words-not-drawn", "what a dying core logs is drawn",
             (Edit("hypervisor/base/log.c", "    log_flush(); /* nobody", "    /* nobody"),),
             (Unit("test_log", failed("test_last_words_are_flushed")),)),
    Mutation("combined-ram-unnoticed", "the hypervisor's memory is never mapped write-combining",
             (Edit("hypervisor/audit/audit.c", "frames_owner(walk.physical) == OWNER_HYPERVISOR))", "frames_owner(walk.physical) == OWNER_MMIO))"),),
             (Unit("test_audit", failed("each_falsified_entry_is_named")),)),

    # --- the keyboard controller ---
    Mutation("keyboard-denied-and-polled", "a controller that the FADT denies is never looked at",
             (Edit(LATE, "denied ? KEYBOARD_ABSENT : keyboard_probe()", "keyboard_probe()"),),
             (Unit("test_console_choice", failed("test_screen_and_keyboard")),), quick=True),
    Mutation("keyboard-trap-unnoticed", "a controller that firmware emulates is not polled",
             (Edit(KEYBOARD, "(uint32_t)after - (uint32_t)before >= LOOKS", "after - before >= LOOKS * LOOKS"),),
             (Unit("test_keyboard", failed("a_controller_that_is_firmware")),)),
    Mutation("keyboard-unanswered", "a controller is one that answers a command",
             (Edit(KEYBOARD, "    return WAIT_UNTIL(full(), MILLISECONDS(100)) &&\n", "    return WAIT_UNTIL(true, MILLISECONDS(100)) &&\n"),),
             (Unit("test_keyboard", failed("no_answer")),)),

    # --- the prompt ---
    Mutation("arguments-ignored", "a command with arguments that it does not have is refused",
             (Edit(MONITOR, " ||\n             !usage_fits(&command_usages[command - monitor_commands], words + 1, count - 1)", ""),),
             (Unit("test_prompt", failed("test_arguments")),), quick=True),
    Mutation("plain-line-coloured", "a line that has not said that it is a terminal gets no control sequences",
             (Edit(MONITOR_CONSOLE, "        if (devices[i].rows != 0)", "        if (devices[i].read != NULL)"),),
             (Unit("test_prompt", failed("test_a_dumb_line_stays_plain")),), quick=True),
    Mutation("cursor-forgotten", "a line of the log leaves the cursor where it was in what is being typed",
             (Edit(MONITOR_CONSOLE, "    move_to(wanted, cursor);\n", "    move_to(wanted, MAX(cursor, size));\n"),),
             (Unit("test_prompt", failed("test_a_log_line_comes_while_somebody_types")),)),
    Mutation("recorded-in-pieces", "who reads a recorded log finds the whole command behind the last prompt",
             (Edit(MONITOR_CONSOLE, "    if (edited || shown_size > size ||", "    if (shown_size > size ||"),),
             (Unit("test_prompt", failed("test_what_is_recorded")),)),
    Mutation("answer-unasked", "a terminal's answer counts only when it was asked",
             (Edit(MONITOR_CONSOLE, "    if (typist->asked && typist->rows == 0)", "    if (typist->asked)"),),
             (Unit("test_prompt", failed("test_the_question")),)),
    Mutation("line-overrun", "a line that is too long is not taken",
             (Edit(EDITOR, "    if (editor->used + size >= EDITOR_SIZE)", "    if (editor->used + size > EDITOR_SIZE)"),),
             (Unit("test_editor", failed("test_long_lines")),)),
    Mutation("enter-eaten", "a control sequence that breaks off takes no key with it",
             (Edit(EDITOR, "    if (before < EDITOR_NUMBER || key < '@' || key > '~')", "    if (before < EDITOR_NUMBER)"),),
             (Unit("test_editor", failed("test_broken_sequences")),)),
)
