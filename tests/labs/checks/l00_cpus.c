/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/monitor/commands.c hypervisor/base/format.c hypervisor/base/string.c
// SOURCES: hypervisor/base/status.c hypervisor/base/text.c
/* L0, step 6: cores with ids that are not their numbers, in every state that there is. */
#include "tests/labs/checks/commands_bench.h"

static struct guest alpha = {.name = "alpha"}, beta = {.name = "beta"};
static struct vcpu vcpus[] = {{.guest = &alpha}, {.guest = &beta}, {.guest = &beta}};
static struct cpu cores[] = {
    {.index = 0, .apic_id = 4, .state = CPU_IDLE},
    {.index = 1, .apic_id = 0, .state = CPU_GUEST},
    {.index = 2, .apic_id = 9, .state = CPU_IDLE},
    {.index = 3, .apic_id = 33, .state = CPU_GUEST},
    {.index = 4, .apic_id = 34, .state = CPU_FAILED},
    {.index = 5, .apic_id = 1000, .state = CPU_RETIRED},
    {.index = 6, .apic_id = 40, .state = CPU_STARTING},
    {.index = 7, .apic_id = 41, .state = CPU_ABSENT},
};
static const char *const states[] = {"absent", "starting", "idle", "guest", "failed", "retired"};
static bool has_smi_count;
static uint64_t smi_count;

unsigned cpu_count(void)
{
    return ARRAY_SIZE(cores);
}

struct cpu *cpu_at(unsigned index)
{
    return index < ARRAY_SIZE(cores) ? &cores[index] : NULL;
}

struct guest *guest_at(unsigned index)
{
    return NULL;
}

bool msr_read_safe(uint32_t msr, uint64_t *value)
{
    expect(msr == MSR_SMI_COUNT, "cpus reads MSR %#x; MSR_SMI_COUNT is %#x", msr, MSR_SMI_COUNT);
    if (has_smi_count)
        *value = smi_count;
    return has_smi_count;
}

/* The next line of the answer, without its end. */
static const char *next(const char **from)
{
    static char line[200];
    size_t length = strcspn(*from, "\n");
    expect(**from == '\0' || (*from)[length] == '\n', "\"%s\" has no end of line", *from);
    snprintf(line, sizeof line, "%.*s", (int)length, *from);
    *from += length + ((*from)[length] == '\n');
    return line;
}

static void lists_cores(const char **at)
{
    for (unsigned i = 0; i < ARRAY_SIZE(cores); i++) {
        const struct cpu *core = &cores[i];
        char wanted[200];
        snprintf(wanted, sizeof wanted, "core %u: APIC id %lu, %s%s%s", i,
                 (unsigned long)core->apic_id, i == 0 ? "control core" : states[core->state],
                 core->vcpu != NULL ? " " : "", core->vcpu != NULL ? core->vcpu->guest->name : "");
        expect(**at != '\0', "cpus: %u cores are listed, and there are %zu: cpu_count()", i,
               ARRAY_SIZE(cores));
        const char *got = next(at), *why = "";
        if (i == 0 && strstr(got, "control core") == NULL)
            why = "; core 0 is the control core, whatever its state says";
        else if (strstr(got, "APIC id") != NULL &&
                 strncmp(got, wanted, strcspn(wanted, ",") + 1) != 0)
            why = "; firmware numbers APIC ids as it likes: cpu->apic_id";
        else if (core->vcpu != NULL)
            why = "; a core with a vCPU shows its guest's name";
        else
            why = "; enum cpu_state has the states in their order";
        expect(strcmp(got, wanted) == 0, "cpus: \"%s\", wanted \"%s\"%s", got, wanted, why);
    }
}

static void counts(uint64_t all, unsigned risen)
{
    const char *at = answer;
    char wanted[200];
    smi_count = all;
    type("cpus");
    at = answer;
    lists_cores(&at);
    snprintf(wanted, sizeof wanted,
             "SMIs, each of which stops all cores: %lu since reset, %lu since the last look",
             all & UINT32_MAX, (unsigned long)risen);
    const char *got = next(&at);
    expect(strcmp(got, wanted) == 0,
           "cpus: \"%s\", wanted \"%s\"; the count has 32 bits, and the last look's is kept", got,
           wanted);
}

void lab_check(void)
{
    cores[1].vcpu = &vcpus[0];
    cores[3].vcpu = &vcpus[1];
    cores[4].vcpu = &vcpus[2];
    cores[2].apic_id = seeded("apic", 10, 30, 9);
    type("cpus");
    const char *at = answer;
    lists_cores(&at);
    expect(*at == '\0',
           "cpus on a machine without SMI_COUNT: \"%s\" behind the cores; msr_read_safe() is false "
           "there",
           next(&at));
    has_smi_count = true;
    counts(12, 12);
    counts(15, 3);
    counts(UINT64_C(0x100000001), UINT32_C(0xfffffff2));
}
