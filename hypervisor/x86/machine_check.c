#include "hypervisor/x86/machine_check.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/machine_check_internal.h"
#include "hypervisor/x86/machine_check_registers.h"
#include "hypervisor/x86/registers.h"

#define NOTES   16u /* of a core; a power of two */
#define NO_BANK 0xff

struct note {
    uint64_t status, address, misc, global;
    uint8_t bank, place, verdict;
};

/* One writer, the core; one reader, the control core. */
static struct notes {
    struct note note[NOTES];
    volatile uint32_t written, read;
    volatile uint32_t dropped;
} notes[CPU_MAX];

struct machine_check_support machine_check_support;

static void put(const struct note *note)
{
    struct notes *own = &notes[cpu_current()->index];
    uint32_t written = own->written;
    if (written - __atomic_load_n(&own->read, __ATOMIC_ACQUIRE) == NOTES) {
        own->dropped++;
        return;
    }
    own->note[written % NOTES] = *note;
    __atomic_store_n(&own->written, written + 1, __ATOMIC_RELEASE);
}

/* SDM 3B 16.9.3, 16.10.4; APM 2 9.3.2. Corrected errors and those that a bank does not signal are
 * not why the exception came. Recovery: errors that nobody has consumed yet are signalled too. */
static enum machine_check judge(uint64_t status)
{
    const uint64_t signalled = MC_STATUS_VALID | MC_STATUS_UNCORRECTED | MC_STATUS_ENABLED;
    if ((status & signalled) != signalled)
        return MACHINE_CHECK_HARMLESS;
    if ((status & MC_STATUS_CORRUPT) != 0)
        return MACHINE_CHECK_CORE;
    if (!machine_check_support.recovery)
        return MACHINE_CHECK_FATAL;
    if ((status & MC_STATUS_REQUIRED) == 0)
        return MACHINE_CHECK_HARMLESS;
    /* What else required action is not known any more. */
    return (status & MC_STATUS_OVERFLOW) != 0 ? MACHINE_CHECK_CORE : MACHINE_CHECK_FATAL;
}

enum machine_check machine_check_scan(enum machine_check_place place, uint64_t global)
{
    enum machine_check worst = MACHINE_CHECK_HARMLESS;
    bool any = false;
    for (unsigned bank = 0; bank < machine_check_support.banks; bank++) {
        struct note note = {.global = global, .bank = (uint8_t)bank, .place = (uint8_t)place};
        if (!msr_read_safe(MSR_MC_STATUS(bank), &note.status) ||
            (note.status & MC_STATUS_VALID) == 0)
            continue;
        if ((note.status & MC_STATUS_HAS_ADDRESS) != 0)
            (void)!msr_read_safe(MSR_MC_ADDRESS(bank), &note.address);
        if ((note.status & MC_STATUS_HAS_MISC) != 0)
            (void)!msr_read_safe(MSR_MC_MISC(bank), &note.misc);
        enum machine_check verdict = judge(note.status);
        note.verdict = (uint8_t)verdict;
        put(&note);
        worst = MAX(worst, verdict);
        any = true;
        (void)!msr_write_safe(MSR_MC_STATUS(bank), 0); /* one that cannot be cleared stays valid */
    }
    if (!any && place != MACHINE_CHECK_BEFORE_BOOT)
        put(&(struct note){.global = global, .bank = NO_BANK, .place = (uint8_t)place});
    return worst;
}

bool machine_check_pending(void)
{
    uint64_t global;
    return machine_check_support.banks != 0 && msr_read_safe(MSR_MCG_STATUS, &global) &&
           (global & MCG_STATUS_PENDING) != 0;
}

enum machine_check machine_check_take(enum machine_check_place place)
{
    uint64_t global = 0;
    if (machine_check_support.banks != 0)
        (void)!msr_read_safe(MSR_MCG_STATUS, &global);
    enum machine_check worst = machine_check_scan(place, global);
    if ((global & MCG_STATUS_RESTARTS) == 0)
        worst = MAX(worst, MACHINE_CHECK_FATAL);
    if (machine_check_support.banks != 0)
        (void)!msr_write_safe(MSR_MCG_STATUS, 0); /* last: from now on another may come */
    return worst;
}

static const char *meaning(const struct note *note)
{
    static const char *const verdicts[] = {
        [MACHINE_CHECK_HARMLESS] = "not fatal to what ran here, which goes on",
        [MACHINE_CHECK_FATAL] = "what ran here cannot go on: a guest ends, the hypervisor stops",
        [MACHINE_CHECK_CORE] =
            "the core's state is corrupt: what ran here ends, no guest runs here until a reset",
    };
    if (note->place == MACHINE_CHECK_BEFORE_BOOT)
        return "left over from before this boot; cleared";
    if (note->bank == NO_BANK)
        return (note->global & MCG_STATUS_RESTARTS) != 0
                   ? "no bank of this core has an error: another core was hit, this one goes on"
                   : "no bank of this core has an error, but what ran here cannot go on";
    return verdicts[note->verdict];
}

static void log_note(unsigned core, const struct note *note, bool dying)
{
    static const char *const places[] = {
        [MACHINE_CHECK_IN_GUEST] = "guest",
        [MACHINE_CHECK_IN_HYPERVISOR] = "hypervisor",
        [MACHINE_CHECK_BEFORE_BOOT] = "firmware",
    };
    void (*log)(const char *, const char *, ...) PRINTF_LIKE(2, 3) = dying ? log_panic : log_event;
    char bank[8] = "none";
    if (note->bank != NO_BANK)
        (void)format_text(bank, sizeof bank, "%u", note->bank);
    log("cpu.machine_check",
        "core=%u in=%s bank=%s status=%#llx address=%#llx misc=%#llx global=%#llx message=\"%s\"",
        core, places[note->place], bank, (unsigned long long)note->status,
        (unsigned long long)note->address, (unsigned long long)note->misc,
        (unsigned long long)note->global, meaning(note));
}

void machine_check_report(bool dying)
{
    for (unsigned core = 0; core < CPU_MAX; core++) {
        struct notes *from = &notes[core];
        while (from->read != __atomic_load_n(&from->written, __ATOMIC_ACQUIRE)) {
            log_note(core, &from->note[from->read % NOTES], dying);
            __atomic_store_n(&from->read, from->read + 1, __ATOMIC_RELEASE);
        }
        uint32_t dropped = __atomic_exchange_n(&from->dropped, 0, __ATOMIC_RELAXED);
        if (dropped != 0 && !dying)
            log_event("cpu.machine_check",
                      "core=%u dropped=%u message=\"more machine checks came than could be kept; "
                      "see those above\"",
                      core, dropped);
    }
}
