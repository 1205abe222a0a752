/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/guest/load.c hypervisor/guest/scrub.c hypervisor/setup/load.c
// SOURCES: hypervisor/setup/modules.c
// SOURCES: guest/start/start.c
// SOURCES: guest/start/image.c guest/start/image_linux.c guest/start/image_multiboot.c
// SOURCES: guest/start/tables.c guest/start/tables_acpi.c guest/start/tables_linux.c
// SOURCES: guest/start/tables_multiboot.c hypervisor/vcpu/state.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c hypervisor/base/string.c hypervisor/base/text.c
/* Filling a guest's memory, by the hypervisor and then by the start stub: image, arguments, start
 * state, and that nothing of before is left. */
#include <stdlib.h>

#include "guest/start/start.h"
#include "hypervisor/guest/cores.h"
#include "hypervisor/guest/load.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/setup/load.h"
#include "hypervisor/setup/setup.h"
#include "hypervisor/x86/clock.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/image_builder.h"
#include "tests/unit/support/linux_builder.h"

static struct image_builder builder;
static struct config_guest configs[2];
static struct guest guests[2];
static struct vcpu vcpu = {.apic_id = 3};
static struct vcpu_state start;
static uint8_t *memory;
static uint8_t initrd[MIB(1) + 100];
static uint8_t multiboot[64];
static bool window_fails;
static unsigned windows;
static struct start_result result;
static struct abi_refusal refusal;

__asm__(".pushsection .rodata\n"
        ".global start_stub, start_stub_size\n"
        ".balign 8\n"
        "start_stub_size: .quad 8\n"
        "start_stub: .ascii \"the stub\"\n"
        ".popsection");

void *window_open(const struct memory_piece *pieces, unsigned count)
{
    assert_ptr_equal(pieces, guests[0].pieces);
    assert_int_equal(count, 1);
    if (window_fails)
        return NULL;
    windows++;
    return memory;
}

void window_close(void)
{
    windows--;
}

const void *map_firmware(uint64_t physical, uint64_t size)
{
    return (const void *)(uintptr_t)physical;
}

uint64_t clock_tsc_khz(void)
{
    return 2100000;
}

bool iommu_enabled(void)
{
    return false;
}

bool iommu_snoops(void)
{
    return true;
}

void cache_flush_range(const volatile void *address, size_t size)
{
}

/* Its cores have nothing to do with loading. */
void guest_cores_begin(struct guest *guest)
{
    fail();
}

bool guest_cores_back(const struct guest *guest)
{
    return true;
}

struct guest *guest_at(unsigned index)
{
    return index < ARRAY_SIZE(guests) ? &guests[index] : NULL;
}

static int first(void **state)
{
    static struct boot_info boot;
    image_build(&builder, true);
    boot.module_count = 5;
    strcpy(boot.modules[0].name, "ping.elf");
    boot.modules[0].base = (uintptr_t)builder.file.bytes;
    boot.modules[0].size = builder.file.length;
    strcpy(boot.modules[1].name, "empty.elf"); /* a file without a byte */
    linux_build(MIB(1), KIB(64));
    strcpy(boot.modules[2].name, "vmlinuz");
    boot.modules[2].base = (uintptr_t)linux_file;
    boot.modules[2].size = sizeof linux_file;
    strcpy(boot.modules[3].name, "initrd");
    boot.modules[3].base = (uintptr_t)initrd;
    boot.modules[3].size = sizeof initrd;
    /* Multiboot's address fields: 64 bytes for 0x10000, the entry behind the header. */
    const uint32_t fields[] = {
        0x1badb002, BIT(16), 0 - 0x1badb002u - (uint32_t)BIT(16), 0x10000, 0x10000, 0, 0, 0x10020};
    memcpy(multiboot, fields, sizeof fields);
    strcpy(boot.modules[4].name, "kernel");
    boot.modules[4].base = (uintptr_t)multiboot;
    boot.modules[4].size = sizeof multiboot;
    modules_keep(&boot);
    memory = malloc(MIB(4));
    return 0;
}

static int last(void **state)
{
    free(memory);
    return 0;
}

static int fresh(void **state)
{
    static struct abi_start noted[2];
    memset(configs, 0, sizeof configs);
    strcpy(configs[0].image, "ping.elf");
    configs[0].image_place = (struct config_place){12, 10};
    for (unsigned i = 0; i < 2; i++)
        guests[i] = (struct guest){.config = &configs[i],
                                   .start = &noted[i],
                                   .memory_size = MIB(4),
                                   .piece_count = 1,
                                   .pieces = {{0, MIB(64) + i * MIB(16), MIB(4)}},
                                   .cpu_count = 1,
                                   .vcpus = {&vcpu}};
    strcpy(guests[0].name, "alpha");
    strcpy(guests[1].name, "beta");
    memset(memory, 0xee, MIB(4));
    memset(vcpu.registers, 0xee, sizeof vcpu.registers);
    window_fails = false;
    windows = 0;
    host_log_clear();
    return 0;
}

/* At boot, and at a start. */
static enum status load(void)
{
    enum status status = load_prepare(&guests[0]);
    return status == STATUS_OK ? load_guest(&guests[0], &start) : status;
}

/* What the guest's own core does then. The stub's place counts as overwritten: its last
 * instructions do that. */
static bool run_stub(void)
{
    refusal = (struct abi_refusal){0};
    assert_memory_equal(memory + ABI_START_STUB, "the stub", 8);
    if (!start_load(memory, (const struct abi_start *)(memory + ABI_START_BLOCK), &result,
                    &refusal))
        return false;
    memset(memory + ABI_START_BLOCK, 0, ABI_START_END - ABI_START_BLOCK);
    return true;
}

/* The start_info's command line (PVH start of day, version 1: its address at offset 24). */
static const char *command_line(void)
{
    uint64_t address;
    memcpy(&address, memory + result.tables.start_info + 24, 8);
    assert_in_range(address, GUEST_TABLES_BASE, GUEST_TABLES_END - 1);
    return (const char *)memory + address;
}

static const char *load_with(const char *arguments)
{
    strcpy(configs[0].args, arguments);
    assert_int_equal(load(), STATUS_OK);
    assert_true(run_stub());
    return command_line();
}

static void test_image_and_start_state(void **state)
{
    assert_int_equal(load(), STATUS_OK);
    assert_int_equal(windows, 0);
    assert_int_equal(start.rip, ABI_START_STUB);
    assert_int_equal(start.cr0 & 0x80000001, 1); /* protected mode without paging */
    for (unsigned i = 0; i < GUEST_REGISTERS; i++)
        assert_int_equal(vcpu.registers[i], 0);
    assert_true(run_stub());
    assert_int_equal(result.kind, IMAGE_PVH);
    assert_int_equal(result.entry, IMAGE_ENTRY);
    const uint32_t content = builder.programs + 3 * builder.program_size;
    assert_memory_equal(memory + 0x100000, builder.file.bytes + content, 64);
    assert_memory_equal(memory + 0x200000, builder.file.bytes + content + 64, 16);
    uint32_t magic;
    memcpy(&magic, memory + result.tables.start_info, 4);
    assert_int_equal(magic, 0x336ec578);
    /* Everything else is zero: no byte of the former owner, none of the files. */
    for (uint64_t i = 0; i < MIB(4); i++)
        if (memory[i] == 0xee)
            fail_msg("a byte at %#llx is left of before", (unsigned long long)i);
    for (uint64_t i = 0; i < GUEST_TABLES_BASE; i++)
        assert_int_equal(memory[i], 0);
    for (uint64_t i = 0x100040; i < 0x200000; i++)
        assert_int_equal(memory[i], 0);
    for (uint64_t i = 0x200010; i < MIB(4); i++)
        assert_int_equal(memory[i], 0);
}

static uint64_t number_at(uint64_t address, size_t size)
{
    uint64_t value = 0;
    assert_in_range(address, GUEST_TABLES_BASE, GUEST_TABLES_END - size);
    memcpy(&value, memory + address, size);
    return value;
}

/* Each of them is in the MADT with its core's id, in the guest's order. */
static void test_as_many_vcpus_as_there_can_be(void **state)
{
    static struct vcpu many[GUEST_MAX_CPUS];
    assert_int_equal(GUEST_MAX_CPUS, 64);
    for (unsigned i = 0; i < GUEST_MAX_CPUS; i++) {
        many[i].apic_id = 300 + 7 * i;
        guests[0].vcpus[i] = &many[i];
    }
    guests[0].cpu_count = GUEST_MAX_CPUS;
    assert_int_equal(load(), STATUS_OK);
    assert_true(run_stub());
    uint64_t xsdt = number_at(number_at(result.tables.start_info + 0x20, 8) + 24, 8), madt = 0;
    for (uint64_t at = xsdt + 36; at < xsdt + number_at(xsdt + 4, 4) && madt == 0; at += 8)
        if (memcmp(memory + number_at(at, 8), "APIC", 4) == 0)
            madt = number_at(at, 8);
    assert_int_equal(number_at(madt + 4, 4), 44 + GUEST_MAX_CPUS * 16);
    for (unsigned i = 0; i < GUEST_MAX_CPUS; i++) {
        assert_int_equal(number_at(madt + 44 + i * 16, 1), 9);
        assert_int_equal(number_at(madt + 44 + i * 16 + 4, 4), 300 + 7 * i);
        assert_int_equal(number_at(madt + 44 + i * 16 + 8, 4), 1);
    }
}

static void test_scrubbing(void **state)
{
    guests[0].memory_clean = true;
    memset(memory, 0, MIB(4));
    assert_int_equal(load(), STATUS_OK);
    assert_false(guests[0].memory_clean);
    window_fails = true;
    assert_int_equal(load(), STATUS_NO_MEMORY);
    assert_int_equal(host_log_count("guest.refused", "scrubbing"), 1);
}

static void test_refusals(void **state)
{
    assert_int_equal(load_check(&guests[0]), STATUS_OK);
    assert_string_equal(host_log_text(), "");
    strcpy(configs[0].image, "pong.elf");
    assert_int_equal(load_check(&guests[0]), STATUS_NOT_FOUND);
    assert_int_equal(host_log_count("guest.refused", "image=pong.elf line=12 column=10"), 1);
    strcpy(configs[0].image, "empty.elf");
    assert_int_not_equal(load_check(&guests[0]), STATUS_OK);
    assert_int_equal(host_log_count("guest.refused", "image=empty.elf"), 1);
    strcpy(configs[0].image, "ping.elf");
    guests[0].memory_size = MIB(1); /* all of it below the end of the tables */
    assert_int_equal(load_check(&guests[0]), STATUS_NO_MEMORY);
    assert_int_equal(host_log_count("guest.refused", "the files do not fit"), 1);
    guests[0].memory_size = MIB(2);
    assert_int_equal(load_check(&guests[0]), STATUS_OK);
    assert_int_equal(memory[0], 0xee); /* untouched */
    assert_int_equal(load(), STATUS_OK);
    assert_int_equal(windows, 0);
    assert_false(run_stub());
    load_refused(&guests[0], &refusal);
    assert_int_equal(host_log_count("guest.refused",
                                    "image=ping.elf line=12 column=10 offset=0x78 value=0x200000 "
                                    "message=\"a segment lies beyond"),
                     1);
}

/* What a stub says is data: of any kind, of any length, with any bytes. */
static void test_what_a_stub_says(void **state)
{
    refusal = (struct abi_refusal){.what = UINT64_MAX};
    memset(refusal.message, 'x', sizeof refusal.message);
    load_refused(&guests[0], &refusal);
    char all[sizeof refusal.message + 2];
    memset(all, 'x', sizeof all);
    all[0] = all[sizeof all - 1] = '"';
    char text[sizeof all + 1] = {0};
    memcpy(text, all, sizeof all);
    assert_int_equal(host_log_count("guest.refused", text), 1);
    refusal.what = ABI_REFUSED_IMAGE;
    strcpy(refusal.message, "a \"\nguest.stopped name=beta");
    load_refused(&guests[0], &refusal);
    assert_int_equal(host_log_count("guest.stopped", "name=beta"), 0);
    assert_null(strstr(host_log_text(), "\nguest.stopped"));
}

static void test_arguments(void **state)
{
    assert_string_equal(load_with("peer=beta count=5"), "peer=beta count=5");
    assert_string_equal(load_with("at=@memory(beta)"), "at=0x5000000");
    assert_string_equal(load_with("@memory(alpha) @memory(beta),x"), "0x4000000 0x5000000,x");
    const char *line = load_with("target=@memory(hypervisor)");
    assert_true(strncmp(line, "target=0x", 9) == 0);
    assert_int_not_equal(strtoull(line + 7, NULL, 16), 0);
    /* Names that nobody has, and what is not closed, stay as they are. */
    static const char *const kept[] = {
        "@memory(gamma)",
        "@memory(bet)",
        "@memory(betas)",
        "@memory()",
        "@memory(beta",
        "@memory",
        "@",
        "@memory (beta)",
        "memory(beta)",
        "@memory(Beta)",
        "a@b @@",
    };
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        assert_string_equal(load_with(kept[i]), kept[i]);
    assert_string_equal(load_with("@@memory(beta))"), "@0x5000000)");
    assert_string_equal(load_with("@memory(@memory(beta)"), "@memory(0x5000000");
    /* A guest that was refused has no memory to name. */
    guests[1].memory_size = 0;
    assert_string_equal(load_with("at=@memory(beta)"), "at=@memory(beta)");
}

/* What a configuration can hold always fits, however much longer it becomes. */
static void test_longest_arguments(void **state)
{
    char *args = configs[0].args;
    guests[1].pieces[0].physical = UINT64_C(0xffffffffff000);
    strcpy(guests[1].name, "b");
    while (strlen(args) + strlen("@memory(b)") < CONFIG_ARGS_SIZE)
        strcat(args, "@memory(b)");
    const size_t count = strlen(args) / strlen("@memory(b)");
    assert_int_equal(load(), STATUS_OK);
    assert_true(run_stub());
    assert_int_equal(strlen(command_line()), count * strlen("0xffffffffff000"));
}

/* --- Linux --- */

static void use_linux(void)
{
    strcpy(configs[0].image, "vmlinuz");
    strcpy(configs[0].initrd, "initrd");
    configs[0].initrd_place = (struct config_place){13, 10};
    memset(initrd, 0x77, sizeof initrd);
}

static void test_linux(void **state)
{
    use_linux();
    strcpy(configs[0].args, "quiet");
    assert_int_equal(load(), STATUS_OK);
    assert_true(run_stub());
    assert_int_equal(result.kind, IMAGE_LINUX);
    assert_int_equal(result.entry, MIB(1) + 0x200);
    assert_memory_equal(memory + MIB(1), linux_file + (LINUX_SECTORS + 1) * 512, LINUX_KERNEL_SIZE);
    const uint8_t *params = memory + result.tables.start_info;
    uint32_t ramdisk[2], line;
    memcpy(ramdisk, params + 0x218, 8);
    assert_int_equal(ramdisk[1], sizeof initrd);
    assert_int_equal(ramdisk[0],
                     ALIGN_DOWN(MIB(4) - sizeof initrd, PAGE_SIZE)); /* the highest place */
    assert_memory_equal(memory + ramdisk[0], initrd, sizeof initrd);
    memcpy(&line, params + 0x228, 4);
    assert_string_equal((const char *)memory + line, "tsc_early_khz=2100000 x2apic_phys quiet");
}

static void test_initrd_refusals(void **state)
{
    use_linux();
    assert_int_equal(load_check(&guests[0]), STATUS_OK);
    guests[0].memory_size = MIB(2); /* the tables are in the way */
    assert_int_equal(load_check(&guests[0]), STATUS_NO_MEMORY);
    assert_int_equal(host_log_count("guest.refused", "initrd=initrd line=13 column=10"), 1);
    linux_set(0x22c, MIB(2) - 1, 4); /* the kernel wants it below 2 MiB, where there is no room */
    guests[0].memory_size = MIB(4);
    assert_int_equal(load(), STATUS_OK);
    assert_false(run_stub());
    linux_set(0x22c, 0x7fffffff, 4);
    load_refused(&guests[0], &refusal);
    assert_int_equal(host_log_count("guest.refused", "initrd=initrd line=13 column=10 size=1048676 "
                                                     "memory=4M message=\"the initrd does not fit"),
                     1);
    strcpy(configs[0].initrd, "none");
    assert_int_equal(load_check(&guests[0]), STATUS_NOT_FOUND);
    assert_int_equal(host_log_count("guest.refused", "initrd=none"), 1);
    strcpy(configs[0].initrd, "initrd");
    strcpy(configs[0].image, "ping.elf");
    assert_int_equal(load(), STATUS_OK);
    assert_false(run_stub());
    assert_int_equal(refusal.what, ABI_REFUSED_INITRD);
    assert_non_null(strstr(refusal.message, "only a Linux kernel"));
}

/* --- Multiboot --- */

static void test_multiboot(void **state)
{
    strcpy(configs[0].image, "kernel");
    strcpy(configs[0].initrd, "initrd");
    strcpy(configs[0].args, "one two");
    memset(initrd, 0x77, sizeof initrd);
    assert_int_equal(load(), STATUS_OK);
    assert_true(run_stub());
    assert_int_equal(result.kind, IMAGE_MULTIBOOT);
    assert_int_equal(result.entry, 0x10020);
    const uint8_t *info = memory + result.tables.start_info;
    uint32_t line, modules, module[2];
    memcpy(&line, info + 0x10, 4);
    assert_string_equal((const char *)memory + line, "kernel one two");
    memcpy(&modules, info + 0x18, 4);
    memcpy(module, memory + modules, sizeof module);
    assert_int_equal(module[0] % PAGE_SIZE, 0);
    assert_int_equal(module[1] - module[0], sizeof initrd);
    assert_memory_equal(memory + module[0], initrd, sizeof initrd);
    /* The kernel ends below the tables; its module must not be put over them. */
    guests[0].memory_size = MIB(2);
    assert_int_equal(load_check(&guests[0]), STATUS_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_image_and_start_state, fresh),
        cmocka_unit_test_setup(test_as_many_vcpus_as_there_can_be, fresh),
        cmocka_unit_test_setup(test_scrubbing, fresh),
        cmocka_unit_test_setup(test_refusals, fresh),
        cmocka_unit_test_setup(test_what_a_stub_says, fresh),
        cmocka_unit_test_setup(test_arguments, fresh),
        cmocka_unit_test_setup(test_longest_arguments, fresh),
        cmocka_unit_test_setup(test_linux, fresh),
        cmocka_unit_test_setup(test_initrd_refusals, fresh),
        cmocka_unit_test_setup(test_multiboot, fresh),
    };
    return cmocka_run_group_tests(tests, first, last);
}
