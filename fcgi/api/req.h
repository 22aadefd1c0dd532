/* A request on its way through the gates, and what a run function may do with it. */
#ifndef LECTERN_API_REQ_H
#define LECTERN_API_REQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/endpoint.h"
#include "auth/token.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "pg/conn.h"
#include "pg/list.h"
#include "shm/shm.h"
#include "wire/request.h"

struct route;

#define PATH_PARAMS_MAX 4
#define VIOLATIONS_MAX 5001 /* one for each line of the longest list, and one of the query */

/* What a worker holds for its whole life. */
struct api {
    struct shm *shm;
    struct keyset *keys;
    struct pg *pg;
    struct wire *wire;
    const char *pool;
    unsigned slot;       /* of this worker among all pools of the host */
    struct req *current; /* the request at hand, for the statement observer */
};

struct violation {
    const char *pointer; /* JSON pointer: "/title", "/query/limit", "/path/course_id" */
    const char *code;
    const char *message;
};

/* The list parameters of a request whose row has a list statement. */
struct list_request {
    struct pg_list pg;
    int64_t limit; /* rows to answer; one more is fetched to see whether there is a next page */
    bool count;
};

struct req {
    struct api *api;
    struct wire_request *http;
    struct arena *arena;
    const struct route *route;  /* NULL until routed */
    const struct endpoint *row; /* of the route */
    bool head;
    bool done; /* answered by a gate: the gates up to the reply are skipped */

    /* path parameters, in order of appearance */
    struct text path[PATH_PARAMS_MAX];
    struct uuid path_id[PATH_PARAMS_MAX];

    /* who */
    bool known; /* a user is signed in; claims hold */
    bool by_cookie;
    bool session_check; /* the session must be looked up with this request's statements */
    bool service;       /* internal caller, exempt from limits */
    struct token_claims claims;
    unsigned role;
    struct text refresh_token; /* AUTH_REFRESH by cookie */
    struct uuid csrf_session;
    bool give_csrf;

    /* input */
    struct text body;
    void *in;
    uint64_t present; /* bit i: field i of row->in was sent (not null) */
    uint64_t nulls;   /* bit i: field i was sent as null */
    struct list_request list;
    struct violation *violations; /* at most VIOLATIONS_MAX */
    size_t nviolations;
    struct text idempotency_key;
    bool idempotent;  /* a key is claimed in this transaction */
    int64_t if_match; /* version, -1: none */
    bool if_match_any;
    struct text if_none_match;
    struct uuid new_id;

    /* transaction */
    bool begun;       /* identity is queued */
    unsigned prelude; /* results owed before the first one of the run: identity, session, key */
    bool failed;      /* the transaction holds nothing that may be committed */
    bool abandoned;   /* the answer stands although the transaction failed */
    bool unchanged;   /* the run changed nothing: there is nothing to audit and no event */
    bool keep; /* commit although the answer is an error (a revoked family must stay revoked) */
    unsigned tries;
    size_t head_mark; /* header bytes written before the transaction */

    /* answer */
    int status;
    struct buf *head_out;
    struct buf *body_out;
    bool replied;
    int64_t version; /* for ETag; 0: none */
    struct timestamp modified;
    int64_t total; /* -1: not counted */
    int64_t retry_after;
    bool replayed;

    /* limits */
    struct rate_verdict rate;
    enum rate_class rate_class; /* RATE_NONE: nothing to tell */
    enum rate_class refused_by;

    /* of E_SECOND_FACTOR_REQUIRED: what its answer tells */
    struct text challenge;
    int64_t challenge_seconds;

    /* for log and metrics */
    err error;
    struct uuid error_id;
    char trace[33];
    int64_t started_us;
    int64_t db_us;
};

/* --- for run functions -------------------------------------------------------------------- */

/* Answer with an error of the catalogue: `return fail(r, E_COURSE_FULL);` */
err fail(struct req *r, err e);
/* Add a violation; the caller goes on and ends with req_violations. `pointer` lives as long as the
 * request. */
void req_violation(struct req *r, const char *pointer, const char *code, const char *message);
/* E_VALIDATION when there are violations. */
err req_violations(struct req *r) MUST_CHECK;
/* Was this member of the input sent? `offset` by offsetof. */
bool req_sent(const struct req *r, size_t offset);

/* One object of a shape as {"data": …}. */
err reply_shape(struct req *r, const struct shape *shape, const void *value) MUST_CHECK;
/* Several, as {"data": […]}. */
err reply_shapes(struct req *r, const struct shape *shape, struct items items) MUST_CHECK;
/* Run a statement and answer with its row (E_NOT_FOUND when there is none). */
err reply_one(struct req *r, const struct pg_stmt *stmt, const void *params) MUST_CHECK;
/* Run a statement with its parameters bound by name, as a row's own .sql is, and answer with its
 * row. A write that touched nothing is E_FORBIDDEN or E_NOT_FOUND by the row's probe. */
err reply_bound(struct req *r, const struct pg_stmt *stmt) MUST_CHECK;
/* A body of the row's own media type. */
err reply_raw(struct req *r, struct text body) MUST_CHECK;
/* What was done so far stands, whatever comes of the request; what follows is a transaction of its
 * own, under the same identity. */
err req_commit(struct req *r) MUST_CHECK;
/* From here on the transaction is this user's: for sign-in, once the password has been proven, so
 * that audit and events have an actor. */
err req_become(struct req *r, const struct token_claims *claims) MUST_CHECK;
/* A header line of the answer. `value` must hold no control character. */
void reply_header(struct req *r, const char *name, struct text value);

#endif
