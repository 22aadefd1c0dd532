/* Addresses and networks, version 4 and 6. */
#ifndef LECTERN_BASE_CIDR_H
#define LECTERN_BASE_CIDR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Version 4 is kept as its mapped form ::ffff:a.b.c.d, so that there is one kind of address. */
struct cidr {
    uint8_t address[16];
    unsigned prefix; /* 0 to 128 */
};

/* "10.0.0.0/8", "2001:db8::/32", or an address alone. Refuses zones, leading zeros and bits set
 * behind the prefix. */
bool cidr_parse(struct text t, struct cidr *ret_cidr);
/* A network of version 6 never contains a version 4 address. */
bool cidr_contains(const struct cidr *network, const uint8_t address[16]);

#endif
