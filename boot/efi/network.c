/* SPDX-License-Identifier: MIT */
#include "boot/efi/network.h"

#include "boot/efi/dhcp.h"
#include "boot/efi/efi.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"

#define FOLDER          "bulkhead/"
#define MAX_FILE        GIB(1)
#define ATTEMPTS        3    /* when nothing comes: many machines may ask at the same time */
#define BLOCK           1408 /* bytes in a packet, with all headers in one Ethernet frame */
#define TFTP_NOT_FOUND  1    /* RFC 1350 */
#define TFTP_ERROR_SIZE 80

static EFI_GUID pxe_guid = EFI_PXE_BASE_CODE_PROTOCOL_GUID;

static EFI_PXE_BASE_CODE_PROTOCOL *pxe;
static EFI_IP_ADDRESS server;
static struct dhcp_boot place;

/* UEFI 24.3: in this order the firmware itself looks for the boot file. */
static const EFI_PXE_BASE_CODE_PACKET *answer(const EFI_PXE_BASE_CODE_MODE *mode)
{
    if (mode->PxeReplyReceived)
        return &mode->PxeReply;
    return mode->ProxyOfferReceived ? &mode->ProxyOffer : &mode->DhcpAck;
}

EFI_STATUS network_open(EFI_HANDLE device)
{
    EFI_PXE_BASE_CODE_PROTOCOL *found = NULL;
    if (efi_system->BootServices->HandleProtocol(device, &pxe_guid, (void **)&found) !=
            EFI_SUCCESS ||
        found->Mode == NULL)
        return EFI_NOT_FOUND;
    EFI_STATUS status = EFI_SUCCESS;
    if (!found->Mode->Started)
        status = found->Start(found, FALSE);
    if (status == EFI_SUCCESS && found->Mode->UsingIpv6)
        return refuse(EFI_UNSUPPORTED, "it was loaded over IPv6, and reads its files over IPv4 "
                                       "only: start it by PXE over IPv4");
    if (status == EFI_SUCCESS && !found->Mode->DhcpAckReceived)
        status = found->Dhcp(found, FALSE);
    if (status != EFI_SUCCESS)
        return refuse(status, "the network card does not start again (status 0x%lx)", status);
    const EFI_PXE_BASE_CODE_PACKET *packet = answer(found->Mode);
    if (dhcp_read(packet->Raw, sizeof packet->Raw, &place) != STATUS_OK)
        return refuse(EFI_NOT_FOUND, "the DHCP server's answer names no TFTP server (its "
                                     "next-server, or dhcp-boot of dnsmasq)");
    memcpy(server.v4.Addr, place.server, sizeof place.server);
    pxe = found;
    say("reading its files from tftp://%u.%u.%u.%u/%s" FOLDER, place.server[0], place.server[1],
        place.server[2], place.server[3], place.path);
    return EFI_SUCCESS;
}

bool network_is_open(void)
{
    return pxe != NULL;
}

static EFI_STATUS transfer(EFI_PXE_BASE_CODE_TFTP_OPCODE operation, const char *name, void *buffer,
                           UINT64 *size)
{
    char path[DHCP_PATH_SIZE + sizeof FOLDER + BOOT_NAME_SIZE];
    for (const char *from = name; *from != '\0'; from++) {
        if (*from == '/' || *from == '\\')
            return EFI_NOT_FOUND;
    }
    if (format_text(path, sizeof path, "%s" FOLDER "%s", place.path, name) >= sizeof path)
        return EFI_NOT_FOUND;
    EFI_STATUS status = EFI_TIMEOUT;
    UINT64 room = *size;
    for (unsigned attempt = 0; attempt < ATTEMPTS && status == EFI_TIMEOUT; attempt++) {
        UINTN block = BLOCK;
        *size = room;
        pxe->Mode->TftpErrorReceived = FALSE;
        status = pxe->Mtftp(pxe, operation, buffer, FALSE, size, &block, &server, (UINT8 *)path,
                            NULL, FALSE);
    }
    if (status == EFI_TFTP_ERROR && pxe->Mode->TftpErrorReceived &&
        pxe->Mode->TftpError.ErrorCode == TFTP_NOT_FOUND)
        return EFI_NOT_FOUND;
    return status;
}

bool network_exists(const char *name)
{
    UINT64 size = 0;
    return transfer(EFI_PXE_BASE_CODE_TFTP_GET_FILE_SIZE, name, NULL, &size) == EFI_SUCCESS;
}

/* What the server said of it, which is the server's text and not ours. */
static const char *explain(EFI_STATUS status)
{
    static char text[200];
    const EFI_PXE_BASE_CODE_TFTP_ERROR *error = &pxe->Mode->TftpError;
    if (status == EFI_TIMEOUT)
        return "cannot be fetched: the TFTP server does not answer in time";
    if (!pxe->Mode->TftpErrorReceived) {
        format_text(text, sizeof text, "cannot be fetched by TFTP (status 0x%lx)", status);
        return text;
    }
    char said[TFTP_ERROR_SIZE];
    size_t length = 0;
    while (length < sizeof error->ErrorString && error->ErrorString[length] != '\0')
        length++;
    quote_text(said, sizeof said, (const char *)error->ErrorString, length);
    format_text(text, sizeof text, "cannot be fetched: the TFTP server says error %u, \"%s\"",
                error->ErrorCode, said);
    return text;
}

EFI_STATUS network_read(const char *name, UINT64 *base, UINT64 *size, const char **problem)
{
    UINT64 length = 0;
    EFI_STATUS status = transfer(EFI_PXE_BASE_CODE_TFTP_GET_FILE_SIZE, name, NULL, &length);
    if (status != EFI_SUCCESS) {
        *problem = status == EFI_NOT_FOUND ? "is not there" : explain(status);
        return status;
    }
    UINTN pages = (UINTN)(MIN(length, MAX_FILE) / PAGE_SIZE) + 1;
    *base = length > MAX_FILE ? 0 : memory_allocate(pages, GIB(4), BOOT_MEMORY_LOADER);
    if (*base == 0) {
        *problem = "does not fit into memory below 4G";
        return EFI_OUT_OF_RESOURCES;
    }
    UINT64 room = pages * PAGE_SIZE;
    *size = room;
    status = transfer(EFI_PXE_BASE_CODE_TFTP_READ_FILE, name, (void *)(UINTN)*base, size);
    if (status == EFI_SUCCESS && *size == length)
        return EFI_SUCCESS;
    *problem = status == EFI_SUCCESS || status == EFI_BUFFER_TOO_SMALL
                   ? "changed its size while it was fetched"
                   : explain(status);
    return status == EFI_SUCCESS || status == EFI_NOT_FOUND ? EFI_DEVICE_ERROR : status;
}

bool network_default(char *name, size_t room)
{
    uint8_t mac[6];
    if (pxe == NULL)
        return false;
    /* What this machine sent, rather than what it was answered. */
    const EFI_PXE_BASE_CODE_PACKET *packet =
        pxe->Mode->DhcpDiscoverValid ? &pxe->Mode->DhcpDiscover : &pxe->Mode->DhcpAck;
    if (!dhcp_client(packet->Raw, sizeof packet->Raw, mac))
        return false;
    size_t length = format_text(name, room, "default-%02x-%02x-%02x-%02x-%02x-%02x", mac[0], mac[1],
                                mac[2], mac[3], mac[4], mac[5]);
    return length < room;
}
