/* The closed set of text forms that a field may ask for. */
#ifndef LECTERN_API_FORMAT_H
#define LECTERN_API_FORMAT_H

#include "api/endpoint.h"
#include "base/text.h"

struct format_info {
    const char *name;    /* violation code */
    const char *pattern; /* ECMA 262, for OpenAPI; NULL when the check is not a pattern */
    const char *openapi; /* "email", or NULL */
    const char *message;
    bool (*check)(struct text t);
};

const struct format_info *format_info(enum field_format f);

#endif
