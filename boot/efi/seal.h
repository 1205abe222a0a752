/* SPDX-License-Identifier: MIT */
/* What a signed application allows its medium to hold: two digests that boot/application.py puts
 * into it, of bulkhead.elf and of the list of all other files. Works on bytes only (host-tested).
 */
#pragma once

#include "boot/efi/list.h"

#define HYPERVISOR_FILE "bulkhead.elf"

#define SEAL_VERSION 1

struct seal {
    char magic[8];                   /* 0 */
    uint32_t version;                /* 8 */
    uint32_t sealed;                 /* 12: 1 when there are digests */
    uint8_t hypervisor[SHA256_SIZE]; /* 16 */
    uint8_t list[SHA256_SIZE];       /* 48 */
};
_Static_assert(sizeof(struct seal) == 80, "shared with boot/application.py");
_Static_assert(offsetof(struct seal, list) == 48, "shared with boot/application.py");

/* Is it one of the signed files? `list` is empty before it was read. */
bool seal_names(const struct seal *seal, const struct file_list *list, const char *name);
/* NULL when these are the bytes that were signed under this name, else what is wrong. */
const char *seal_problem(const struct seal *seal, const struct file_list *list, const char *name,
                         const void *bytes, size_t size);
