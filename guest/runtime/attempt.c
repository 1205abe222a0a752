/* SPDX-License-Identifier: MIT */
#include "guest/runtime/attempt.h"

#include "hypervisor/abi/calls.h"

#define VECTOR_NMI 2
#define VECTOR_UD  6
#define VECTOR_GP  13
#define MSR_EOI    0x80b

/* What an exception pushes. It belongs to the handler's caller, but to a compiler it is an
 * argument: unless it is volatile, GCC 14 drops what a handler writes to it. */
struct frame {
    uint64_t rip, cs, flags, rsp, ss;
};

volatile unsigned attempt_faults, attempt_strays;
volatile uint64_t attempt_skip = 2;
static uint64_t state;

__attribute__((interrupt)) static void on_fault(volatile struct frame *frame)
{
    attempt_faults = attempt_faults + 1;
    frame->rip += attempt_skip;
}

__attribute__((interrupt)) static void on_fault_with_code(volatile struct frame *frame,
                                                          uint64_t code)
{
    (void)code;
    attempt_faults = attempt_faults + 1;
    frame->rip += attempt_skip;
}

/* An interrupt with a vector of the exceptions, or an NMI: no error code. */
__attribute__((interrupt)) static void on_stray(volatile struct frame *frame)
{
    (void)frame;
    attempt_strays = attempt_strays + 1;
    __asm__ volatile("wrmsr" : : "c"(MSR_EOI), "a"(0), "d"(0) : "memory");
}

void attempt_gate(unsigned vector, uint64_t handler)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer;
    __asm__ volatile("sidt %0" : "=m"(pointer));
    volatile uint64_t *gate = (volatile uint64_t *)(uintptr_t)(pointer.base + vector * 16);
    gate[0] = (handler & 0xffff) | UINT64_C(8) << 16 | UINT64_C(0x8e00) << 32 |
              (handler >> 16 & 0xffff) << 48;
    gate[1] = handler >> 32;
}

void attempt_begin(void)
{
    attempt_gate(VECTOR_UD, (uint64_t)(uintptr_t)on_fault);
    attempt_gate(VECTOR_GP, (uint64_t)(uintptr_t)on_fault_with_code);
}

void attempt_take_strays(void)
{
    attempt_gate(VECTOR_NMI, (uint64_t)(uintptr_t)on_stray);
    for (unsigned vector = 16; vector < 32; vector++)
        attempt_gate(vector, (uint64_t)(uintptr_t)on_stray);
}

void random_begin(uint64_t seed)
{
    state = seed | UINT64_C(1) << 63;
}

uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

bool attempt_read_msr(uint32_t msr, uint64_t *value)
{
    uint32_t low = 0, high = 0;
    unsigned before = attempt_faults;
    attempt_skip = 2;
    __asm__ volatile("rdmsr" : "+a"(low), "+d"(high) : "c"(msr) : "memory");
    *value = (uint64_t)high << 32 | low;
    return attempt_faults == before;
}

bool attempt_write_msr(uint32_t msr, uint64_t value)
{
    unsigned before = attempt_faults;
    attempt_skip = 2;
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
    return attempt_faults == before;
}

void port_write(uint16_t port, unsigned width, uint32_t value)
{
    if (width == 1)
        __asm__ volatile("outb %b0, %1" : : "a"(value), "Nd"(port));
    else if (width == 2)
        __asm__ volatile("outw %w0, %1" : : "a"(value), "Nd"(port));
    else
        __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

uint32_t port_read(uint16_t port, unsigned width)
{
    uint32_t value = 0;
    if (width == 1)
        __asm__ volatile("inb %1, %b0" : "+a"(value) : "Nd"(port));
    else if (width == 2)
        __asm__ volatile("inw %1, %w0" : "+a"(value) : "Nd"(port));
    else
        __asm__ volatile("inl %1, %0" : "+a"(value) : "Nd"(port));
    return value;
}

void memory_write(uintptr_t address, unsigned width, uint32_t value)
{
    if (width == 1)
        __asm__ volatile("movb %b0, (%1)" : : "q"(value), "r"(address) : "memory");
    else if (width == 2)
        __asm__ volatile("movw %w0, (%1)" : : "r"(value), "r"(address) : "memory");
    else
        write32(address, value);
}

uint32_t memory_read(uintptr_t address, unsigned width)
{
    uint32_t value = 0;
    if (width == 1)
        __asm__ volatile("movb (%1), %b0" : "+q"(value) : "r"(address) : "memory");
    else if (width == 2)
        __asm__ volatile("movw (%1), %w0" : "+r"(value) : "r"(address) : "memory");
    else
        value = read32(address);
    return value;
}

int64_t guest_call(uint64_t number, uint64_t first, uint64_t second)
{
    static uint32_t instruction;
    int64_t result = (int64_t)number;
    if (instruction == 0) {
        uint32_t a = ABI_CPUID_FEATURES, b, c = 0, d;
        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        instruction = c;
    }
    if (instruction == ABI_CALL_VMCALL)
        __asm__ volatile("vmcall" : "+a"(result) : "D"(first), "S"(second) : "memory");
    else
        __asm__ volatile("vmmcall" : "+a"(result) : "D"(first), "S"(second) : "memory");
    return result;
}
