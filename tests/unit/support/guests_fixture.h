/* SPDX-License-Identifier: MIT */
/* Guests that are made from a configuration on a machine of cores, nodes and functions. Everything
 * about cores and memory is the real code. Static on purpose. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/assign/assignment.h"
#include "hypervisor/assign/pf.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/guest/cores.h"
#include "hypervisor/setup/load.h"
#include "hypervisor/guest/scrub.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/affinity.h"
#include "hypervisor/setup/guests.h"
#include "hypervisor/setup/iommu.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/nodes.h"
#include "hypervisor/setup/pci_sriov.h"
#include "hypervisor/setup/setup.h"
#include "hypervisor/setup/topology.h"
#include "hypervisor/setup/vcpu.h"
#include "hypervisor/setup/view.h"
#include "hypervisor/setup/virtio.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/host.h"

/* --- the machine: cores, one function for each VF --- */

#define FUNCTIONS 64

static struct cpu cpus[CPU_MAX];
static unsigned cores, looks;
static struct pci_function functions[FUNCTIONS];
static struct pf_device pf;
static const char *missing_image;

struct cpu *cpu_at(unsigned index)
{
    looks++;
    return index < cores ? &cpus[index] : NULL;
}

unsigned cpu_count(void)
{
    return cores;
}

static const struct page_table_format *memory_format(unsigned *max_leaf, unsigned *max_execute)
{
    *max_leaf = *max_execute = 3;
    return &page_format_npt;
}

static enum status create(struct vcpu *vcpu)
{
    vcpu->control_page = pages_allocate(1);
    return vcpu->control_page != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static void destroy(struct vcpu *vcpu)
{
    pages_free(vcpu->control_page, 1);
}

const struct vcpu_setup *vcpu_setup(void)
{
    static const struct vcpu_setup setup = {
        .memory_format = memory_format, .create = create, .destroy = destroy};
    return &setup;
}

void modules_keep(const struct boot_info *boot)
{
}

enum status load_check(const struct guest *guest)
{
    return missing_image != NULL && strcmp(guest->config->image, missing_image) == 0
               ? STATUS_NOT_FOUND
               : STATUS_OK;
}

enum status load_prepare(struct guest *guest)
{
    return STATUS_OK;
}

void scrub_begin(struct guest *guest)
{
}

bool scrub_over(struct guest *guest)
{
    return true;
}

bool guest_cores_back(const struct guest *guest)
{
    return true;
}

uint64_t iommu_address_end(void)
{
    return BIT(39);
}

void cache_flush_range(const volatile void *address, size_t size)
{
}

struct pci_function *pf_function_at(uint32_t index)
{
    return &functions[0];
}

struct pf_device *pf_device_at(uint32_t index)
{
    return &pf;
}

struct pf *pf_of(const struct pci_function *function)
{
    return NULL;
}

bool virtio_is_confined(const struct pci_function *function)
{
    return true;
}

enum status assignment_refuse(const struct guest *guest, const struct pci_function *function,
                              enum status status, const char *message)
{
    return status;
}

enum status view_add_vendor(struct pci_function *function)
{
    return STATUS_OK;
}

enum status view_add_vfs(struct assignment *assignment, const struct sriov *sriov)
{
    return STATUS_OK;
}

rid_t sriov_vf_rid(const struct sriov *sriov, uint16_t index)
{
    return index;
}

struct pci_function *pci_function_find(rid_t rid)
{
    return rid < FUNCTIONS ? &functions[rid] : NULL;
}

enum status assignment_add(struct guest *guest, struct assignment *assignment,
                           struct pci_function *function, struct pf_device *its_pf)
{
    assert_in_range(guest->assignment_count, 0, GUEST_MAX_FUNCTIONS - 1);
    if (function->owner != OWNER_HYPERVISOR)
        return STATUS_BUSY;
    function->owner = guest->owner;
    assignment->function = function;
    guest->assignments[guest->assignment_count++] = assignment;
    return STATUS_OK;
}

void assignment_unclaim(struct assignment *assignment)
{
    assignment->function->owner = OWNER_HYPERVISOR;
}

void iommu_domain_destroy(struct iommu_domain *domain)
{
}

/* Leaf 0Bh: so many bits of the APIC id number the threads of a core. */
static unsigned thread_bits;
static uint32_t asked_id;

static struct cpuid_result cpuid_of_core(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 0:
        return (struct cpuid_result){.eax = 0xb, .ebx = 0x756e6547};
    case 1:
        return (struct cpuid_result){.ebx = 16u << 16, .edx = 1u << 28};
    case 0xb:
        return subleaf > 1 ? (struct cpuid_result){.ecx = subleaf, .edx = asked_id}
                           : (struct cpuid_result){.eax = subleaf == 0 ? thread_bits : 16,
                                                   .ebx = subleaf == 0 ? 1u << thread_bits : cores,
                                                   .ecx = subleaf | (subleaf + 1) << 8,
                                                   .edx = asked_id};
    default:
        return (struct cpuid_result){0};
    }
}

/* --- what the tests describe --- */

static struct config config;
static struct boot_info boot;
static struct srat srat;

static void remove_guests(void)
{
    for (unsigned i = 0; i < guest_table.count; i++) {
        struct guest *guest = guest_table.guests[i];
        for (unsigned n = 0; n < guest->assignment_count; n++)
            pages_free(guest->assignments[n],
                       ALIGN_UP(sizeof(struct assignment), PAGE_SIZE) / PAGE_SIZE);
        for (unsigned n = 0; n < guest->cpu_count; n++) {
            destroy(guest->vcpus[n]);
            pages_free(guest->vcpus[n], ALIGN_UP(sizeof(struct vcpu), PAGE_SIZE) / PAGE_SIZE);
        }
        pages_free(guest->serial, 1);
        if (guest->memory.root != NULL)
            page_table_destroy(&guest->memory);
        affinity_release(guest);
        pages_free(guest, 1);
    }
    memset(&guest_table, 0, sizeof guest_table);
}

static int fresh(void **state)
{
    memset(&config, 0, sizeof config);
    memset(&boot, 0, sizeof boot);
    memset(&srat, 0, sizeof srat);
    memset(cpus, 0, sizeof cpus);
    cores = 4;
    thread_bits = 0;
    for (unsigned i = 0; i < CPU_MAX; i++)
        cpus[i] =
            (struct cpu){.index = i, .apic_id = 2 * i, .state = i == 0 ? CPU_GUEST : CPU_IDLE};
    for (unsigned i = 0; i < FUNCTIONS; i++)
        functions[i] = (struct pci_function){.rid = i, .owner = OWNER_HYPERVISOR};
    missing_image = NULL;
    host_log_clear();
    return 0;
}

static int done(void **state)
{
    remove_guests();
    return pages_in_use() == 0 ? 0 : -1;
}

static void ram(uint64_t base, uint64_t size, enum boot_memory_type type)
{
    boot.ranges[boot.range_count++] = (struct boot_memory_range){base, size, type, 0};
}

static struct config_guest *guest(const char *name, uint64_t memory, uint32_t vcpus)
{
    struct config_guest *its = &config.guests[config.guest_count++];
    snprintf(its->name, sizeof its->name, "%s", name);
    snprintf(its->image, sizeof its->image, "%s.elf", name);
    its->place.line = config.guest_count;
    its->memory = memory;
    its->cpus = vcpus;
    return its;
}

__attribute__((unused)) static struct config_guest *on_cores(struct config_guest *its,
                                                             uint16_t first, uint16_t last)
{
    for (uint16_t core = first; core <= last; core++)
        its->cores[its->core_count++] = core;
    its->cpus = its->core_count;
    return its;
}

__attribute__((unused)) static struct config_guest *on_node(struct config_guest *its, uint32_t node)
{
    its->on_node = true;
    its->node = node;
    return its;
}

__attribute__((unused)) static void device(struct config_guest *its, uint32_t vf)
{
    its->devices[its->device_count++] = (struct config_device){.vf = vf};
}

/* Two nodes with cores, 0 to `cores` / 2 - 1 on the first, and a third one without. */
__attribute__((unused)) static void nodes(uint64_t size)
{
    for (unsigned i = 0; i < cores; i++)
        srat.cpu[srat.cpu_count++] = (struct srat_cpu){cpus[i].apic_id, i < cores / 2 ? 0 : 5};
    static const uint32_t numbers[] = {0, 5, 2};
    for (unsigned i = 0; i < 3; i++) {
        ram(GIB(4) + i * size, size, BOOT_MEMORY_USABLE);
        srat.memory[srat.memory_count++] =
            (struct srat_memory){GIB(4) + i * size, GIB(4) + (i + 1) * size, numbers[i], false};
    }
}

static void make(void)
{
    assert_int_equal(frames_init(&boot), STATUS_OK);
    nodes_init(&srat, &boot);
    nodes_log();
    for (unsigned i = 0; i < cores; i++) {
        asked_id = cpus[i].apic_id;
        topology_note(i, asked_id, asked_id, cpuid_of_core);
    }
    guests_create(&config, &boot);
    guests_give_functions(&config);
}

__attribute__((unused)) static uint32_t node_of(const char *name)
{
    const struct guest *found = guest_find(name);
    assert_non_null(found);
    assert_int_equal(found->state, GUEST_CREATED);
    assert_true(frames_owned_by(found->pieces[0].physical, found->memory_size, found->owner));
    return node_of_memory(found->pieces[0].physical);
}

static unsigned core_of(const char *name, unsigned vcpu)
{
    const struct guest *found = guest_find(name);
    assert_true(vcpu < found->cpu_count && found->vcpus[vcpu]->cpu->index != 0);
    return found->vcpus[vcpu]->cpu->index;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
