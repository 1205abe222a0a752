#include "hypervisor/guest/events.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/control_call.h"
#include "hypervisor/guest/load.h"
#include "hypervisor/assign/assignment.h"
#include "hypervisor/vdev/ports.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/abi/calls.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/interrupts.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/vcpu/interrupt.h"

#define CONSOLE_LINE      200
#define CONSOLE_WRITE_MAX 4096

/* Per core, used by that core only: its guest's memory and the console line being put together. */
static struct core_view {
    const uint8_t *memory;
    char line[CONSOLE_LINE];
    size_t line_used;
} views[CPU_MAX];

static struct core_view *view(void)
{
    return &views[cpu_current()->index];
}

/* --- memory --- */

static bool read_memory(struct vcpu *vcpu, uint64_t address, void *bytes, size_t size)
{
    uint64_t memory_size = vcpu->guest->memory_size;
    if (size > memory_size || address > memory_size - size)
        return false;
    memcpy(bytes, view()->memory + address, size);
    return true;
}

/* --- devices: reads of virtual configuration space and registers beside an MSI-X table here, all
 * else on the control core --- */

static struct assignment *device_in_slot(struct guest *guest, unsigned slot)
{
    for (unsigned i = 0; i < guest->assignment_count; i++)
        if (guest->assignments[i]->slot == slot)
            return guest->assignments[i];
    return NULL;
}

struct access {
    struct assignment *assignment;
    uint64_t address; /* guest-physical, or the configuration offset */
    unsigned width;
    bool write;
    uint64_t value;
};

static void config_write(void *argument)
{
    struct access *access = argument;
    virtual_config_write(access->assignment, (unsigned)access->address, access->width,
                         (uint32_t)access->value);
}

static void msix_access(void *argument)
{
    struct access *access = argument;
    if (access->write)
        virtual_msix_write(access->assignment, access->address, access->width, access->value);
    else
        access->value = virtual_msix_read(access->assignment, access->address, access->width);
}

/* A vCPU whose control call was not taken carries on: reads give all ones, as from a dead device.
 */
static void ask_control_core(control_function *function, struct access *access)
{
    if (control_call(function, access))
        return;
    access->value = ~UINT64_C(0);
    log_event("guest.access_lost",
              "guest=%s address=%#llx message=\"the control core did not "
              "answer\"",
              access->assignment->guest->name, (unsigned long long)access->address);
}

void guest_config_access(struct guest *guest, uint64_t offset, unsigned width, bool write,
                         uint64_t *value)
{
    struct assignment *assignment = device_in_slot(guest, (unsigned)FIELD(offset, 19, 15));
    unsigned number = (unsigned)FIELD(offset, 11, 0);
    bool exists =
        assignment != NULL && FIELD(offset, 14, 12) == 0 && width <= 4 && IS_ALIGNED(number, width);
    if (!write) {
        *value = exists ? virtual_config_read(assignment, number, width) : ~UINT64_C(0);
    } else if (exists) {
        struct access access = {assignment, number, width, true, *value};
        ask_control_core(config_write, &access);
    }
}

static bool mmio(struct vcpu *vcpu, uint64_t address, unsigned width, bool write, uint64_t *value)
{
    struct guest *guest = vcpu->guest;
    if (address >= GUEST_ECAM_BASE && address - GUEST_ECAM_BASE < GUEST_ECAM_SIZE) {
        guest_config_access(guest, address - GUEST_ECAM_BASE, width, write, value);
        return true;
    }
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        if (!virtual_msix_covers(guest->assignments[i], address))
            continue;
        struct access access = {guest->assignments[i], address, width, write, *value};
        /* The device stays this guest's for as long as this core is in the exit: guest_hold(). */
        if (virtual_msix_passes(access.assignment, address))
            msix_access(&access);
        else
            ask_control_core(msix_access, &access);
        *value = access.value;
        return true;
    }
    /* A driver that has not noticed yet that its device was pulled finds nobody on the bus. */
    if (address < GUEST_BAR_BASE || address >= guest->pulled_end)
        return false;
    *value = UINT64_MAX;
    return true;
}

static bool io(struct vcpu *vcpu, uint16_t port, unsigned width, bool write, uint32_t *value)
{
    return ports_access(vcpu, port, width, write, value);
}

/* --- guest calls (abi.h) --- */

static void console_flush(const struct guest *guest, struct core_view *console)
{
    char text[CONSOLE_LINE * 4 + 1];
    if (console->line_used == 0)
        return;
    quote_text(text, sizeof text, console->line, console->line_used);
    console->line_used = 0;
    log_event("guest.output", "name=%s text=\"%s\"", guest->name, text);
}

static int64_t console_write_call(struct vcpu *vcpu, uint64_t address, uint64_t size)
{
    struct core_view *console = view();
    uint64_t memory_size = vcpu->guest->memory_size;
    if (size > CONSOLE_WRITE_MAX)
        return ABI_BAD_ARGUMENT;
    if (address > memory_size || size > memory_size - address)
        return ABI_BAD_ADDRESS;
    for (uint64_t i = 0; i < size; i++) {
        char byte = (char)console->memory[address + i];
        if (byte != '\n')
            console->line[console->line_used++] = byte;
        if (byte == '\n' || console->line_used == sizeof console->line)
            console_flush(vcpu->guest, console);
    }
    return ABI_OK;
}

void guest_note_event(struct guest *guest, uint64_t value)
{
    char serial[32] = "";
    if (guest->ports)
        (void)format_text(serial, sizeof serial, " serial=%llu",
                          (unsigned long long)virtual_serial_accesses(guest->serial));
    log_event("guest.event", "name=%s value=%#llx exits=%llu%s", guest->name,
              (unsigned long long)value, (unsigned long long)guest_exits(guest), serial);
}

/* What only the start stub may call (abi/start.h). Until it has, no other code of the guest runs;
 * a stub that a bad image has overwritten can say the wrong thing about its own guest only. */
static enum exit_action start_call(struct vcpu *vcpu, int64_t *result)
{
    struct guest *guest = vcpu->guest;
    const uint64_t *registers = vcpu->registers;
    struct abi_refusal refusal;
    if (registers[GUEST_RAX] == ABI_START_LOADED) {
        guest->ports = registers[GUEST_RDI] == 1;
        guest->loading = false;
        memset(vcpu->exits, 0, sizeof vcpu->exits); /* from here on they are the image's */
        *result = ABI_OK;
        return EXIT_RESUME;
    }
    if (!read_memory(vcpu, registers[GUEST_RDI], &refusal, sizeof refusal)) {
        *result = ABI_BAD_ADDRESS;
        return EXIT_RESUME;
    }
    load_refused(guest, &refusal);
    guest_note_end(guest, END_REFUSED, 0);
    return EXIT_STOP;
}

static enum exit_action hypercall(struct vcpu *vcpu)
{
    uint64_t *registers = vcpu->registers;
    int64_t result = ABI_NO_SUCH_CALL;
    switch (registers[GUEST_RAX]) {
    case ABI_CONSOLE_WRITE:
        result = console_write_call(vcpu, registers[GUEST_RDI], registers[GUEST_RSI]);
        break;
    case ABI_EVENT:
        guest_note_event(vcpu->guest, registers[GUEST_RDI]);
        result = ABI_OK;
        break;
    case ABI_EXIT:
        guest_note_end(vcpu->guest, "exit", registers[GUEST_RDI]);
        return EXIT_STOP;
    case ABI_START_LOADED:
    case ABI_START_REFUSED:
        if (vcpu->guest->loading && start_call(vcpu, &result) == EXIT_STOP)
            return EXIT_STOP;
        break;
    default:
        break;
    }
    registers[GUEST_RAX] = (uint64_t)result;
    return EXIT_RESUME;
}

/* --- code where the tables do not let it run yet --- */

struct execution {
    struct guest *guest;
    uint64_t address;
    enum status status;
};

static void allow_execute(void *argument)
{
    struct execution *execution = argument;
    execution->status = page_table_allow_execute(&execution->guest->memory, execution->address);
}

static bool execute(struct vcpu *vcpu, uint64_t address)
{
    struct execution execution = {vcpu->guest, address, STATUS_TIMEOUT};
    if (address >= vcpu->guest->memory_size || !control_call(allow_execute, &execution))
        return false;
    return execution.status == STATUS_OK;
}

/* --- interrupts between a guest's own vCPUs --- */

static bool ipi(struct vcpu *vcpu, uint64_t icr)
{
    struct guest *guest = vcpu->guest;
    bool addressed = false;
    for (unsigned i = 0; i < guest->cpu_count; i++) {
        if (!icr_addresses(icr, vcpu->apic_id, guest->vcpus[i]->apic_id))
            continue;
        vcpu_interrupt(guest->vcpus[i], icr);
        addressed = true;
    }
    return addressed;
}

/* --- the end --- */

static void stopped(struct vcpu *vcpu, const char *reason, const char *detail)
{
    char text[256];
    guest_note_end(vcpu->guest, reason, 0);
    quote_text(text, sizeof text, detail != NULL ? detail : "",
               detail != NULL ? strlen(detail) : 0);
    log_event("guest.fault", "name=%s vcpu=%u reason=%s message=\"%s\"", vcpu->guest->name,
              vcpu->index, reason, text);
}

const struct vcpu_events guest_events = {
    .mmio = mmio,
    .io = io,
    .hypercall = hypercall,
    .execute = execute,
    .ipi = ipi,
    .read_memory = read_memory,
    .stopped = stopped,
};

void guest_core(struct cpu *cpu)
{
    struct core_view *own = &views[cpu->index];
    cpu->state = CPU_IDLE;
    for (;;) {
        struct vcpu *vcpu = __atomic_load_n(&cpu->vcpu, __ATOMIC_ACQUIRE);
        if (vcpu == NULL) {
            cpu_wait();
            continue;
        }
        cpu->state = CPU_GUEST;
        own->line_used = 0;
        own->memory = window_open(vcpu->guest->memory_base, vcpu->guest->memory_size);
        if (own->memory != NULL)
            vcpu_run(vcpu);
        else
            stopped(vcpu, "no-memory", "the core cannot map the guest's memory");
        console_flush(vcpu->guest, own);
        window_close();
        own->memory = NULL;
        struct guest *guest = vcpu->guest;
        __atomic_store_n(&cpu->vcpu, NULL, __ATOMIC_RELEASE);
        cpu->state = cpu->corrupt ? CPU_RETIRED : CPU_IDLE;
        __atomic_sub_fetch(&guest->vcpus_running, 1, __ATOMIC_ACQ_REL);
        (void)!apic_send(cpu_at(0)->apic_id, APIC_COMMAND_FIXED(VECTOR_WAKE));
        if (cpu->corrupt)
            cpu_halt_forever();
    }
}
