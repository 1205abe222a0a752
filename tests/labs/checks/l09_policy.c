/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/msr_policy.c hypervisor/vcpu/policy/msr.c
/* L9, steps 1 and 2: what the policy says of a register, and which is the next one that it knows.
 */
#include <time.h>

#include "tests/labs/checks/l09_bench.h"

static void expect_direct(uint32_t msr, bool write)
{
    asking("msr_policy_direct(%#x, %s)", msr, write ? "write" : "read");
    bool got = msr_policy_direct(msr, write), wanted = is_direct(msr, write);
    expect(got == wanted, "MSR %#x: %s %s, %s", msr, write ? "write" : "read",
           got ? "is direct" : "is not direct", policy_says(msr, write));
}

static void direct(void)
{
    for (unsigned probed = 0; probed < 2; probed++) {
        msr_machine.timer_entry_direct = probed != 0;
        for (uint32_t msr = 0; msr < 0x2000; msr++)
            for (unsigned write = 0; write < 2; write++) {
                expect_direct(msr, write != 0);
                expect_direct(0xc0000000u + msr, write != 0);
                expect_direct(0xc0010000u + msr, write != 0);
            }
        expect_direct(seeded("msr", 0x10000, 0x7fffffff, 0x40000000), false);
        expect_direct(UINT32_MAX, true);
    }
}

static void expect_next(uint32_t msr, uint32_t wanted, const char *why)
{
    asking("msr_policy_next(%#x)", msr);
    clock_t begun = clock();
    uint32_t got = msr_policy_next(msr);
    unsigned seconds = (unsigned)((clock() - begun) / CLOCKS_PER_SEC); /* of the processor's */
    expect(seconds == 0,
           "msr_policy_next(%#x) needs %u seconds: it asks for each of the numbers behind %#x in "
           "turn, of which there are up to 4,294,967,296; the table has %zu rows",
           msr, seconds, msr, msr_rule_count);
    expect(got == wanted, "msr_policy_next(%#x) is %#x instead of %#x; %s", msr, got, wanted, why);
}

static void next(void)
{
    expect_next(0xf0000000u, UINT32_MAX, "no row is behind it: UINT32_MAX");
    expect_next(0, msr_rules[0].first, "that is the first that the table names");
    for (size_t i = 0; i < msr_rule_count; i++) {
        const struct msr_rule *rule = &msr_rules[i];
        expect_next(rule->first, rule->first, "a row begins there, and it counts itself");
        for (uint32_t msr = rule->first; msr <= rule->last; msr++)
            expect_next(msr, msr,
                        "it is in the middle of a row; whoever goes on behind it would never come "
                        "to the end if it led back to the row's first");
        uint32_t behind = rule->last + 1;
        uint32_t wanted = i + 1 < msr_rule_count ? msr_rules[i + 1].first : UINT32_MAX;
        expect_next(behind, wanted,
                    wanted == UINT32_MAX ? "no row is behind it: UINT32_MAX"
                                         : "the row before has ended, the next one begins there");
    }
    expect_next(UINT32_MAX - 1, UINT32_MAX, "no row is behind it: UINT32_MAX");
}

void lab_check(void)
{
    direct();
    next();
}
