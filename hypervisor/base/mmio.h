/* SPDX-License-Identifier: MIT */
/*
 * Access to device registers and port I/O, by virtual address. Functions rather than macros: host
 * tests link a model of the device behind the same names. Each access is a single instruction of
 * the given width.
 */
#pragma once

#include "hypervisor/base/core.h"

uint8_t mmio_read8(uintptr_t address);
uint16_t mmio_read16(uintptr_t address);
uint32_t mmio_read32(uintptr_t address);
uint64_t mmio_read64(uintptr_t address);
void mmio_write8(uintptr_t address, uint8_t value);
void mmio_write16(uintptr_t address, uint16_t value);
void mmio_write32(uintptr_t address, uint32_t value);
void mmio_write64(uintptr_t address, uint64_t value);

uint8_t port_read8(uint16_t port);
uint16_t port_read16(uint16_t port);
uint32_t port_read32(uint16_t port);
void port_write8(uint16_t port, uint8_t value);
void port_write16(uint16_t port, uint16_t value);
void port_write32(uint16_t port, uint32_t value);
/* Of a width that is known only when it runs: 1, 2, 4 or, in memory, 8 bytes. */
static inline uint64_t mmio_read(uintptr_t address, unsigned width)
{
    return width == 8   ? mmio_read64(address)
           : width == 4 ? mmio_read32(address)
           : width == 2 ? mmio_read16(address)
                        : mmio_read8(address);
}
static inline void mmio_write(uintptr_t address, unsigned width, uint64_t value)
{
    if (width == 8)
        mmio_write64(address, value);
    else if (width == 4)
        mmio_write32(address, (uint32_t)value);
    else if (width == 2)
        mmio_write16(address, (uint16_t)value);
    else
        mmio_write8(address, (uint8_t)value);
}
static inline uint32_t port_read(uint16_t port, unsigned width)
{
    return width == 4 ? port_read32(port) : width == 2 ? port_read16(port) : port_read8(port);
}
static inline void port_write(uint16_t port, unsigned width, uint32_t value)
{
    if (width == 4)
        port_write32(port, value);
    else if (width == 2)
        port_write16(port, (uint16_t)value);
    else
        port_write8(port, (uint8_t)value);
}
/* The bytes one after the other to one port, by a single instruction (REP OUTSB): under another
 * hypervisor that is one exit for all of them. */
void port_write8_all(uint16_t port, const void *bytes, size_t count);

/* Writes back and invalidates the cache lines of a memory range, then fences: for tables that a
 * non-coherent IOMMU reads (VT-d 6.8, ECAP.C = 0). */
void cache_flush_range(const volatile void *address, size_t size);
/* Orders all earlier stores before all later loads and stores (MFENCE). */
void memory_fence(void);
