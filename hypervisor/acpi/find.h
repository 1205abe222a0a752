/* SPDX-License-Identifier: MIT */
/* One table, before there is a log to say what else is there (acpi.h reads them all). */
#pragma once

#include "hypervisor/acpi/acpi.h"

/* Walks RSDP and XSDT or RSDT without a word, and returns the first table with the signature whose
 * checksum is right, mapped; NULL when there is none, or the way to it cannot be read. */
const void *acpi_find(const struct acpi_memory *memory, uint64_t rsdp, const char *signature,
                      uint32_t *length);
