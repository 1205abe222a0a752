/* A guest that asks its own NVMe controller for more than it was given: Namespace Attachment (NVM
 * Express Base 2.0, 5.22) for any namespace and any controller.
 *
 *   nvme-attach attach|detach NAMESPACE CONTROLLER
 *
 * Prints the command's status; succeeds when the controller has carried it out. */
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int main(int count, char **words)
{
    static uint16_t list[2048] __attribute__((aligned(4096)));
    int device = open("/dev/nvme0", O_RDWR);
    if (count != 4 || device < 0)
        return 2;
    list[0] = 1;
    list[1] = (uint16_t)atoi(words[3]);
    struct nvme_admin_cmd command = {
        .opcode = 0x15,
        .nsid = (uint32_t)atoi(words[2]),
        .addr = (uintptr_t)list,
        .data_len = sizeof list,
        .timeout_ms = 3000,
        .cdw10 = strcmp(words[1], "detach") == 0,
    };
    int status = ioctl(device, NVME_IOCTL_ADMIN_CMD, &command);
    printf("%s of namespace %s, controller %s: status %d\n", words[1], words[2], words[3], status);
    return status != 0;
}
