/* SPDX-License-Identifier: MIT */
/* Registers and structures of an xHCI (xHCI 1.2; the number behind each is its section). */
#pragma once

#include <stdint.h>

/* Capability registers, 5.3 */
#define XHCI_CAPLENGTH            0x00
#define XHCI_HCSPARAMS1           0x04
#define XHCI_SLOTS(params1)       ((params1) & 0xffu)
#define XHCI_PORTS(params1)       ((params1) >> 24)
#define XHCI_HCSPARAMS2           0x08
#define XHCI_SCRATCHPADS(params2) (((params2) >> 21 & 0x1fu) << 5 | (params2) >> 27)
#define XHCI_HCCPARAMS1           0x10
#define XHCI_CONTEXT_64(params1)  (((params1) & 4u) != 0)
#define XHCI_PORT_POWER(params1)  (((params1) & 8u) != 0)
#define XHCI_EXTENDED(params1)    ((params1) >> 16 << 2)
#define XHCI_DBOFF                0x14
#define XHCI_RTSOFF               0x18

/* Operational registers, 5.4 */
#define XHCI_USBCMD      0x00
#define XHCI_USBSTS      0x04
#define XHCI_PAGESIZE    0x08
#define XHCI_CRCR        0x18
#define XHCI_DCBAAP      0x30
#define XHCI_CONFIG      0x38
#define XHCI_PORTSC(n)   (0x400u + 0x10u * ((n) - 1u)) /* ports count from 1 */
#define USBCMD_RUN       0x001u
#define USBCMD_RESET     0x002u
#define USBSTS_HALTED    0x001u
#define USBSTS_FAILED    0x1004u /* host system error, host controller error */
#define USBSTS_NOT_READY 0x800u
#define CRCR_CYCLE       1u

/* Port status and control, 5.4.8. Writing a one to a change bit clears it, to PED disables. */
#define PORTSC_CONNECTED      0x00000001u
#define PORTSC_ENABLED        0x00000002u
#define PORTSC_RESET          0x00000010u
#define PORTSC_LINK(status)   ((status) >> 5 & 0xfu)
#define PORTSC_POWER          0x00000200u
#define PORTSC_SPEED(status)  ((status) >> 10 & 0xfu)
#define PORTSC_CONNECT_CHANGE 0x00020000u
#define PORTSC_RESET_CHANGE   0x00200000u
#define PORTSC_CHANGES        0x00fe0000u
#define PORTSC_WARM_RESET     0x80000000u
#define PORTSC_KEEP           0x0e00c200u /* power, indicators, wake */

/* Runtime registers of interrupter 0, 5.5.2 */
#define XHCI_ERSTSZ 0x28
#define XHCI_ERSTBA 0x30
#define XHCI_ERDP   0x38
#define ERDP_BUSY   8u

/* Extended capabilities, 7 */
#define EXTENDED_ID(header)   ((header) & 0xffu)
#define EXTENDED_NEXT(header) (((header) >> 8 & 0xffu) << 2)
#define EXTENDED_PROTOCOL     2u
#define PROTOCOL_MAJOR(dword) ((dword) >> 24)
#define PROTOCOL_PORTS        8
#define PROTOCOL_FIRST(dword) ((dword) & 0xffu)
#define PROTOCOL_COUNT(dword) ((dword) >> 8 & 0xffu)

/* Transfer request blocks, 6.4 */
struct xhci_trb {
    uint64_t parameter; /* 0x0 */
    uint32_t status;    /* 0x8 */
    uint32_t control;   /* 0xc */
};
_Static_assert(sizeof(struct xhci_trb) == 16, "xHCI 4.11.1");

#define TRB_CYCLE             0x001u
#define TRB_TOGGLE            0x002u /* link */
#define TRB_SHORT             0x004u /* an event for a short packet */
#define TRB_EVENT             0x020u /* interrupt on completion */
#define TRB_IMMEDIATE         0x040u
#define TRB_TYPE(type)        ((uint32_t)(type) << 10)
#define TRB_TYPE_OF(word)     ((word) >> 10 & 0x3fu)
#define TRB_IN                0x10000u
#define TRB_SETUP_OUT         0x20000u
#define TRB_SETUP_IN          0x30000u
#define TRB_ENDPOINT(n)       ((uint32_t)(n) << 16)
#define TRB_ENDPOINT_OF(word) ((word) >> 16 & 0x1fu)
#define TRB_SLOT(n)           ((uint32_t)(n) << 24)
#define TRB_SLOT_OF(word)     ((word) >> 24)
#define TRB_CODE_OF(word)     ((word) >> 24)
#define TRB_REST_OF(word)     ((word) & 0xffffffu)

enum trb_type {
    TRB_NORMAL = 1,
    TRB_SETUP = 2,
    TRB_DATA = 3,
    TRB_STATUS = 4,
    TRB_LINK = 6,
    TRB_ENABLE_SLOT = 9,
    TRB_DISABLE_SLOT = 10,
    TRB_ADDRESS_DEVICE = 11,
    TRB_CONFIGURE_ENDPOINT = 12,
    TRB_EVALUATE_CONTEXT = 13,
    TRB_RESET_ENDPOINT = 14,
    TRB_STOP_ENDPOINT = 15,
    TRB_SET_DEQUEUE = 16,
    TRB_TRANSFER_EVENT = 32,
    TRB_COMMAND_EVENT = 33,
};

/* Completion codes, 6.4.5 */
#define CODE_NONE         0u /* never sent: no event came in time */
#define CODE_SUCCESS      1u
#define CODE_STALL        6u
#define CODE_SHORT        13u
#define CODE_STOPPED      26u /* to 28 */
#define CODE_STOPPED_LAST 28u

/* Contexts, 6.2: dwords of the slot context and of an endpoint context. */
#define SLOT_ROUTE(route)               (route)
#define SLOT_SPEED(speed)               ((uint32_t)(speed) << 20)
#define SLOT_HUB                        0x04000000u
#define SLOT_ENTRIES(n)                 ((uint32_t)(n) << 27)
#define SLOT_ENTRIES_MASK               0xf8000000u
#define SLOT_ROOT_PORT(n)               ((uint32_t)(n) << 16)
#define SLOT_HUB_PORTS(n)               ((uint32_t)(n) << 24)
#define SLOT_TT(slot, port)             ((uint32_t)(slot) | (uint32_t)(port) << 8)
#define SLOT_TT_THINK(value)            ((uint32_t)(value) << 16)
#define ENDPOINT_INTERVAL(n)            ((uint32_t)(n) << 16)
#define ENDPOINT_ERRORS                 6u /* three errors halt it */
#define ENDPOINT_CONTROL                (4u << 3)
#define ENDPOINT_INTERRUPT_IN           (7u << 3)
#define ENDPOINT_BURST(n)               ((uint32_t)(n) << 8)
#define ENDPOINT_PACKET(n)              ((uint32_t)(n) << 16)
#define ENDPOINT_CYCLE                  1u
#define ENDPOINT_PAYLOAD(average, most) ((uint32_t)(average) | (uint32_t)(most) << 16)

/* Speeds, 7.2.2.1.1 */
#define SPEED_FULL  1u
#define SPEED_LOW   2u
#define SPEED_HIGH  3u
#define SPEED_SUPER 4u
