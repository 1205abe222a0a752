/* SPDX-License-Identifier: MIT */
/* A guest that asks its own NVMe controller for what is another's: it takes a namespace away from
 * one controller and attaches it to another (Namespace Attachment, NVM Express Base 2.0, 5.22).
 *
 *   nvme-attach NAMESPACE FROM TO      FROM may be "-": it is attached only
 *
 * Prints how each command ended (0: carried out); succeeds when all were carried out. */
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static int attachment(int device, unsigned action, unsigned namespace, unsigned controller)
{
    static uint16_t list[2048] __attribute__((aligned(4096)));
    list[0] = 1;
    list[1] = (uint16_t)controller;
    struct nvme_admin_cmd command = {
        .opcode = 0x15,
        .nsid = namespace,
        .addr = (uintptr_t)list,
        .data_len = sizeof list,
        .cdw10 = action,
        .timeout_ms = 3000,
    };
    return ioctl(device, NVME_IOCTL_ADMIN_CMD, &command);
}

int main(int count, char **words)
{
    int device = open("/dev/nvme0", O_RDWR);
    if (count != 4 || device < 0)
        return 2;
    unsigned namespace = (unsigned)atoi(words[1]), to = (unsigned)atoi(words[3]);
    bool taken = strcmp(words[2], "-") != 0;
    int detached = taken ? attachment(device, 1, namespace, (unsigned)atoi(words[2])) : 0;
    int attached = attachment(device, 0, namespace, to);
    printf("namespace %u: detached %#x, attached to %u %#x\n", namespace, (unsigned)detached, to,
           (unsigned)attached);
    return detached != 0 || attached != 0;
}
