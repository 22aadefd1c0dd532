/* The keys of sealed values as settings write them. */
#ifndef LECTERN_BASE_DATA_KEYS_H
#define LECTERN_BASE_DATA_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define DATA_KEY_BYTES 32
#define DATA_KEY_ID_MAX 32

/* 1 to 32 of A-Za-z0-9_-: no dot, colon or comma, which stand between things. */
bool data_key_id_valid(struct text id);
/* Base64 of exactly 32 bytes. */
bool data_key_decode(struct text base64, uint8_t ret_key[DATA_KEY_BYTES]);
/* The first of "id:base64,id:base64", which *list then no longer holds; its p is NULL at the end.
 * False when it is malformed. */
bool data_key_next(struct text *list, struct text *ret_id, uint8_t ret_key[DATA_KEY_BYTES]);

#endif
