/* SPDX-License-Identifier: MIT */
/* Reading a guest's code the way its CPU does: segment base, then its page tables. */
#include "hypervisor/vcpu/emulate/instruction.h"
#include "hypervisor/x86/registers.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/vcpu/emulate/fetch.h"

#define SEGMENT_32    BIT(14)
#define CR4_PSE       BIT(4)
#define ENTRY_PRESENT BIT(0)
#define ENTRY_LARGE   BIT(7)

/* SDM 3A 4.3 to 4.5. */
struct paging_mode {
    uint8_t levels;
    uint8_t index_bits;
    uint8_t entry_size;
    uint8_t top_index_bits;
    uint64_t root_mask;
};

static const struct paging_mode mode_32 = {2, 10, 4, 10, BITS(31, 12)};
static const struct paging_mode mode_pae = {3, 9, 8, 2, BITS(31, 5)};
static const struct paging_mode mode_4_level = {4, 9, 8, 9, BITS(51, 12)};

static const struct paging_mode *paging_mode(const struct vcpu_state *state)
{
    if ((state->cr4 & CR4_PAE) == 0)
        return &mode_32;
    if ((state->efer & EFER_LMA) == 0)
        return &mode_pae;
    return (state->cr4 & CR4_LA57) == 0 ? &mode_4_level : NULL;
}

static bool is_large(const struct paging_mode *mode, const struct vcpu_state *state, uint64_t entry,
                     unsigned level)
{
    if ((entry & ENTRY_LARGE) == 0)
        return false;
    if (mode == &mode_32)
        return level == 2 && (state->cr4 & CR4_PSE) != 0;
    return level == 2 || (level == 3 && mode == &mode_4_level);
}

/* The frame that a leaf maps. PSE-36: bits 39:32 of a 4 MiB page are in 20:13 (SDM 3A table 4-4).
 */
static uint64_t leaf_base(const struct paging_mode *mode, uint64_t entry, unsigned level,
                          uint64_t size)
{
    if (mode == &mode_32 && level == 2)
        return (entry & BITS(31, 22)) | FIELD(entry, 20, 13) << 32;
    return entry & BITS(51, 12) & ~(size - 1);
}

/* Guest-virtual to guest-physical, without permission checks; false when not mapped. */
static bool translate(struct vcpu *vcpu, const struct vcpu_state *state, uint64_t address,
                      uint64_t *physical)
{
    if ((state->cr0 & CR0_PG) == 0) {
        *physical = address;
        return true;
    }
    const struct paging_mode *mode = paging_mode(state);
    if (mode == NULL)
        return false;
    uint64_t table = state->cr3 & mode->root_mask;
    for (unsigned level = mode->levels; level > 0; level--) {
        unsigned shift = PAGE_SHIFT + (level - 1) * mode->index_bits;
        unsigned bits = level == mode->levels ? mode->top_index_bits : mode->index_bits;
        uint64_t entry = 0;
        if (!vcpu_events()->read_memory(
                vcpu, table + FIELD(address, shift + bits - 1, shift) * mode->entry_size, &entry,
                mode->entry_size))
            return false;
        if ((entry & ENTRY_PRESENT) == 0)
            return false;
        if (level == 1 || is_large(mode, state, entry, level)) {
            uint64_t size = BIT(shift);
            *physical = leaf_base(mode, entry, level, size) | (address & (size - 1));
            return true;
        }
        table = entry & (mode == &mode_32 ? BITS(31, 12) : BITS(51, 12));
    }
    return false;
}

static bool in_long_mode(const struct vcpu_state *state)
{
    return (state->efer & EFER_LMA) != 0 && (state->cs.attributes & SEGMENT_LONG) != 0;
}

size_t vcpu_read_virtual(struct vcpu *vcpu, const struct vcpu_state *state, uint64_t address,
                         void *bytes, size_t size)
{
    uint64_t mask = in_long_mode(state) ? ~UINT64_C(0) : 0xffffffff;
    size_t done = 0;
    while (done < size) {
        uint64_t at = (address + done) & mask, physical;
        size_t part = MIN((size_t)(PAGE_SIZE - (at & (PAGE_SIZE - 1))), size - done);
        if (!translate(vcpu, state, at, &physical) ||
            !vcpu_events()->read_memory(vcpu, physical, (uint8_t *)bytes + done, part))
            break;
        done += part;
    }
    return done;
}

size_t vcpu_fetch(struct vcpu *vcpu, const struct vcpu_state *state, uint8_t *bytes,
                  unsigned *code_bits)
{
    bool long_mode = in_long_mode(state);
    *code_bits = long_mode ? 64 : (state->cs.attributes & SEGMENT_32) != 0 ? 32 : 16;
    return vcpu_read_virtual(vcpu, state, (long_mode ? 0 : state->cs.base) + state->rip, bytes,
                             INSTRUCTION_MAX);
}

size_t vcpu_call_chain(struct vcpu *vcpu, const struct vcpu_state *state, uint64_t *returns,
                       size_t most)
{
    /* A frame is the caller's frame pointer and the address to return to. */
    size_t width = in_long_mode(state) ? 8 : 4, count = 0;
    uint64_t frame = vcpu->registers[GUEST_RBP];
    while (count < most) {
        uint64_t caller = 0, address = 0;
        if (vcpu_read_virtual(vcpu, state, frame, &caller, width) != width ||
            vcpu_read_virtual(vcpu, state, frame + width, &address, width) != width)
            break;
        returns[count++] = address;
        if (caller <= frame) /* stacks grow downwards: the end, or no frame pointers */
            break;
        frame = caller;
    }
    return count;
}
