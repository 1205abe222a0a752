/* SPDX-License-Identifier: MIT */
/* 8042: data and status ports, and the status bits. */
#pragma once

#include "hypervisor/base/core.h"

#define PORT_DATA     0x60
#define PORT_STATUS   0x64
#define STATUS_OUTPUT BIT(0)
#define STATUS_INPUT  BIT(1)
#define STATUS_MOUSE  BIT(5)
#define STATUS_NONE   0xff
