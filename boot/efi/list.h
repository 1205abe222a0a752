/* SPDX-License-Identifier: MIT */
/*
 * \bulkhead\SHA256SUMS: the files that belong to a boot medium, as sha256sum writes them, one a
 * line:
 *
 *   64 lower-case hexadecimal digits, two blanks, the file's name, a newline
 *
 * Works on bytes only (host-tested).
 */
#pragma once

#include "boot/boot_info.h"
#include "boot/efi/sha256.h"

#define LIST_FILE      "SHA256SUMS"
#define LIST_MAX_FILES 512

struct file_list {
    const char *text;
    size_t size; /* bytes */
    uint32_t count;
    const char *problem; /* on failure: what is wrong ... */
    uint32_t line;       /* ... and in which line, from 1 */
};

struct list_entry {
    char name[BOOT_NAME_SIZE];
    uint8_t digest[SHA256_SIZE];
};

/* STATUS_INVALID with `problem` and `line` set unless every line has that form, no two names are
 * equal (in whatever case: FAT does not tell them apart), and each is a plain name: printable ASCII
 * without blanks and \ / : " * ? < > |, not beginning with a dot. The bytes must stay where they
 * are. */
MUST_CHECK enum status list_read(const void *bytes, size_t size, struct file_list *list);
/* The entry with this number, from 0; false behind the last. */
bool list_entry(const struct file_list *list, uint32_t number, struct list_entry *entry);
/* The entry with this name, case included; false when there is none. */
bool list_find(const struct file_list *list, const char *name, struct list_entry *entry);
