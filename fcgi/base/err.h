/* The catalogue of errors. One list, errors.def, makes the enumeration, the
 * problem answers (RFC 9457), the documentation and the OpenAPI responses. */
#ifndef LECTERN_BASE_ERR_H
#define LECTERN_BASE_ERR_H

typedef enum err {
    E_OK = 0,
#define ERR(symbol, code, status, sql, title, doc) E_##symbol,
#include "base/errors.def"
#undef ERR
    E_COUNT
} err;

struct err_info {
    const char *symbol; /* "COURSE_NOT_FOUND" */
    const char *code;   /* the stable machine word: "course_not_found" */
    int status;         /* HTTP status */
    const char *sql;    /* space-separated SQLSTATEs and constraint names it stands for, or "" */
    const char *title;  /* public text, safe to show */
    const char *doc;    /* when it happens and what to do */
};

/* Never NULL; an unknown value gives the entry of E_INTERNAL. */
const struct err_info *err_info(err e);

/* What a client is told of it: every status 500 is E_INTERNAL, the rest is itself. */
err err_public(err e);

/* The error that a failed statement means. A constraint name wins over the
 * SQLSTATE. E_OK when the catalogue names neither. Either may be NULL. */
err err_from_sql(const char *sqlstate, const char *constraint);

/* Return the error of an expression to the caller, the one control macro. */
#define TRY(expr)              \
    do {                       \
        err try_err_ = (expr); \
        if (try_err_ != E_OK)  \
            return try_err_;   \
    } while (0)

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
