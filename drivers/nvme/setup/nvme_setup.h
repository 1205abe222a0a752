/* SPDX-License-Identifier: MIT */
/* What the files that bring an NVMe PF up share. */
#pragma once

#include "drivers/nvme/nvme_admin.h"

/* nvme_open.c */
/* An admin queue in memory of its own, the controller enabled; its function must have been reset.
 * STATUS_TIMEOUT, STATUS_DEVICE, STATUS_UNSUPPORTED, STATUS_NO_MEMORY, all logged. */
MUST_CHECK enum status nvme_open(struct nvme_controller *controller);
/* Controller disabled, memory taken back. */
void nvme_close(struct nvme_controller *controller);

/* nvme_shares.c. Errors are those of nvme_execute(), and STATUS_INVALID, STATUS_UNSUPPORTED,
 * STATUS_NOT_FOUND for what the controller says of itself; all logged. */
/* Opens the controller, finds a secondary controller and a namespace for each VF, and detaches all
 * namespaces; before VF Enable. */
MUST_CHECK enum status nvme_take_stock(struct nvme_controller *controller);

/* nvme_check.c: STATUS_DENIED when the VF's controller, which nobody has yet, offers what reaches
 * further than its own namespace and the configuration does not accept that. */
MUST_CHECK enum status nvme_check_secondary(struct nvme_controller *controller, uint16_t vf);
