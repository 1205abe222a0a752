/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/mmio.h"

#include "hypervisor/x86/registers.h"

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

enum flush_instruction { FLUSH_UNKNOWN, FLUSH_CLFLUSHOPT, FLUSH_CLFLUSH, FLUSH_WBINVD };

/* Which instruction, and the line size in bytes (SDM 2A CPUID: 1.EBX[15:8], 1.EDX[19],
 * 7.0.EBX[23]). Every core finds the same, so it does not matter who asks first. */
static enum flush_instruction flush_instruction(size_t *line)
{
    static volatile uint32_t known_line;
    static volatile uint32_t known;
    if (known == FLUSH_UNKNOWN) {
        struct cpuid_result features = cpuid(1, 0);
        bool clflush = (features.edx & BIT(19)) != 0;
        bool clflushopt = cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & BIT(23)) != 0;
        uint32_t size = (uint32_t)FIELD(features.ebx, 15, 8) * 8;
        known_line = size != 0 ? size : 64;
        known = !clflush ? FLUSH_WBINVD : clflushopt ? FLUSH_CLFLUSHOPT : FLUSH_CLFLUSH;
    }
    *line = known_line;
    return known;
}

void cache_flush_range(const volatile void *address, size_t size)
{
    size_t line;
    enum flush_instruction instruction = flush_instruction(&line);
    if (size == 0)
        return;
    /* CLFLUSHOPT is ordered against the stores before it only by a fence. */
    memory_fence();
    if (instruction == FLUSH_WBINVD) {
        __asm__ volatile("wbinvd" ::: "memory");
        return;
    }
    uintptr_t end = (uintptr_t)address + size;
    for (uintptr_t at = ALIGN_DOWN((uintptr_t)address, line); at < end; at += line) {
        if (instruction == FLUSH_CLFLUSHOPT)
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
