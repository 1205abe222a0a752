/* SPDX-License-Identifier: MIT */
/* Commands: one at a time (NVM Express Base 2.0, 3.3). Completions are waited for, not signalled:
 * the controller's interrupts stay off. */
#include "drivers/nvme/nvme_admin.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"

#define COMMAND_TIME MILLISECONDS(2000)

static uint8_t *page(const struct nvme_controller *controller, enum nvme_page number)
{
    return controller->dma->memory + number * PAGE_SIZE;
}

enum status nvme_give_up(struct nvme_controller *controller, enum nvme_opcode opcode,
                         enum status status, const char *message)
{
    controller->dead = true;
    pf_lose(controller->device);
    pci_bus_master(controller->device->function, false);
    log_event("nvme.dead", "pf=%s opcode=%#x csts=%#x status=%s message=\"%s\"",
              rid_text(controller->device->function->rid).text, opcode,
              nvme_read(controller, NVME_CSTS), status_name(status), message);
    return status;
}

/* The entry is in memory before the doorbell tells of it (3.3.3.1). */
static void submit(struct nvme_controller *controller, const struct nvme_command *command)
{
    memcpy(page(controller, NVME_PAGE_SUBMISSION) + controller->tail * sizeof *command, command,
           sizeof *command);
    controller->tail = (uint16_t)((controller->tail + 1) % NVME_ENTRIES);
    memory_fence();
    nvme_write(controller, NVME_DOORBELLS, controller->tail);
}

/* An entry is new when its phase tag is that of this round (3.3.3.2); false: it stays an old one.
 */
static bool complete(struct nvme_controller *controller, struct nvme_completion *answer)
{
    const volatile struct nvme_completion *entry =
        (void *)(page(controller, NVME_PAGE_COMPLETION) + controller->head * sizeof *entry);
    if (!WAIT_UNTIL((entry->status & NVME_STATUS_PHASE) == controller->phase, COMMAND_TIME))
        return false;
    memory_fence();
    *answer = *entry;
    controller->head = (uint16_t)((controller->head + 1) % NVME_ENTRIES);
    if (controller->head == 0)
        controller->phase ^= 1;
    nvme_write(controller, NVME_DOORBELLS + controller->stride, controller->head);
    return true;
}

enum status nvme_execute(struct nvme_controller *controller, enum nvme_opcode opcode,
                         uint32_t namespace, uint32_t dword10, uint32_t dword11, uint32_t *result)
{
    controller->code = 0;
    if (controller->dead || controller->dma == NULL)
        return STATUS_TIMEOUT;
    struct nvme_completion answer;
    const struct nvme_command command = {
        .opcode = (uint8_t)opcode,
        .id = ++controller->last_id,
        .namespace = namespace,
        .prp1 = nvme_page_address(NVME_PAGE_DATA),
        .dword10 = dword10,
        .dword11 = dword11,
    };
    submit(controller, &command);
    if (!complete(controller, &answer))
        return nvme_give_up(controller, opcode, STATUS_TIMEOUT, "no answer; it is no longer used");
    if (answer.id != command.id || answer.queue != 0) /* nothing can be matched any more */
        return nvme_give_up(controller, opcode, STATUS_DEVICE,
                            "it completed a command that was not issued; it is no longer used");
    *result = answer.result;
    controller->code = NVME_STATUS_CODE(answer.status);
    if (controller->code != 0 && nvme_is_logged(&controller->commands_refused))
        log_event("nvme.command",
                  "pf=%s opcode=%#x namespace=%u dword10=%#x dword11=%#x code=%#x message=\"the "
                  "controller refused the command\"",
                  rid_text(controller->device->function->rid).text, opcode, namespace, dword10,
                  dword11, controller->code);
    return controller->code == 0 ? STATUS_OK : STATUS_DEVICE;
}

enum status nvme_identify(struct nvme_controller *controller, enum nvme_identify what,
                          uint32_t namespace)
{
    uint32_t result;
    memset(page(controller, NVME_PAGE_DATA), 0, PAGE_SIZE);
    return nvme_execute(controller, NVME_IDENTIFY, namespace, what, 0, &result);
}

uint16_t nvme_data16(const struct nvme_controller *controller, unsigned offset)
{
    return *(const volatile uint16_t *)(const void *)(page(controller, NVME_PAGE_DATA) + offset);
}

uint32_t nvme_data32(const struct nvme_controller *controller, unsigned offset)
{
    return *(const volatile uint32_t *)(const void *)(page(controller, NVME_PAGE_DATA) + offset);
}

void nvme_data_set_list(struct nvme_controller *controller, uint16_t only)
{
    const uint16_t list[] = {1, only};
    memset(page(controller, NVME_PAGE_DATA), 0, PAGE_SIZE);
    memcpy(page(controller, NVME_PAGE_DATA), list, sizeof list);
}
