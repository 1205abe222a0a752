/* SPDX-License-Identifier: MIT */
/* An NVMe controller with secondary controllers, as its PF driver sees it, and what may be wrong
 * with one; static on purpose. Its DMA goes through the domain that it is attached to, and what it
 * is asked for takes time: it is done when the driver waits. */
#pragma once

#include <string.h>

#include "drivers/setup/pf_drivers.h"
#include "drivers/nvme/nvme.h"
#include "drivers/nvme/nvme_registers.h"
#include "drivers/nvme/setup/nvme_setup_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/memory/pages.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/iommu_firmware.h"

#define MODEL_ENTRIES  4096 /* the most that AQA can say */
#define REGISTERS      UINT64_C(0x600000000000)
#define SECONDARIES    4
#define FIRST          5 /* id of the first secondary controller */
#define MODEL_ID       2
#define CONTROLLERS    (FIRST + SECONDARIES)
#define MAX_NAMESPACES 5000
#define PART_SIZE      0x4000u
#define QUEUES_TOTAL   12
#define VECTORS_TOTAL  9

/* What a driver must not do: a test fails; a lab's check says the sentence. */
#ifndef NVME_FORBIDDEN
#define NVME_FORBIDDEN(...) fail_msg(__VA_ARGS__)
#endif
#define demand(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            NVME_FORBIDDEN(__VA_ARGS__);                                                           \
    } while (0)

/* A function: its queues, and what it may reach. */
struct part {
    struct pci_function function;
    uint32_t cc, csts, aqa;
    uint64_t asq, acq;
    uint64_t turns;             /* when CSTS.RDY follows CC.EN, in microseconds */
    uint16_t tail, taken;       /* of the submission queue: the doorbell, and what was fetched */
    uint16_t head, seen, phase; /* of the completion queue: the next entry, the doorbell */
    unsigned fences, masked;    /* since the submission doorbell; what INTMS got */
    struct nvme_command fenced; /* what the next entry held at the last fence */
    struct nvme_command fetched[MODEL_ENTRIES]; /* what was found in each entry last */
    bool master;
    struct iommu_domain *domain;
};

static struct {
    uint32_t cap_low, cap_high;
    uint32_t total[2];                    /* flexible queues and interrupts that there are, */
    uint16_t most[2], granularity[2];     /* what a secondary controller can have of them, */
    uint16_t primary[2], primary_next[2]; /* and what the primary one holds */
    struct {
        bool online;
        uint16_t had[2];
        unsigned resets;
    } secondary[SECONDARIES];
    unsigned namespaces;
    bool shared; /* a namespace may be attached to several controllers */
    bool attached[MAX_NAMESPACES + 1][CONTROLLERS];
} model;

/* What goes wrong. */
static struct {
    bool never_ready, never_stops, gone, no_flr, wrong_id, wrong_queue, keeps_flexible;
    int mute, refuse;                              /* opcode, -1: none */
    int refuse_action;                             /* of Virtualization Management, -1: none */
    unsigned fewer;                                /* resources than were to be assigned */
    void (*falsify)(unsigned what, uint8_t *data); /* what an Identify command gives */
    bool attach_fails, detach_fails, domain_fails, map_fails;
    bool vf_missing, vf_unmapped;
    uint16_t vf_commands;   /* optional admin commands of the secondary controllers */
    uint32_t vf_capability; /* upper half of their CAP */
    uint16_t vf_offset;     /* and what else they say of themselves */
    uint32_t vf_value;
    void (*meanwhile)(const struct nvme_command *command); /* what a guest does before a command */
} wrong;

static struct part parts[1 + SECONDARIES]; /* the PF and its VFs */
static struct part *const pf = &parts[0];
static struct pf_device device;
static unsigned commands, resets, mappings;

/* What was asked of Virtualization Management, and the status that it got. */
static struct managed {
    unsigned action, kind, id, count, code;
} managed[64];
static unsigned managements;

static struct part *part_of(const struct pci_function *of)
{
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
        if (of == &parts[i].function)
            return &parts[i];
    fail_msg("no function of the device");
    return NULL;
}

/* --- what the driver stands on --- */

enum status iommu_domain_create(struct iommu_domain *domain, owner_t owner)
{
    assert_int_equal(owner, OWNER_HYPERVISOR);
    *domain = (struct iommu_domain){.id = wrong.domain_fails ? 0 : 7, .owner = owner};
    return wrong.domain_fails ? STATUS_FULL : STATUS_OK;
}

void iommu_domain_destroy(struct iommu_domain *domain)
{
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
        assert_ptr_not_equal(domain, parts[i].domain);
}

enum status iommu_domain_map(struct iommu_domain *domain, uint64_t address, uint64_t physical,
                             uint64_t size, unsigned rights)
{
    demand(address == PF_DMA_BASE, "the domain's pages begin at %#llx",
           (unsigned long long)address);
    domain->table.root = (uint64_t *)physical; /* the model's table: where it is, and how much */
    domain->table.table_pages = size;
    return wrong.map_fails ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status iommu_connect(const struct pci_function *of, struct iommu_domain *domain)
{
    demand(!part_of(of)->master, "the context entry is made while bus mastering is on");
    if (wrong.attach_fails)
        return STATUS_DENIED;
    part_of(of)->domain = domain;
    return STATUS_OK;
}

enum status iommu_disconnect(const struct pci_function *of, struct iommu_domain *domain)
{
    demand(!part_of(of)->master, "the context entry is taken away while bus mastering is on");
    assert_ptr_equal(part_of(of)->domain, domain);
    if (wrong.detach_fails)
        return STATUS_TIMEOUT;
    part_of(of)->domain = NULL;
    return STATUS_OK;
}

struct pci_function *pci_function_at(size_t index)
{
    return index < (wrong.vf_missing ? 1 : ARRAY_SIZE(parts)) ? &parts[index].function : NULL;
}

struct iommu_domain *iommu_domain_of(rid_t rid)
{
    return parts[rid - pf->function.rid].domain;
}

void pci_bus_master(const struct pci_function *of, bool on)
{
    part_of(of)->master = on;
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    assert_int_equal(size, PART_SIZE);
    mappings += !wrong.vf_unmapped;
    return wrong.vf_unmapped ? 0 : (uintptr_t)physical;
}

void unmap(uintptr_t address, uint64_t size)
{
    mappings--;
}

static void stop(struct part *part)
{
    part->cc = part->csts = part->masked = 0;
    part->tail = part->taken = part->head = part->seen = 0;
}

static void stop_everything(void)
{
    for (unsigned i = 0; i < SECONDARIES; i++) {
        model.secondary[i].online = false;
        model.secondary[i].had[0] = model.secondary[i].had[1] = 0;
    }
    stop(pf);
}

enum status pci_function_reset(struct pci_function *of)
{
    assert_ptr_equal(part_of(of), pf);
    demand(!pf->master, "the function is reset while bus mastering is on");
    resets++;
    stop_everything();
    if (!wrong.keeps_flexible)
        memcpy(model.primary, model.primary_next, sizeof model.primary);
    return wrong.no_flr ? STATUS_UNSUPPORTED : STATUS_OK;
}

void memory_fence(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        struct part *part = &parts[i];
        part->fences++;
        if (part->domain != NULL && part->csts == 1)
            memcpy(&part->fenced,
                   (uint8_t *)part->domain->table.root + (part->asq - PF_DMA_BASE) +
                       part->tail * sizeof part->fenced,
                   sizeof part->fenced);
    }
}

/* --- the controller --- */

static void put16(uint8_t *data, unsigned offset, uint64_t value)
{
    memcpy(data + offset, &(uint16_t){(uint16_t)value}, 2);
}

static void put32(uint8_t *data, unsigned offset, uint64_t value)
{
    memcpy(data + offset, &(uint32_t){(uint32_t)value}, 4);
}

static void give_primary(uint8_t *data)
{
    put16(data, NVME_PRIMARY_ID, MODEL_ID);
    put16(data, NVME_PRIMARY_TYPES, 3);
    for (unsigned kind = 0; kind < 2; kind++) {
        unsigned block = kind == 0 ? NVME_PRIMARY_QUEUES : NVME_PRIMARY_INTERRUPTS;
        put32(data, block + NVME_FLEXIBLE_TOTAL, model.total[kind]);
        put16(data, block + NVME_FLEXIBLE_PRIMARY, model.primary[kind]);
        put16(data, block + NVME_FLEXIBLE_MOST, model.most[kind]);
        put16(data, block + NVME_FLEXIBLE_GRANULARITY, model.granularity[kind]);
    }
}

/* In any order: the VF number counts. */
static void give_secondaries(uint8_t *data)
{
    data[NVME_SECONDARY_COUNT] = SECONDARIES;
    for (unsigned i = 0; i < SECONDARIES; i++) {
        unsigned vf = SECONDARIES - 1 - i, entry = NVME_SECONDARY(i);
        put16(data, entry + NVME_SECONDARY_ID, FIRST + vf);
        put16(data, entry + NVME_SECONDARY_PRIMARY, MODEL_ID);
        data[entry + NVME_SECONDARY_STATE] = model.secondary[vf].online;
        put16(data, entry + NVME_SECONDARY_FUNCTION, vf + 1);
        put16(data, entry + NVME_SECONDARY_QUEUES, model.secondary[vf].had[0]);
        put16(data, entry + NVME_SECONDARY_VECTORS, model.secondary[vf].had[1]);
    }
}

static unsigned identify(const struct nvme_command *command, uint8_t *data)
{
    unsigned what = command->dword10 & 0xff, count = 0;
    memset(data, 0, PAGE_SIZE);
    switch (what) {
    case NVME_ID_CONTROLLER:
        put16(data, NVME_CONTROLLER_ID, MODEL_ID);
        put16(data, NVME_CONTROLLER_OACS, NVME_OACS_NAMESPACES | NVME_OACS_VIRTUALIZATION);
        put32(data, NVME_CONTROLLER_NAMESPACES, MAX_NAMESPACES);
        break;
    case NVME_ID_ALLOCATED_NAMESPACES:
        for (unsigned n = command->namespace + 1; n <= model.namespaces && count < 1024; n++)
            put32(data, 4 * count++, n);
        break;
    case NVME_ID_ATTACHED_CONTROLLERS:
        for (unsigned id = 0; id < CONTROLLERS; id++)
            if (model.attached[command->namespace][id])
                put16(data, 2 * ++count, id);
        put16(data, 0, count);
        break;
    case NVME_ID_PRIMARY:
        give_primary(data);
        break;
    case NVME_ID_SECONDARIES:
        give_secondaries(data);
        break;
    default:
        return 0x002; /* invalid field */
    }
    if (wrong.falsify != NULL)
        wrong.falsify(what, data);
    return 0;
}

/* The status codes of 5.39 and figure 102. */
#define INVALID_CONTROLLER 0x11f
#define INVALID_STATE      0x120
#define INVALID_COUNT      0x121
#define INVALID_RESOURCE   0x122

static unsigned assign(unsigned vf, unsigned kind, uint16_t count)
{
    unsigned used = model.primary[kind] + count;
    for (unsigned i = 0; i < SECONDARIES; i++)
        used += i != vf ? model.secondary[i].had[kind] : 0;
    if (model.secondary[vf].online)
        return INVALID_STATE;
    if (used > model.total[kind] || count > model.most[kind])
        return INVALID_COUNT;
    model.secondary[vf].had[kind] = count;
    return 0;
}

static unsigned carry_out_action(const struct managed *asked, uint32_t *result)
{
    unsigned vf = asked->id - FIRST;
    bool counts = asked->action == NVME_PRIMARY_ALLOCATE || asked->action == NVME_SECONDARY_ASSIGN;
    if (counts && asked->kind > 1)
        return INVALID_RESOURCE;
    if (asked->action == NVME_PRIMARY_ALLOCATE && asked->id == MODEL_ID) {
        if (asked->count > model.total[asked->kind])
            return INVALID_COUNT;
        model.primary_next[asked->kind] = (uint16_t)asked->count;
        *result = asked->count;
        return 0;
    }
    if (asked->action == NVME_PRIMARY_ALLOCATE || asked->id < FIRST || vf >= SECONDARIES)
        return INVALID_CONTROLLER;
    uint16_t *had = model.secondary[vf].had;
    switch (asked->action) {
    case NVME_SECONDARY_OFFLINE:
        had[0] = had[1] = 0;
        model.secondary[vf].online = false;
        return 0;
    case NVME_SECONDARY_ASSIGN:
        *result = asked->count - wrong.fewer;
        return assign(vf, asked->kind, (uint16_t)asked->count);
    case NVME_SECONDARY_ONLINE:
        if (had[0] < 2 || had[1] < 1 || model.secondary[vf].online)
            return INVALID_STATE;
        model.secondary[vf].online = true;
        model.secondary[vf].resets++;
        return 0;
    }
    return 0x002; /* invalid field */
}

static unsigned manage(const struct nvme_command *command, uint32_t *result)
{
    struct managed *asked = &managed[managements++ % ARRAY_SIZE(managed)];
    *asked = (struct managed){.action = command->dword10 & 0xf,
                              .kind = command->dword10 >> 8 & 7,
                              .id = command->dword10 >> 16,
                              .count = command->dword11 & 0xffff};
    asked->code =
        (int)asked->action == wrong.refuse_action ? INVALID_STATE : carry_out_action(asked, result);
    return asked->code;
}

static unsigned attachment(const struct nvme_command *command, const uint8_t *data)
{
    bool attach = (command->dword10 & 0xf) == NVME_ATTACH;
    uint16_t list[8];
    memcpy(list, data, sizeof list);
    if (command->namespace == 0 || command->namespace > model.namespaces || list[0] == 0 ||
        list[0] > 7)
        return 0x11c;
    for (unsigned i = 1; i <= list[0]; i++) {
        if (list[i] >= CONTROLLERS || model.attached[command->namespace][list[i]] == attach)
            return attach ? 0x118 : 0x11a;
        for (unsigned id = 0; attach && !model.shared && id < CONTROLLERS; id++)
            if (model.attached[command->namespace][id])
                return 0x119; /* private */
        model.attached[command->namespace][list[i]] = attach;
    }
    return 0;
}

/* A secondary controller is asked for nothing but what it is. */
static unsigned secondary_command(const struct part *part, const struct nvme_command *command,
                                  uint8_t *data)
{
    assert_true(model.secondary[part - parts - 1].online);
    assert_int_equal(command->opcode, NVME_IDENTIFY);
    assert_int_equal(command->dword10, NVME_ID_CONTROLLER);
    memset(data, 0, PAGE_SIZE);
    put16(data, NVME_CONTROLLER_OACS, wrong.vf_commands);
    put32(data, wrong.vf_offset, wrong.vf_value);
    return 0;
}

static unsigned primary_command(const struct nvme_command *command, uint8_t *data, uint32_t *result)
{
    if (command->opcode == wrong.refuse)
        return 0x001;
    switch (command->opcode) {
    case NVME_IDENTIFY:
        return identify(command, data);
    case NVME_VIRTUALIZATION_MANAGEMENT:
        return manage(command, result);
    case NVME_NAMESPACE_ATTACHMENT:
        return attachment(command, data);
    default:
        return 0x001;
    }
}

#include "tests/unit/support/nvme_model_queues.h"

/* --- set-up --- */

static int fresh(void **state)
{
    memset(&wrong, 0, sizeof wrong);
    wrong.mute = wrong.refuse = wrong.refuse_action = -1;
    if (device.function != NULL)
        nvme_pf_setup.stop(&device);
    memset(&model, 0, sizeof model);
    model.cap_low = 2u << 24 | 63;
    model.cap_high = 1u << 5;
    for (unsigned kind = 0; kind < 2; kind++) {
        model.total[kind] = kind == 0 ? QUEUES_TOTAL : VECTORS_TOTAL;
        model.primary[kind] = model.primary_next[kind] = (uint16_t)model.total[kind];
        model.most[kind] = kind == 0 ? 5 : 3;
        model.granularity[kind] = 1;
    }
    model.namespaces = 3;
    memset(parts, 0, sizeof parts);
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
        parts[i].function = (struct pci_function){
            .rid = RID(0, 2, 0, 0) + i,
            .class_code = NVME_CLASS,
            .is_vf = i > 0,
            .pf = i > 0 ? &parts[0].function : NULL,
            .vf_index = (uint16_t)(i > 0 ? i - 1 : 0),
            .bar = {{.base = REGISTERS + i * PART_SIZE, .size = PART_SIZE}},
            .owner = i > 0 ? OWNER_NOBODY : OWNER_HYPERVISOR,
        };
    commands = resets = mappings = managements = 0;
    host_during_relax = work;
    device = (struct pf_device){.function = &pf->function,
                                .driver = &nvme_pf_driver,
                                .registers = REGISTERS,
                                .registers_size = PART_SIZE};
    host_log_clear();
    return 0;
}

__attribute__((unused)) static unsigned attachments(uint32_t namespace)
{
    unsigned count = 0;
    for (unsigned id = 0; id < CONTROLLERS; id++)
        count += model.attached[namespace][id];
    return count;
}

__attribute__((unused)) static void start(uint16_t vfs)
{
    assert_int_equal(nvme_pf_setup.start(&device, vfs), STATUS_OK);
    assert_int_equal(nvme_pf_setup.vfs_enabled(&device), STATUS_OK);
}

/* As often as the driver looks. */
__attribute__((unused)) static void look(void)
{
    host_clock_advance(MILLISECONDS(50));
    (void)nvme_pf_driver.service(&device);
}
