/* SPDX-License-Identifier: MIT */
/* Mappings that last no longer than boot. */
#pragma once

#include "hypervisor/base/core.h"

/* Maps firmware memory (cached, read-only). Any alignment; the pages around the range are mapped
 * too. NULL when it cannot be mapped. */
MUST_CHECK const void *map_firmware(uint64_t physical, uint64_t size);
/* Takes back what map_firmware() or map_device() mapped. Addresses are never used twice, so that
 * what another core's TLB still holds is never reached and no shoot-down is needed; this core's TLB
 * is flushed. */
void unmap(uintptr_t address, uint64_t size);
