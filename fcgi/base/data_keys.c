#include "base/data_keys.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/encode.h"

#define BASE64_MAX 64 /* 44 characters, and line breaks */

bool
data_key_id_valid(struct text id)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

    return text_is_of(id, allowed, DATA_KEY_ID_MAX);
}

bool
data_key_decode(struct text base64, uint8_t ret_key[DATA_KEY_BYTES])
{
    uint8_t bytes[BASE64_MAX + 1];
    size_t len = 0;
    bool ok = base64.p != NULL && base64.len <= BASE64_MAX && base64_decode(base64, bytes, &len) &&
              len == DATA_KEY_BYTES;

    if (ok)
        memcpy(ret_key, bytes, DATA_KEY_BYTES);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return ok;
}

bool
data_key_next(struct text *list, struct text *ret_id, uint8_t ret_key[DATA_KEY_BYTES])
{
    struct text key = text_trim(text_cut(list, ','));

    *ret_id = text_cut(&key, ':');
    return data_key_id_valid(*ret_id) && data_key_decode(key, ret_key);
}
