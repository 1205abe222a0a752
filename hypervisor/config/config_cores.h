/* SPDX-License-Identifier: MIT */
/* Keys about cores: of [guest NAME], and smt of [system]. Each returns false after a complaint. */
#pragma once

#include "hypervisor/config/config_parser.h"

bool config_set_cpus(struct config_parser *parser, struct word value);
/* 2-5,8: as the vCPUs have them, in that order. */
bool config_set_cores(struct config_parser *parser, struct word value);
bool config_set_smt(struct config_parser *parser, struct word value);
bool config_set_node(struct config_parser *parser, struct word value);
