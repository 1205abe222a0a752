/* SPDX-License-Identifier: MIT */
/* What the machine can do of what the configuration asks for, line by line. It says what the
 * hypervisor will say; what only trying shows is "unsure". */
#include "boot/preflight/plan.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/x86/cpu.h"

#define MESSAGE 400
/* What hypervisor and loader need beside the guests. */
#define OVERHEAD MIB(64)

void plan_say(const struct plan_line *line, enum plan_verdict verdict, const char *format, ...)
{
    static const char *const events[] = {[PLAN_CAN] = "config.can",
                                         [PLAN_UNSURE] = "config.unsure",
                                         [PLAN_CANNOT] = "config.cannot"};
    char message[MESSAGE], quoted[MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_text_list(message, sizeof message, format, arguments);
    va_end(arguments);
    quote_text(quoted, sizeof quoted, message, MIN(length, sizeof message - 1));
    line->facts->can += verdict == PLAN_CAN;
    line->facts->unsure += verdict == PLAN_UNSURE;
    line->facts->cannot += verdict == PLAN_CANNOT;
    log_event(events[verdict], "line=%u section=%s name=%s item=\"%s\"%s%s%s", line->place.line,
              line->section, line->name, line->item, length != 0 ? " message=\"" : "", quoted,
              length != 0 ? "\"" : "");
}

const char *plan_no_iommu(const struct preflight *facts)
{
    if (facts->has_ivrs)
        return "this machine's IOMMU is AMD-Vi, which Bulkhead does not drive, so the device could "
               "not be confined: guests get devices on machines with Intel VT-d";
    if (facts->units != 0)
        return "no VT-d unit of this machine can be used (iommu.refused says why), so the device "
               "could not be confined";
    return "there is no IOMMU, so the device could not be confined: enable VT-d in the firmware "
           "set-up";
}

static uint32_t threads_of(const struct preflight *facts)
{
    return MIN(MAX(facts->madt.cpu_count, 1u), (uint32_t)CPU_MAX);
}

/* Two guests never have threads of one core, and none has one of core 0's, unless the configuration
 * says otherwise: a guest then takes whole cores. */
static bool plan_threads(const struct plan_line *line, const struct config_guest *guest,
                         uint32_t *cores)
{
    uint32_t threads = threads_of(line->facts), all = line->facts->cores;
    if (all == 0 || all >= threads)
        return true;
    uint32_t each = (threads + all - 1) / all, wanted = (guest->cpus + each - 1) / each;
    bool enough = wanted <= *cores;
    *cores -= MIN(*cores, wanted);
    if (!enough)
        plan_say(line, PLAN_UNSURE,
                 "two guests never share a physical core, of which there are %u with %u threads "
                 "each: it may not get cores of its own; ask for fewer CPUs, or write smt = shared "
                 "in [system]",
                 all, each);
    return enough;
}

static void plan_cores(struct plan_line *line, const struct config_guest *guest, uint32_t *left)
{
    struct preflight *facts = line->facts;
    if (guest->core_count == 0)
        *left -= MIN(*left, guest->cpus);
    for (uint32_t i = 0; i < guest->core_count; i++) {
        if (guest->cores[i] < threads_of(facts))
            continue;
        line->place = guest->cores_place;
        line->item = "cores";
        plan_say(line, PLAN_CANNOT,
                 "there is no core %u: the machine has the cores 1 to %u for guests; name others",
                 guest->cores[i], threads_of(facts) - 1);
        return;
    }
}

static void plan_node(struct plan_line *line, const struct config_guest *guest)
{
    const struct srat *srat = &line->facts->srat;
    bool found = !guest->on_node || (srat->cpu_count == 0 && guest->node == 0);
    for (uint32_t i = 0; i < srat->memory_count; i++)
        found |= srat->memory[i].node == guest->node;
    line->place = guest->node_place;
    line->item = "node";
    if (!found)
        plan_say(line, PLAN_CANNOT, "firmware names no node %u (table SRAT); leave the line out",
                 guest->node);
}

static void plan_file(struct plan_line *line, const char *name, const char *item,
                      struct config_place place, bool (*file_exists)(const char *name))
{
    line->place = place;
    line->item = item;
    if (name[0] != '\0' && !file_exists(name))
        plan_say(line, PLAN_CANNOT, "there is no file \\bulkhead\\%s on the volume; copy it there",
                 name);
}

static bool accepted(const struct config_guest *guest, rid_t rid)
{
    for (uint32_t i = 0; i < guest->accepted_count; i++)
        if (guest->accept_reserved[i] == rid)
            return true;
    return false;
}

static const struct preflight_reserved *reserved_for(const struct preflight *facts, rid_t rid)
{
    for (size_t i = 0; i < facts->reserved_count; i++)
        if (facts->reserved[i].rid == rid)
            return &facts->reserved[i];
    return NULL;
}

/* Another function of the same package, where none of the two has ACS to keep requests apart. */
static const struct pci_function *neighbour(const struct pci_function *function)
{
    const struct pci_function *other;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++)
        if (other != function && other->rid >> 3 == function->rid >> 3 && !pci_is_bridge(other) &&
            (other->cap_acs == 0 || function->cap_acs == 0))
            return other;
    return NULL;
}

static void plan_device(struct plan_line *line, const struct config *config,
                        const struct config_guest *guest, const struct config_device *device,
                        const struct plan_card *card)
{
    const struct preflight *facts = line->facts;
    const struct config_nic *nic = &config->nics[device->nic];
    char item[CONFIG_NAME_SIZE + 32];
    if (device->whole)
        format_text(item, sizeof item, "device = %s", nic->name);
    else
        format_text(item, sizeof item, "device = %s.vf%u", nic->name, device->vf);
    line->place = device->place;
    line->item = item;
    const struct pci_function *function = card->function;
    if (function == NULL || card->verdict == PLAN_CANNOT) {
        plan_say(line, PLAN_CANNOT, "the section in line %u cannot be had", nic->place.line);
        return;
    }
    const struct preflight_reserved *reserved = reserved_for(facts, function->rid);
    const struct pci_function *other = neighbour(function);
    if (facts->usable_units == 0)
        plan_say(line, PLAN_CANNOT, "%s", plan_no_iommu(facts));
    else if (!facts->remapping && !config->unsafe_interrupts)
        plan_say(line, PLAN_CANNOT,
                 "interrupts are not remapped, so the device could forge them; enable interrupt "
                 "remapping, or accept that by unsafe_interrupts = yes in [system]");
    else if (device->whole && function->is_bridge)
        plan_say(line, PLAN_CANNOT, "a bridge is never given to a guest");
    else if (device->whole && reserved != NULL && !accepted(guest, function->rid))
        plan_say(line, PLAN_CANNOT,
                 "firmware keeps the memory 0x%lx-0x%lx for its DMA (RMRR); turn that off in the "
                 "firmware set-up, or write accept_reserved = %s for this guest",
                 reserved->base, reserved->limit, rid_text(function->rid).text);
    else if (device->whole && other != NULL)
        plan_say(line, PLAN_UNSURE,
                 "%s is in the same package and may reach it without passing the IOMMU (no ACS): "
                 "both go to one guest, or only one is used",
                 rid_text(other->rid).text);
    else
        plan_say(line, card->verdict, "%s", card->verdict == PLAN_UNSURE ? "as its section" : "");
}

/* What guests before this one have left over. */
struct left {
    uint32_t threads, cores;
    uint64_t memory; /* bytes */
};

static void plan_guest(const struct config *config, const struct config_guest *guest,
                       const struct plan_card cards[], bool (*file_exists)(const char *name),
                       struct preflight *facts, struct left *left)
{
    struct plan_line line = {facts, guest->place, "guest", guest->name, "guest"};
    unsigned problems = facts->cannot;
    uint32_t had = left->threads;
    uint64_t free = left->memory;
    plan_file(&line, guest->image, "image", guest->image_place, file_exists);
    plan_file(&line, guest->initrd, "initrd", guest->initrd_place, file_exists);
    plan_cores(&line, guest, &left->threads);
    plan_node(&line, guest);
    left->memory -= MIN(free, guest->memory);
    line.place = guest->place;
    line.item = "guest";
    if (guest->core_count == 0 && guest->cpus > had)
        plan_say(&line, PLAN_CANNOT,
                 "cores: %u asked for, %u left (core 0 is the hypervisor's); ask for fewer",
                 guest->cpus, had);
    if (guest->memory > free)
        plan_say(&line, PLAN_CANNOT, "it asks for %s of memory and about %s are left; ask for less",
                 size_text(guest->memory).text, size_text(ALIGN_DOWN(free, MIB(1))).text);
    if (!facts->vmx && !facts->svm)
        plan_say(&line, PLAN_CANNOT,
                 "this CPU offers neither VMX nor SVM, or firmware locked it off (cpu.refused "
                 "says which)");
    if (!facts->x2apic)
        plan_say(&line, PLAN_CANNOT,
                 "the CPU offers no x2APIC; switch it on in the firmware set-up");
    bool threads = config->smt_shared || plan_threads(&line, guest, &left->cores);
    if (threads && facts->cannot == problems)
        plan_say(&line, PLAN_CAN, "%s", "");
    for (uint32_t i = 0; i < guest->device_count; i++)
        plan_device(&line, config, guest, &guest->devices[i], &cards[guest->devices[i].nic]);
}

void preflight_plan(const struct config *config, bool (*file_exists)(const char *name),
                    struct preflight *facts)
{
    struct plan_card cards[CONFIG_MAX_NICS] = {{NULL, PLAN_CANNOT}};
    struct left left = {.threads = threads_of(facts) - 1,
                        .cores = MAX(facts->cores, 1u) - 1,
                        .memory = facts->free_memory - MIN(facts->free_memory, OVERHEAD)};
    facts->can = facts->cannot = facts->unsure = 0;
    for (uint32_t i = 0; i < config->nic_count; i++)
        plan_card(config, i, cards, facts);
    for (uint32_t i = 0; i < config->guest_count; i++)
        plan_guest(config, &config->guests[i], cards, file_exists, facts, &left);
    log_event("config.summary", "can=%u unsure=%u cannot=%u errors=%u", facts->can, facts->unsure,
              facts->cannot, config->errors);
}
