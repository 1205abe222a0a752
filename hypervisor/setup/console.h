/* SPDX-License-Identifier: MIT */
/* Which devices the console and the log have: found as early as each can be, and moved to the
 * hypervisor's own address space. What was said before a device was there is shown on it. */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/config/parse.h"

/* First of all, on the loader's tables: the serial port that the command line (`console=`) or the
 * configuration names, or else SPCR, DBG2 or COM1. One that does not answer is said, and the next
 * one taken. `config` is filled for this, without a word, and to be read again. */
void console_start(const struct boot_info *boot, struct config *config);
/* The screen, on the loader's tables. */
void console_start_screen(const struct boot_info *boot);
/* Once the hypervisor's own tables are in use, before anything is logged: both, mapped there. */
void console_map(void);
/* Once functions are known: a port of a PCI card, if the configuration names one. A function whose
 * registers the console uses is the hypervisor's. */
void console_start_pci(void);
/* A PS/2 keyboard, if there is a controller: `denied` when firmware's tables say that there is
 * none. After USB keyboards have been taken from firmware, which emulates one. */
void console_start_keyboard(bool denied);
/* Before the control loop: from here on the screen is drawn in its turns, a part at a time. */
void console_settle(void);
