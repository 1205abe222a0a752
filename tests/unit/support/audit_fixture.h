/* SPDX-License-Identifier: MIT */
/*
 * A sound system for the audit: two guests with a function each, built by the real code over the
 * modelled unit; owners, functions and the control structures' roots are the fixture's own.
 * Included by one test program only.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/assign/assignment.h"
#include "hypervisor/assign/pf.h"
#include "hypervisor/guest/hold.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/guest/pf_lost.h"
#include "hypervisor/iommu/vtd.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/audit/audit.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/setup/memory.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"
#include "hypervisor/vcpu/backend.h"

#define MEMORY      MIB(4)
#define RAM(n)      (GIB(1) + (uint64_t)(n) * GIB(1))
#define BAR0(n)     (UINT64_C(0xc000020000) + (uint64_t)(n) * 0x4000)
#define BAR3(n)     (UINT64_C(0xc000140000) + (uint64_t)(n) * 0x4000)
#define BAR_SIZE    UINT64_C(0x4000)
#define GPA_BAR0    GUEST_BAR_BASE
#define GPA_BAR3    (GUEST_BAR_BASE + BAR_SIZE)
#define MSIX        0x70
#define EXPRESS     0xa0
#define ATS         0x140
#define ACS         0x150
#define SRIOV       0x160
#define REGISTERS   (PAGE_READ | PAGE_WRITE | PAGE_DEVICE)
#define UNIT_BASE   UINT64_C(0xfed90000)
#define RESERVED    MIB(512)
#define HOST_DATA   UINT64_C(0x7f0000000000)
#define GUEST_COUNT 2

/* --- pages: real memory for the hypervisor's; what a guest or a device has is only a number --- */

static size_t in_use;

void host_pages_limit(size_t pages)
{
}

void *pages_allocate(size_t count)
{
    size_t order = 1;
    while (order < count)
        order *= 2;
    void *pages = aligned_alloc(order * PAGE_SIZE, order * PAGE_SIZE);
    assert_non_null(pages);
    memset(pages, 0, order * PAGE_SIZE);
    in_use += count;
    return pages;
}

void pages_free(void *pages, size_t count)
{
    free(pages);
    in_use -= count;
}

uint64_t physical_address(const volatile void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

void *virtual_address(uint64_t physical)
{
    return physical < BIT(40) ? NULL : (void *)(uintptr_t)physical;
}

/* --- owners: the newest word counts; what nobody names is the hypervisor's memory --- */

static struct frame_range owners[32];
static size_t owner_count;

static void owns(uint64_t base, uint64_t size, owner_t owner)
{
    assert_true(owner_count < ARRAY_SIZE(owners));
    owners[owner_count++] = (struct frame_range){base, size, owner};
}

owner_t frames_owner(uint64_t address)
{
    for (size_t i = owner_count; i-- > 0;)
        if (address - owners[i].base < owners[i].size)
            return owners[i].owner;
    return address < BIT(40) ? OWNER_NONE : OWNER_HYPERVISOR;
}

bool frames_owned_by(uint64_t base, uint64_t size, owner_t owner)
{
    for (uint64_t at = base; at < base + size; at += PAGE_SIZE)
        if (frames_owner(at) != owner)
            return false;
    return true;
}

/* The fixture has said before whose the regions are. */
enum status frames_take(uint64_t base, uint64_t size, uint32_t from, owner_t to)
{
    return STATUS_OK;
}

uint64_t frames_bytes(owner_t owner)
{
    return 0;
}

static struct frame_range listed[4];

const struct frame_range *frames_range(size_t index)
{
    return index < ARRAY_SIZE(listed) && listed[index].size != 0 ? &listed[index] : NULL;
}

/* --- functions and guests --- */

#define FUNCTIONS 25 /* two guests', one of nobody, a bridge, one that firmware uses; a test's */

static struct pci_function *functions[FUNCTIONS];
static uint16_t commands[FUNCTIONS], controls[FUNCTIONS], ats[FUNCTIONS], acs[FUNCTIONS];
static uint32_t msix_table[FUNCTIONS];
static uint64_t moved_to[FUNCTIONS]; /* BAR 0, by the device itself; 0: it is where it was */
static uint16_t sriov_control = 9;   /* VF Enable, VF MSE */
static uint16_t sriov_vfs;
static bool vf_bars_lost;

static int index_of(rid_t rid)
{
    for (int i = 0; i < FUNCTIONS; i++)
        if (functions[i] != NULL && functions[i]->rid == rid)
            return i;
    return -1;
}

size_t pci_function_count(void)
{
    size_t count = 0;
    while (count < FUNCTIONS && functions[count] != NULL)
        count++;
    return count;
}

struct pci_function *pci_function_at(size_t index)
{
    return index < FUNCTIONS ? functions[index] : NULL;
}

struct pci_function *pci_function_find(rid_t rid)
{
    int index = index_of(rid);
    return index < 0 ? NULL : functions[index];
}

/* The PF's VF BARs, in which its first VF's are. */
static uint32_t vf_bar_read(const struct pci_function *pf, unsigned number)
{
    const struct pci_bar *bar = NULL;
    for (size_t i = 0; i < pci_function_count() && !vf_bars_lost; i++)
        if (functions[i]->is_vf && functions[i]->pf == pf)
            bar = functions[i]->bar;
    if (bar == NULL)
        return 0;
    bool upper = number > 0 && bar[number - 1].is_64bit;
    return upper ? (uint32_t)(bar[number - 1].base >> 32) : (uint32_t)bar[number].base;
}

uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width)
{
    int index = index_of(rid);
    if (index < 0)
        return (uint32_t)BITS(8 * width - 1, 0); /* nothing answers */
    if (offset >= 0x10 && offset < 0x28) {
        unsigned number = (offset - 0x10) / 4;
        const struct pci_bar *bar = functions[index]->bar;
        bool upper = number > 0 && bar[number - 1].is_64bit;
        number -= upper;
        uint64_t base = number == 0 && moved_to[index] != 0 ? moved_to[index] : bar[number].base;
        return upper ? (uint32_t)(base >> 32) : (uint32_t)base | (bar[number].is_64bit ? 4 : 0);
    }
    if (offset >= SRIOV + 0x24 && offset < SRIOV + 0x3c)
        return vf_bar_read(functions[index], (offset - SRIOV - 0x24) / 4);
    switch (offset) {
    case SRIOV + 8:
        return sriov_control;
    case SRIOV + 0x10:
        return sriov_vfs;
    case PCI_COMMAND:
        return commands[index];
    case EXPRESS + 8: /* device control */
        return controls[index];
    case ATS + 6:
        return ats[index];
    case ACS + 4: /* offered: all but egress control */
        return 0x5f;
    case ACS + 6:
        return acs[index];
    case MSIX + 2: /* control: three vectors */
        return 2;
    case MSIX + 4:
        return msix_table[index];
    case MSIX + 8: /* pending bits in the third page */
        return 0x2003;
    default:
        fail_msg("configuration space read at %#x", offset);
        return 0;
    }
}

void pci_bus_master(const struct pci_function *function, bool on)
{
    uint16_t *command = &commands[index_of(function->rid)];
    *command =
        (uint16_t)(on ? *command | PCI_COMMAND_BUS_MASTER : *command & ~PCI_COMMAND_BUS_MASTER);
}

void pci_config_write(rid_t rid, unsigned offset, unsigned width, uint32_t value)
{
    fail_msg("the audit writes configuration space");
}

static struct guest guests[GUEST_COUNT];
static struct assignment devices[GUEST_COUNT];
static struct vcpu vcpus[GUEST_COUNT];
static uint64_t live_root[GUEST_COUNT];

struct guest *guest_at(unsigned index)
{
    return index < GUEST_COUNT ? &guests[index] : NULL;
}

struct guest *guest_of_owner(owner_t owner)
{
    return OWNER_IS_GUEST(owner) ? guest_at(OWNER_GUEST_INDEX(owner)) : NULL;
}

static struct pf_device *nic; /* the first one's PF */

struct pf_device *pf_device_at(uint32_t index)
{
    return index == 0 ? nic : NULL;
}

static bool memory_root(const struct vcpu *vcpu, uint64_t *root)
{
    *root = live_root[vcpu - vcpus];
    return true;
}

static const struct vcpu_backend fake_backend = {.name = "fake", .memory_root = memory_root};
const struct vcpu_backend *vcpu_selected = &fake_backend;

static struct page_table host;
static uint64_t host_root;

uint64_t address_space_root(void)
{
    return host_root;
}

bool address_space_may_execute(uint64_t address, uint64_t physical)
{
    return address - MIB(2) < MIB(2);
}

/* --- the sound system --- */

static struct vtd_model *unit;
static struct iommu_msi message[GUEST_COUNT];

static void map(struct page_table *table, uint64_t input, uint64_t physical, uint64_t size,
                unsigned rights)
{
    assert_int_equal(page_table_map(table, input, physical, size, rights), STATUS_OK);
}

static struct pci_function *function_new(unsigned index, owner_t owner)
{
    struct pci_function *function = machine_function(RID(0, 1, 0x10, index), NULL);
    function->owner = owner;
    function->cap_msix = MSIX;
    function->cap_pcie = EXPRESS;
    function->cap_ats = ATS;
    function->cap_acs = ACS;
    controls[index] = 0x2010; /* as after a reset, but that Enable No Snoop is off */
    ats[index] = 0;
    acs[index] = 0x1f;
    function->bar[0] = (struct pci_bar){.base = BAR0(index), .size = BAR_SIZE, .is_64bit = true};
    function->bar[3] = (struct pci_bar){.base = BAR3(index), .size = BAR_SIZE, .is_64bit = true};
    functions[index] = function;
    commands[index] = PCI_COMMAND_MEMORY;
    msix_table[index] = 3; /* at offset 0 of BAR 3 */
    return function;
}

static void guest_new(unsigned n, const struct page_table_format *format)
{
    struct guest *guest = &guests[n];
    owner_t owner = OWNER_GUEST(n);
    *guest = (struct guest){.index = n, .owner = owner, .state = GUEST_RUNNING};
    snprintf(guest->name, sizeof guest->name, n == 0 ? "alpha" : "beta");
    guest->memory_size = MEMORY;
    guest->pieces[guest->piece_count++] = (struct memory_piece){0, RAM(n), MEMORY};
    owns(RAM(n), MEMORY, owner);
    owns(BAR0(n), BAR_SIZE, owner);
    owns(BAR3(n), BAR_SIZE, owner);
    owns(BAR3(n), PAGE_SIZE, OWNER_HYPERVISOR);
    assert_int_equal(page_table_create(&guest->memory, format, 4, 3, false), STATUS_OK);
    map(&guest->memory, 0, RAM(n), MEMORY, PAGE_READ | PAGE_WRITE | PAGE_EXECUTE);
    map(&guest->memory, GPA_BAR0, BAR0(n), BAR_SIZE, REGISTERS);
    map(&guest->memory, GPA_BAR3 + PAGE_SIZE, BAR3(n) + PAGE_SIZE, BAR_SIZE - PAGE_SIZE, REGISTERS);

    vcpus[n] = (struct vcpu){.guest = guest, .apic_id = n + 1, .memory = &guest->memory};
    guest->vcpus[0] = &vcpus[n];
    guest->cpu_count = 1;
    live_root[n] = physical_address(guest->memory.root);

    struct pci_function *function = function_new(n, owner);
    devices[n] = (struct assignment){
        .guest = guest,
        .function = function,
        .bars = {[0] = {.guest_base = GPA_BAR0, .host_base = BAR0(n), .size = BAR_SIZE},
                 [3] = {.guest_base = GPA_BAR3, .host_base = BAR3(n), .size = BAR_SIZE}},
        .has_msix = true,
        .msix = {.vectors = 3, .table_bar = 3},
    };
    function->life = PCI_USED;
    guest->assignments[0] = &devices[n];
    guest->assignment_count = 1;
    assert_int_equal(iommu_domain_create(&guest->domain, owner), STATUS_OK);
    assert_int_equal(iommu_domain_map(&guest->domain, 0, RAM(n), MEMORY, PAGE_READ | PAGE_WRITE),
                     STATUS_OK);
    assert_int_equal(iommu_connect(function, &guest->domain), STATUS_OK);
    assert_int_equal(iommu_interrupt_allocate(function, n + 1, 0x40, &message[n]), STATUS_OK);
    commands[n] |= PCI_COMMAND_BUS_MASTER;
}

static void build(const struct page_table_format *format)
{
    owner_count = 0;
    nic = NULL;
    memset(functions, 0, sizeof functions);
    memset(moved_to, 0, sizeof moved_to);
    sriov_control = 9;
    sriov_vfs = 1;
    vf_bars_lost = false;
    memset(listed, 0, sizeof listed);
    listed[0] = (struct frame_range){0, MIB(1), OWNER_FIRMWARE};
    listed[1] = (struct frame_range){MIB(1), MIB(9), OWNER_HYPERVISOR};
    listed[2] = (struct frame_range){RESERVED, MIB(6), OWNER_FIRMWARE};
    owns(RESERVED, MIB(6), OWNER_FIRMWARE);
    machine_reset();
    unit = vtd_model_add(UNIT_BASE, MODEL_CAP, MODEL_ECAP);
    machine_drhd(0, true, UNIT_BASE);
    machine_rmrr(0, RESERVED, RESERVED + MIB(4) - 1);
    machine_scope(SCOPE_ENDPOINT, 1, "10.4");
    iommu_regions_reserve(machine_table());
    assert_int_equal(machine_start(), STATUS_OK);
    for (unsigned n = 0; n < GUEST_COUNT; n++)
        guest_new(n, format);
    function_new(2, OWNER_NOBODY);
    function_new(3, OWNER_HYPERVISOR)->is_bridge = true;
    function_new(4, OWNER_NOBODY)->firmware_master = true;
    iommu_regions_honour();
    iommu_regions_resume();
    functions[0]->bridge = functions[3];
    commands[3] |= PCI_COMMAND_BUS_MASTER;
    assert_int_equal(page_table_create(&host, &page_format_host, 4, 2, false), STATUS_OK);
    map(&host, MIB(2), HOST_DATA, MIB(2), PAGE_READ | PAGE_EXECUTE);
    map(&host, MIB(4), HOST_DATA + MIB(2), MIB(2), PAGE_READ | PAGE_WRITE);
    host_root = physical_address(host.root);
    host_log_clear();
}
