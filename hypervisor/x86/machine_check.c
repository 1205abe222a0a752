/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/machine_check.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/machine_check_internal.h"
#include "hypervisor/x86/machine_check_registers.h"
#include "hypervisor/x86/registers.h"

#define NO_BANK 0xff

/* One writer, the core; one reader, the control core. Cores that are not there have none:
 * setup/core_arrays.c. */
struct machine_check_notes machine_check_notes[CPU_MAX];

struct machine_check_support machine_check_supports[CPU_MAX];

static void put(const struct machine_check_note *note)
{
    struct machine_check_notes *own = &machine_check_notes[cpu_current()->index];
    uint32_t written = own->written;
    if (written - __atomic_load_n(&own->read, __ATOMIC_ACQUIRE) == MACHINE_CHECK_NOTES) {
        own->dropped++;
        return;
    }
    own->note[written % MACHINE_CHECK_NOTES] = *note;
    __atomic_store_n(&own->written, written + 1, __ATOMIC_RELEASE);
}

/* For the thread that the error hit: SDM 3B 16.9.3, 16.10.4; APM 2 9.3.2. Corrected errors and
 * those that a bank does not signal are not why the exception came. With recovery, errors that
 * nobody has consumed yet are signalled too. */
static enum machine_check judge(uint64_t status)
{
    const uint64_t signalled = MC_STATUS_VALID | MC_STATUS_UNCORRECTED | MC_STATUS_ENABLED;
    if ((status & signalled) != signalled)
        return MACHINE_CHECK_HARMLESS;
    if ((status & MC_STATUS_CORRUPT) != 0)
        return MACHINE_CHECK_CORE;
    if (!machine_check_support()->recovery)
        return MACHINE_CHECK_FATAL;
    if ((status & MC_STATUS_REQUIRED) == 0)
        return MACHINE_CHECK_HARMLESS;
    /* An error that was lost may have required an action too: nobody knows which. */
    return (status & MC_STATUS_OVERFLOW) != 0 ? MACHINE_CHECK_CORE : MACHINE_CHECK_FATAL;
}

/* A broadcast reaches every thread, and threads share banks; MCG_STATUS is each thread's own. RIPV
 * without EIPV: what this thread ran is not involved (SDM 3B 16.10.4). A local one has no other. */
static bool hit_another(uint64_t global)
{
    const uint64_t told = MCG_STATUS_RESTARTS | MCG_STATUS_AT_RIP | MCG_STATUS_LOCAL;
    return machine_check_support()->recovery && (global & told) == MCG_STATUS_RESTARTS;
}

enum machine_check machine_check_scan(enum machine_check_place place, uint64_t global)
{
    const uint64_t told = MCG_STATUS_RESTARTS | MCG_STATUS_AT_RIP;
    /* EIPV: the error is in what ran here, even if another thread has cleared its bank. */
    const enum machine_check least =
        (global & told) == MCG_STATUS_RESTARTS ? MACHINE_CHECK_HARMLESS : MACHINE_CHECK_FATAL;
    enum machine_check worst = least;
    bool any = false, bystander = hit_another(global);
    for (unsigned bank = 0; bank < machine_check_support()->banks; bank++) {
        struct machine_check_note note = {
            .global = global, .bank = (uint8_t)bank, .place = (uint8_t)place};
        if (!msr_read_safe(MSR_MC_STATUS(bank), &note.status) ||
            (note.status & MC_STATUS_VALID) == 0)
            continue;
        if ((note.status & MC_STATUS_HAS_ADDRESS) != 0)
            (void)!msr_read_safe(MSR_MC_ADDRESS(bank), &note.address);
        if ((note.status & MC_STATUS_HAS_MISC) != 0)
            (void)!msr_read_safe(MSR_MC_MISC(bank), &note.misc);
        enum machine_check verdict = judge(note.status);
        /* The bank is left to the thread that was hit. */
        bool leave = bystander && verdict != MACHINE_CHECK_HARMLESS;
        if (leave && verdict == MACHINE_CHECK_FATAL)
            verdict = MACHINE_CHECK_HARMLESS;
        worst = MAX(worst, verdict);
        note.verdict = (uint8_t)MAX(verdict, least);
        put(&note);
        any = true;
        if (!leave)
            (void)!msr_write_safe(MSR_MC_STATUS(bank), 0); /* if that fails, it stays valid */
    }
    if (!any && place != MACHINE_CHECK_BEFORE_BOOT)
        put(&(struct machine_check_note){
            .global = global, .bank = NO_BANK, .place = (uint8_t)place});
    return worst;
}

bool machine_check_pending(void)
{
    uint64_t global;
    return machine_check_support()->banks != 0 && msr_read_safe(MSR_MCG_STATUS, &global) &&
           (global & MCG_STATUS_PENDING) != 0;
}

enum machine_check machine_check_take(enum machine_check_place place)
{
    uint64_t global = 0;
    bool known = machine_check_support()->banks != 0 && msr_read_safe(MSR_MCG_STATUS, &global);
    /* Each machine check sets MCIP. SVM holds the exception back while GIF is 0 (APM 2 15.17); if
     * machine_check_pending() found it there first, it has been taken, and arrives afterwards. */
    if (known && (global & MCG_STATUS_PENDING) == 0)
        return MACHINE_CHECK_HARMLESS;
    enum machine_check worst = machine_check_scan(place, global);
    if (known)
        (void)!msr_write_safe(MSR_MCG_STATUS, 0); /* last: from now on another may come */
    return worst;
}

static const char *meaning(const struct machine_check_note *note)
{
    static const char *const verdicts[] = {
        [MACHINE_CHECK_HARMLESS] = "nothing that ran on this core is lost; it continues",
        [MACHINE_CHECK_FATAL] = "what ran on this core cannot continue; a guest is stopped, the "
                                "hypervisor halts the core",
        [MACHINE_CHECK_CORE] = "the core's state is corrupt; what ran on it is stopped, and it "
                               "runs no guest until the machine is reset",
    };
    if (note->place == MACHINE_CHECK_BEFORE_BOOT)
        return "left from before this boot; cleared";
    if (note->bank == NO_BANK)
        return (note->global & (MCG_STATUS_RESTARTS | MCG_STATUS_AT_RIP)) == MCG_STATUS_RESTARTS
                   ? "no bank of this core holds an error; another core was hit, this one continues"
                   : "no bank of this core holds an error, but what ran on it cannot continue";
    return verdicts[note->verdict];
}

/* MCA error codes, bits 15:0 of the status: SDM 3B 16.9.1 (simple), 16.9.2 (compound). The first
 * row that matches counts. */
static const char *error_of(uint64_t status)
{
    static const struct {
        uint16_t mask, value;
        const char *name;
    } rows[] = {
        {0xffff, 0x0000, "none"},
        {0xffff, 0x0001, "unclassified"},
        {0xffff, 0x0002, "microcode parity"},
        {0xffff, 0x0003, "external"},
        {0xffff, 0x0005, "internal parity"},
        {0xffff, 0x0400, "internal timer: an instruction never ended"},
        {0xffff, 0x0e0b, "I/O"},
        {0xfc00, 0x0400, "internal"},
        {0xeffc, 0x000c, "cache"},
        {0xeff0, 0x0010, "TLB"},
        {0xed80, 0x0080, "memory"}, /* 0280h: memory as a cache */
        {0xef00, 0x0100, "cache"},
        {0xe800, 0x0800, "bus or interconnect"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if ((status & rows[i].mask) == rows[i].value)
            return rows[i].name;
    return "of this model of CPU";
}

static void log_note(unsigned core, const struct machine_check_note *note, bool dying)
{
    static const char *const places[] = {
        [MACHINE_CHECK_IN_GUEST] = "guest",
        [MACHINE_CHECK_IN_HYPERVISOR] = "hypervisor",
        [MACHINE_CHECK_BEFORE_BOOT] = "firmware",
    };
    log_writer *log = dying ? log_panic : log_event;
    char bank[8] = "none";
    if (note->bank != NO_BANK)
        (void)format_text(bank, sizeof bank, "%u", note->bank);
    log("cpu.machine_check",
        "core=%u in=%s bank=%s status=%#lx address=%#lx misc=%#lx global=%#lx error=\"%s\" "
        "message=\"%s\"",
        core, places[note->place], bank, note->status, note->address, note->misc, note->global,
        error_of(note->status), meaning(note));
}

void machine_check_report(bool dying)
{
    for (unsigned core = 0; core < cpu_count(); core++) {
        struct machine_check_notes *from = &machine_check_notes[core];
        while (from->read != __atomic_load_n(&from->written, __ATOMIC_ACQUIRE)) {
            log_note(core, &from->note[from->read % MACHINE_CHECK_NOTES], dying);
            __atomic_store_n(&from->read, from->read + 1, __ATOMIC_RELEASE);
        }
        uint32_t dropped = __atomic_exchange_n(&from->dropped, 0, __ATOMIC_RELAXED);
        if (dropped != 0 && !dying)
            log_event("cpu.machine_check",
                      "core=%u dropped=%u message=\"more machine checks occurred than could be "
                      "recorded; see the ones above\"",
                      core, dropped);
    }
}
