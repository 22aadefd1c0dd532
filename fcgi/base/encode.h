/* Hexadecimal, base64 and base64url (RFC 4648), strict both ways, and digests. */
#ifndef LECTERN_BASE_ENCODE_H
#define LECTERN_BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

void hex_encode(const void *p, size_t n, char *ret_text);  /* 2n bytes and NUL, lower case */
bool hex_decode(struct text t, void *ret_bytes, size_t n); /* exactly n bytes */
int hex_digit(char c);                                     /* its value; -1 when it is none */

/* base64url without padding; returns the length, writes a NUL after it.
 * ret_text has room for BASE64URL_LEN(n) + 1. */
#define BASE64URL_LEN(n) (((n)*4 + 2) / 3)
size_t base64url_encode(const void *p, size_t n, char *ret_text);
/* Refuses padding, other alphabets and non-zero trailing bits. ret_bytes has room for
 * len * 3 / 4 + 1 bytes. */
bool base64url_decode(struct text t, void *ret_bytes, size_t *ret_len);
/* Standard alphabet with optional padding and line breaks, for settings. */
bool base64_decode(struct text t, void *ret_bytes, size_t *ret_len);

#define SHA256_LEN 32
void sha256(struct text t, uint8_t ret_digest[SHA256_LEN]);
void hmac_sha256(struct text key, struct text message, uint8_t ret_mac[SHA256_LEN]);
/* A key for one purpose out of a master secret: HMAC-SHA-256(secret, label). */
void derive_key(struct text secret, const char *label, uint8_t ret_key[SHA256_LEN]);

/* SipHash-2-4 of a text under a 128-bit key; for tables that strangers can address. */
uint64_t siphash(const uint8_t key[16], const void *p, size_t n);

/* From the kernel; never fails (ends the process if the kernel cannot). */
void random_bytes(void *ret_bytes, size_t n);
uint64_t random_u64(void);

#endif
