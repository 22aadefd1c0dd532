/* The headers that every answer carries. */
#ifndef LECTERN_API_HEADERS_H
#define LECTERN_API_HEADERS_H

#include "api/req.h"

void headers_write(struct req *r);

#endif
