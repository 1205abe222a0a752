/* SPDX-License-Identifier: MIT */
#include "boot/efi/sha256.h"

#include "hypervisor/base/string.h"

#define BLOCK  64 /* bytes */
#define ROUNDS 64

/* FIPS 180-4, 4.2.2 */
static const uint32_t constants[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t value, unsigned by)
{
    return value >> by | value << (32 - by);
}

static uint32_t load_big_endian(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static void store_big_endian(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* FIPS 180-4, 6.2.2 */
static void add_block(uint32_t hash[8], const uint8_t *block)
{
    uint32_t schedule[ROUNDS], state[8];
    for (unsigned i = 0; i < 16; i++)
        schedule[i] = load_big_endian(block + 4 * i);
    for (unsigned i = 16; i < ROUNDS; i++) {
        uint32_t old = schedule[i - 15], recent = schedule[i - 2];
        schedule[i] = schedule[i - 16] + (rotate(old, 7) ^ rotate(old, 18) ^ old >> 3) +
                      schedule[i - 7] + (rotate(recent, 17) ^ rotate(recent, 19) ^ recent >> 10);
    }
    memcpy(state, hash, sizeof state);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t a = state[0], b = state[1], c = state[2];
        uint32_t e = state[4], f = state[5], g = state[6];
        uint32_t first = state[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                         ((e & f) ^ (~e & g)) + constants[i] + schedule[i];
        uint32_t second =
            (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        memmove(state + 1, state, 7 * sizeof state[0]);
        state[4] += first;
        state[0] = first + second;
    }
    for (unsigned i = 0; i < 8; i++)
        hash[i] += state[i];
}

void sha256(const void *bytes, size_t size, uint8_t digest[SHA256_SIZE])
{
    /* FIPS 180-4, 5.3.3 */
    uint32_t hash[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const uint8_t *from = bytes;
    size_t left = size;
    for (; left >= BLOCK; left -= BLOCK, from += BLOCK)
        add_block(hash, from);
    /* The rest, a one bit, zeros, and the length in bits (5.1.1): one block or two. */
    uint8_t last[2 * BLOCK] = {0};
    if (left != 0)
        memcpy(last, from, left);
    last[left] = 0x80;
    size_t end = left < BLOCK - 8 ? BLOCK : sizeof last;
    store_big_endian(last + end - 8, (uint32_t)((uint64_t)size >> 29));
    store_big_endian(last + end - 4, (uint32_t)((uint64_t)size << 3));
    for (size_t at = 0; at < end; at += BLOCK)
        add_block(hash, last + at);
    for (unsigned i = 0; i < 8; i++)
        store_big_endian(digest + 4 * i, hash[i]);
}
