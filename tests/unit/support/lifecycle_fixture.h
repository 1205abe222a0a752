/* SPDX-License-Identifier: MIT */
/* Two guests on cores that obey, dawdle or are lost, and a device; the code around lifecycle.c and
 * hold.c is the fixture's own. Static on purpose. */
#pragma once

#include <string.h>

#include "hypervisor/x86/control_call.h"
#include "hypervisor/assign/assignment.h"
#include "hypervisor/guest/load.h"
#include "hypervisor/guest/move.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/assign/pf.h"
#include "hypervisor/guest/hold.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/guest/pf_lost.h"
#include "hypervisor/guest/scrub.h"
#include "hypervisor/guest/verdict.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/output_fixture.h"

/* --- two guests on cores 1 to 3; the second one has a device --- */

static struct cpu cpus[4];
static struct vcpu vcpus[3];
static struct config_guest configs[2];
static struct guest guests[2];
static struct assignment device, second;
static struct pci_function function, second_function;
static unsigned kicks, wakes, scrubs, attaches, detach_starts, detach_finishes, disables;
static bool cores_obey, reset_done;
static enum status load_status, attach_status, detach_status;

struct guest *guest_at(unsigned index)
{
    return index < ARRAY_SIZE(guests) ? &guests[index] : NULL;
}

void pf_block_lost(const struct pf_device *pf)
{
}

const struct guest *pf_ending_manager(const struct guest *guest)
{
    return NULL;
}

struct pf_device *pf_device_at(uint32_t index)
{
    return NULL;
}

void guest_move_service(void)
{
}

static const struct guest *moving;

bool guest_moving(const struct guest *guest)
{
    return guest == moving;
}

/* A core that obeys leaves guest mode while its stop is waited for. */
void control_calls_service(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(vcpus) && cores_obey; i++) {
        struct cpu *cpu = vcpus[i].cpu;
        vcpus[i].in_guest = cpu->vcpu == &vcpus[i] && vcpus[i].hold_request == 0;
        if (vcpus[i].stop_request == 0 || cpu->vcpu != &vcpus[i])
            continue;
        cpu->vcpu = NULL;
        vcpus[i].guest->vcpus_running--;
    }
}

bool apic_send(uint32_t destination, uint32_t command)
{
    wakes++;
    return destination != 103; /* one APIC that does not send */
}

void cpu_kick(struct cpu *cpu)
{
    kicks++;
}

enum status load_guest(struct guest *guest, struct vcpu_state *start)
{
    assert_false(guest->scrubbing);
    guest->memory_clean = false;
    memset(start, 0, sizeof *start);
    start->rip = 0x1000 + guest->index;
    return load_status;
}

void load_refused(const struct guest *of, const struct abi_refusal *refusal)
{
    log_event("guest.refused", "guest=%s message=\"%s\"", of->name, refusal->message);
}

static bool cores_scrub, scrub_succeeds;

void scrub_begin(struct guest *guest)
{
    assert_int_not_equal(guest->state, GUEST_RUNNING);
    if (guest == &guests[1])
        assert_int_equal(detach_starts, detach_finishes);
    scrubs++;
    guest->scrubbing = true;
}

bool scrub_over(struct guest *guest)
{
    if (guest->scrubbing && !cores_scrub)
        return false;
    guest->memory_clean |= guest->scrubbing && scrub_succeeds;
    guest->scrubbing = false;
    return true;
}

enum status assignment_connect(struct assignment *attached)
{
    attaches++;
    if (attach_status == STATUS_OK)
        attached->function->life = PCI_USED;
    return attach_status;
}

void assignment_quiesce(struct assignment *detached)
{
    assert_int_equal(guests[1].vcpus_running, 0);
    if (!pci_connected(detached->function))
        return;
    detach_starts++;
    detached->function->life = PCI_RESETTING;
}

bool assignment_quiet(struct assignment *detached)
{
    return reset_done;
}

enum status assignment_disconnect(struct assignment *detached)
{
    assert_true(reset_done && assignment_resetting(detached));
    detach_finishes++;
    detached->function->life = detach_status == STATUS_OK ? PCI_CLEAN : PCI_UNCONFIRMED;
    return detach_status;
}

void assignment_silence(struct assignment *disabled)
{
    disables++;
}

static int fresh(void **state)
{
    memset(configs, 0, sizeof configs);
    memset(vcpus, 0, sizeof vcpus);
    for (unsigned i = 0; i < 4; i++)
        cpus[i] = (struct cpu){.index = i, .apic_id = 100 + i, .state = CPU_IDLE};
    for (unsigned i = 0; i < 2; i++)
        guests[i] = (struct guest){.index = i, .config = &configs[i], .state = GUEST_CREATED};
    strcpy(guests[0].name, "alpha");
    strcpy(guests[1].name, "beta");
    for (unsigned i = 0; i < 3; i++) {
        struct guest *guest = &guests[i == 0 ? 0 : 1];
        vcpus[i].cpu = &cpus[i + 1];
        vcpus[i].guest = guest;
        vcpus[i].index = guest->cpu_count;
        guest->vcpus[guest->cpu_count++] = &vcpus[i];
    }
    function = second_function = (struct pci_function){.life = PCI_CLEAN};
    device = (struct assignment){.guest = &guests[1], .function = &function};
    second = (struct assignment){.guest = &guests[1], .function = &second_function};
    moving = NULL;
    guests[1].assignments[guests[1].assignment_count++] = &device;
    kicks = wakes = scrubs = attaches = detach_starts = detach_finishes = disables = 0;
    cores_obey = reset_done = cores_scrub = scrub_succeeds = true;
    load_status = attach_status = detach_status = STATUS_OK;
    host_clock_set(0);
    host_log_clear();
    return 0;
}
