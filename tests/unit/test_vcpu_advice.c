/* SPDX-License-Identifier: MIT */
// What is said of a processor without x2APIC.
// SOURCES: hypervisor/setup/vcpu_advice.c
#include "hypervisor/setup/vcpu_advice.h"
#include "tests/unit/support/host.h"

#include <string.h>

static uint32_t vendor, signature;

static struct cpuid_result query(uint32_t leaf, uint32_t subleaf)
{
    return (struct cpuid_result){.eax = leaf == 1 ? signature : 0x10, .ebx = vendor};
}

static bool says(uint32_t ebx, uint32_t eax, const char *part)
{
    vendor = ebx;
    signature = eax;
    return strstr(vcpu_x2apic_advice(query), part) != NULL;
}

#define AMD   0x68747541
#define INTEL 0x756e6547

static void each_is_told_what_helps(void **state)
{
    assert_true(says(INTEL, 0x000306c3, "switch it on in the firmware's set-up"));
    assert_true(says(INTEL, 0x00800f11, "switch it on in the firmware's set-up"));
    assert_true(says(AMD, 0x00800f11, "no firmware setting gives it one")); /* Zen */
    assert_true(says(AMD, 0x00800f82, "no firmware setting gives it one")); /* Zen+ */
    assert_true(says(AMD, 0x00810f10, "no firmware setting gives it one")); /* its APUs */
    assert_true(says(AMD, 0x00600f12, "no firmware setting gives it one")); /* family 15h */
    assert_true(says(AMD, 0x00830f10, "local APIC mode"));                  /* EPYC 7002 */
    assert_true(says(AMD, 0x00870f10, "local APIC mode"));                  /* Ryzen 3000 */
    assert_true(says(AMD, 0x00a20f10, "local APIC mode"));                  /* Ryzen 5000 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_is_told_what_helps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
