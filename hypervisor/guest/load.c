/* SPDX-License-Identifier: MIT */
#include "hypervisor/guest/load.h"

#include "hypervisor/abi/start.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/scrub.h"
#include "hypervisor/memory/address_space.h"

/* start_stub.asm */
extern const uint8_t start_stub[];
extern const uint64_t start_stub_size;

enum status load_refuse_image(const struct guest *guest, enum status status, const char *message)
{
    log_event("guest.refused", "guest=%s image=%s line=%u column=%u message=\"%s\"", guest->name,
              guest->config->image, guest->config->image_place.line,
              guest->config->image_place.column, message);
    return status;
}

enum status load_refuse_initrd(const struct guest *guest, enum status status, uint64_t size,
                               const char *message)
{
    const struct config_guest *config = guest->config;
    log_event("guest.refused",
              "guest=%s initrd=%s line=%u column=%u size=%lu memory=%s message=\"%s\"", guest->name,
              config->initrd, config->initrd_place.line, config->initrd_place.column, size,
              size_text(guest->memory_size).text, message);
    return status;
}

void load_refused(const struct guest *guest, const struct abi_refusal *refusal)
{
    const struct config_guest *config = guest->config;
    char message[sizeof refusal->message * 4 + 1];
    size_t length = 0;
    while (length < sizeof refusal->message && refusal->message[length] != '\0')
        length++;
    quote_text(message, sizeof message, refusal->message, length);
    switch (refusal->what) {
    case ABI_REFUSED_IMAGE:
        log_event("guest.refused",
                  "guest=%s image=%s line=%u column=%u offset=%#lx value=%#lx message=\"%s\"",
                  guest->name, config->image, config->image_place.line, config->image_place.column,
                  refusal->offset, refusal->value, message);
        break;
    case ABI_REFUSED_INITRD:
        (void)!load_refuse_initrd(guest, STATUS_OK, guest->start->initrd_size, message);
        break;
    default:
        (void)!load_refuse_image(guest, STATUS_OK, message);
        break;
    }
}

static void fill(const struct guest *guest, uint8_t *memory)
{
    const struct abi_start *start = guest->start;
    memcpy(memory + ABI_START_BLOCK, start, sizeof *start);
    memcpy(memory + ABI_START_STUB, start_stub, start_stub_size);
    memcpy(memory + start->image_base, guest->image, start->image_size);
    if (start->initrd_size != 0)
        memcpy(memory + start->initrd_base, guest->initrd, start->initrd_size);
}

enum status load_guest(struct guest *guest, struct vcpu_state *start)
{
    if (!guest->memory_clean && scrub_now(guest) != STATUS_OK)
        return load_refuse_image(guest, STATUS_NO_MEMORY,
                                 "its memory cannot be mapped for scrubbing");
    uint8_t *memory = window_open(guest->pieces, guest->piece_count);
    if (memory == NULL)
        return load_refuse_image(guest, STATUS_NO_MEMORY,
                                 "its memory cannot be mapped for loading");
    guest->memory_clean = false;
    memset(guest->vcpus[0]->registers, 0, sizeof guest->vcpus[0]->registers);
    fill(guest, memory);
    window_close();
    vcpu_state_pvh(start, ABI_START_STUB);
    return STATUS_OK;
}
