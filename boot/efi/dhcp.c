/* SPDX-License-Identifier: MIT */
#include "boot/efi/dhcp.h"

#include "hypervisor/base/string.h"

/* RFC 2131, figure 1 */
#define LENGTH_OF_ADDRESS 2
#define SERVER            20 /* siaddr */
#define CLIENT            28 /* chaddr */
#define FILE              108
#define FILE_SIZE         128
#define COOKIE            236
#define OPTIONS           240

/* RFC 2132 */
#define OPTION_PAD       0
#define OPTION_OVERLOAD  52
#define OVERLOAD_FILE    1u
#define OPTION_SERVER    54
#define OPTION_BOOT_FILE 67
#define OPTION_END       255

struct option {
    const uint8_t *bytes;
    size_t size;
};

static bool is_dhcp(const uint8_t *packet, size_t size)
{
    static const uint8_t cookie[4] = {99, 130, 83, 99};
    return size >= OPTIONS && memcmp(packet + COOKIE, cookie, sizeof cookie) == 0;
}

static bool find_option(const uint8_t *packet, size_t size, uint8_t wanted, struct option *option)
{
    for (size_t at = OPTIONS; at < size && packet[at] != OPTION_END;) {
        if (packet[at] == OPTION_PAD) {
            at++;
            continue;
        }
        if (size - at < 2 || packet[at + 1] > size - at - 2)
            return false;
        if (packet[at] == wanted) {
            *option = (struct option){.bytes = packet + at + 2, .size = packet[at + 1]};
            return true;
        }
        at += 2u + packet[at + 1];
    }
    return false;
}

static bool is_address(const uint8_t *bytes)
{
    return (bytes[0] | bytes[1] | bytes[2] | bytes[3]) != 0;
}

/* Copies what is in front of the file's own name. Anything that is not printable text is not a
 * name. */
static void copy_directory(char path[DHCP_PATH_SIZE], const uint8_t *name, size_t size)
{
    size_t length = 0;
    path[0] = '\0';
    for (size_t i = 0; i < size && name[i] != 0; i++) {
        if (name[i] <= ' ' || name[i] >= 0x7f || i + 1 >= DHCP_PATH_SIZE) {
            path[0] = '\0';
            return;
        }
        path[i] = (char)name[i];
        if (name[i] == '/' || name[i] == '\\')
            length = i + 1;
    }
    path[length] = '\0';
}

enum status dhcp_read(const uint8_t *packet, size_t size, struct dhcp_boot *boot)
{
    struct option option;
    memset(boot, 0, sizeof *boot);
    if (!is_dhcp(packet, size))
        return STATUS_INVALID;
    bool overload = find_option(packet, size, OPTION_OVERLOAD, &option) && option.size == 1 &&
                    (option.bytes[0] & OVERLOAD_FILE) != 0;
    if (find_option(packet, size, OPTION_BOOT_FILE, &option))
        copy_directory(boot->path, option.bytes, option.size);
    else if (!overload)
        copy_directory(boot->path, packet + FILE, FILE_SIZE);
    /* As firmware does: the header's next server, else whoever answered. */
    const uint8_t *server = packet + SERVER;
    if (!is_address(server) && find_option(packet, size, OPTION_SERVER, &option) &&
        option.size == sizeof boot->server)
        server = option.bytes;
    memcpy(boot->server, server, sizeof boot->server);
    return is_address(server) ? STATUS_OK : STATUS_NOT_FOUND;
}

bool dhcp_client(const uint8_t *packet, size_t size, uint8_t address[6])
{
    if (!is_dhcp(packet, size) || packet[LENGTH_OF_ADDRESS] != 6)
        return false;
    memcpy(address, packet + CLIENT, 6);
    return true;
}
