/* SPDX-License-Identifier: MIT */
/* An NVMe controller with secondary controllers, as its PF driver sees it, and what may be wrong
 * with one; static on purpose. Its DMA goes through the domain that it is attached to. */
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

#define REGISTERS      UINT64_C(0x600000000000)
#define SECONDARIES    4
#define FIRST          5 /* id of the first secondary controller */
#define MODEL_ID       2
#define CONTROLLERS    (FIRST + SECONDARIES)
#define MAX_NAMESPACES 5000
#define PART_SIZE      0x4000u
#define QUEUES_TOTAL   12
#define VECTORS_TOTAL  9

/* A function: its queues, and what it may reach. */
struct part {
    struct pci_function function;
    uint32_t cc, csts, aqa;
    uint64_t asq, acq;
    uint16_t tail, head, phase;
    bool master;
    struct iommu_domain *domain;
};

static struct {
    uint32_t cap_low, cap_high;
    uint16_t primary[2], primary_next[2]; /* flexible queues and interrupts that it holds */
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
    assert_int_equal(address, PF_DMA_BASE);
    domain->table.root = (uint64_t *)physical; /* the model's table: where it is, and how much */
    domain->table.table_pages = size;
    return wrong.map_fails ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status iommu_connect(const struct pci_function *of, struct iommu_domain *domain)
{
    assert_false(part_of(of)->master);
    if (wrong.attach_fails)
        return STATUS_DENIED;
    part_of(of)->domain = domain;
    return STATUS_OK;
}

enum status iommu_disconnect(const struct pci_function *of, struct iommu_domain *domain)
{
    assert_false(part_of(of)->master);
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
    part->cc = part->csts = 0;
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
    assert_false(pf->master);
    resets++;
    stop_everything();
    if (!wrong.keeps_flexible)
        memcpy(model.primary, model.primary_next, sizeof model.primary);
    return wrong.no_flr ? STATUS_UNSUPPORTED : STATUS_OK;
}

void memory_fence(void)
{
}

/* --- the controller --- */

static uint8_t *dma(const struct part *part, uint64_t address, uint64_t size)
{
    assert_true(part->master && part->domain != NULL);
    assert_true(address >= PF_DMA_BASE);
    assert_true(address + size <= PF_DMA_BASE + part->domain->table.table_pages);
    return (uint8_t *)part->domain->table.root + (address - PF_DMA_BASE);
}

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
    static const unsigned total[] = {QUEUES_TOTAL, VECTORS_TOTAL}, most[] = {5, 3};
    put16(data, NVME_PRIMARY_ID, MODEL_ID);
    put16(data, NVME_PRIMARY_TYPES, 3);
    for (unsigned kind = 0; kind < 2; kind++) {
        unsigned block = kind == 0 ? NVME_PRIMARY_QUEUES : NVME_PRIMARY_INTERRUPTS;
        put32(data, block + NVME_FLEXIBLE_TOTAL, total[kind]);
        put16(data, block + NVME_FLEXIBLE_PRIMARY, model.primary[kind]);
        put16(data, block + NVME_FLEXIBLE_MOST, most[kind]);
        put16(data, block + NVME_FLEXIBLE_GRANULARITY, 1);
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

static unsigned manage(const struct nvme_command *command, uint32_t *result)
{
    unsigned action = command->dword10 & 0xf, kind = command->dword10 >> 8 & 7;
    unsigned id = command->dword10 >> 16, vf = id - FIRST;
    uint16_t count = (uint16_t)command->dword11;
    if ((int)action == wrong.refuse_action)
        return 0x120;
    if (action == NVME_PRIMARY_ALLOCATE) {
        assert_int_equal(id, MODEL_ID);
        model.primary_next[kind] = count;
        return 0;
    }
    if (vf >= SECONDARIES)
        return 0x11f;
    uint16_t *had = model.secondary[vf].had;
    switch (action) {
    case NVME_SECONDARY_OFFLINE:
        had[0] = had[1] = 0;
        model.secondary[vf].online = false;
        return 0;
    case NVME_SECONDARY_ASSIGN: {
        unsigned used = model.primary[kind] - had[kind];
        for (unsigned i = 0; i < SECONDARIES; i++)
            used += model.secondary[i].had[kind];
        if (model.secondary[vf].online || used + count > (kind == 0 ? QUEUES_TOTAL : VECTORS_TOTAL))
            return 0x121;
        had[kind] = count;
        *result = count;
        return 0;
    }
    case NVME_SECONDARY_ONLINE:
        if (had[0] < 2 || had[1] < 1)
            return 0x120;
        model.secondary[vf].online = true;
        model.secondary[vf].resets++;
        return 0;
    }
    return 0x002;
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

static void carry_out(struct part *part)
{
    struct nvme_command command;
    memcpy(&command, dma(part, part->asq + part->tail * sizeof command, sizeof command),
           sizeof command);
    part->tail = (uint16_t)((part->tail + 1) % ((part->aqa & 0xfff) + 1));
    commands++;
    if (command.opcode == wrong.mute)
        return;
    if (wrong.meanwhile != NULL)
        wrong.meanwhile(&command);
    uint32_t result = 0;
    uint8_t *data = dma(part, command.prp1, PAGE_SIZE);
    unsigned code = part == pf ? primary_command(&command, data, &result)
                               : secondary_command(part, &command, data);
    const struct nvme_completion completion = {
        .result = result,
        .queue = wrong.wrong_queue,
        .id = (uint16_t)(command.id + wrong.wrong_id),
        .status = (uint16_t)(code << 1 | part->phase),
    };
    memcpy(dma(part, part->acq + part->head * sizeof completion, sizeof completion), &completion,
           sizeof completion);
    part->head = (uint16_t)((part->head + 1) % ((part->aqa >> 16) + 1));
    if (part->head == 0)
        part->phase ^= 1;
}

static struct part *part_at(uintptr_t address, unsigned *offset)
{
    assert_in_range(address, REGISTERS, REGISTERS + ARRAY_SIZE(parts) * PART_SIZE - 1);
    *offset = (unsigned)((address - REGISTERS) % PART_SIZE);
    return &parts[(address - REGISTERS) / PART_SIZE];
}

uint32_t mmio_read32(uintptr_t address)
{
    unsigned offset;
    const struct part *part = part_at(address, &offset);
    if (wrong.gone)
        return UINT32_MAX;
    switch (offset) {
    case NVME_CAP_LOW:
        return model.cap_low;
    case NVME_CAP_HIGH:
        return model.cap_high | (part != pf ? wrong.vf_capability : 0);
    case NVME_CSTS:
        return part->csts;
    default:
        fail_msg("register %#x is read", offset);
        return 0;
    }
}

static void write_control(struct part *part, uint32_t value)
{
    bool was = (part->cc & 1) != 0, on = (value & 1) != 0;
    part->cc = value;
    if (on && !was) {
        assert_int_equal(value, 0x00460001);
        part->tail = part->head = 0;
        part->phase = 1;
        part->csts = wrong.never_ready ? 0 : 1;
    } else if (!on && was && !wrong.never_stops) {
        if (part == pf)
            stop_everything();
        else
            stop(part);
    }
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    unsigned offset;
    struct part *part = part_at(address, &offset);
    if (offset == NVME_CC)
        write_control(part, value);
    else if (offset == NVME_AQA)
        part->aqa = value;
    else if (offset == NVME_ASQ)
        part->asq = value;
    else if (offset == NVME_ACQ)
        part->acq = value;
    else if (offset == NVME_DOORBELLS)
        while (part->tail != value && (part->cc & 1) != 0)
            carry_out(part);
    else if (offset == NVME_DOORBELLS + 4)
        assert_int_equal(value, part->head);
    else
        assert_true(offset == NVME_INTMS ||
                    (value == 0 && (offset == NVME_ASQ + 4 || offset == NVME_ACQ + 4)));
}

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
    model.primary[0] = model.primary_next[0] = QUEUES_TOTAL;
    model.primary[1] = model.primary_next[1] = VECTORS_TOTAL;
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
    commands = resets = mappings = 0;
    device = (struct pf_device){.function = &pf->function,
                                .driver = &nvme_pf_driver,
                                .registers = REGISTERS,
                                .registers_size = PART_SIZE};
    host_log_clear();
    return 0;
}

static unsigned attachments(uint32_t namespace)
{
    unsigned count = 0;
    for (unsigned id = 0; id < CONTROLLERS; id++)
        count += model.attached[namespace][id];
    return count;
}

static void start(uint16_t vfs)
{
    assert_int_equal(nvme_pf_setup.start(&device, vfs), STATUS_OK);
    assert_int_equal(nvme_pf_setup.vfs_enabled(&device), STATUS_OK);
}

/* As often as the driver looks. */
static void look(void)
{
    host_clock_advance(MILLISECONDS(50));
    (void)nvme_pf_driver.service(&device);
}
