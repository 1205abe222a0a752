/* SPDX-License-Identifier: MIT */
/*
 * The mailbox (datasheet 7.10.2.9): 64 bytes a VF; two ownership bits decide who may write them.
 * What a VF writes is not trusted. Its messages are limited in rate; those above the limit wait in
 * the mailbox.
 */
#include "drivers/igb/igb_port.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

#define BURST             16   /* messages a VF may send at once ... */
#define MICROSECONDS_EACH 1000 /* ... and then one in this time */
#define LOGGED_REFUSALS   4    /* between two resets of a VF */
#define VLAN_TAG          4

bool igb_take_credit(struct igb_vf *state)
{
    uint64_t now = clock_microseconds();
    uint64_t earned = (now - state->refilled_at) / MICROSECONDS_EACH;
    if (earned > 0) {
        state->credit = (unsigned)MIN(state->credit + earned, (uint64_t)BURST);
        state->refilled_at = now;
    }
    if (state->credit == 0)
        return false;
    state->credit--;
    return true;
}

static bool take_buffer(struct pf_device *device, uint16_t vf)
{
    igb_write(device, IGB_P2VMAILBOX(vf), IGB_P2V_PF_USES);
    return (igb_read(device, IGB_P2VMAILBOX(vf)) & IGB_P2V_PF_USES) != 0;
}

static void refuse(struct pf_device *device, uint16_t vf, uint32_t word, const char *message)
{
    struct igb_vf *state = &igb_port_of(device)->vf[vf];
    if (state->refusals_logged++ < LOGGED_REFUSALS)
        log_event("igb.mailbox", "pf=%s vf=%u type=%u action=refused message=\"%s\"",
                  rid_text(device->function->rid).text, vf, word & IGB_MESSAGE_TYPE, message);
}

/* Also what Linux' driver sends for further unicast addresses: a list that it first clears. There
 * is none, so that clearing it always succeeds. */
static bool set_mac(struct pf_device *device, uint16_t vf, const uint32_t *words)
{
    if (IGB_MESSAGE_INFO(words[0]) == IGB_MAC_FILTER_CLEAR)
        return true;
    const uint8_t *own = igb_port_of(device)->vf_mac[vf];
    for (unsigned i = 0; i < 6; i++)
        if ((uint8_t)(words[1 + i / 4] >> (8 * (i % 4))) != own[i]) {
            refuse(device, vf, words[0], "a VF keeps the MAC address it was given");
            return false;
        }
    return true;
}

static bool set_multicast(struct pf_device *device, uint16_t vf, const uint32_t *words)
{
    uint16_t hashes[IGB_MULTICAST_HASHES];
    unsigned count = MIN(IGB_MESSAGE_INFO(words[0]), IGB_MULTICAST_HASHES);
    for (unsigned i = 0; i < count; i++)
        hashes[i] = (uint16_t)(words[1 + i / 2] >> (16 * (i % 2)));
    igb_filter_multicast(device, vf, hashes, count);
    return true;
}

static bool set_vlan(struct pf_device *device, uint16_t vf, const uint32_t *words)
{
    if (words[1] > IGB_VLVF_ID) {
        refuse(device, vf, words[0], "not a VLAN id");
        return false;
    }
    bool add = IGB_MESSAGE_INFO(words[0]) != 0;
    if (igb_filter_vlan(device, vf, (uint16_t)words[1], add) == STATUS_OK)
        return true;
    refuse(device, vf, words[0], "the VF already has as many VLANs as it may have");
    return false;
}

static bool set_length(struct pf_device *device, uint16_t vf, const uint32_t *words)
{
    if (words[1] < 64 || words[1] > IGB_MAX_FRAME - VLAN_TAG) {
        refuse(device, vf, words[0], "not a frame length");
        return false;
    }
    igb_filter_length(device, vf, words[1] + VLAN_TAG);
    return true;
}

/* Length of the answer in words; `words` becomes the answer. */
static unsigned answer(struct pf_device *device, uint16_t vf, uint32_t words[IGB_MAILBOX_WORDS])
{
    static bool (*const handlers[])(struct pf_device *, uint16_t, const uint32_t *) = {
        [IGB_SET_MAC] = set_mac,
        [IGB_SET_MULTICAST] = set_multicast,
        [IGB_SET_VLAN] = set_vlan,
        [IGB_SET_LPE] = set_length,
    };
    struct igb_vf *state = &igb_port_of(device)->vf[vf];
    unsigned type = words[0] & IGB_MESSAGE_TYPE;
    if (type == IGB_VF_RESET) {
        igb_vf_restart(device, vf);
        /* Vectors are only ever added to this register by the VF (QEMU ORs them in). */
        igb_vf_clear_vectors(device, vf);
        state->ready = true;
        const uint8_t *mac = igb_port_of(device)->vf_mac[vf];
        words[0] = (uint32_t)(IGB_VF_RESET | IGB_MESSAGE_ACK);
        words[1] = (uint32_t)mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 |
                   (uint32_t)mac[3] << 24;
        words[2] = (uint32_t)mac[4] | (uint32_t)mac[5] << 8;
        return 3;
    }
    bool done = false;
    if (!state->ready)
        refuse(device, vf, words[0], "a VF has to send VF_RESET first");
    else if (type >= ARRAY_SIZE(handlers) || handlers[type] == NULL)
        refuse(device, vf, words[0], "unknown message");
    else
        done = handlers[type](device, vf, words);
    words[0] &= ~(uint32_t)(IGB_MESSAGE_ACK | IGB_MESSAGE_NACK | IGB_MESSAGE_CTS);
    words[0] |= (uint32_t)(done ? IGB_MESSAGE_ACK : IGB_MESSAGE_NACK);
    words[0] |= (uint32_t)(state->ready ? IGB_MESSAGE_CTS : 0);
    return 1;
}

bool igb_mailbox_service(struct pf_device *device, uint16_t vf)
{
    if (!igb_take_credit(&igb_port_of(device)->vf[vf]))
        return false;
    if (!take_buffer(device, vf))
        return false; /* the VF is writing again: its request stays, the next round tries again */
    igb_write(device, IGB_MBVFICR, IGB_MBVFICR_REQUEST(vf));
    uint32_t words[IGB_MAILBOX_WORDS];
    for (unsigned i = 0; i < IGB_MAILBOX_WORDS; i++)
        words[i] = igb_read(device, IGB_VMBMEM(vf) + 4 * i);
    /* A message that is itself an answer gets none. The buffer stays ours until ours is in it, so
     * that a VF that grabs it again cannot keep the control core waiting. */
    if ((words[0] & (IGB_MESSAGE_ACK | IGB_MESSAGE_NACK)) != 0) {
        igb_write(device, IGB_P2VMAILBOX(vf), IGB_P2V_ACK);
        return true;
    }
    unsigned length = answer(device, vf, words);
    for (unsigned i = 0; i < length; i++)
        igb_write(device, IGB_VMBMEM(vf) + 4 * i, words[i]);
    igb_write(device, IGB_P2VMAILBOX(vf), IGB_P2V_ACK | IGB_P2V_STATUS);
    return true;
}

void igb_mailbox_reset(struct pf_device *device, uint16_t vf)
{
    struct igb_vf *state = &igb_port_of(device)->vf[vf];
    state->ready = false;
    state->refusals_logged = 0;
    igb_write(device, IGB_P2VMAILBOX(vf), IGB_P2V_RESET_VFU);
    igb_write(device, IGB_MBVFICR, IGB_MBVFICR_REQUEST(vf) | IGB_MBVFICR_ACK(vf));
    (void)igb_read(device, IGB_V2PMAILBOX(vf));
    for (unsigned i = 0; i < IGB_MAILBOX_WORDS; i++)
        igb_write(device, IGB_VMBMEM(vf) + 4 * i, 0);
}
