// SOURCES: hypervisor/guest/events.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/base/string.c hypervisor/base/status.c
/* The start stub's own calls: what they do, and that nobody else has them. */
#include "hypervisor/abi/calls.h"
#include "hypervisor/assign/device.h"
#include "tests/unit/support/events_fixture.h"

static struct guest guest;
static struct vcpu vcpu = {.guest = &guest};

bool virtual_msix_covers(const struct assignment *of, uint64_t address)
{
    return false;
}

bool virtual_msix_passes(const struct assignment *of, uint64_t address)
{
    return false;
}

uint64_t virtual_msix_read(const struct assignment *of, uint64_t address, unsigned width)
{
    return 0;
}

void virtual_msix_write(struct assignment *of, uint64_t address, unsigned width, uint64_t value)
{
}

static int fresh(void **state)
{
    guest = (struct guest){.memory_size = MIB(2), .loading = true};
    ends = refusals = 0;
    return 0;
}

static int64_t call(uint64_t number, uint64_t argument)
{
    vcpu.registers[GUEST_RAX] = number;
    vcpu.registers[GUEST_RDI] = argument;
    assert_int_equal(guest_events.hypercall(&vcpu), EXIT_RESUME);
    return (int64_t)vcpu.registers[GUEST_RAX];
}

static void ports_come_with_the_kind(void **state)
{
    vcpu.exits[EXIT_CPUID] = 7;
    assert_int_equal(call(ABI_START_LOADED, 0), ABI_OK);
    assert_false(guest.ports || guest.loading);
    assert_int_equal(vcpu.exits[EXIT_CPUID], 0); /* those so far were the stub's */
    fresh(NULL);
    assert_int_equal(call(ABI_START_LOADED, 1), ABI_OK);
    assert_true(guest.ports);
}

static void an_image_has_no_such_calls(void **state)
{
    assert_int_equal(call(ABI_START_LOADED, 0), ABI_OK);
    assert_int_equal(call(ABI_START_LOADED, 1), ABI_NO_SUCH_CALL);
    assert_int_equal(call(ABI_START_REFUSED, 0), ABI_NO_SUCH_CALL);
    assert_false(guest.ports);
    assert_int_equal(ends + refusals, 0);
}

static void a_report_lies_in_the_guests_memory(void **state)
{
    const uint64_t size = sizeof(struct abi_refusal);
    const uint64_t beyond[] = {MIB(2) - size + 1, MIB(2), UINT64_MAX, UINT64_MAX - size + 1};
    for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
        assert_int_equal(call(ABI_START_REFUSED, beyond[i]), ABI_BAD_ADDRESS);
    assert_int_equal(ends + refusals, 0);
    assert_true(guest.loading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ports_come_with_the_kind, fresh),
        cmocka_unit_test_setup(an_image_has_no_such_calls, fresh),
        cmocka_unit_test_setup(a_report_lies_in_the_guests_memory, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
