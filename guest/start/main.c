/* SPDX-License-Identifier: MIT */
/* The stub from its entry to its end: load, then leave for the image, or say why not. */
#include "guest/start/start.h"

#include "hypervisor/abi/calls.h"

#define MULTIBOOT_LOADED 0x2badb002u /* Multiboot 3.2 */

extern const struct abi_start start_block;

/* The last instructions before the image's first, the same in 32- and 64-bit mode: whoever
 * overwrites the stub cannot be part of it. */
extern struct leave_code {
    uint8_t rep_stosd[2]; /* 0x00 */
    uint8_t mov_eax;      /* 0x02 */
    uint32_t eax;
    uint8_t mov_ebx; /* 0x07 */
    uint32_t ebx;
    uint8_t mov_esi; /* 0x0c */
    uint32_t esi;
    uint8_t mov_edi; /* 0x11 */
    uint32_t edi;
    uint8_t jmp; /* 0x16 */
    uint32_t distance;
} PACKED leave_code;
_Static_assert(sizeof(struct leave_code) == 27, "instructions without gaps");

struct gdt_pointer {
    uint16_t limit;
    uint64_t base;
} PACKED;

void start_main(void);
NO_RETURN void leave_protected(uint64_t ports, uint64_t vmmcall);
NO_RETURN void leave_long(uint64_t ports, uint64_t vmmcall, uint64_t page_tables,
                          const struct gdt_pointer *gdt);

static bool calls_by_vmmcall(void)
{
    uint32_t eax = ABI_CPUID_FEATURES, ebx, ecx = 0, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ecx == ABI_CALL_VMMCALL;
}

static void refuse(const struct abi_refusal *refusal)
{
    uint64_t number = ABI_START_REFUSED;
    if (calls_by_vmmcall())
        __asm__ volatile("vmmcall" : "+a"(number) : "D"(refusal) : "memory");
    else
        __asm__ volatile("vmcall" : "+a"(number) : "D"(refusal) : "memory");
}

static NO_RETURN void leave(const struct start_result *result)
{
    const bool linux_kernel = result->kind == IMAGE_LINUX;
    leave_code = (struct leave_code){
        .rep_stosd = {0xf3, 0xab},
        .mov_eax = 0xb8,
        .eax = result->kind == IMAGE_MULTIBOOT ? MULTIBOOT_LOADED : 0,
        .mov_ebx = 0xbb,
        .ebx = linux_kernel ? 0 : result->tables.start_info,
        .mov_esi = 0xbe,
        .esi = linux_kernel ? result->tables.start_info : 0,
        .mov_edi = 0xbf,
        .jmp = 0xe9,
        .distance = result->entry - (uint32_t)(uintptr_t)(&leave_code + 1),
    };
    const bool ports = result->kind != IMAGE_PVH, vmmcall = calls_by_vmmcall();
    if (!linux_kernel)
        leave_protected(ports, vmmcall);
    const struct gdt_pointer gdt = {(uint16_t)result->tables.gdt_limit, result->tables.gdt};
    leave_long(ports, vmmcall, result->tables.page_tables, &gdt);
}

void start_main(void)
{
    struct start_result result;
    struct abi_refusal refusal = {0};
    uint8_t *memory;
    __asm__("" : "=r"(memory) : "0"(0)); /* address 0 is memory here, whatever C says of it */
    if (start_load(memory, &start_block, &result, &refusal))
        leave(&result);
    refuse(&refusal);
}
