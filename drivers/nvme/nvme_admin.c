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

void nvme_give_up(struct nvme_controller *controller, enum nvme_opcode opcode, enum status status,
                  const char *message)
{
    controller->dead = true;
    pf_lose(controller->device);
    pci_bus_master(controller->device->function, false);
    log_event("nvme.dead", "pf=%s opcode=%#x csts=%#x status=%s message=\"%s\"",
              rid_text(controller->device->function->rid).text, opcode,
              nvme_read(controller, NVME_CSTS), status_name(status), message);
}

static bool answered(const struct nvme_controller *controller,
                     const volatile struct nvme_completion *entry)
{
    return (entry->status & NVME_STATUS_PHASE) == controller->phase;
}

enum status nvme_execute(struct nvme_controller *controller, enum nvme_opcode opcode,
                         uint32_t namespace, uint32_t dword10, uint32_t dword11, uint32_t *result)
{
    controller->code = 0;
    if (controller->dead || controller->dma == NULL)
        return STATUS_TIMEOUT;
    const struct nvme_command command = {
        .opcode = (uint8_t)opcode,
        .id = ++controller->last_id,
        .namespace = namespace,
        .prp1 = nvme_page_address(NVME_PAGE_DATA),
        .dword10 = dword10,
        .dword11 = dword11,
    };
    const volatile struct nvme_completion *entry =
        (void *)(page(controller, NVME_PAGE_COMPLETION) + controller->head * sizeof *entry);
    memcpy(page(controller, NVME_PAGE_SUBMISSION) + controller->tail * sizeof command, &command,
           sizeof command);
    controller->tail = (uint16_t)((controller->tail + 1) % NVME_ENTRIES);
    memory_fence();
    nvme_write(controller, NVME_DOORBELLS, controller->tail);
    if (!WAIT_UNTIL(answered(controller, entry), COMMAND_TIME)) {
        nvme_give_up(controller, opcode, STATUS_TIMEOUT, "no answer; it is no longer used");
        return STATUS_TIMEOUT;
    }
    memory_fence();
    const struct nvme_completion answer = *entry;
    controller->head = (uint16_t)((controller->head + 1) % NVME_ENTRIES);
    if (controller->head == 0)
        controller->phase ^= 1;
    nvme_write(controller, NVME_DOORBELLS + controller->stride, controller->head);
    if (answer.id != command.id || answer.queue != 0) {
        /* What comes after this cannot be matched to a command any more. */
        nvme_give_up(controller, opcode, STATUS_DEVICE,
                     "it completed a command that was not issued; it is no longer used");
        return STATUS_DEVICE;
    }
    *result = answer.result;
    unsigned code = NVME_STATUS_CODE(answer.status);
    controller->code = code;
    if (code == 0)
        return STATUS_OK;
    if (nvme_is_logged(&controller->commands_refused))
        log_event("nvme.command",
                  "pf=%s opcode=%#x namespace=%u dword10=%#x dword11=%#x code=%#x message=\"the "
                  "controller refused the command\"",
                  rid_text(controller->device->function->rid).text, opcode, namespace, dword10,
                  dword11, code);
    return STATUS_DEVICE;
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
