/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/vmx_bitmaps.c hypervisor/vcpu/vmx/shared.c
// SOURCES: hypervisor/setup/msr_policy.c hypervisor/vcpu/policy/msr.c
/* L9, steps 3 to 5: the bitmaps as a processor reads them (SDM 3C 25.6.4 and 25.6.9), decoded here
 * byte by byte, beside the policy's table. */
#include "hypervisor/setup/vmx.h"
#include "tests/labs/checks/l09_bench.h"

#define PART 1024u /* bytes: 8192 registers */
#define HIGH 0xc0000000u

/* The four parts of the page, in the manual's order. */
static const struct part {
    const char *name;
    uint32_t base;
    bool write;
} parts[] = {{"read bitmap for low MSRs", 0, false},
             {"read bitmap for high MSRs", HIGH, false},
             {"write bitmap for low MSRs", 0, true},
             {"write bitmap for high MSRs", HIGH, true}};

static bool exits(unsigned part, uint32_t bit)
{
    return (vmx_msr_bitmap[part * PART + bit / 8] >> bit % 8 & 1) != 0;
}

/* --- what the whole looks like, when it is not as it should be --- */

enum shape { RIGHT, HALVES, DIRECTIONS, LAYOUT, INVERTED, BYTES_REVERSED, ONE_UP, ONE_DOWN };

/* Whether a page of that shape has the bit set. */
static bool shaped(enum shape shape, unsigned part, uint32_t bit)
{
    unsigned of = part;
    switch (shape) {
    case HALVES:
        of = part ^ 1;
        break;
    case DIRECTIONS:
        of = part ^ 2;
        break;
    case LAYOUT: /* read low, write low, read high, write high */
        of = part == 1 ? 2 : part == 2 ? 1 : part;
        break;
    case BYTES_REVERSED:
        bit ^= 7;
        break;
    case ONE_UP:
        if (bit == 0)
            return true;
        bit--;
        break;
    case ONE_DOWN:
        bit++;
        break;
    default:
        break;
    }
    bool wanted = bit >= 8 * PART || !is_direct(parts[of].base + bit, parts[of].write);
    return shape == INVERTED ? !wanted : wanted;
}

static bool has_shape(enum shape shape)
{
    for (unsigned part = 0; part < 4; part++)
        for (uint32_t bit = 0; bit < 8 * PART; bit++)
            if (exits(part, bit) != shaped(shape, part, bit))
                return false;
    return true;
}

static unsigned granted_in(unsigned part)
{
    unsigned granted = 0;
    for (uint32_t bit = 0; bit < 8 * PART; bit++)
        granted += !exits(part, bit);
    return granted;
}

static void expect_shapes(void)
{
    static const struct {
        enum shape shape;
        const char *says;
    } shapes[] = {
        {HALVES, "the halves are swapped: what 0 to 1fffh are granted stands where the processor "
                 "looks for c0000000h to c0001fffh"},
        {DIRECTIONS, "reads and writes are swapped: the lower 2 KiB of the page are for reads"},
        {LAYOUT, "the parts are in another order: read low, read high, write low, write high"},
        {INVERTED, "everything is the other way round: a bit that is set makes an exit"},
        {BYTES_REVERSED, "the bits of each byte are in the wrong order: MSR n is bit n % 8 of byte "
                         "n / 8, counted from the least"},
        {ONE_UP, "every grant is one bit too far: it stands for the register behind"},
        {ONE_DOWN, "every grant is one bit too low: it stands for the register before"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
        expect(!has_shape(shapes[i].shape), "%s (SDM 3C 25.6.9)", shapes[i].says);
    unsigned all = 0;
    for (unsigned part = 0; part < 4; part++)
        all += granted_in(part);
    expect(all != 4 * 8 * PART, "all 4096 bytes are 0: every MSR is granted, 1b0h as well as those "
                                "that policy has; the page begins as all ones");
    expect(all != 0, "nothing is granted: 80bh, the end of an interrupt, exits, and what is DIRECT "
                     "in the policy has no answer there but #GP");
}

static void expect_bits(void)
{
    for (unsigned part = 0; part < 4; part++) {
        unsigned wanted = 0;
        for (uint32_t bit = 0; bit < 8 * PART; bit++)
            wanted += is_direct(parts[part].base + bit, parts[part].write);
        expect(granted_in(part) != 0 || wanted == 0,
               "the %s grants nothing, and policy has %u registers for it", parts[part].name,
               wanted);
        expect(granted_in(part) != 8 * PART, "the %s grants everything", parts[part].name);
    }
    for (unsigned part = 0; part < 4; part++)
        for (uint32_t bit = 0; bit < 8 * PART; bit++) {
            uint32_t msr = parts[part].base + bit;
            bool write = parts[part].write, granted = !exits(part, bit);
            expect(granted == is_direct(msr, write), "MSR %#x: %s %s, %s (%s, byte %#x, bit %u)",
                   msr, write ? "write" : "read", granted ? "granted" : "exits",
                   policy_says(msr, write), parts[part].name, part * PART + bit / 8, bit % 8);
        }
}

/* Bitmap A is for ports 0 to 7fffh, B for the rest. */
static void expect_ports(void)
{
    for (unsigned half = 0; half < 2; half++)
        for (unsigned byte = 0; byte < PAGE_SIZE; byte++)
            expect(vmx_io_bitmaps[half][byte] == 0xff,
                   "port %#x is granted (I/O bitmap %c, byte %#x): the guest would reach the "
                   "machine's own; every port exits",
                   half * 0x8000 + byte * 8, 'A' + half, byte);
}

static void build(void)
{
    asking("vmx_bitmaps_build()");
    vmx_bitmaps_build();
}

void lab_check(void)
{
    for (unsigned probed = 0; probed < 2; probed++) {
        msr_machine.timer_entry_direct = probed == 0; /* what the first granted must not stay so */
        build();
        expect_shapes();
        expect_bits();
        expect_ports();
    }
    /* Whatever stood there before. */
    memset(vmx_msr_bitmap, 0, PAGE_SIZE);
    memset(vmx_io_bitmaps, 0, sizeof vmx_io_bitmaps);
    build();
    expect_shapes();
    expect_bits();
    expect_ports();
}
