/* SPDX-License-Identifier: MIT */
/*
 * Starts all of its vCPUs, which the MADT lists, in three ways: one by one, by clusters with a
 * logical destination, and all at once with a shorthand (SDM 3A 11.12.9, 11.12.10). What runs there
 * counts in memory.
 *
 * Exits with 0 when each was counted each time; cpus=N: so many must be listed.
 */
#include "guest/runtime/counter.h"
#include "guest/runtime/runtime.h"

#define TRAMPOLINE     0x8000u
#define COUNTER        0x8100u   /* CS:0x100 over there */
#define LIMIT          60000000u /* microseconds: a busy computer starts a core late */
#define MSR_ICR        0x830
#define ICR_INIT       0x4500u
#define ICR_START_UP   0x4600u
#define ICR_LOGICAL    0x800u
#define ICR_OTHERS     0xc0000u
#define SIGNATURE_APIC 0x43495041u
#define MADT_FIRST     44
#define MADT_X2APIC    9
#define MAX_CPUS       64

static const uint8_t trampoline[] = {
    0xf0, 0x2e, 0xff, 0x06, 0x00, 0x01, /* lock inc word [cs:0x100] */
    0xf4,                               /* hlt */
    0xeb, 0xfd,                         /* jmp to the hlt */
};

static uint32_t ids[MAX_CPUS];
static unsigned count;

static void read_madt(void)
{
    uint64_t madt = acpi_table(SIGNATURE_APIC);
    if (madt == 0)
        return;
    uint64_t end = madt + read32((uintptr_t)(madt + 4));
    for (uint64_t entry = madt + MADT_FIRST; entry + 2 <= end && count < MAX_CPUS;) {
        const volatile uint8_t *bytes = (const volatile uint8_t *)(uintptr_t)entry;
        if (bytes[0] == MADT_X2APIC)
            ids[count++] = read32((uintptr_t)(entry + 4));
        if (bytes[1] == 0)
            break;
        entry += bytes[1];
    }
}

static void command(uint32_t destination, uint32_t low)
{
    __asm__ volatile("wrmsr" : : "c"(MSR_ICR), "a"(low), "d"(destination) : "memory");
}

/* Each vCPU waits for a start-up IPI after INIT, and takes no notice of a second one. */
static void start(uint32_t destination, uint32_t how)
{
    command(destination, ICR_INIT | how);
    command(destination, ICR_START_UP | how | TRAMPOLINE >> 12);
    command(destination, ICR_START_UP | how | TRAMPOLINE >> 12);
}

static void start_one_by_one(uint32_t own)
{
    for (unsigned i = 0; i < count; i++)
        if (ids[i] != own)
            start(ids[i], 0);
}

/* The logical id is a cluster of 16 and a bit in it. */
static void start_clusters(uint32_t own)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t cluster = ids[i] >> 4, members = 0, first = 1;
        for (unsigned other = 0; other < count; other++) {
            if (ids[other] >> 4 != cluster)
                continue;
            first = first != 0 && other >= i;
            if (ids[other] != own)
                members |= 1u << (ids[other] & 15);
        }
        if (first != 0 && members != 0)
            start(cluster << 16 | members, ICR_LOGICAL);
    }
}

static void start_all(uint32_t own)
{
    (void)own;
    start(0, ICR_OTHERS);
}

int guest_main(void)
{
    static void (*const ways[])(uint32_t own) = {start_one_by_one, start_clusters, start_all};
    read_madt();
    if (count != argument_number("cpus", count)) {
        print("the MADT lists %u vCPUs\n", count);
        return 1;
    }
    for (size_t i = 0; i < sizeof trampoline; i++)
        ((volatile uint8_t *)TRAMPOLINE)[i] = trampoline[i];
    *(volatile uint16_t *)COUNTER = 0;
    for (unsigned way = 0; way < 3; way++) {
        ways[way](own_apic_id());
        if (!count_reaches(COUNTER, (way + 1) * (count - 1), LIMIT)) {
            print("way %u: %u starts instead of %u\n", way,
                  *(const volatile uint16_t *)COUNTER - way * (count - 1), count - 1);
            return 2;
        }
    }
    wait_microseconds(20000);
    if (!count_reaches(COUNTER, 3 * (count - 1), LIMIT)) {
        print("somebody started twice\n");
        return 3;
    }
    print("%u vCPUs started in three ways\n", count - 1);
    return 0;
}
