/* What the installation says of itself: its interface and its keys. */
#include "api/emit.h"
#include "api/endpoint.h"
#include "api/req.h"
#include "auth/token.h"

static err
document_openapi(struct req *r, const void *input)
{
    (void)input;
    emit_openapi(r->body_out);
    r->replied = true;
    return E_OK;
}

static err
document_jwks(struct req *r, const void *input)
{
    (void)input;
    keyset_write_jwks(r->api->keys, r->body_out);
    r->replied = true;
    return E_OK;
}

static const struct endpoint rows[] = {
    {ENDPOINT(GET, "/openapi.json", openapi, ANYONE, PUBLIC), .run = document_openapi,
     .produces = "application/json", .cache = CACHE_PUBLIC, .rate = RATE_DEFAULT_READ,
     .since = "0.1.0", .doc = "This interface as an OpenAPI 3.1 document."},
    {ENDPOINT(GET, "//.well-known/jwks.json", jwks, ANYONE, PUBLIC), .run = document_jwks,
     .produces = "application/json", .cache = CACHE_PUBLIC, .rate = RATE_DEFAULT_READ,
     .since = "0.1.0", .doc = "The public keys of access tokens (RFC 7517)."},
};

DOMAIN(document, "Documents", rows);
