#include "base/cidr.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/settings.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* The address in its one form; *ret_bits is the width that a prefix of this notation counts. */
static bool
address_parse(struct text t, uint8_t ret_address[16], unsigned *ret_bits)
{
    char z[INET6_ADDRSTRLEN];

    if (t.len == 0 || t.len >= sizeof z || memchr(t.p, '\0', t.len) != NULL)
        return false;
    memcpy(z, t.p, t.len);
    z[t.len] = '\0';
    if (inet_pton(AF_INET, z, ret_address + 12) == 1) {
        memcpy(ret_address, mapped, sizeof mapped);
        *ret_bits = 32;
        return true;
    }
    *ret_bits = 128;
    return inet_pton(AF_INET6, z, ret_address) == 1;
}

static bool
prefix_parse(struct text t, unsigned bits, unsigned *ret_prefix)
{
    int64_t prefix;

    if (t.len > 1 && t.p[0] == '0')
        return false;
    if (t.len > 3 || !text_to_int(t, &prefix) || prefix < 0 || prefix > bits || t.p[0] == '-')
        return false;
    *ret_prefix = (unsigned)prefix + (128 - bits);
    return true;
}

/* The bits of byte i that belong to the network. */
static uint8_t
mask_byte(unsigned prefix, unsigned i)
{
    if (prefix >= 8 * (i + 1))
        return 0xff;
    if (prefix <= 8 * i)
        return 0;
    return (uint8_t)(0xff << (8 - (prefix - 8 * i)));
}

bool
cidr_parse(struct text t, struct cidr *ret_cidr)
{
    struct text rest = t;
    struct text address = text_cut(&rest, '/');
    struct cidr c = {.prefix = 128};
    unsigned bits;

    if (!address_parse(address, c.address, &bits))
        return false;
    if (rest.p != NULL && !prefix_parse(rest, bits, &c.prefix))
        return false;
    for (unsigned i = 0; i < sizeof c.address; i++) {
        if ((c.address[i] & ~mask_byte(c.prefix, i)) != 0)
            return false;
    }
    *ret_cidr = c;
    return true;
}

bool
cidr_contains(const struct cidr *network, const uint8_t address[16])
{
    /* ::/0 is every version 6 address; who means version 4 too writes 0.0.0.0/0. */
    if (network->prefix < 96 && memcmp(address, mapped, sizeof mapped) == 0)
        return false;
    for (unsigned i = 0; i < sizeof network->address; i++) {
        if (((network->address[i] ^ address[i]) & mask_byte(network->prefix, i)) != 0)
            return false;
    }
    return true;
}

bool
cidr_match(struct text list, struct text address)
{
    uint8_t wanted[16];
    unsigned bits;

    if (!address_parse(address, wanted, &bits))
        return false;
    while (list.p != NULL) {
        struct cidr network;
        if (cidr_parse(text_trim(text_cut(&list, ',')), &network) &&
            cidr_contains(&network, wanted))
            return true;
    }
    return false;
}
