/* SPDX-License-Identifier: MIT */
#include "hypervisor/vdev/calls.h"

#include "hypervisor/abi/calls.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/x86/cpu.h"

#define CONSOLE_WRITE_MAX 4096
#define KEY_LAST          0x7f
#define KEY_INTERVAL      MILLISECONDS(20) /* more than a person types, or a held key repeats */

struct calls_view calls_views[CPU_MAX];

static uint8_t typed; /* by the guest that may, and not taken yet; 0: nothing */

static struct calls_view *view(void)
{
    return &calls_views[cpu_current()->index];
}

bool calls_read_memory(struct vcpu *vcpu, uint64_t address, void *bytes, size_t size)
{
    if (!guest_memory_has(vcpu->guest, address, size))
        return false;
    memcpy(bytes, view()->memory + address, size);
    return true;
}

static int64_t console_write_call(struct vcpu *vcpu, uint64_t address, uint64_t size)
{
    struct calls_view *console = view();
    if (size > CONSOLE_WRITE_MAX)
        return ABI_BAD_ARGUMENT;
    if (!guest_memory_has(vcpu->guest, address, size))
        return ABI_BAD_ADDRESS;
    for (uint64_t i = 0; i < size; i++)
        (void)output_put(vcpu->guest, &console->line, (char)console->memory[address + i]);
    return ABI_OK;
}

void guest_note_event(struct guest *guest, uint64_t value)
{
    char serial[32] = "";
    if (guest->ports)
        (void)format_text(serial, sizeof serial, " serial=%lu",
                          virtual_serial_accesses(guest->serial));
    log_event("guest.event", "name=%s value=%#lx exits=%lu%s", guest->name, value,
              guest_exits(guest), serial);
}

static int64_t console_input_call(const struct guest *guest, uint64_t character)
{
    uint8_t nothing = 0;
    if (!guest->config->console_input) {
        if (!view()->denied)
            log_event("console.input_denied",
                      "guest=%s message=\"it may not type at the prompt; if it is to, add "
                      "console_input = yes to its section\"",
                      guest->name);
        view()->denied = true;
        return ABI_DENIED;
    }
    if (character == 0 || character > KEY_LAST)
        return ABI_BAD_ARGUMENT;
    return __atomic_compare_exchange_n(&typed, &nothing, (uint8_t)character, false,
                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED)
               ? ABI_OK
               : ABI_BUSY;
}

int calls_typed(void)
{
    static struct deadline next;
    if (typed == 0 || !deadline_passed(next))
        return -1;
    next = deadline_in(KEY_INTERVAL);
    return __atomic_exchange_n(&typed, 0, __ATOMIC_ACQUIRE);
}

/* What only the start stub may call (abi/start.h). Until it has, no other code of the guest runs;
 * a stub that a bad image has overwritten can say the wrong thing about its own guest only. */
static enum exit_action start_call(struct vcpu *vcpu, int64_t *result)
{
    struct guest *guest = vcpu->guest;
    const uint64_t *registers = vcpu->registers;
    if (registers[GUEST_RAX] == ABI_START_LOADED) {
        guest->ports = registers[GUEST_RDI] == 1;
        guest->loading = false;
        memset(vcpu->exits, 0, sizeof vcpu->exits); /* from here on they are the image's */
        *result = ABI_OK;
        return EXIT_RESUME;
    }
    if (!calls_read_memory(vcpu, registers[GUEST_RDI], &guest->refusal, sizeof guest->refusal)) {
        *result = ABI_BAD_ADDRESS;
        return EXIT_RESUME;
    }
    guest_note_end(guest, END_REFUSED, 0);
    return EXIT_STOP;
}

enum exit_action calls_answer(struct vcpu *vcpu)
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
    case ABI_CONSOLE_INPUT:
        result = console_input_call(vcpu->guest, registers[GUEST_RDI]);
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

void calls_open(const void *memory)
{
    *view() = (struct calls_view){.memory = memory};
}

void calls_close(const struct guest *guest)
{
    output_flush(guest, &view()->line);
    view()->memory = NULL;
}
