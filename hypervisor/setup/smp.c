/* SPDX-License-Identifier: MIT */
/*
 * Starting the other cores. Some are woken at once and arrive on page tables of their own, each on
 * its own stack; then the boot core takes them in one after the other, so that indices have no
 * holes whoever is missing; then come the next. A core that is given up gets an INIT and finds its
 * arrival closed.
 */
#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/log_boot.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/cpu.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/topology.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/core_state.h"
#include "hypervisor/x86/registers.h"

#define APIC_COMMAND_INIT       0x4500u
#define APIC_COMMAND_SIPI(page) (0x4600u | (page))

/* On a busy emulator a core takes long to arrive, and longer to reach its idle loop while hundreds
 * of others run. */
#define ARRIVAL_LIMIT MILLISECONDS(3000)
#define IDLE_LIMIT    MILLISECONDS(10000)
#define STACK_PAGES   4
#define TOGETHER      16 /* cores that are woken at once: those that wait to be taken in spin */
#define INIT_DELAY    MILLISECONDS(10) /* SDM 3A 9.4.4.1 */
#define SIPI_DELAY    200

enum arrival_state {
    ARRIVAL_AWAITED,
    ARRIVAL_HERE,
    ARRIVAL_ADMITTED,
    ARRIVAL_PASSED, /* the entry has it */
    ARRIVAL_CLOSED
};

struct arrival {
    uint32_t apic_id;        /* 0 */
    volatile uint32_t state; /* 4: enum arrival_state */
    uintptr_t stack_top;     /* 8 */
    struct cpu *cpu;         /* 16: set before it is admitted */
};
_Static_assert(sizeof(struct arrival) == 24, "trampoline.asm");
_Static_assert(offsetof(struct arrival, stack_top) == 8, "trampoline.asm");

extern const uint8_t trampoline_start[], trampoline_end[], trampoline_far_pointer[];
extern const uint8_t trampoline_gdtr_base[], trampoline_cr3[], trampoline_entry[];
extern const uint8_t trampoline_gdt[], trampoline_long[];
extern const uint8_t smp_entry[], core_gate[];
extern uintptr_t core_gate_target;

/* Read by trampoline.asm. */
struct arrival smp_arrivals[CPU_MAX];
uint32_t smp_arrival_count;
NO_RETURN void smp_core_main(struct arrival *arrival);

static void (*core_entry)(struct cpu *cpu);
static uint64_t core_roots[CPU_MAX];
static volatile uint64_t tsc_floor;

static bool change_state(struct arrival *arrival, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&arrival->state, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static void refuse(const struct arrival *arrival, const char *why)
{
    log_event("cpu.refused", "apic=%u message=\"%s\"", arrival->apic_id, why);
}

/* INIT leaves it waiting for a SIPI that never comes. */
static void switch_off(struct arrival *arrival)
{
    arrival->state = ARRIVAL_CLOSED;
    (void)!apic_send(arrival->apic_id, APIC_COMMAND_INIT);
}

/* --- on the started core --- */

void smp_core_main(struct arrival *arrival)
{
    if (!change_state(arrival, ARRIVAL_AWAITED, ARRIVAL_HERE))
        cpu_halt_forever();
    while (arrival->state == ARRIVAL_HERE)
        clock_relax();
    if (arrival->state != ARRIVAL_ADMITTED)
        cpu_halt_forever();

    struct cpu *cpu = arrival->cpu;
    cr3_write(core_roots[cpu->index]);
    core_state_load(cpu);
    /* The clock counts from the boot core's TSC at the hand-over; a core whose TSC lies behind that
     * would see no time pass. */
    if (tsc_read() < tsc_floor)
        msr_write(MSR_TSC, tsc_floor);
    if (apic_enable() != STATUS_OK) {
        cpu->state = CPU_FAILED;
        cpu_halt_forever();
    }
    cpu->apic_id = apic_id();
    topology_note(cpu->index, cpu->apic_id, arrival->apic_id, cpuid);
    log_start_core(pages_allocate(LOG_RING_PAGES), LOG_RING_PAGES * PAGE_SIZE);
    arrival->state = ARRIVAL_PASSED;
    core_entry(cpu);
    cpu_halt_forever();
}

/* --- on the boot core --- */

static void note_boot_core(const struct madt *madt)
{
    uint32_t own = apic_id(), listed = madt->cpu_count == 0 ? own : UINT32_MAX;
    for (uint32_t i = 0; i < madt->cpu_count && i < MADT_MAX_CPUS; i++)
        if (madt->apic_id[i] == own)
            listed = own;
    topology_note(0, own, listed, cpuid);
}

static enum status list_cores(const struct madt *madt)
{
    enum status status = STATUS_OK;
    uint32_t own = apic_id();
    smp_arrival_count = 0;
    for (uint32_t i = 0; i < madt->cpu_count && i < MADT_MAX_CPUS; i++) {
        struct arrival arrival = {.apic_id = madt->apic_id[i]};
        if (arrival.apic_id == own)
            continue;
        if (smp_arrival_count == CPU_MAX - 1) {
            refuse(&arrival, "more cores than Bulkhead supports; this one stays off");
            status = STATUS_UNSUPPORTED;
            continue;
        }
        if (!apic_is_x2apic() && arrival.apic_id > 0xfe) {
            refuse(&arrival, "its APIC id needs x2APIC mode, which the boot core does not have");
            continue;
        }
        arrival.stack_top = stack_create(STACK_PAGES);
        if (arrival.stack_top == 0) {
            refuse(&arrival, "no memory for its stack; it stays off");
            return STATUS_NO_MEMORY;
        }
        smp_arrivals[smp_arrival_count++] = arrival;
    }
    return status;
}

/* To C, each label of the trampoline is an object of its own: numbers, not pointers, are
 * subtracted. */
static size_t trampoline_offset(const uint8_t *label)
{
    return (uintptr_t)label - (uintptr_t)trampoline_start;
}

static void put_field(uint8_t *copy, const uint8_t *field, uint64_t value, size_t size)
{
    memcpy(copy + trampoline_offset(field), &value, size);
}

/* Copies the trampoline into its page and maps that where it lies; STATUS_NO_MEMORY. */
static enum status place_trampoline(uint64_t *page)
{
    if (frames_claim_low_page(page) != STATUS_OK)
        return STATUS_NO_MEMORY;
    /* Any core's tables would do to enter the image; this core's certainly exist. */
    uint64_t tables = address_space_create_core(1);
    uint8_t *copy = (uint8_t *)map_device(*page, PAGE_SIZE);
    /* 32-bit code loads CR3. */
    if (tables == 0 || tables > UINT32_MAX || copy == NULL)
        return STATUS_NO_MEMORY;
    memcpy(copy, trampoline_start, trampoline_offset(trampoline_end));
    put_field(copy, trampoline_gdtr_base, *page + trampoline_offset(trampoline_gdt), 4);
    put_field(copy, trampoline_far_pointer, *page + trampoline_offset(trampoline_long), 4);
    put_field(copy, trampoline_cr3, tables, 4);
    put_field(copy, trampoline_entry, (uintptr_t)core_gate, 8);
    core_gate_target = (uintptr_t)smp_entry;
    unmap((uintptr_t)copy, PAGE_SIZE);
    return trampoline_map(*page);
}

static void send_to_awaited(uint32_t first, uint32_t last, uint32_t command)
{
    for (uint32_t i = first; i < last; i++)
        if (smp_arrivals[i].state == ARRIVAL_AWAITED)
            (void)!apic_send(smp_arrivals[i].apic_id, command);
}

static bool all_arrived(uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last; i++)
        if (smp_arrivals[i].state == ARRIVAL_AWAITED)
            return false;
    return true;
}

/* Gives the core its index, address space and stacks and lets it go on; false: it was refused. */
static bool admit(struct arrival *arrival)
{
    unsigned index = cpu_count();
    struct cpu *cpu = &core_states.cpus[index];
    *cpu = (struct cpu){.self = cpu,
                        .index = index,
                        .apic_id = arrival->apic_id,
                        .state = CPU_STARTING,
                        .stack_top = arrival->stack_top};
    core_roots[index] = address_space_create_core(index);
    if (core_roots[index] == 0 || core_stacks_create(index) != STATUS_OK) {
        refuse(arrival, "no memory for its page tables or stacks; it stays off");
        switch_off(arrival);
        return false;
    }
    arrival->cpu = cpu;
    tsc_floor = tsc_read();
    if (!change_state(arrival, ARRIVAL_HERE, ARRIVAL_ADMITTED) ||
        !WAIT_UNTIL(cpu->state != CPU_STARTING, IDLE_LIMIT) ||
        (cpu->state == CPU_FAILED && arrival->state != ARRIVAL_PASSED)) {
        refuse(arrival, "it started, but did not get to its idle loop");
        switch_off(arrival);
        return false;
    }
    return true;
}

/* Whether all of them came. */
static bool start_some(uint32_t first, uint32_t last, uint64_t page)
{
    bool all_came = true;
    send_to_awaited(first, last, APIC_COMMAND_INIT);
    clock_delay(INIT_DELAY);
    send_to_awaited(first, last, APIC_COMMAND_SIPI((uint32_t)(page / PAGE_SIZE)));
    clock_delay(SIPI_DELAY);
    send_to_awaited(first, last, APIC_COMMAND_SIPI((uint32_t)(page / PAGE_SIZE)));
    (void)WAIT_UNTIL(all_arrived(first, last), ARRIVAL_LIMIT);
    for (uint32_t i = first; i < last; i++) {
        struct arrival *arrival = &smp_arrivals[i];
        if (change_state(arrival, ARRIVAL_AWAITED, ARRIVAL_CLOSED)) {
            refuse(arrival, "the MADT lists it, but it did not start; it is left out");
            switch_off(arrival);
            all_came = false;
        } else if (admit(arrival)) {
            core_states.online++;
        }
    }
    return all_came;
}

enum status cpu_start_all(const struct madt *madt, void (*entry)(struct cpu *cpu))
{
    core_entry = entry;
    note_boot_core(madt);
    enum status status = list_cores(madt);
    uint64_t page = 0;
    bool all_came = true;
    if (smp_arrival_count > 0) {
        enum status placed = place_trampoline(&page);
        if (placed != STATUS_OK) {
            log_event("cpu.refused", "message=\"no memory below 1 MiB for the other cores' first "
                                     "instructions; only the boot core is used\"");
            log_event("cpu.online", "count=%u", cpu_count());
            return placed;
        }
    }
    for (uint32_t first = 0; first < smp_arrival_count; first += TOGETHER)
        all_came = start_some(first, MIN(first + TOGETHER, smp_arrival_count), page) && all_came;
    core_gate_target = 0;
    /* One that wakes up after all must find the page, and then the gate closed; without the page it
     * would reset the machine. */
    if (page != 0 && all_came)
        trampoline_unmap(page);
    log_event("cpu.online", "count=%u listed=%u", cpu_count(), madt->cpu_count);
    topology_log();
    return status;
}
