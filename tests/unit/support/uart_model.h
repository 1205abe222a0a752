/* SPDX-License-Identifier: MIT */
/*
 * A 16550 (PC16550D data sheet) at I/O ports or in memory, from its description: divisor latch,
 * FIFOs, loopback, scratch. What is written to a full FIFO is lost and counted. Registers lie
 * `stride` bytes apart; an access of another width than `width`, or beside a register, fails the
 * test. Included once, by a test that has no other registers.
 */
#pragma once

#include <string.h>

#include "hypervisor/base/mmio.h"
#include "tests/unit/support/host.h"

enum uart_kind { UART_ABSENT, UART_16550, UART_MEMORY, UART_NO_SCRATCH, UART_NO_LOOP };

static struct uart {
    enum uart_kind kind;
    bool memory;
    uint64_t base;
    unsigned stride, width;
    uint8_t interrupts, line, modem, scratch, divisor_low, divisor_high;
    bool fifo;
    bool has_fifo;
    uint8_t memory_bytes[8];
    char sent[4096];
    size_t sent_size, pending, lost;
    unsigned drained_per_look; /* bytes that leave the FIFO between two looks at its state */
    const char *typed;
    unsigned accesses, writes;
} uart;

static void uart_reset(enum uart_kind kind, bool memory, uint64_t base, unsigned stride,
                       unsigned width)
{
    uart = (struct uart){.kind = kind,
                         .memory = memory,
                         .base = base,
                         .stride = stride,
                         .width = width,
                         .has_fifo = true,
                         .divisor_low = 12,
                         .drained_per_look = 16,
                         .typed = ""};
}

static bool uart_latch(void)
{
    return (uart.line & 0x80) != 0;
}

static uint8_t uart_status(void)
{
    uart.pending -= MIN(uart.pending, (size_t)uart.drained_per_look);
    return (uint8_t)((uart.pending == 0 ? 0x60 : 0) | (*uart.typed != '\0' ? 1 : 0));
}

static uint8_t uart_modem_status(void)
{
    if ((uart.modem & 0x10) == 0 || uart.kind == UART_NO_LOOP)
        return 0xb0;
    return (uint8_t)((uart.modem & 0x0c) << 4 | (uart.modem & 2) << 3 | (uart.modem & 1) << 5);
}

static uint8_t uart_read(unsigned number)
{
    uart.accesses++;
    assert_true(number < 8);
    if (uart.kind == UART_ABSENT)
        return 0xff;
    if (uart.kind == UART_MEMORY)
        return uart.memory_bytes[number];
    switch (number) {
    case 0:
        return uart_latch() ? uart.divisor_low : *uart.typed != '\0' ? (uint8_t)*uart.typed++ : 0;
    case 1:
        return uart_latch() ? uart.divisor_high : uart.interrupts;
    case 2:
        return uart.fifo && uart.has_fifo ? 0xc1 : 0x01;
    case 3:
        return uart.line;
    case 4:
        return uart.modem;
    case 5:
        return uart_status();
    case 6:
        return uart_modem_status();
    default:
        return uart.kind == UART_NO_SCRATCH ? 0 : uart.scratch;
    }
}

static void uart_send(uint8_t value)
{
    size_t room = uart.fifo && uart.has_fifo ? 16 : 1;
    if (uart.pending == room) {
        uart.lost++;
        return;
    }
    uart.pending++;
    assert_true(uart.sent_size + 1 < sizeof uart.sent);
    uart.sent[uart.sent_size++] = (char)value;
    uart.sent[uart.sent_size] = '\0';
}

static void uart_write(unsigned number, uint8_t value)
{
    uart.accesses++;
    uart.writes++;
    assert_true(number < 8);
    if (uart.kind == UART_MEMORY)
        uart.memory_bytes[number] = value;
    if (uart.kind == UART_ABSENT || uart.kind == UART_MEMORY)
        return;
    switch (number) {
    case 0:
        if (uart_latch())
            uart.divisor_low = value;
        else
            uart_send(value);
        break;
    case 1:
        if (uart_latch())
            uart.divisor_high = value;
        else
            uart.interrupts = value & 0x0f;
        break;
    case 2:
        uart.fifo = (value & 1) != 0;
        break;
    case 3:
        uart.line = value;
        break;
    case 4:
        uart.modem = value & 0x1f;
        break;
    case 7:
        uart.scratch = value;
        break;
    default:
        break;
    }
}

static unsigned uart_register(bool memory, uint64_t address, unsigned width)
{
    assert_int_equal(memory, uart.memory);
    assert_int_equal(width, uart.width);
    uint64_t offset = address - uart.base;
    assert_true(address >= uart.base && offset < 8 * uart.stride && offset % uart.stride == 0);
    return (unsigned)(offset / uart.stride);
}

#define UART_ACCESS(bits)                                                                          \
    uint##bits##_t mmio_read##bits(uintptr_t address)                                              \
    {                                                                                              \
        return uart_read(uart_register(true, address, bits / 8));                                  \
    }                                                                                              \
    void mmio_write##bits(uintptr_t address, uint##bits##_t value)                                 \
    {                                                                                              \
        uart_write(uart_register(true, address, bits / 8), (uint8_t)value);                        \
    }
UART_ACCESS(8)
UART_ACCESS(32)

/* A port where the model is not reads as all ones. */
static bool uart_elsewhere(uint16_t port)
{
    return uart.memory || port < uart.base || port >= uart.base + 8;
}

uint8_t port_read8(uint16_t port)
{
    return uart_elsewhere(port) ? 0xff : uart_read(uart_register(false, port, 1));
}

void port_write8(uint16_t port, uint8_t value)
{
    if (!uart_elsewhere(port))
        uart_write(uart_register(false, port, 1), value);
}

void port_write8_all(uint16_t port, const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        port_write8(port, ((const uint8_t *)bytes)[i]);
}
