/* Rate classes: how often something may be asked. The table of classes is api/limits.def; counts
 * and windows are settings of the same names. */
#ifndef LECTERN_API_LIMITS_H
#define LECTERN_API_LIMITS_H

#include "base/err.h"

struct req;

enum rate_class {
    RATE_AUTO, /* DEFAULT_MUTATION or DEFAULT_READ by the method */
#define RATE(symbol, name, count_setting, window_setting, doc) RATE_##symbol,
#include "api/limits.def"
#undef RATE
    RATE_NONE,
    RATE_COUNT,
};

struct rate_info {
    const char *name; /* label in metrics and in the RateLimit-Policy header */
    int count_setting;
    int window_setting;
    const char *doc;
};

const struct rate_info *rate_info(enum rate_class c);
/* The class of a row, RATE_AUTO resolved. */
struct endpoint;
enum rate_class rate_of(const struct endpoint *e);

/* Gates. Address: every request and every mutation, and the row's own class where nobody is signed
 * in. User: the row's class by user. Account: sign-in rows by the account they name. */
err gate_address_limits(struct req *r) MUST_CHECK;
err gate_user_limits(struct req *r) MUST_CHECK;
err gate_account_limits(struct req *r) MUST_CHECK;

#endif
