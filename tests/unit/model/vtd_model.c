/* SPDX-License-Identifier: MIT */
/* The unit's registers. */
#include "tests/unit/model/vtd_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/setup/iommu_registers.h"

#define TOGGLES  (VTD_GLOBAL_TE | VTD_GLOBAL_QIE | VTD_GLOBAL_IRE | VTD_GLOBAL_CFI)
#define ONE_SHOT (VTD_GLOBAL_SRTP | VTD_GLOBAL_SFL | VTD_GLOBAL_WBF | VTD_GLOBAL_SIRTP)

static struct vtd_model units[MODEL_MAX_UNITS];
static unsigned unit_count;
bool (*vtd_model_elsewhere)(uintptr_t address, unsigned width, uint64_t *value, bool write);
static unsigned violations;
static char violation[256], first_violation[256];
static struct {
    uint64_t base, size;
} mapped[32];

/* Units are set up once in a process' life; what they hold is theirs for good. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

void vtd_model_violation(const char *format, ...)
{
    violations++;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(violation, sizeof violation, format, arguments);
    va_end(arguments);
    if (violations == 1)
        memcpy(first_violation, violation, sizeof violation);
}

unsigned vtd_model_violations(void)
{
    return violations;
}

const char *vtd_model_violation_text(void)
{
    return violation;
}

const char *vtd_model_first_violation_text(void)
{
    return first_violation;
}

void vtd_model_reset(void)
{
    memset(units, 0, sizeof units);
    memset(mapped, 0, sizeof mapped);
    unit_count = 0;
    violations = 0;
    violation[0] = first_violation[0] = '\0';
    vtd_model_memory_reset();
    vtd_model_x2apic(true);
    vtd_model_control_core(0);
}

struct vtd_model *vtd_model_add(uint64_t base, uint64_t cap, uint64_t ecap)
{
    struct vtd_model *unit = &units[unit_count++];
    *unit =
        (struct vtd_model){.base = base, .version = 0x10, .cap = cap, .ecap = ecap, .latency = 3};
    unit->fectl = VTD_FECTL_IM;
    return unit;
}

struct vtd_model *vtd_model_at(unsigned index)
{
    return index < unit_count ? &units[index] : NULL;
}

void vtd_model_counts_clear(struct vtd_model *unit)
{
    unit->counts = (struct vtd_model_counts){.wait = 0};
}

/* --- commands --- */

/* What a write to GCMD asks for, in words: "TE on, QIE off, SRTP". */
static const char *command_text(uint32_t asked, uint32_t on)
{
    static const char *const names[32] = {
        [31] = "TE",  [30] = "SRTP", [29] = "SFL",   [27] = "WBF",
        [26] = "QIE", [25] = "IRE",  [24] = "SIRTP", [23] = "CFI"};
    static char text[96];
    size_t used = 0;
    for (unsigned bit = 32; bit-- > 23;)
        if ((asked & BIT(bit)) != 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s",
                                     used > 0 ? ", " : "", names[bit],
                                     (ONE_SHOT & BIT(bit)) != 0 ? ""
                                     : (on & BIT(bit)) != 0     ? " on"
                                                                : " off");
    return used > 0 ? text : "nothing";
}

static void begin_command(struct vtd_model *unit, uint32_t value)
{
    uint32_t toggled = (value ^ unit->gsts) & TOGGLES;
    uint32_t once = value & ONE_SHOT;
    if (unit->pending != 0)
        vtd_model_violation("GCMD %#x while %#x is not done: GSTS tells when it is", value,
                            unit->pending);
    if (__builtin_popcount(toggled) + __builtin_popcount(once) != 1)
        vtd_model_violation("GCMD %#x is not one command (status %#x): it asks for %s", value,
                            unit->gsts, command_text(toggled | once, value));
    if (value & ~(TOGGLES | ONE_SHOT))
        vtd_model_violation("GCMD %#x has reserved bits", value);
    const bool sets_table = (once & (VTD_GLOBAL_SRTP | VTD_GLOBAL_SIRTP)) != 0;
    if (sets_table && (unit->cap & VTD_CAP_RWBF) != 0 && !unit->buffer_flushed)
        vtd_model_violation("GCMD %#x sets a table that may still be in the write buffer", value);
    unit->buffer_flushed = (once & VTD_GLOBAL_WBF) != 0;
    unit->pending = toggled | once;
    unit->countdown = unit->latency;
    unit->gsts &= ~(once & (VTD_GLOBAL_SRTP | VTD_GLOBAL_SIRTP));
    unit->gsts |= once & VTD_GLOBAL_WBF;
    if (once & VTD_GLOBAL_WBF)
        unit->counts.write_buffer++;
}

/* What firmware's devices do does not stop while somebody sets tables up. */
static void check_firmware(const struct vtd_model *unit)
{
    for (uint16_t source = 0; source < 256; source++)
        if ((unit->firmware[source / 64] >> source % 64 & 1) != 0 &&
            !vtd_model_has_context(unit, source))
            vtd_model_violation("translating while 00:%02x.%x, which firmware uses, has no context "
                                "entry",
                                source >> 3, source & 7);
}

static void turn_on_translation(struct vtd_model *unit)
{
    check_firmware(unit);
    if ((unit->gsts & VTD_GLOBAL_SRTP) == 0)
        vtd_model_violation("TE before a root table was set");
    if (unit->scalable && unit->needs_pasid)
        vtd_model_violation("TE with the PASID cache not invalidated since the root table was set");
    if (unit->needs_context || unit->needs_iotlb)
        vtd_model_violation("TE with %s not invalidated since the root table was set",
                            !unit->needs_iotlb     ? "the context cache"
                            : !unit->needs_context ? "the IOTLB"
                                                   : "both caches");
}

static void turn_on_queue(struct vtd_model *unit)
{
    if (unit->iqt != 0)
        vtd_model_violation("QIE with a tail of %#llx", (unsigned long long)unit->iqt);
    if (unit->iqa == 0)
        vtd_model_violation("QIE without a queue");
    if ((unit->ecap & VTD_ECAP_QI) == 0)
        vtd_model_violation("QIE on a unit without queued invalidation");
    unit->iqh = 0;
    unit->queue_stopped = false;
}

static void turn_on_interrupts(struct vtd_model *unit)
{
    if ((unit->gsts & VTD_GLOBAL_SIRTP) == 0)
        vtd_model_violation("IRE before an interrupt table was set");
    if ((unit->gsts & VTD_GLOBAL_QIE) == 0)
        vtd_model_violation("IRE without queued invalidation");
    if (unit->needs_iec)
        vtd_model_violation("IRE with the entry cache not invalidated");
    if ((unit->ecap & VTD_ECAP_IR) == 0)
        vtd_model_violation("IRE on a unit without interrupt remapping");
}

static void finish_command(struct vtd_model *unit)
{
    uint32_t done = unit->pending & ~unit->stuck;
    unit->pending &= unit->stuck;
    if (done & VTD_GLOBAL_WBF)
        unit->gsts &= ~VTD_GLOBAL_WBF;
    if (done & VTD_GLOBAL_SRTP) {
        bool translating = (unit->gsts & VTD_GLOBAL_TE) != 0;
        bool scalable = (unit->rtaddr & VTD_RTADDR_TTM) == VTD_RTADDR_SCALABLE;
        if ((unit->rtaddr & VTD_RTADDR_TTM) != 0 && (!scalable || !(unit->ecap & VTD_ECAP_SMTS)))
            vtd_model_violation("RTADDR.TTM %u is none that the unit has",
                                (unsigned)FIELD(unit->rtaddr, 11, 10));
        if (translating && scalable != unit->scalable)
            vtd_model_violation("RTADDR.TTM was changed while the unit translates");
        unit->scalable = scalable;
        unit->root = unit->rtaddr & VTD_RTADDR_MASK;
        unit->needs_context = unit->needs_iotlb = unit->needs_pasid = true;
        unit->gsts |= VTD_GLOBAL_SRTP;
        if ((unit->gsts & VTD_GLOBAL_TE) != 0)
            check_firmware(unit);
    }
    if (done & VTD_GLOBAL_SIRTP) {
        unit->irt = unit->irta;
        unit->needs_iec = true;
        unit->gsts |= VTD_GLOBAL_SIRTP;
    }
    uint32_t toggled = done & TOGGLES;
    uint32_t on = toggled & ~unit->gsts;
    uint32_t off = toggled & unit->gsts;
    if (on & VTD_GLOBAL_TE)
        turn_on_translation(unit);
    if (on & VTD_GLOBAL_QIE)
        turn_on_queue(unit);
    if (on & VTD_GLOBAL_IRE)
        turn_on_interrupts(unit);
    if (off & VTD_GLOBAL_TE)
        unit->counts.translation_off++;
    if ((off & VTD_GLOBAL_QIE) && unit->iqh != unit->iqt && !unit->queue_silent)
        vtd_model_violation("QIE cleared with descriptors in the queue");
    unit->gsts ^= toggled;
    if (off & VTD_GLOBAL_QIE)
        unit->iqh = 0;
}

static uint32_t read_status(struct vtd_model *unit)
{
    if (unit->countdown > 0)
        unit->countdown--;
    else if (unit->pending != 0)
        finish_command(unit);
    return unit->gsts;
}

static uint64_t read_busy(const struct vtd_model *unit, uint64_t *value, unsigned *countdown)
{
    if ((*value & BIT(63)) && !unit->commands_hang && (*countdown == 0 || --*countdown == 0))
        *value &= ~BIT(63);
    return *value;
}

/* --- access --- */

static uint32_t fault_offset(const struct vtd_model *unit, unsigned index)
{
    return VTD_CAP_FAULT_OFFSET(unit->cap) + 16 * index;
}

static uint64_t *fault_register(struct vtd_model *unit, uint32_t offset)
{
    uint32_t first = fault_offset(unit, 0);
    uint32_t end = fault_offset(unit, VTD_CAP_FAULT_COUNT(unit->cap));
    if (first == 0 || offset < first || offset >= end)
        return NULL;
    return &unit->frcd[(offset - first) / 16][(offset - first) / 8 % 2];
}

static uint32_t fault_status(const struct vtd_model *unit)
{
    uint32_t pending = 0;
    for (unsigned i = 0; i < VTD_CAP_FAULT_COUNT(unit->cap); i++)
        if (unit->frcd[i][1] & VTD_FRCD_HIGH_F)
            pending = VTD_FSTS_PPF;
    return unit->fsts | pending;
}

static uint64_t read64(struct vtd_model *unit, uint32_t offset)
{
    uint32_t iotlb = VTD_ECAP_IOTLB_OFFSET(unit->ecap);
    uint64_t *record = fault_register(unit, offset);
    if (record != NULL)
        return *record;
    if (offset == iotlb + VTD_IOTLB)
        return read_busy(unit, &unit->iotlb, &unit->iotlb_countdown);
    switch (offset) {
    case VTD_CAP:
        return unit->cap;
    case VTD_ECAP:
        return unit->ecap;
    case VTD_RTADDR:
        return unit->rtaddr;
    case VTD_CCMD:
        return read_busy(unit, &unit->ccmd, &unit->ccmd_countdown);
    case VTD_IQH:
        return unit->iqh;
    case VTD_IQT:
        return unit->iqt;
    case VTD_IQA:
        return unit->iqa;
    case VTD_IRTA:
        return unit->irta;
    default:
        vtd_model_violation("64-bit read of register %#x", offset);
        return 0;
    }
}

static uint32_t read32(struct vtd_model *unit, uint32_t offset)
{
    switch (offset) {
    case VTD_VER:
        return unit->version;
    case VTD_GSTS:
        return read_status(unit);
    case VTD_FSTS:
        return fault_status(unit);
    case VTD_FECTL:
        return unit->fectl;
    case VTD_PMEN:
        return unit->pmen;
    case VTD_GCMD:
        vtd_model_violation("GCMD was read, which is write-only: GSTS tells what is on");
        return 0;
    default:
        vtd_model_violation("32-bit read of register %#x", offset);
        return 0;
    }
}

static void write64(struct vtd_model *unit, uint32_t offset, uint64_t value)
{
    uint32_t iotlb = VTD_ECAP_IOTLB_OFFSET(unit->ecap);
    if (offset == iotlb + VTD_IOTLB) {
        vtd_model_iotlb_command(unit, value);
    } else if (offset == iotlb + VTD_IVA) {
        unit->iva = value;
    } else if (offset == VTD_RTADDR) {
        unit->rtaddr = value;
    } else if (offset == VTD_CCMD) {
        vtd_model_context_command(unit, value);
    } else if (offset == VTD_IQA) {
        if (unit->gsts & VTD_GLOBAL_QIE)
            vtd_model_violation("queue address written while the queue is on");
        unit->iqa = value;
    } else if (offset == VTD_IQT) {
        unit->iqt = value;
        vtd_model_queue_run(unit);
    } else if (offset == VTD_IRTA) {
        unit->irta = value;
    } else {
        vtd_model_violation("64-bit write of register %#x", offset);
    }
}

static void write32(struct vtd_model *unit, uint32_t offset, uint32_t value)
{
    uint64_t *record = fault_register(unit, offset & ~7u);
    if (record != NULL) {
        /* The other fields hold something only while F is set (11.4.7.6). */
        if (offset % 16 == 12 && (value & 0x80000000u) != 0 && (*record & VTD_FRCD_HIGH_F) != 0)
            record[-1] = record[0] = UINT64_C(0x5a5a5a5a5a5a5a5a);
        return;
    }
    switch (offset) {
    case VTD_GCMD:
        begin_command(unit, value);
        return;
    case VTD_FSTS:
        if ((value & unit->fsts & VTD_FSTS_PFO) != 0 &&
            (unit->frcd[unit->next_record][1] & VTD_FRCD_HIGH_F) != 0)
            unit->counts.overflow_back++;
        unit->fsts &= ~(value & (VTD_FSTS_PFO | VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE));
        return;
    case VTD_FECTL:
        unit->fectl = value & VTD_FECTL_IM;
        return;
    case VTD_FEDATA:
        unit->fedata = value;
        return;
    case VTD_FEADDR:
        unit->feaddr = value;
        return;
    case VTD_FEUADDR:
        unit->feuaddr = value;
        return;
    case VTD_PMEN:
        if ((unit->gsts & VTD_GLOBAL_TE) == 0)
            vtd_model_violation("protected memory regions turned off before translation is on");
        if (!unit->pmr_stuck)
            unit->pmen = value & VTD_PMEN_EPM ? value | VTD_PMEN_PRS : value & ~VTD_PMEN_PRS;
        return;
    case VTD_GSTS:
        vtd_model_violation("GSTS was written, which is read-only: GCMD takes commands");
        return;
    default:
        vtd_model_violation("32-bit write of register %#x", offset);
    }
}

static struct vtd_model *find(uintptr_t address, unsigned width, uint32_t *offset)
{
    bool inside = false;
    for (size_t i = 0; i < ARRAY_SIZE(mapped); i++)
        inside |= address >= mapped[i].base && address + width <= mapped[i].base + mapped[i].size;
    if (!inside || address % width != 0)
        vtd_model_violation("access of %u bytes at %#llx, which is not mapped or not aligned",
                            width, (unsigned long long)address);
    for (unsigned i = 0; i < unit_count; i++) {
        if (address >= units[i].base && address < units[i].base + KIB(32)) {
            *offset = (uint32_t)(address - units[i].base);
            return units[i].dead ? NULL : &units[i];
        }
    }
    return NULL;
}

static bool elsewhere(uintptr_t address, unsigned width, uint64_t *value, bool write)
{
    return vtd_model_elsewhere != NULL && vtd_model_elsewhere(address, width, value, write);
}

uint32_t mmio_read32(uintptr_t address)
{
    uint64_t other;
    if (elsewhere(address, 4, &other, false))
        return (uint32_t)other;
    uint32_t offset;
    struct vtd_model *unit = find(address, 4, &offset);
    return unit == NULL ? UINT32_MAX : read32(unit, offset);
}

uint64_t mmio_read64(uintptr_t address)
{
    uint64_t other;
    if (elsewhere(address, 8, &other, false))
        return other;
    uint32_t offset;
    struct vtd_model *unit = find(address, 8, &offset);
    return unit == NULL ? UINT64_MAX : read64(unit, offset);
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    uint64_t other = value;
    if (elsewhere(address, 4, &other, true))
        return;
    uint32_t offset;
    struct vtd_model *unit = find(address, 4, &offset);
    if (unit != NULL)
        write32(unit, offset, value);
}

void mmio_write64(uintptr_t address, uint64_t value)
{
    uint64_t other = value;
    if (elsewhere(address, 8, &other, true))
        return;
    uint32_t offset;
    struct vtd_model *unit = find(address, 8, &offset);
    if (unit != NULL)
        write64(unit, offset, value);
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(mapped); i++) {
        if (mapped[i].size == 0) {
            mapped[i].base = physical;
            mapped[i].size = size;
            return (uintptr_t)physical;
        }
    }
    return 0;
}

void unmap(uintptr_t address, uint64_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(mapped); i++)
        if (mapped[i].base == address && mapped[i].size == size)
            mapped[i].size = 0;
}
