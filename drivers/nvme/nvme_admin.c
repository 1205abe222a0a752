/* The admin queue of a controller: reset, enable, one command at a time (NVM Express Base 2.0, 3.5
 * and 3.3). Completions are waited for, not signalled: the controller's interrupts stay off. */
#include "drivers/nvme/nvme_admin.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"

#define ENTRIES         32u
#define TIMEOUT_UNIT    MILLISECONDS(500)
#define MAX_ENABLE_TIME MILLISECONDS(10000) /* CAP.TO could ask for two minutes */
#define COMMAND_TIME    MILLISECONDS(2000)

enum page { PAGE_SUBMISSION, PAGE_COMPLETION, PAGE_DATA, PAGES };

static uint8_t *page(const struct nvme_controller *controller, enum page number)
{
    return controller->dma->memory + number * PAGE_SIZE;
}

static uint64_t page_address(enum page number)
{
    return PF_DMA_BASE + number * PAGE_SIZE;
}

static uint32_t read(const struct nvme_controller *controller, unsigned offset)
{
    return mmio_read32(controller->device->registers + offset);
}

static void write(const struct nvme_controller *controller, unsigned offset, uint64_t value)
{
    mmio_write32(controller->device->registers + offset, (uint32_t)value);
}

static void write_address(const struct nvme_controller *controller, unsigned offset,
                          uint64_t address)
{
    write(controller, offset, address);
    write(controller, offset + 4, address >> 32);
}

enum status nvme_refuse(const struct nvme_controller *controller, enum status status,
                        const char *message)
{
    log_event("nvme.refused", "pf=%s status=%s message=\"%s\"",
              rid_text(controller->device->function->rid).text, status_name(status), message);
    return status;
}

/* Whether CSTS.RDY becomes `ready`. All ones: the device is gone. */
static bool becomes(const struct nvme_controller *controller, bool ready, uint64_t time)
{
    uint32_t state;
    return WAIT_UNTIL((state = read(controller, NVME_CSTS),
                       state != UINT32_MAX && ((state & NVME_CSTS_READY) != 0) == ready),
                      time);
}

static uint64_t enable_time(const struct nvme_controller *controller)
{
    uint64_t units = MAX(NVME_CAP_TIMEOUT(read(controller, NVME_CAP_LOW)), 1);
    return MIN(units * TIMEOUT_UNIT, MAX_ENABLE_TIME);
}

static enum status check_capabilities(struct nvme_controller *controller)
{
    uint32_t low = read(controller, NVME_CAP_LOW), high = read(controller, NVME_CAP_HIGH);
    controller->stride = 4u << NVME_CAP_STRIDE(high);
    if (low == UINT32_MAX && high == UINT32_MAX)
        return nvme_refuse(controller, STATUS_DEVICE, "its registers do not answer");
    if ((high & NVME_CAP_NVM) == 0 || NVME_CAP_MIN_PAGE(high) != 0 ||
        NVME_CAP_ENTRIES(low) < ENTRIES)
        return nvme_refuse(controller, STATUS_UNSUPPORTED,
                           "it lacks the NVM command set, 4 KiB pages or a queue of 32 entries");
    if (NVME_DOORBELLS + 2 * controller->stride > controller->device->registers_size)
        return nvme_refuse(controller, STATUS_INVALID,
                           "its doorbells lie outside of its registers (BAR 0)");
    return STATUS_OK;
}

static enum status enable(struct nvme_controller *controller)
{
    uint64_t time = enable_time(controller);
    write(controller, NVME_CC, 0);
    if (!becomes(controller, false, time))
        return nvme_refuse(controller, STATUS_TIMEOUT, "it does not stop (CSTS.RDY stays 1)");
    controller->tail = controller->head = controller->last_id = 0;
    controller->phase = 1;
    write(controller, NVME_INTMS, UINT32_MAX);
    write(controller, NVME_AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
    write_address(controller, NVME_ASQ, page_address(PAGE_SUBMISSION));
    write_address(controller, NVME_ACQ, page_address(PAGE_COMPLETION));
    write(controller, NVME_CC, NVME_CC_ENTRY_SIZES | NVME_CC_ENABLE);
    if (!becomes(controller, true, time))
        return nvme_refuse(controller, STATUS_TIMEOUT, "it does not start (CSTS.RDY stays 0)");
    return STATUS_OK;
}

enum status nvme_open(struct nvme_controller *controller)
{
    const struct pci_function *function = controller->device->function;
    controller->dead = false;
    enum status status = check_capabilities(controller);
    if (status != STATUS_OK)
        return status;
    controller->dma = pf_dma_open(function, PAGES);
    if (controller->dma == NULL)
        return STATUS_NO_MEMORY;
    status = enable(controller);
    if (status != STATUS_OK)
        nvme_close(controller);
    return status;
}

void nvme_close(struct nvme_controller *controller)
{
    if (controller->dma == NULL)
        return;
    write(controller, NVME_CC, 0);
    if (!becomes(controller, false, enable_time(controller)))
        (void)!nvme_refuse(controller, STATUS_TIMEOUT, "it does not stop; it is cut off the bus");
    pf_dma_close(controller->dma);
    controller->dma = NULL;
}

void nvme_give_up(struct nvme_controller *controller, enum nvme_opcode opcode, enum status status,
                  const char *message)
{
    controller->dead = true;
    controller->device->lost = true;
    pci_bus_master(controller->device->function, false);
    log_event("nvme.dead", "pf=%s opcode=%#x csts=%#x status=%s message=\"%s\"",
              rid_text(controller->device->function->rid).text, opcode, read(controller, NVME_CSTS),
              status_name(status), message);
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
        .prp1 = page_address(PAGE_DATA),
        .dword10 = dword10,
        .dword11 = dword11,
    };
    const volatile struct nvme_completion *entry =
        (void *)(page(controller, PAGE_COMPLETION) + controller->head * sizeof *entry);
    memcpy(page(controller, PAGE_SUBMISSION) + controller->tail * sizeof command, &command,
           sizeof command);
    controller->tail = (uint16_t)((controller->tail + 1) % ENTRIES);
    memory_fence();
    write(controller, NVME_DOORBELLS, controller->tail);
    if (!WAIT_UNTIL(answered(controller, entry), COMMAND_TIME)) {
        nvme_give_up(controller, opcode, STATUS_TIMEOUT, "no answer; it is not used any more");
        return STATUS_TIMEOUT;
    }
    memory_fence();
    const struct nvme_completion answer = *entry;
    controller->head = (uint16_t)((controller->head + 1) % ENTRIES);
    if (controller->head == 0)
        controller->phase ^= 1;
    write(controller, NVME_DOORBELLS + controller->stride, controller->head);
    if (answer.id != command.id || answer.queue != 0) {
        /* What comes after this cannot be matched to a command any more. */
        nvme_give_up(controller, opcode, STATUS_DEVICE,
                     "it answered what it was not asked; it is not used any more");
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
    memset(page(controller, PAGE_DATA), 0, PAGE_SIZE);
    return nvme_execute(controller, NVME_IDENTIFY, namespace, what, 0, &result);
}

uint16_t nvme_data16(const struct nvme_controller *controller, unsigned offset)
{
    return *(const volatile uint16_t *)(const void *)(page(controller, PAGE_DATA) + offset);
}

uint32_t nvme_data32(const struct nvme_controller *controller, unsigned offset)
{
    return *(const volatile uint32_t *)(const void *)(page(controller, PAGE_DATA) + offset);
}

void nvme_data_set_list(struct nvme_controller *controller, uint16_t only)
{
    const uint16_t list[] = {1, only};
    memset(page(controller, PAGE_DATA), 0, PAGE_SIZE);
    memcpy(page(controller, PAGE_DATA), list, sizeof list);
}
