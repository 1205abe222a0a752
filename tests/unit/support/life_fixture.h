/* SPDX-License-Identifier: MIT */
/*
 * Guests, a PF with VFs and a control loop on a virtual clock. Everything between the control loop
 * and the modelled configuration space is the real code (lifecycle, hold, move, device, reset,
 * SR-IOV, frames, memory tables); the unit is a list of who has a context entry. Static on purpose.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/x86/control_call.h"
#include "hypervisor/assign/assignment.h"
#include "hypervisor/guest/load.h"
#include "hypervisor/guest/move.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/assign/pf.h"
#include "hypervisor/guest/hold.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/guest/pf_lost.h"
#include "hypervisor/guest/scrub.h"
#include "hypervisor/guest/verdict.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/setup/pci_sriov.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/output_fixture.h"

#define GUESTS 3
#define VFS    8

static struct guest guests[GUESTS];
static struct config_guest configs[GUESTS];
static struct vcpu vcpus[GUESTS];
static struct cpu cpus[GUESTS + 1];

/* --- the control loop: when calls and mailboxes were looked at last, and the longest gap --- */

static uint64_t served_at, longest_gap;
static unsigned mailbox_looks;

void control_calls_service(void)
{
    uint64_t now = clock_microseconds();
    longest_gap = MAX(longest_gap, now - served_at);
    served_at = now;
    for (unsigned i = 0; i < GUESTS; i++) {
        vcpus[i].in_guest = cpus[i + 1].vcpu == &vcpus[i] && vcpus[i].hold_request == 0;
        if (vcpus[i].stop_request == 0 || cpus[i + 1].vcpu != &vcpus[i])
            continue;
        cpus[i + 1].vcpu = NULL;
        vcpus[i].guest->vcpus_running--;
    }
}

static bool pf_service(struct pf_device *of)
{
    mailbox_looks++;
    return false;
}

static unsigned vf_resets[VFS];

static enum status vf_reset(struct pf_device *of, uint16_t vf)
{
    vf_resets[vf]++;
    return STATUS_OK;
}

static const struct pf_driver driver = {.service = pf_service, .vf_reset = vf_reset};
static struct pf_device pf = {.driver = &driver};

struct pf_device *pf_device_at(uint32_t index)
{
    return index == 0 ? &pf : NULL;
}

static void turn(void)
{
    guests_service();
    host_clock_advance(1000);
}

/* --- guests --- */

struct guest *guest_at(unsigned index)
{
    return index < GUESTS ? &guests[index] : NULL;
}

/* Which no guest may have whole unless its configuration accepts the flash. */
struct pci_function *pf_function_at(uint32_t index)
{
    return index == 0 ? pf.function : NULL;
}

const char *pf_name(const struct pci_function *function)
{
    return "";
}

struct guest *guest_of_owner(owner_t owner)
{
    return OWNER_IS_GUEST(owner) ? guest_at(OWNER_GUEST_INDEX(owner)) : NULL;
}

enum status load_guest(struct guest *guest, struct vcpu_state *start)
{
    memset(start, 0, sizeof *start);
    return STATUS_OK;
}

void load_refused(const struct guest *guest, const struct abi_refusal *refusal)
{
}

static bool cores_busy; /* with memory that they overwrite */

void scrub_begin(struct guest *guest)
{
    guest->scrubbing = true;
}

bool scrub_over(struct guest *guest)
{
    if (guest->scrubbing && cores_busy)
        return false;
    guest->memory_clean |= guest->scrubbing;
    guest->scrubbing = false;
    return true;
}

bool apic_send(uint32_t destination, uint32_t command)
{
    return true;
}

void cpu_kick(struct cpu *cpu)
{
}

/* As assignment_add.c has it, without its slots. */
enum status assignment_add(struct guest *guest, struct assignment *device,
                           struct pci_function *function, struct pf_device *its_pf)
{
    uint64_t next_bar[GUEST_BAR_WINDOWS] = {GUEST_BAR_BASE, GUEST_HIGH_BASE};
    for (unsigned i = 0; i < guest->assignment_count; i++)
        for (unsigned number = 0; number < PCI_BARS; number++)
            next_bar[0] = MAX(next_bar[0], guest->assignments[i]->bars[number].guest_base +
                                               guest->assignments[i]->bars[number].size);
    enum status status =
        assignment_claim(guest, device, function, its_pf, guest->assignment_count + 1, next_bar);
    if (status == STATUS_OK)
        guest->assignments[guest->assignment_count++] = device;
    return status;
}

void view_reset_config(struct assignment *device)
{
}

void view_reset_interrupts(struct assignment *device)
{
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    return 0x7000;
}

void cache_flush_range(const volatile void *address, size_t size)
{
}

/* --- the unit: whose memory a requester reaches --- */

static struct {
    rid_t rid;
    const struct iommu_domain *domain;
} contexts[VFS + 1];
static enum status detach_status;

static int context_of(rid_t rid)
{
    for (int i = 0; i < (int)ARRAY_SIZE(contexts); i++)
        if (contexts[i].domain != NULL && contexts[i].rid == rid)
            return i;
    return -1;
}

bool iommu_enabled(void)
{
    return true;
}

int iommu_unit_of(const struct pci_function *function)
{
    return 0;
}

bool iommu_remaps_interrupts(void)
{
    return true;
}

enum status iommu_connect(const struct pci_function *function, struct iommu_domain *domain)
{
    assert_int_equal(context_of(function->rid), -1);
    for (size_t i = 0; i < ARRAY_SIZE(contexts); i++)
        if (contexts[i].domain == NULL) {
            contexts[i].rid = function->rid;
            contexts[i].domain = domain;
            return STATUS_OK;
        }
    return STATUS_FULL;
}

enum status iommu_disconnect(const struct pci_function *function, struct iommu_domain *domain)
{
    int index = context_of(function->rid);
    if (index < 0 || contexts[index].domain != domain)
        return STATUS_NOT_FOUND;
    if (detach_status == STATUS_OK)
        contexts[index].domain = NULL;
    return detach_status;
}

struct iommu_domain *iommu_domain_of(rid_t rid)
{
    int index = context_of(rid);
    return index < 0 ? NULL : (struct iommu_domain *)(uintptr_t)contexts[index].domain;
}

bool iommu_region_next(const struct pci_function *function, unsigned *cursor,
                       struct iommu_region *region)
{
    return false;
}

bool iommu_firmware_connected(rid_t rid)
{
    return false;
}

void iommu_firmware_connect(struct pci_function *function)
{
}

enum status iommu_firmware_disconnect(struct pci_function *function)
{
    return STATUS_OK;
}

void iommu_fault_reporting(const struct pci_function *function, bool on)
{
}

/* --- the machine --- */

static struct model_function *pf_model;

static struct pci_function *vf(unsigned n)
{
    return pci_function_find(sriov_vf_rid(&pf.sriov, (uint16_t)n));
}

static struct model_function *vf_model(unsigned n)
{
    return model_find(vf(n)->rid);
}

static struct assignment *give(unsigned n, unsigned guest)
{
    struct assignment *device = pages_allocate(1);
    assert_non_null(device);
    assert_int_equal(assignment_add(&guests[guest], device, vf(n), &pf), STATUS_OK);
    return device;
}

static size_t table_pages; /* of the function table, which stay */

static int fresh(void **state)
{
    static const struct mcfg mcfg = {
        .count = 1,
        .segment = {{.base = 0xa0000000, .segment = 0, .start_bus = 0, .end_bus = 255}},
    };
    static const struct model_sriov igb = {
        .offset = 0x160,
        .total = VFS,
        .initial = VFS,
        .first_offset = 0x80,
        .stride = 2,
        .vf_device = 0x10ca,
        .supported_pages = 0x553,
        .vf_acs = 0x004c,
        .bar = {[0] = {.size = 0x4000}, [3] = {.size = 0x4000}},
    };
    static struct boot_info boot;
    boot =
        (struct boot_info){.range_count = 1, .ranges = {{MIB(1), MIB(63), BOOT_MEMORY_USABLE, 0}}};
    assert_int_equal(frames_init(&boot), STATUS_OK);
    model_clear();
    host_log_clear();
    host_clock_set(0);
    struct model_function *port = model_bridge(RID(0, 0, 1, 0), 1, 3);
    model_pcie(port, 0x54, 4, false);
    model_window(port, false, 0xc0000000, 0xc01fffff);
    pf_model = model_endpoint(RID(0, 1, 0, 0), 0x8086, 0x10c9, 0x020000);
    model_bar(pf_model, 0, (struct model_bar){.size = 0x20000, .base = 0xc0000000});
    model_pcie(pf_model, 0xa0, 0, true);
    model_extended(pf_model, 0x100, 1);
    model_extended(pf_model, 0x150, PCI_EXT_CAP_ARI);
    model_sriov(pf_model, &igb);
    assert_int_equal(pci_enumerate(&mcfg, NULL), STATUS_OK);
    pf.function = pci_function_find(pf_model->rid);
    assert_int_equal(sriov_probe(pf.function, &pf.sriov), STATUS_OK);
    assert_int_equal(sriov_enable(&pf.sriov, VFS), STATUS_OK);
    assert_int_equal(sriov_verify(&pf.sriov), STATUS_OK);
    table_pages = pages_in_use();
    acs_enable_all();
    memset(contexts, 0, sizeof contexts);
    memset(vf_resets, 0, sizeof vf_resets);
    detach_status = STATUS_OK;
    pf.function->life = PCI_UNKNOWN;
    for (unsigned i = 0; i < GUESTS; i++) {
        cpus[i + 1] = (struct cpu){.index = i + 1, .apic_id = i + 1, .state = CPU_IDLE};
        vcpus[i] = (struct vcpu){.cpu = &cpus[i + 1], .guest = &guests[i]};
        configs[i] = (struct config_guest){.cpus = 1};
        guests[i] = (struct guest){.index = i,
                                   .owner = OWNER_GUEST(i),
                                   .config = &configs[i],
                                   .state = GUEST_CREATED,
                                   .bar_windows = {{GUEST_BAR_BASE, GUEST_BAR_END, 0, 0}},
                                   .cpu_count = 1};
        guests[i].vcpus[0] = &vcpus[i];
        snprintf(guests[i].name, sizeof guests[i].name, "%s",
                 (const char *[]){"alpha", "beta", "gamma"}[i]);
        assert_int_equal(page_table_create(&guests[i].memory, &page_format_ept, 4, 2, false),
                         STATUS_OK);
    }
    host_log_clear();
    return 0;
}

static int done(void **state)
{
    for (unsigned i = 0; i < GUESTS; i++) {
        page_table_destroy(&guests[i].memory);
        for (unsigned d = 0; d < guests[i].assignment_count; d++) {
            if (guests[i].assignments[d]->vectors != NULL)
                pages_free(guests[i].assignments[d]->vectors, 1);
            pages_free(guests[i].assignments[d], 1);
        }
    }
    return pages_in_use() == table_pages ? 0 : -1;
}

/* What the audit proves of the VFs, from the model's side: a context entry exactly for a device of
 * a guest that runs or is being taken back; registers mapped for the owner and for nobody else. */
static void sound(void)
{
    assert_string_equal(model_last_violation(), "");
    for (unsigned n = 0; n < VFS; n++) {
        const struct pci_function *function = vf(n);
        int context = context_of(function->rid);
        const struct guest *owner = guest_of_owner(function->owner);
        if (context >= 0) {
            assert_non_null(owner);
            assert_ptr_equal(contexts[context].domain, &owner->domain);
            assert_true(owner->state == GUEST_RUNNING || owner->state == GUEST_STOPPING);
        }
        assert_false(function->life == PCI_UNUSABLE && (owner != NULL || context >= 0));
        for (unsigned i = 0; i < GUESTS; i++) {
            bool mapped = false;
            struct page_walk walk;
            for (uint64_t at = 0; page_table_next(&guests[i].memory, &at, &walk);
                 at += walk.page_size)
                mapped = mapped || (walk.present && walk.physical - function->bar[0].base < 0x4000);
            assert_int_equal(mapped, owner == &guests[i]);
        }
        assert_true(owner == NULL || frames_owned_by(function->bar[0].base, 0x4000, owner->owner));
        assert_true(owner != NULL || !OWNER_IS_GUEST(frames_owner(function->bar[0].base)));
    }
}
