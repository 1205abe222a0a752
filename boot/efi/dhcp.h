/* SPDX-License-Identifier: MIT */
/* What a DHCP answer says of the boot server (RFC 2131, RFC 2132). Works on bytes only
 * (host-tested): they come from the network. */
#pragma once

#include "hypervisor/base/core.h"

#define DHCP_PATH_SIZE 128

struct dhcp_boot {
    uint8_t server[4];         /* IPv4 address of the TFTP server */
    char path[DHCP_PATH_SIZE]; /* the boot file's directory with the slash behind it, or "" */
};

/* STATUS_INVALID: no DHCP packet. STATUS_NOT_FOUND: it names no server. */
MUST_CHECK enum status dhcp_read(const uint8_t *packet, size_t size, struct dhcp_boot *boot);
/* The client's hardware address; false unless it has six bytes, as Ethernet's have. */
bool dhcp_client(const uint8_t *packet, size_t size, uint8_t address[6]);
