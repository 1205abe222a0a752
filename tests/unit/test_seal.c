/* SPDX-License-Identifier: MIT */
// SOURCES: boot/efi/seal.c boot/efi/list.c boot/efi/sha256.c hypervisor/base/text.c
/* What a signed boot medium may hold: digests, the list of files, and the verdict on one of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/efi/seal.h"
#include "tests/unit/support/host.h"

/* --- SHA-256 --- */

static const char *hexadecimal(const uint8_t digest[SHA256_SIZE])
{
    static char text[2 * SHA256_SIZE + 1];
    for (unsigned i = 0; i < SHA256_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static const char *digest_of(const void *bytes, size_t size)
{
    uint8_t digest[SHA256_SIZE];
    sha256(bytes, size, digest);
    return hexadecimal(digest);
}

/* The examples of FIPS 180-2, appendix B, which NIST keeps for 180-4, and of no bytes at all. */
static void test_sha256_examples(void **state)
{
    (void)state;
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char long_two[] =
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
        "lmnopqrsmnopqrstnopqrstu";
    assert_string_equal(digest_of(NULL, 0),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(digest_of("abc", 3),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(digest_of(two, strlen(two)),
                        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_string_equal(digest_of(long_two, strlen(long_two)),
                        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    assert_string_equal(digest_of(million, 1000000),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

/* All lengths around the ends of blocks: the digest of the digests, from Python's hashlib. */
static void test_sha256_lengths(void **state)
{
    (void)state;
    static uint8_t digests[301 * SHA256_SIZE];
    for (size_t size = 0; size <= 300; size++) {
        uint8_t *bytes = malloc(size + 1); /* so that the sanitizer sees a byte too many */
        for (size_t i = 0; i < size; i++)
            bytes[i + 1] = (uint8_t)(i * 7 + size);
        sha256(bytes + 1, size, digests + size * SHA256_SIZE);
        free(bytes);
    }
    assert_string_equal(digest_of(digests, sizeof digests),
                        "60d63ff40b5558727a9b786ac0be9300f7ca58fd9ddd3b2f3681b369018a87dc");
}

/* --- the list --- */

#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define LONG  "a23456789012345678901234567890123456789012345678901234567890123" /* 63 */

static struct file_list list;

static enum status read_text(const char *text)
{
    return list_read(text, strlen(text), &list);
}

static void test_list_of_two(void **state)
{
    (void)state;
    struct list_entry entry;
    assert_int_equal(read_text(ABC "  ping.elf\n" EMPTY "  " LONG "\n"), STATUS_OK);
    assert_int_equal(list.count, 2);
    assert_true(list_entry(&list, 1, &entry));
    assert_string_equal(entry.name, LONG);
    assert_false(list_entry(&list, 2, &entry));
    assert_true(list_find(&list, "ping.elf", &entry));
    assert_string_equal(hexadecimal(entry.digest), ABC);
    assert_false(list_find(&list, "PING.ELF", &entry));
    assert_false(list_find(&list, "ping.el", &entry));
    assert_false(list_find(&list, "", &entry));
}

static void test_list_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
        uint32_t line;
    } refused[] = {
        {"", "is not there: the list is empty", 1},
        {"\n", "is shorter than a digest, two blanks and a name", 1},
        {ABC "  \n", "is shorter than a digest, two blanks and a name", 1},
        {ABC "  ping.elf", "does not end where a line has to", 1},
        {ABC "  ping.elf\n" ABC "  pong", "does not end where a line has to", 2},
        {ABC "  ping.elf\n\n", "is shorter than a digest, two blanks and a name", 2},
        {ABC "  " LONG "4\n", "has a name of more than 63 characters", 1},
        {ABC "  " LONG LONG "\n", "does not end where a line has to", 1},
        {"B" ABC " x\n", "does not begin with 64 lower-case hexadecimal digits", 1},
        {"BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  x\n",
         "does not begin with 64 lower-case hexadecimal digits", 1},
        {ABC " *ping.elf\n", "has no two blanks behind the digest", 1},
        {ABC "\tping.elf\n", "has no two blanks behind the digest", 1},
        {ABC "  ../ping.elf\n", "has a name that begins with a dot", 1},
        {ABC "  a/ping.elf\n", "has a name with a character that no plain name has", 1},
        {ABC "  a\\ping.elf\n", "has a name with a character that no plain name has", 1},
        {ABC "  ping.elf\r\n", "has a name with a character that no plain name has", 1},
        {ABC "  ping elf\n", "has a name with a character that no plain name has", 1},
        {ABC "  ping\377\n", "has a name with a character that no plain name has", 1},
        {ABC "  ping:x\n", "has a name with a character that no plain name has", 1},
        {ABC "  ping.elf\n" EMPTY "  ping.elf\n", "has a name that an earlier line has", 2},
        {ABC "  ping.elf\n" EMPTY "  x\n" ABC "  PING.elf\n", "has a name that an earlier line has",
         3},
    };
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        assert_int_equal(read_text(refused[i].text), STATUS_INVALID);
        assert_string_equal(list.problem, refused[i].problem);
        assert_int_equal(list.line, refused[i].line);
        assert_int_equal(list.count, 0);
    }
}

/* Only between lines can it be cut and stay one; a zero byte is in no name. */
static void test_list_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = ABC "  ping.elf\n" EMPTY "  pong.elf\n";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        char *copy = malloc(size + 1);
        memcpy(copy + 1, text, size);
        bool whole = size == strlen(ABC "  ping.elf\n");
        assert_int_equal(list_read(copy + 1, size, &list), whole ? STATUS_OK : STATUS_INVALID);
        free(copy);
    }
    assert_int_equal(list_read(text, sizeof text, &list), STATUS_INVALID);
}

static void test_list_of_too_many(void **state)
{
    (void)state;
    size_t room = (LIST_MAX_FILES + 1) * 80, used = 0;
    char *text = malloc(room);
    for (unsigned i = 0; i < LIST_MAX_FILES; i++)
        used += (size_t)snprintf(text + used, room - used, ABC "  file%u\n", i);
    assert_int_equal(list_read(text, used, &list), STATUS_OK);
    assert_int_equal(list.count, LIST_MAX_FILES);
    used += (size_t)snprintf(text + used, room - used, ABC "  one-more\n");
    assert_int_equal(list_read(text, used, &list), STATUS_INVALID);
    assert_int_equal(list.line, LIST_MAX_FILES + 1);
    free(text);
}

/* --- the verdict --- */

static const char listed[] = ABC "  ping.elf\n" EMPTY "  batch\n";
static const char image[] = "the hypervisor";

static struct seal sealed(void)
{
    struct seal seal = {.version = SEAL_VERSION, .sealed = 1};
    sha256(image, sizeof image, seal.hypervisor);
    sha256(listed, sizeof listed - 1, seal.list);
    return seal;
}

static void test_what_was_signed_is_accepted(void **state)
{
    (void)state;
    struct seal seal = sealed();
    list = (struct file_list){0};
    assert_null(seal_problem(&seal, &list, LIST_FILE, listed, sizeof listed - 1));
    assert_int_equal(list_read(listed, sizeof listed - 1, &list), STATUS_OK);
    assert_null(seal_problem(&seal, &list, HYPERVISOR_FILE, image, sizeof image));
    assert_null(seal_problem(&seal, &list, "ping.elf", "abc", 3));
    assert_null(seal_problem(&seal, &list, "batch", NULL, 0));
    assert_true(seal_names(&seal, &list, "ping.elf") && seal_names(&seal, &list, HYPERVISOR_FILE));
}

static void test_each_changed_bit_is_seen(void **state)
{
    (void)state;
    struct seal seal = sealed();
    char bytes[sizeof listed];
    assert_int_equal(list_read(listed, sizeof listed - 1, &list), STATUS_OK);
    for (unsigned bit = 0; bit < 8 * (sizeof listed - 1); bit++) {
        memcpy(bytes, listed, sizeof listed);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        assert_non_null(seal_problem(&seal, &list, LIST_FILE, bytes, sizeof listed - 1));
    }
    for (unsigned bit = 0; bit < 8 * sizeof image; bit++) {
        memcpy(bytes, image, sizeof image);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        assert_non_null(seal_problem(&seal, &list, HYPERVISOR_FILE, bytes, sizeof image));
    }
    assert_non_null(seal_problem(&seal, &list, "ping.elf", "abb", 3));
    assert_non_null(seal_problem(&seal, &list, "ping.elf", "abc", 2));
    assert_non_null(seal_problem(&seal, &list, "batch", "abc", 3));
    /* A file's bytes under another's name. */
    assert_non_null(seal_problem(&seal, &list, "batch", image, sizeof image));
    assert_non_null(seal_problem(&seal, &list, HYPERVISOR_FILE, listed, sizeof listed - 1));
}

static void test_what_was_not_signed_does_not_exist(void **state)
{
    (void)state;
    struct seal seal = sealed();
    assert_int_equal(list_read(listed, sizeof listed - 1, &list), STATUS_OK);
    static const char *const names[] = {"default", "pong.elf", "PING.ELF", "", "batch ", "ping"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_false(seal_names(&seal, &list, names[i]));
        assert_string_equal(seal_problem(&seal, &list, names[i], "abc", 3),
                            "is not one of the files that were signed");
    }
    list = (struct file_list){0};
    assert_false(seal_names(&seal, &list, "ping.elf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_examples),
        cmocka_unit_test(test_sha256_lengths),
        cmocka_unit_test(test_list_of_two),
        cmocka_unit_test(test_list_refusals),
        cmocka_unit_test(test_list_cut_anywhere),
        cmocka_unit_test(test_list_of_too_many),
        cmocka_unit_test(test_what_was_signed_is_accepted),
        cmocka_unit_test(test_each_changed_bit_is_seen),
        cmocka_unit_test(test_what_was_not_signed_does_not_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
