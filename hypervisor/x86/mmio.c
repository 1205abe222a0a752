/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/mmio.h"

#include "hypervisor/x86/cache_lines.h"

#define MMIO_FUNCTIONS(bits)                                                                       \
    uint##bits##_t mmio_read##bits(uintptr_t address)                                              \
    {                                                                                              \
        uint##bits##_t value;                                                                      \
        __asm__ volatile("mov %1, %0"                                                              \
                         : "=r"(value)                                                             \
                         : "m"(*(const volatile uint##bits##_t *)address)                          \
                         : "memory");                                                              \
        return value;                                                                              \
    }                                                                                              \
    void mmio_write##bits(uintptr_t address, uint##bits##_t value)                                 \
    {                                                                                              \
        __asm__ volatile("mov %1, %0"                                                              \
                         : "=m"(*(volatile uint##bits##_t *)address)                               \
                         : "r"(value)                                                              \
                         : "memory");                                                              \
    }

MMIO_FUNCTIONS(8)
MMIO_FUNCTIONS(16)
MMIO_FUNCTIONS(32)
MMIO_FUNCTIONS(64)

#define PORT_FUNCTIONS(bits, suffix)                                                               \
    uint##bits##_t port_read##bits(uint16_t port)                                                  \
    {                                                                                              \
        uint##bits##_t value;                                                                      \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port) : "memory");             \
        return value;                                                                              \
    }                                                                                              \
    void port_write##bits(uint16_t port, uint##bits##_t value)                                     \
    {                                                                                              \
        __asm__ volatile("out" suffix " %0, %1" : : "a"(value), "Nd"(port) : "memory");            \
    }

PORT_FUNCTIONS(8, "b")
PORT_FUNCTIONS(16, "w")
PORT_FUNCTIONS(32, "l")

struct cache_lines cache_lines;

void cache_flush_range(const volatile void *address, size_t size)
{
    if (size == 0)
        return;
    /* CLFLUSHOPT is ordered against the stores before it only by a fence. */
    memory_fence();
    if (cache_lines.flush == FLUSH_WBINVD) {
        __asm__ volatile("wbinvd" ::: "memory");
        return;
    }
    uintptr_t end = (uintptr_t)address + size;
    for (uintptr_t at = ALIGN_DOWN((uintptr_t)address, cache_lines.size); at < end;
         at += cache_lines.size) {
        if (cache_lines.flush == FLUSH_CLFLUSHOPT)
            __asm__ volatile("clflushopt (%0)" : : "r"(at) : "memory");
        else
            __asm__ volatile("clflush (%0)" : : "r"(at) : "memory");
    }
    memory_fence();
}

void memory_fence(void)
{
    __asm__ volatile("mfence" ::: "memory");
}

void port_write8_all(uint16_t port, const void *bytes, size_t count)
{
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
}
