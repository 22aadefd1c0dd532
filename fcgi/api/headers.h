/* The headers that every answer carries. */
#ifndef LECTERN_API_HEADERS_H
#define LECTERN_API_HEADERS_H

#include "api/req.h"

void headers_write(struct req *r);
/* Content-Length, so that nginx knows which answers are worth compressing. */
void headers_length(struct req *r, size_t length);

#endif
