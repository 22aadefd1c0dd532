/* Making access tokens: the one file that names libjwt. */
#include "auth/token.h"

#include <jwt.h>
#include <stdlib.h>
#include <string.h>

#include "auth/keyset_parts.h"

static bool
uuid_grant(jwt_t *jwt, const char *name, const struct uuid *u)
{
    char text[UUID_TEXT_LEN + 1];

    uuid_format(u, text);
    return jwt_add_grant(jwt, name, text) == 0;
}

static bool
claims_add(jwt_t *jwt, const struct keyset *k, const struct token_claims *c)
{
    return jwt_add_grant(jwt, "iss", k->issuer) == 0 &&
           jwt_add_grant(jwt, "aud", k->audience) == 0 && uuid_grant(jwt, "sub", &c->user) &&
           uuid_grant(jwt, "org", &c->org) && uuid_grant(jwt, "sid", &c->session) &&
           uuid_grant(jwt, "jti", &c->id) && jwt_add_grant(jwt, "role", c->role) == 0 &&
           jwt_add_grant_int(jwt, "iat", (long)c->issued_at) == 0 &&
           jwt_add_grant_int(jwt, "exp", (long)c->expires_at) == 0;
}

static char *
jwt_sign_with(jwt_t *jwt, const struct key *key)
{
    jwt_alg_t alg = key->alg == KEY_RS256 ? JWT_ALG_RS256 : JWT_ALG_ES256;

    if (jwt_add_header(jwt, "kid", key->kid) != 0 ||
        jwt_set_alg(jwt, alg, (const unsigned char *)key->private_pem, (int)key->private_len) != 0)
        return NULL;
    return jwt_encode_str(jwt);
}

err
token_issue(struct arena *a, const struct keyset *k, const struct token_claims *claims,
            struct text *ret_token)
{
    char *encoded = NULL;
    jwt_t *jwt = NULL;

    /* What we would not accept is not given out. */
    if (memchr(claims->role, '\0', sizeof(claims->role)) == NULL ||
        !role_known(text_of(claims->role)) || claims->issued_at < 0 ||
        claims->expires_at <= claims->issued_at)
        return E_INTERNAL;
    if (jwt_new(&jwt) != 0)
        return E_INTERNAL;
    if (claims_add(jwt, k, claims))
        encoded = jwt_sign_with(jwt, k->active);
    if (encoded != NULL)
        *ret_token = arena_text(a, text_of(encoded));
    free(encoded);
    jwt_free(jwt);
    return encoded != NULL ? E_OK : E_INTERNAL;
}
