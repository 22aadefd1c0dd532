/* Reading access tokens. Nothing of a token is believed before its signature holds under the
 * key, and the algorithm, that its kid names. */
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <string.h>

#include "auth/keyset_parts.h"
#include "base/encode.h"
#include "wire/json_in.h"

#define LEEWAY_S 30
#define P256_BYTES 32
#define ES256_BYTES ((size_t)2 * P256_BYTES)
#define ES256_DER_MAX 80

struct parts {
    struct text signed_part; /* header.payload, as sent */
    struct text header;      /* decoded */
    struct text payload;
    struct text signature;
};

bool
role_known(struct text role)
{
    static const char *const roles[] = {"student",   "teacher", "parent", "vendor",
                                        "moderator", "analyst", "admin",  "operator"};

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (text_eq(role, text_of(roles[i])))
            return true;
    }
    return false;
}

static bool
part_decode(struct arena *a, struct text encoded, struct text *ret_bytes)
{
    char *bytes;

    if (encoded.p == NULL || encoded.len == 0)
        return false;
    bytes = arena_alloc(a, encoded.len * 3 / 4 + 1);
    ret_bytes->p = bytes;
    return base64url_decode(encoded, bytes, &ret_bytes->len);
}

/* Exactly three parts, each base64url without padding, blanks or spare bits. */
static bool
token_split(struct arena *a, struct text token, struct parts *ret_parts)
{
    struct text rest = token;
    struct text header = text_cut(&rest, '.');
    struct text payload = text_cut(&rest, '.');

    if (rest.p == NULL)
        return false;
    ret_parts->signed_part = (struct text){token.p, (size_t)(rest.p - token.p) - 1};
    return part_decode(a, header, &ret_parts->header) &&
           part_decode(a, payload, &ret_parts->payload) &&
           part_decode(a, rest, &ret_parts->signature);
}

/* Only alg, kid and typ may be there: crit, keys and addresses of keys have no place in our
 * tokens. */
static const struct key *
header_key(struct arena *a, const struct keyset *k, struct text header)
{
    struct text alg = TEXT_NULL, kid = TEXT_NULL, typ = TEXT("JWT"), name;
    struct json_value root, value;
    const struct key *key;
    void *cursor = NULL;

    if (json_parse(a, header, &root) != E_OK || json_type_of(root) != JSON_OBJECT)
        return NULL;
    while (json_next_member(root, &cursor, &name, &value)) {
        struct text *into = text_eq(name, TEXT("alg"))   ? &alg
                            : text_eq(name, TEXT("kid")) ? &kid
                            : text_eq(name, TEXT("typ")) ? &typ
                                                         : NULL;

        if (into == NULL || !json_get_text(value, into))
            return NULL;
    }
    key = kid_valid(kid) && text_eq(typ, TEXT("JWT")) ? keyset_find(k, kid) : NULL;
    return key != NULL && text_eq(alg, text_of(key_alg_name(key->alg))) ? key : NULL;
}

/* OpenSSL wants r and s as DER. Returns the length; 0 when it cannot be. */
static size_t
es256_to_der(struct text raw, uint8_t ret_der[ES256_DER_MAX])
{
    const unsigned char *bytes = (const unsigned char *)raw.p;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(bytes + P256_BYTES, P256_BYTES, NULL);
    uint8_t *end = ret_der;
    int len = 0;

    if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    } else if (i2d_ECDSA_SIG(sig, NULL) <= ES256_DER_MAX) {
        len = i2d_ECDSA_SIG(sig, &end);
    }
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

static bool
signature_holds(const struct key *key, struct text message, struct text signature)
{
    static EVP_MD_CTX *scratch;
    uint8_t der[ES256_DER_MAX];
    const unsigned char *bytes = (const unsigned char *)signature.p;
    size_t len = signature.len;
    bool ok;

    if (key->alg == KEY_ES256) {
        len = len == ES256_BYTES ? es256_to_der(signature, der) : 0;
        bytes = der;
    } else if (len != (size_t)EVP_PKEY_get_size(key->public_key)) {
        len = 0;
    }
    if (len == 0)
        return false;
    if (scratch == NULL)
        scratch = EVP_MD_CTX_new();
    ok = scratch != NULL && EVP_MD_CTX_copy_ex(scratch, key->verifier) == 1 &&
         EVP_DigestVerify(scratch, bytes, len, (const unsigned char *)message.p, message.len) == 1;
    ERR_clear_error();
    return ok;
}

/* RFC 7519, 4.1.3: one text, or an array of texts of which one is ours. */
static bool
audience_holds(struct json_value v, struct text audience)
{
    struct json_value element;
    struct text t;
    bool named = false;

    if (json_get_text(v, &t))
        return text_eq(t, audience);
    for (size_t i = 0; i < json_count(v); i++) {
        if (!json_element(v, i, &element) || !json_get_text(element, &t))
            return false;
        named = named || text_eq(t, audience);
    }
    return named;
}

enum claim_bit {
    CLAIM_SUB = 1,
    CLAIM_ORG = 2,
    CLAIM_SID = 4,
    CLAIM_JTI = 8,
    CLAIM_ROLE = 16,
    CLAIM_IAT = 32,
    CLAIM_EXP = 64,
    CLAIM_ISS = 128,
    CLAIM_AUD = 256,
    CLAIM_NBF = 512,
    CLAIMS_REQUIRED = 511,
};

static enum claim_bit
claim_named(struct text name)
{
    static const struct {
        const char *name;
        enum claim_bit bit;
    } claims[] = {{"sub", CLAIM_SUB},   {"org", CLAIM_ORG}, {"sid", CLAIM_SID}, {"jti", CLAIM_JTI},
                  {"role", CLAIM_ROLE}, {"iat", CLAIM_IAT}, {"exp", CLAIM_EXP}, {"iss", CLAIM_ISS},
                  {"aud", CLAIM_AUD},   {"nbf", CLAIM_NBF}};

    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        if (text_eq(name, text_of(claims[i].name)))
            return claims[i].bit;
    }
    return 0;
}

static bool
uuid_read(struct json_value v, struct uuid *ret_uuid)
{
    struct text t;

    return json_get_text(v, &t) && uuid_parse(t, ret_uuid);
}

static bool
role_read(struct json_value v, struct token_claims *ret_claims)
{
    struct text t;

    if (!json_get_text(v, &t) || !role_known(t) || t.len >= sizeof(ret_claims->role))
        return false;
    memcpy(ret_claims->role, t.p, t.len);
    return true;
}

static bool
issuer_read(struct json_value v, const struct keyset *k)
{
    struct text t;

    return json_get_text(v, &t) && text_eq(t, text_of(k->issuer));
}

/* One claim, with the type it must have. Claims that we do not know are passed over (RFC 7519, 4).
 */
static bool
claim_read(const struct keyset *k, enum claim_bit claim, struct json_value v,
           struct token_claims *ret_claims, int64_t *ret_not_before)
{
    switch (claim) {
    case CLAIM_SUB:
        return uuid_read(v, &ret_claims->user);
    case CLAIM_ORG:
        return uuid_read(v, &ret_claims->org);
    case CLAIM_SID:
        return uuid_read(v, &ret_claims->session);
    case CLAIM_JTI:
        return uuid_read(v, &ret_claims->id);
    case CLAIM_ROLE:
        return role_read(v, ret_claims);
    case CLAIM_IAT:
        return json_get_int(v, &ret_claims->issued_at);
    case CLAIM_EXP:
        return json_get_int(v, &ret_claims->expires_at);
    case CLAIM_NBF:
        return json_get_int(v, ret_not_before);
    case CLAIM_ISS:
        return issuer_read(v, k);
    case CLAIM_AUD:
        return audience_holds(v, text_of(k->audience));
    default:
        return true;
    }
}

static bool
claims_read(struct arena *a, const struct keyset *k, struct text payload, int64_t now,
            struct token_claims *ret_claims)
{
    struct json_value root, value;
    int64_t not_before = 0;
    unsigned seen = 0;
    struct text name;
    void *cursor = NULL;

    *ret_claims = (struct token_claims){0};
    if (json_parse(a, payload, &root) != E_OK)
        return false;
    while (json_next_member(root, &cursor, &name, &value)) {
        enum claim_bit claim = claim_named(name);

        if (!claim_read(k, claim, value, ret_claims, &not_before))
            return false;
        seen |= claim;
    }
    return (seen & CLAIMS_REQUIRED) == CLAIMS_REQUIRED && ret_claims->issued_at >= 0 &&
           ret_claims->issued_at <= now + LEEWAY_S && not_before <= now + LEEWAY_S &&
           ret_claims->expires_at > now && ret_claims->expires_at > ret_claims->issued_at;
}

err
token_verify(struct arena *a, const struct keyset *k, struct text token, int64_t now,
             struct token_claims *ret_claims)
{
    uint8_t digest[SHA256_LEN];
    const struct key *key;
    struct parts parts;

    if (token.p == NULL || token.len == 0 || token.len > TOKEN_MAX_BYTES)
        return E_TOKEN_INVALID;
    sha256(token, digest);
    if (token_cache_find(k, digest, now, ret_claims))
        return E_OK;
    if (!token_split(a, token, &parts))
        return E_TOKEN_INVALID;
    key = header_key(a, k, parts.header);
    if (key == NULL || !signature_holds(key, parts.signed_part, parts.signature) ||
        !claims_read(a, k, parts.payload, now, ret_claims))
        return E_TOKEN_INVALID;
    token_cache_store(k, digest, now, ret_claims);
    return E_OK;
}
