/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vcpu/emulate/instruction.c hypervisor/vcpu/svm/length.c
/* Bytes are NASM's; the source line stands beside them. */
#include <string.h>

#include "hypervisor/vcpu/emulate/instruction.h"
#include "hypervisor/vcpu/svm/length.h"
#include "hypervisor/vcpu/vcpu.h"
#include "tests/unit/support/host.h"

enum flags { W = 1, IMM = 2, HIGH = 4, SX = 8 };

static const struct decoded {
    const char *source;
    unsigned bits;
    uint8_t bytes[INSTRUCTION_MAX];
    unsigned length, width, flags, reg, register_width;
    uint64_t immediate;
} decoded[] = {
    /* 64-bit code */
    {"mov [rax], cl", 64, {0x88, 0x08}, 2, 1, W, GUEST_RCX, 1, 0},
    {"mov [rax], ch", 64, {0x88, 0x28}, 2, 1, W | HIGH, GUEST_RCX, 1, 0},
    {"mov [rax], bpl", 64, {0x40, 0x88, 0x28}, 3, 1, W, GUEST_RBP, 1, 0},
    {"mov [rax], r13b", 64, {0x44, 0x88, 0x28}, 3, 1, W, GUEST_R13, 1, 0},
    {"mov [rdi], eax", 64, {0x89, 0x07}, 2, 4, W, GUEST_RAX, 4, 0},
    {"mov [rdi], ax", 64, {0x66, 0x89, 0x07}, 3, 2, W, GUEST_RAX, 2, 0},
    {"mov [rdi], r15", 64, {0x4c, 0x89, 0x3f}, 3, 8, W, GUEST_R15, 8, 0},
    {"mov [rsp+8], esp", 64, {0x89, 0x64, 0x24, 0x08}, 4, 4, W, GUEST_RSP, 4, 0},
    {"mov [r12], eax", 64, {0x41, 0x89, 0x04, 0x24}, 4, 4, W, GUEST_RAX, 4, 0},
    {"mov [r13], eax", 64, {0x41, 0x89, 0x45, 0x00}, 4, 4, W, GUEST_RAX, 4, 0},
    {"mov eax, [rbp+0x12345678]",
     64,
     {0x8b, 0x85, 0x78, 0x56, 0x34, 0x12},
     6,
     4,
     0,
     GUEST_RAX,
     4,
     0},
    {"mov eax, [rel 0]", 64, {0x8b, 0x05, 0, 0, 0, 0}, 6, 4, 0, GUEST_RAX, 4, 0},
    {"mov rax, [rcx+rdx*4+0x10]", 64, {0x48, 0x8b, 0x44, 0x91, 0x10}, 5, 8, 0, GUEST_RAX, 8, 0},
    {"mov eax, [abs 0x1000]", 64, {0x8b, 0x04, 0x25, 0, 0x10, 0, 0}, 7, 4, 0, GUEST_RAX, 4, 0},
    {"mov eax, [rax*8+0x1000]", 64, {0x8b, 0x04, 0xc5, 0, 0x10, 0, 0}, 7, 4, 0, GUEST_RAX, 4, 0},
    {"mov r9b, [r8]", 64, {0x45, 0x8a, 0x08}, 3, 1, 0, GUEST_R9, 1, 0},
    {"mov bh, [rax]", 64, {0x8a, 0x38}, 2, 1, HIGH, GUEST_RBX, 1, 0},
    {"mov byte [rax], 0xff", 64, {0xc6, 0x00, 0xff}, 3, 1, W | IMM, 0, 1, UINT64_MAX},
    {"mov word [rax], 0x8000",
     64,
     {0x66, 0xc7, 0x00, 0x00, 0x80},
     5,
     2,
     W | IMM,
     0,
     2,
     0xffffffffffff8000},
    {"mov dword [rax+4], 0x12345678",
     64,
     {0xc7, 0x40, 0x04, 0x78, 0x56, 0x34, 0x12},
     7,
     4,
     W | IMM,
     0,
     4,
     0x12345678},
    {"mov qword [rax], -2",
     64,
     {0x48, 0xc7, 0x00, 0xfe, 0xff, 0xff, 0xff},
     7,
     8,
     W | IMM,
     0,
     8,
     UINT64_MAX - 1},
    {"mov al, [qword 1]", 64, {0xa0, 1, 0, 0, 0, 0, 0, 0, 0}, 9, 1, 0, GUEST_RAX, 1, 0},
    {"mov eax, [qword 1]", 64, {0xa1, 1, 0, 0, 0, 0, 0, 0, 0}, 9, 4, 0, GUEST_RAX, 4, 0},
    {"a32 mov [1], eax", 64, {0x67, 0xa3, 1, 0, 0, 0}, 6, 4, W, GUEST_RAX, 4, 0},
    {"mov [qword 1], rax", 64, {0x48, 0xa3, 1, 0, 0, 0, 0, 0, 0, 0}, 10, 8, W, GUEST_RAX, 8, 0},
    {"movzx eax, byte [rdi]", 64, {0x0f, 0xb6, 0x07}, 3, 1, 0, GUEST_RAX, 4, 0},
    {"movzx esp, byte [rdi]", 64, {0x0f, 0xb6, 0x27}, 3, 1, 0, GUEST_RSP, 4, 0},
    {"movzx r10, word [rdi]", 64, {0x4c, 0x0f, 0xb7, 0x17}, 4, 2, 0, GUEST_R10, 8, 0},
    {"movzx ax, byte [rdi]", 64, {0x66, 0x0f, 0xb6, 0x07}, 4, 1, 0, GUEST_RAX, 2, 0},
    {"movsx rax, byte [rdi]", 64, {0x48, 0x0f, 0xbe, 0x07}, 4, 1, SX, GUEST_RAX, 8, 0},
    {"movsx eax, word [rdi]", 64, {0x0f, 0xbf, 0x07}, 3, 2, SX, GUEST_RAX, 4, 0},
    {"movsxd rax, dword [rdi]", 64, {0x48, 0x63, 0x07}, 3, 4, SX, GUEST_RAX, 8, 0},
    {"mov eax, [gs:rdi]", 64, {0x65, 0x8b, 0x07}, 3, 4, 0, GUEST_RAX, 4, 0},
    {"mov eax, [edi+ecx]", 64, {0x67, 0x8b, 0x04, 0x0f}, 4, 4, 0, GUEST_RAX, 4, 0},
    {"REX before a legacy prefix is void", 64, {0x48, 0x66, 0x8b, 0x07}, 4, 2, 0, GUEST_RAX, 2, 0},
    /* 32-bit code: 0x40..0x4f are INC and DEC */
    {"mov eax, [ebx]", 32, {0x8b, 0x03}, 2, 4, 0, GUEST_RAX, 4, 0},
    {"mov ax, [ebx]", 32, {0x66, 0x8b, 0x03}, 3, 2, 0, GUEST_RAX, 2, 0},
    {"mov eax, [0x12345678]", 32, {0xa1, 0x78, 0x56, 0x34, 0x12}, 5, 4, 0, GUEST_RAX, 4, 0},
    {"mov ecx, [0x12345678]", 32, {0x8b, 0x0d, 0x78, 0x56, 0x34, 0x12}, 6, 4, 0, GUEST_RCX, 4, 0},
    {"mov eax, [bx+si+0x10]", 32, {0x67, 0x8b, 0x40, 0x10}, 4, 4, 0, GUEST_RAX, 4, 0},
    {"mov dword [esp], 5", 32, {0xc7, 0x04, 0x24, 5, 0, 0, 0}, 7, 4, W | IMM, 0, 4, 5},
    /* 16-bit code */
    {"mov ax, [bx]", 16, {0x8b, 0x07}, 2, 2, 0, GUEST_RAX, 2, 0},
    {"mov ax, [bp+0]", 16, {0x8b, 0x46, 0x00}, 3, 2, 0, GUEST_RAX, 2, 0},
    {"mov cx, [0x1234]", 16, {0x8b, 0x0e, 0x34, 0x12}, 4, 2, 0, GUEST_RCX, 2, 0},
    {"mov ax, [bx+0x1234]", 16, {0x8b, 0x87, 0x34, 0x12}, 4, 2, 0, GUEST_RAX, 2, 0},
    {"mov eax, [bx]", 16, {0x66, 0x8b, 0x07}, 3, 4, 0, GUEST_RAX, 4, 0},
    {"mov eax, [edi]", 16, {0x67, 0x66, 0x8b, 0x07}, 4, 4, 0, GUEST_RAX, 4, 0},
    {"mov word [di], 0x7fff", 16, {0xc7, 0x05, 0xff, 0x7f}, 4, 2, W | IMM, 0, 2, 0x7fff},
    {"mov [0x1234], al", 16, {0xa2, 0x34, 0x12}, 3, 1, W, GUEST_RAX, 1, 0},
};

static void test_decodes(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(decoded); i++) {
        const struct decoded *want = &decoded[i];
        struct instruction got;
        enum status status = instruction_decode(want->bytes, INSTRUCTION_MAX, want->bits, &got);
        if (status != STATUS_OK || got.length != want->length)
            print_message("%s\n", want->source);
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(got.length, want->length);
        assert_int_equal(got.width, want->width);
        assert_int_equal(got.reg, want->reg);
        assert_int_equal(got.register_width, want->register_width);
        assert_int_equal(got.write, (want->flags & W) != 0);
        assert_int_equal(got.has_immediate, (want->flags & IMM) != 0);
        assert_int_equal(got.high_byte, (want->flags & HIGH) != 0);
        assert_int_equal(got.sign_extend, (want->flags & SX) != 0);
        assert_true(got.immediate == want->immediate);
    }
}

/* The exact number of bytes is enough; one less is refused. Each prefix of the bytes lies at the
 * end of its own allocation, so that the sanitizer sees a read too far. */
static void test_needs_every_byte(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(decoded); i++) {
        for (size_t size = 0; size <= decoded[i].length; size++) {
            uint8_t *bytes = test_malloc(size + 1);
            struct instruction got;
            memcpy(bytes + 1, decoded[i].bytes, size);
            assert_int_equal(instruction_decode(bytes + 1, size, decoded[i].bits, &got),
                             size < decoded[i].length ? STATUS_INVALID : STATUS_OK);
            test_free(bytes);
        }
    }
}

static void test_refuses(void **state)
{
    static const struct {
        const char *source;
        unsigned bits;
        uint8_t bytes[INSTRUCTION_MAX];
    } refused[] = {
        {"mov eax, ecx", 64, {0x89, 0xc8}},
        {"add [rax], ecx", 64, {0x01, 0x08}},
        {"lock mov [rax], ecx", 64, {0xf0, 0x89, 0x08}},
        {"xchg [rax], ecx", 64, {0x87, 0x08}},
        {"movsb", 64, {0xa4}},
        {"stosd", 64, {0xab}},
        {"movaps [rax], xmm0", 64, {0x0f, 0x29, 0x00}},
        {"mov dword [rax], imm as /1", 64, {0xc7, 0x08, 0, 0, 0, 0}},
        {"arpl in 32-bit code is not a movsxd", 32, {0x63, 0x07}},
        {"inc eax is not a REX", 32, {0x40, 0x8b, 0x07}},
        {"vex", 64, {0xc5, 0xf8, 0x77}},
        {"unknown width of code", 48, {0x8b, 0x07}},
    };
    struct instruction got;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        enum status status =
            instruction_decode(refused[i].bytes, INSTRUCTION_MAX, refused[i].bits, &got);
        if (status != STATUS_UNSUPPORTED)
            print_message("%s\n", refused[i].source);
        assert_int_equal(status, STATUS_UNSUPPORTED);
    }
}

/* No instruction is longer than 15 bytes; the CPU would fault on more prefixes. */
static void test_prefixes_end(void **state)
{
    uint8_t bytes[32];
    struct instruction got;
    uint8_t length;
    memset(bytes, 0x66, sizeof bytes);
    bytes[13] = 0x8b;
    bytes[14] = 0x07;
    assert_int_equal(instruction_decode(bytes, sizeof bytes, 64, &got), STATUS_OK);
    assert_int_equal(got.length, 15);
    bytes[13] = 0x66;
    bytes[14] = 0x8b;
    bytes[15] = 0x07;
    assert_int_equal(instruction_decode(bytes, sizeof bytes, 64, &got), STATUS_INVALID);
    assert_int_equal(instruction_length(bytes, sizeof bytes, 64, &length), STATUS_UNSUPPORTED);
    memset(bytes, 0x66, sizeof bytes);
    assert_int_equal(instruction_length(bytes, sizeof bytes, 64, &length), STATUS_INVALID);
}

static void test_lengths(void **state)
{
    static const struct {
        const char *source;
        unsigned bits, length;
        uint8_t bytes[INSTRUCTION_MAX];
    } cases[] = {
        {"cpuid", 64, 2, {0x0f, 0xa2}},
        {"o16 cpuid", 64, 3, {0x66, 0x0f, 0xa2}},
        {"rep cpuid with REX", 64, 4, {0xf3, 0x48, 0x0f, 0xa2}},
        {"rdmsr", 32, 2, {0x0f, 0x32}},
        {"wrmsr", 16, 2, {0x0f, 0x30}},
        {"rdpmc", 64, 2, {0x0f, 0x33}},
        {"vmcall", 64, 3, {0x0f, 0x01, 0xc1}},
        {"vmmcall", 64, 3, {0x0f, 0x01, 0xd9}},
        {"monitor", 64, 3, {0x0f, 0x01, 0xc8}},
        {"mwait", 64, 3, {0x0f, 0x01, 0xc9}},
        {"xsetbv", 64, 3, {0x0f, 0x01, 0xd1}},
        {"hlt", 64, 1, {0xf4}},
        {"invd", 64, 2, {0x0f, 0x08}},
        {"wbinvd", 64, 2, {0x0f, 0x09}},
        {"wbnoinvd", 64, 3, {0xf3, 0x0f, 0x09}},
        {"in al, dx", 64, 1, {0xec}},
        {"in ax, dx", 64, 2, {0x66, 0xed}},
        {"out 0x80, al", 64, 2, {0xe6, 0x80}},
        {"in eax, 0x10", 32, 2, {0xe5, 0x10}},
        {"rep outsb", 64, 2, {0xf3, 0x6e}},
        {"mov cr4, rax", 64, 3, {0x0f, 0x22, 0xe0}},
        {"mov cr8, rax", 64, 4, {0x44, 0x0f, 0x22, 0xc0}},
        {"mov rax, dr7", 64, 3, {0x0f, 0x21, 0xf8}},
        {"clts", 64, 2, {0x0f, 0x06}},
        {"pause", 64, 2, {0xf3, 0x90}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t length = 0;
        enum status status =
            instruction_length(cases[i].bytes, INSTRUCTION_MAX, cases[i].bits, &length);
        if (status != STATUS_OK || length != cases[i].length)
            print_message("%s\n", cases[i].source);
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(length, cases[i].length);
        assert_int_equal(
            instruction_length(cases[i].bytes, cases[i].length - 1, cases[i].bits, &length),
            STATUS_INVALID);
    }
    uint8_t length;
    assert_int_equal(instruction_length((const uint8_t[]){0x0f, 0x01, 0x10}, 3, 64, &length),
                     STATUS_UNSUPPORTED); /* lgdt [rax] */
    assert_int_equal(instruction_length((const uint8_t[]){0x89, 0xc8}, 2, 64, &length),
                     STATUS_UNSUPPORTED);
}

static void test_control_registers(void **state)
{
    static const struct {
        unsigned bits;
        enum status status;
        uint8_t general, size;
        uint8_t bytes[5];
    } cases[] = {
        {64, STATUS_OK, GUEST_RAX, 3, {0x0f, 0x22, 0xe0}},
        {64, STATUS_OK, GUEST_R15, 4, {0x41, 0x0f, 0x20, 0xe7}},
        {64, STATUS_OK, GUEST_RDI, 3, {0x0f, 0x20, 0x27}}, /* the mode does not count */
        {64, STATUS_OK, GUEST_RSP, 4, {0x48, 0x0f, 0x22, 0xe4}},
        {16, STATUS_OK, GUEST_RBX, 3, {0x0f, 0x20, 0xe3}},
        {64, STATUS_UNSUPPORTED, 0, 3, {0x0f, 0x23, 0xe0}}, /* a debug register */
        {64, STATUS_UNSUPPORTED, 0, 3, {0x90, 0x90, 0x90}},
        {64, STATUS_INVALID, 0, 2, {0x0f, 0x22}},
        {64, STATUS_INVALID, 0, 0, {0}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t general = 0;
        assert_int_equal(
            instruction_control_register(cases[i].bytes, cases[i].size, cases[i].bits, &general),
            cases[i].status);
        assert_int_equal(general, cases[i].general);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes),          cmocka_unit_test(test_control_registers),
        cmocka_unit_test(test_needs_every_byte), cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_prefixes_end),     cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests_name("instruction", tests, NULL, NULL);
}
