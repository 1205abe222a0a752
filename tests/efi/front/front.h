/* SPDX-License-Identifier: MIT */
/*
 * What the programs of tests/efi have in common: each stands in the place of the loader, does its
 * own to the machine, and starts the loader, which is in loader.efi beside it.
 */
#pragma once

#include <efi.h>

/* --- the program has these --- */

extern CHAR16 program[]; /* "name: ", before what it refuses */
/* Called with the loader in memory, before it starts; `volume`: which both are from. What is not
 * EFI_SUCCESS has been said, and ends the program. */
EFI_STATUS arm(EFI_SYSTEM_TABLE *system, EFI_HANDLE volume);

/* --- and uses these --- */

extern EFI_BOOT_SERVICES *boot;

void say(CHAR16 *text);
/* Says why, and returns `status`. */
EFI_STATUS refuse(EFI_STATUS status, CHAR16 *text);
/* The file's first `most` bytes, in memory of the pool; `size`: how many there are. */
EFI_STATUS read_file(EFI_HANDLE volume, CHAR16 *name, UINTN most, void **bytes, UINTN *size);
