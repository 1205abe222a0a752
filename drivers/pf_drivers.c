/* Every PF driver there is; the core asks them in this order. */
#include "drivers/igb/igb.h"
#include "drivers/nvme/nvme.h"

const struct pf_driver *const pf_drivers[] = {&igb_pf_driver, &nvme_pf_driver, NULL};
