/* SPDX-License-Identifier: MIT */
/* The control core's life after boot. */
#pragma once

#include "hypervisor/base/core.h"

/* The last step of the boot order: gives back what runs only at boot (`image_base`: where the image
 * lies), starts the guests, opens the prompt and serves guests, faults, log and prompt, one after
 * the other. `batch`: the machine goes off with the verdict, which is "failed" unless
 * `config_sound`. */
NO_RETURN void control_loop(uint64_t image_base, bool batch, bool config_sound);
