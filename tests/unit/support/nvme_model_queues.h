/* SPDX-License-Identifier: MIT */
/* The model's registers and queues (NVM Express Base 2.0, 3.1.3 and 3.3), part of nvme_model.h.
 * What is asked for is done in work(), when the driver waits; until then a completion queue entry
 * is the old one, and CSTS.RDY is what it was. */
#pragma once

#define READY_AFTER 2000u /* microseconds; CAP.TO of the model allows a second */

static unsigned entries(const struct part *part, bool completions)
{
    return ((completions ? part->aqa >> 16 : part->aqa) & 0xfff) + 1;
}

static uint8_t *dma(const struct part *part, uint64_t address, uint64_t size, const char *what)
{
    demand(part->master, "the controller is to reach %s, and its bus mastering is off", what);
    demand(part->domain != NULL, "the controller is to reach %s, and is in no domain", what);
    demand(address >= PF_DMA_BASE &&
               address + size <= PF_DMA_BASE + part->domain->table.table_pages,
           "the controller reaches for %s at %#llx, and its domain maps %#llx to %#llx", what,
           (unsigned long long)address, (unsigned long long)PF_DMA_BASE,
           (unsigned long long)(PF_DMA_BASE + part->domain->table.table_pages - 1));
    return (uint8_t *)part->domain->table.root + (address - PF_DMA_BASE);
}

/* Reads the entry that the doorbell hands over, as soon as it may. */
static void fetch(struct part *part)
{
    struct nvme_command command, *before = &part->fetched[part->tail];
    static const struct nvme_command nothing;
    memcpy(
        &command,
        dma(part, part->asq + part->tail * sizeof command, sizeof command, "its submission queue"),
        sizeof command);
    demand(
        memcmp(&command, &nothing, sizeof command) != 0 &&
            memcmp(&command, before, sizeof command) != 0,
        "the doorbell hands entry %u of the submission queue over, and %s is in it; the entry is "
        "written first (3.3.3.1)",
        part->tail, before->opcode == 0 ? "nothing" : "the command of a round ago");
    demand(
        memcmp(&command, &part->fenced, sizeof command) == 0,
        "entry %u of the submission queue was written behind the memory_fence(), and SQ0TDBL may "
        "overtake it",
        part->tail);
    demand(command.flags == 0 && command.prp2 == 0,
           "command %#x: FUSE and PSDT (bits 15:8 of CDW0) are %#x, PRP2 is %#llx, and one page of "
           "data needs neither",
           command.opcode, command.flags, (unsigned long long)command.prp2);
    *before = command;
    part->tail = (uint16_t)((part->tail + 1) % entries(part, false));
}

static void answer(struct part *part, const struct nvme_command *command, uint32_t result,
                   unsigned code)
{
    const struct nvme_completion completion = {
        .result = result,
        .queue_head = part->taken,
        .queue = wrong.wrong_queue,
        .id = (uint16_t)(command->id + wrong.wrong_id),
        .status = (uint16_t)(code << 1 | part->phase),
    };
    demand((part->head + 1) % entries(part, true) != part->seen,
           "the completion queue is full: %u entries were posted since CQ0HDBL was %u, and the "
           "controller cannot answer (3.3.1)",
           entries(part, true) - 1, part->seen);
    memcpy(dma(part, part->acq + part->head * sizeof completion, sizeof completion,
               "its completion queue"),
           &completion, sizeof completion);
    part->head = (uint16_t)((part->head + 1) % entries(part, true));
    if (part->head == 0)
        part->phase ^= 1;
}

static void carry_out(struct part *part)
{
    const struct nvme_command command = part->fetched[part->taken];
    part->taken = (uint16_t)((part->taken + 1) % entries(part, false));
    commands++;
    if (command.opcode == wrong.mute)
        return;
    if (wrong.meanwhile != NULL)
        wrong.meanwhile(&command);
    uint32_t result = 0;
    uint8_t *data = dma(part, command.prp1, PAGE_SIZE, "a command's data");
    unsigned code = part == pf ? primary_command(&command, data, &result)
                               : secondary_command(part, &command, data);
    answer(part, &command, result, code);
}

/* CSTS.RDY follows CC.EN. */
static void turn(struct part *part)
{
    bool on = (part->cc & 1) != 0;
    if (part->turns == 0 || clock_microseconds() < part->turns)
        return;
    part->turns = 0;
    if (on) {
        part->csts = wrong.never_ready ? 0 : 1;
    } else if (!wrong.never_stops) {
        if (part == pf)
            stop_everything();
        else
            stop(part);
    }
}

/* Whenever the driver waits. */
static void work(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        turn(&parts[i]);
        while (parts[i].taken != parts[i].tail && parts[i].csts == 1)
            carry_out(&parts[i]);
    }
}

static struct part *part_at(uintptr_t address, unsigned *offset)
{
    assert_in_range(address, REGISTERS, REGISTERS + ARRAY_SIZE(parts) * PART_SIZE - 1);
    *offset = (unsigned)((address - REGISTERS) % PART_SIZE);
    return &parts[(address - REGISTERS) / PART_SIZE];
}

uint32_t mmio_read32(uintptr_t address)
{
    unsigned offset;
    struct part *part = part_at(address, &offset);
    if (wrong.gone)
        return UINT32_MAX;
    switch (offset) {
    case NVME_CAP_LOW:
        return model.cap_low;
    case NVME_CAP_HIGH:
        return model.cap_high | (part != pf ? wrong.vf_capability : 0);
    case NVME_CSTS:
        turn(part);
        return part->csts;
    default:
        demand(false, "register %#x is read", offset);
        return 0;
    }
}

static void enable(struct part *part, uint32_t value)
{
    demand(part->csts == 0 && part->turns == 0,
           "CC.EN becomes 1 while CSTS.RDY is 1; the controller has not stopped yet (3.1.3.5)");
    demand(value == 0x00460001,
           "CC is %#x and 0x460001 is expected: IOCQES 4 (16 bytes), IOSQES 6 (64 bytes), MPS 0 (4 "
           "KiB), EN (3.1.3.5)",
           value);
    demand(part->aqa != 0 && part->asq != 0 && part->acq != 0,
           "CC.EN becomes 1 with AQA %#x, ASQ %#llx, ACQ %#llx; all three are set before (3.5.1)",
           part->aqa, (unsigned long long)part->asq, (unsigned long long)part->acq);
    demand(part->masked == UINT32_MAX,
           "CC.EN becomes 1 with INTMS %#x; completions are looked for, and nobody takes an "
           "interrupt (3.1.3.3)",
           part->masked);
    memset(part->fetched, 0, sizeof part->fetched);
    part->tail = part->taken = part->head = part->seen = 0;
    part->phase = 1;
}

static void write_control(struct part *part, uint32_t value)
{
    bool was = (part->cc & 1) != 0, on = (value & 1) != 0;
    if (on && !was)
        enable(part, value);
    if (on != was)
        part->turns = clock_microseconds() + READY_AFTER;
    part->cc = value;
}

static void submitted(struct part *part, uint32_t value)
{
    unsigned size = entries(part, false);
    demand(part->csts == 1, "SQ0TDBL is written while CSTS.RDY is 0 (3.1.3.6)");
    demand(value < size,
           "SQ0TDBL is %u, and the queue has the entries 0 to %u: an invalid doorbell value (5.2)",
           value, size - 1);
    demand(value != part->tail,
           "SQ0TDBL is %u, as it was: an invalid doorbell value (5.2); the tail is where the next "
           "command will be put",
           value);
    demand(part->fences != 0, "SQ0TDBL is written without a memory_fence() since the last command: "
                              "the controller may read the entry before it is in memory");
    part->fences = 0;
    while (part->tail != value)
        fetch(part);
}

/* One command at a time: an entry that is taken is the only one. */
static void completed(struct part *part, uint32_t value)
{
    demand(part->csts == 1, "CQ0HDBL is written while CSTS.RDY is 0 (3.1.3.6)");
    demand(part->head != part->seen,
           "CQ0HDBL is written, and entry %u of the completion queue was not posted yet; it is new "
           "when its phase tag is %u, and old while it is %u (3.3.3.2)",
           part->head, part->phase, part->phase ^ 1u);
    demand(value == part->head,
           "CQ0HDBL is %u, and %u is the entry behind the one that was taken, of %u (3.3.1)", value,
           part->head, entries(part, true));
    demand(part->fences != 0, "no memory_fence() between the phase tag and the rest of the entry: "
                              "the CPU may read the rest first");
    part->seen = (uint16_t)value;
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    unsigned offset, stride = 4u << NVME_CAP_STRIDE(model.cap_high);
    struct part *part = part_at(address, &offset);
    bool admin = offset == NVME_AQA || (offset >= NVME_ASQ && offset < NVME_ACQ + 8);
    turn(part);
    demand(!admin || (part->cc & 1) == 0,
           "register %#x is written while CC.EN is 1; AQA, ASQ and ACQ are set before (3.1.3.8)",
           offset);
    if (offset == NVME_CC)
        write_control(part, value);
    else if (offset == NVME_INTMS)
        part->masked |= value;
    else if (offset == NVME_AQA)
        part->aqa = value;
    else if (offset == NVME_ASQ || offset == NVME_ACQ)
        *(offset == NVME_ASQ ? &part->asq : &part->acq) = value;
    else if (admin)
        demand(value == 0, "the upper half of ASQ or ACQ (register %#x) is %#x", offset, value);
    else if (offset == NVME_DOORBELLS)
        submitted(part, value);
    else if (offset == NVME_DOORBELLS + stride)
        completed(part, value);
    else
        demand(false,
               "register %#x is written: CAP.DSTRD is %u, so SQ0TDBL is at 0x1000 and CQ0HDBL at "
               "%#x",
               offset, (unsigned)NVME_CAP_STRIDE(model.cap_high), NVME_DOORBELLS + stride);
}
