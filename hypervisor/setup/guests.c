/* SPDX-License-Identifier: MIT */
/* Making guests from the configuration. */
#include "hypervisor/setup/guests.h"

#include "hypervisor/assign/assignment.h"
#include "hypervisor/assign/pf.h"
#include "hypervisor/abi/start.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/cores.h"
#include "hypervisor/guest/scrub.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/setup/affinity.h"
#include "hypervisor/setup/guest_memory.h"
#include "hypervisor/setup/load.h"
#include "hypervisor/setup/nodes.h"
#include "hypervisor/setup/vcpu.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/setup/pci_sriov.h"
#include "hypervisor/setup/setup.h"
#include "hypervisor/setup/view.h"
#include "hypervisor/setup/virtio.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/memory.h"

/* Emulated cores on a busy computer overwrite a slice in seconds. */
#define SCRUB_LIMIT MILLISECONDS(20000)

_Static_assert(GUEST_MAX == CONFIG_MAX_GUESTS && GUEST_MAX_FUNCTIONS == CONFIG_MAX_DEVICES,
               "all that a configuration can have");

static enum status refuse(struct guest *guest, enum status status, const char *message)
{
    guest->state = GUEST_REFUSED;
    log_event("guest.refused", "guest=%s line=%u status=%s message=\"%s\"", guest->name,
              guest->config->place.line, status_name(status), message);
    return status;
}

static enum status create_vcpus(struct guest *guest, const struct affinity *affinity)
{
    for (uint32_t index = 0; index < guest->config->cpus; index++) {
        struct cpu *cpu = affinity->cores[index];
        struct vcpu *vcpu = pages_allocate(ALIGN_UP(sizeof(struct vcpu), PAGE_SIZE) / PAGE_SIZE);
        if (vcpu == NULL)
            return refuse(guest, STATUS_NO_MEMORY, "no memory left for its vCPU");
        vcpu->guest = guest;
        vcpu->cpu = cpu;
        vcpu->index = index;
        vcpu->apic_id = cpu->apic_id;
        vcpu->memory = &guest->memory;
        guest->vcpus[index] = vcpu;
        guest->cpu_count = index + 1;
        enum status status = vcpu_setup()->create(vcpu);
        if (status != STATUS_OK)
            return refuse(guest, status, "its vCPU's control structures cannot be made");
    }
    return STATUS_OK;
}

/* NULL, with the reason logged, when the device is not to be had. */
static struct pci_function *resolve(const struct guest *guest, const struct config_device *device,
                                    const struct config *config, struct pf_device **pf)
{
    const char *name = config->nics[device->nic].name;
    struct pci_function *function = pf_function_at(device->nic);
    *pf = NULL;
    if (function != NULL && device->whole)
        return function;
    *pf = pf_device_at(device->nic);
    const struct guest *manager = *pf != NULL ? guest_of_owner((*pf)->manager) : NULL;
    if (manager != NULL && manager->state == GUEST_REFUSED) {
        log_event("device.refused",
                  "guest=%s device=%s.vf%u line=%u message=\"%s, which drives the card, was "
                  "refused, so nobody would set up its VFs\"",
                  guest->name, name, device->vf, device->place.line, manager->name);
        return NULL;
    }
    if (function != NULL && *pf != NULL) {
        rid_t rid = sriov_vf_rid(&(*pf)->sriov, (uint16_t)device->vf);
        function = pci_function_find(rid);
        if (function != NULL)
            return function;
    }
    char vf[8] = "";
    if (!device->whole)
        (void)format_text(vf, sizeof vf, ".vf%u", device->vf);
    log_event("device.refused", "guest=%s device=%s%s line=%u message=\"%s\"", guest->name, name,
              vf, device->place.line,
              function == NULL ? "the machine has no such device"
                               : "its NIC has no virtual functions (see nic.refused above)");
    return NULL;
}

/* The function is a PF that this guest drives while others have its VFs. */
static bool manages(const struct guest *guest, const struct pci_function *function)
{
    const struct pf *pf = pf_of(function);
    return pf != NULL && pf->split && pf->device.manager == guest->owner;
}

static bool manages_any(const struct guest *guest)
{
    for (uint32_t i = 0; i < PF_MAX; i++)
        if (pf_device_at(i) != NULL && pf_device_at(i)->manager == guest->owner)
            return true;
    return false;
}

static enum status claim_functions(struct guest *guest, const struct config *config)
{
    for (uint32_t i = 0; i < guest->config->device_count; i++) {
        struct pf_device *pf;
        struct pci_function *function = resolve(guest, &guest->config->devices[i], config, &pf);
        if (function == NULL)
            return refuse(guest, STATUS_NOT_FOUND, "a device it needs is missing");
        /* Drivers of VFs that work by themselves find registers by what the VF says of itself. */
        if (pf != NULL && config->nics[guest->config->devices[i].nic].driver != DRIVER_OURS &&
            view_add_vendor(function) != STATUS_OK)
            return refuse(guest, STATUS_NO_MEMORY, "no memory left for what it sees of a device");
        struct assignment *assignment =
            pages_allocate(ALIGN_UP(sizeof(struct assignment), PAGE_SIZE) / PAGE_SIZE);
        if (assignment == NULL)
            return refuse(guest, STATUS_NO_MEMORY, "no memory left for its devices");
        enum status status = assignment_add(guest, assignment, function, pf);
        if (status != STATUS_OK) {
            pages_free(assignment, ALIGN_UP(sizeof(struct assignment), PAGE_SIZE) / PAGE_SIZE);
            return refuse(guest, status, "a device it needs was refused");
        }
        if (!virtio_is_confined(function)) {
            (void)!assignment_refuse(
                guest, function, STATUS_DENIED,
                "it does not offer VIRTIO_F_ACCESS_PLATFORM, so its DMA may go "
                "past the IOMMU; QEMU's devices need iommu_platform=on");
            return refuse(guest, STATUS_DENIED, "a device it needs was refused");
        }
        if (manages(guest, function) &&
            view_add_vfs(assignment, &pf_of(function)->device.sriov) != STATUS_OK)
            return refuse(guest, STATUS_FULL, "what it is to see of its VFs has no room");
    }
    return STATUS_OK;
}

static enum status create_serial(struct guest *guest)
{
    guest->serial = pages_allocate(1);
    return guest->serial != NULL
               ? STATUS_OK
               : refuse(guest, STATUS_NO_MEMORY, "no memory left for its serial line");
}

/* Gives back all that a refused guest had taken. Nothing of it ever ran. */
static void dismantle(struct guest *guest)
{
    /* They give up as soon as they see that it is refused (guest/scrub.c). */
    bool back = WAIT_UNTIL(guest_cores_back(guest), SCRUB_LIMIT);
    guest->scrubbing = false;
    if (!back) {
        log_event("guest.lost",
                  "name=%s message=\"its cores do not come back from overwriting its memory: they "
                  "and the memory stay unused until a reboot\"",
                  guest->name);
        return;
    }
    const size_t pages = ALIGN_UP(sizeof(struct assignment), PAGE_SIZE) / PAGE_SIZE;
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        struct assignment *assignment = guest->assignments[i];
        assignment_unclaim(assignment);
        pages_free(assignment, pages);
    }
    guest->assignment_count = 0;
    for (unsigned i = 0; i < guest->cpu_count; i++) {
        vcpu_setup()->destroy(guest->vcpus[i]);
        pages_free(guest->vcpus[i], ALIGN_UP(sizeof(struct vcpu), PAGE_SIZE) / PAGE_SIZE);
        guest->vcpus[i] = NULL;
    }
    guest->cpu_count = 0;
    affinity_release(guest);
    pages_free(guest->serial, 1);
    guest->serial = NULL;
    if (guest->domain.table.root != NULL)
        iommu_domain_destroy(&guest->domain);
    guest_memory_release(guest);
}

/* All that needs no function. */
static void create(struct guest *guest)
{
    if (vcpu_setup() == NULL) {
        (void)refuse(guest, STATUS_UNSUPPORTED,
                     "this CPU offers neither VMX nor SVM (see cpu.refused above)");
        return;
    }
    struct affinity affinity;
    enum status status = affinity_choose(guest, &affinity);
    if (status != STATUS_OK)
        guest->state = GUEST_REFUSED;
    if (status == STATUS_OK)
        status = guest_memory_create(guest, &affinity, cpuid);
    if (status == STATUS_OK)
        status = create_vcpus(guest, &affinity);
    if (status == STATUS_OK)
        status = create_serial(guest);
    if (status == STATUS_OK)
        status = load_check(guest);
    if (status != STATUS_OK) {
        guest->state = GUEST_REFUSED;
        dismantle(guest);
    }
}

static void give_functions(struct guest *guest, const struct config *config)
{
    if (claim_functions(guest, config) == STATUS_OK) {
        guest->state = GUEST_CREATED;
        guest_memory_close_window(guest);
        log_event("guest.created",
                  "name=%s cpus=%u memory=%s base=%#lx devices=%u cores=%s node=%d", guest->name,
                  guest->cpu_count, size_text(guest->memory_size).text, guest->pieces[0].physical,
                  guest->assignment_count, cores_text(affinity_cores(guest).set).text,
                  (int)node_of_memory(guest->pieces[0].physical));
        guest_memory_log(guest);
    } else {
        dismantle(guest);
    }
}

void guests_give_functions(const struct config *config)
{
    /* A guest that drives a card comes first: without it nobody gets the VFs. */
    for (unsigned turn = 0; turn < 2; turn++)
        for (unsigned i = 0; guest_at(i) != NULL; i++)
            if (guest_at(i)->state == GUEST_EMPTY && manages_any(guest_at(i)) == (turn == 0))
                give_functions(guest_at(i), config);
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        if (guest_at(i)->state == GUEST_CREATED && load_prepare(guest_at(i)) != STATUS_OK) {
            guest_at(i)->state = GUEST_REFUSED;
            dismantle(guest_at(i));
        }
    affinity_log_threads();
}

/* A guest, what its section says and what its start stub is told; only as many are in memory as the
 * configuration has. */
struct record {
    struct guest guest;
    struct config_guest config;
    struct abi_start start;
};

static bool add_record(const struct config_guest *config)
{
    struct record *record = pages_allocate(ALIGN_UP(sizeof *record, PAGE_SIZE) / PAGE_SIZE);
    if (record == NULL) {
        log_event("guest.refused", "guest=%s line=%u status=%s message=\"%s\"", config->name,
                  config->place.line, status_name(STATUS_NO_MEMORY),
                  "no memory left to note it and those behind it");
        return false;
    }
    record->config = *config;
    record->guest.config = &record->config;
    record->guest.start = &record->start;
    guest_table.guests[guest_table.count++] = &record->guest;
    return true;
}

void guests_create(const struct config *config, const struct boot_info *boot)
{
    modules_keep(boot);
    affinity_init(config->smt_shared);
    for (uint32_t i = 0; i < config->guest_count && add_record(&config->guests[i]); i++) {
        struct guest *guest = guest_at(i);
        guest->index = i;
        guest->owner = OWNER_GUEST(i);
        guest->unsafe_interrupts = config->unsafe_interrupts;
        (void)text_copy(guest->name, sizeof guest->name, config->guests[i].name);
    }
    for (enum affinity_turn turn = 0; turn < AFFINITY_TURNS; turn++)
        for (unsigned i = 0; guest_at(i) != NULL; i++)
            if (affinity_turn(guest_at(i)->config) == turn)
                create(guest_at(i));
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        if (guest_at(i)->state == GUEST_EMPTY)
            scrub_begin(guest_at(i));
}
