/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/serial/serial.c hypervisor/setup/serial.c
/* The console's serial port against a model of a 16550, at ports and in memory. */
#include "drivers/serial/serial.h"
#include "drivers/serial/serial_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/setup/serial.h"
#include "tests/unit/support/uart_model.h"

static const struct way {
    bool memory;
    uint64_t base;
    uint8_t stride, width;
} ways[] = {
    {false, 0x3f8, 1, 1},     {false, 0x2f8, 1, 1},     {true, 0xfe030000, 1, 1},
    {true, 0xfe030000, 4, 4}, {true, 0xfe030000, 4, 1}, {true, 0xfe030000, 2, 1},
};

static const char *open_kind(enum uart_kind kind, const struct way *way, bool known,
                             uint32_t divisor)
{
    const struct serial_place place = {.memory = way->memory,
                                       .known = known,
                                       .address = way->base,
                                       .stride = way->stride,
                                       .width = way->width,
                                       .divisor = divisor};
    uart_reset(kind, way->memory, way->base, way->stride, way->width);
    serial_port = (struct serial_port){0};
    return serial_open(&place, (uintptr_t)way->base);
}

static void say(const char *text)
{
    serial_write(text, strlen(text));
}

static void test_every_way(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        assert_null(open_kind(UART_16550, &ways[i], false, 3));
        assert_int_equal(uart.divisor_low, 3);
        assert_int_equal(uart.divisor_high, 0);
        assert_int_equal(uart.line, 0x03);
        assert_int_equal(uart.modem, 0x03);
        assert_int_equal(uart.interrupts, 0);
        assert_true(uart.fifo);
        assert_true(uart.accesses <= 40);
        uart.drained_per_look = 1;
        say("0123456789abcdefghijklmnopqrstuvwxyz0123456789\n");
        assert_string_equal(uart.sent, "0123456789abcdefghijklmnopqrstuvwxyz0123456789\n");
        assert_int_equal(uart.lost, 0);
        serial_flush();
        assert_int_equal(uart.pending, 0);
        assert_int_equal(serial_read(), -1);
        uart.typed = "ok";
        assert_int_equal(serial_read(), 'o');
        assert_int_equal(serial_read(), 'k');
        assert_int_equal(serial_read(), -1);
    }
}

static void test_firmwares_baud_rate_stays(void **state)
{
    assert_null(open_kind(UART_16550, &ways[3], false, 0));
    assert_int_equal(uart.divisor_low, 12);
    assert_null(open_kind(UART_16550, &ways[3], false, 0x1234));
    assert_int_equal(uart.divisor_low, 0x34);
    assert_int_equal(uart.divisor_high, 0x12);
}

static void test_a_port_without_fifo_loses_nothing(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        uart_reset(UART_16550, ways[i].memory, ways[i].base, ways[i].stride, ways[i].width);
        uart.has_fifo = false;
        const struct serial_place place = {ways[i].memory, false,         ways[i].base,
                                           ways[i].stride, ways[i].width, 1};
        assert_null(serial_open(&place, (uintptr_t)ways[i].base));
        say("not a byte is lost\n");
        assert_string_equal(uart.sent, "not a byte is lost\n");
        assert_int_equal(uart.lost, 0);
    }
}

/* Nothing is written to what does not even read like one. */
static void test_nothing_there(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        assert_non_null(open_kind(UART_ABSENT, &ways[i], false, 1));
        assert_int_equal(uart.writes, 0);
        assert_non_null(open_kind(UART_ABSENT, &ways[i], true, 1));
        assert_int_equal(uart.writes, 0);
    }
    uart_reset(UART_MEMORY, true, ways[2].base, 1, 1);
    memset(uart.memory_bytes, 0xc0, sizeof uart.memory_bytes);
    const struct serial_place place = {true, false, ways[2].base, 1, 1, 1};
    assert_non_null(serial_open(&place, (uintptr_t)ways[2].base));
    assert_int_equal(uart.writes, 0);
}

/* Memory keeps a scratch byte as well as any port; only loopback tells. */
static void test_memory_is_no_port(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        const char *problem = open_kind(UART_MEMORY, &ways[i], false, 1);
        if (!ways[i].memory) {
            assert_null(problem);
            continue;
        }
        assert_non_null(problem);
        assert_non_null(strstr(problem, "loopback"));
        for (unsigned number = 1; number < 7; number++)
            assert_int_equal(uart.memory_bytes[number], 0);
    }
}

static void test_half_a_port(void **state)
{
    assert_null(open_kind(UART_NO_SCRATCH, &ways[0], false, 1));
    assert_null(open_kind(UART_NO_LOOP, &ways[0], false, 1));
    assert_null(open_kind(UART_NO_LOOP, &ways[2], true, 1));
    assert_non_null(open_kind(UART_NO_LOOP, &ways[2], false, 1));
    assert_non_null(open_kind(UART_NO_SCRATCH, &ways[2], false, 1));
}

static void test_the_one_before_stays(void **state)
{
    assert_null(open_kind(UART_16550, &ways[0], false, 1));
    const struct serial_place other = {false, false, 0x2f8, 1, 1, 1};
    assert_non_null(serial_open(&other, 0x2f8));
    say("still here");
    assert_string_equal(uart.sent, "still here");
}

/* A port that stops taking bytes holds a writer up once, for 100 ms, and not again. */
static void test_a_stuck_port(void **state)
{
    assert_null(open_kind(UART_16550, &ways[3], false, 1));
    uart.drained_per_look = 0;
    uint64_t before = clock_microseconds();
    for (unsigned i = 0; i < 100; i++)
        say("0123456789abcdef0123456789abcdef");
    serial_flush();
    assert_true(clock_microseconds() - before < 2 * MILLISECONDS(100));
    uart.drained_per_look = 16;
    uart.sent_size = 0;
    say("again");
    assert_string_equal(uart.sent, "again");
}

/* Pulled out, or without power: all ones are not keys. */
static void test_a_card_that_went_away(void **state)
{
    assert_null(open_kind(UART_16550, &ways[2], true, 1));
    uart.kind = UART_ABSENT;
    assert_int_equal(serial_read(), -1);
    say("nobody hears it, and nobody waits");
}

static void test_moving(void **state)
{
    assert_null(open_kind(UART_16550, &ways[3], false, 1));
    say("before ");
    uart.base = 0xffff810000000000;
    serial_move((uintptr_t)uart.base);
    say("after");
    assert_string_equal(uart.sent, "before after");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way),
        cmocka_unit_test(test_firmwares_baud_rate_stays),
        cmocka_unit_test(test_a_port_without_fifo_loses_nothing),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_memory_is_no_port),
        cmocka_unit_test(test_half_a_port),
        cmocka_unit_test(test_the_one_before_stays),
        cmocka_unit_test(test_a_stuck_port),
        cmocka_unit_test(test_a_card_that_went_away),
        cmocka_unit_test(test_moving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
