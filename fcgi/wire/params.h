/* From the parameters of one request to struct wire_request. */
#ifndef LECTERN_WIRE_PARAMS_H
#define LECTERN_WIRE_PARAMS_H

#include "wire/request.h"

/* Reads NAME=value strings up to the NULL once, fills everything of *ret_request but the arena
 * (texts point into the strings) and checks it. NULL when all is well, else a constant sentence
 * that says why the request is refused. Of a repeated parameter that is not a header the first
 * counts, as a repeated fastcgi_param intends. */
const char *wire_params_read(char *const *params, struct wire_request *ret_request);

#endif
