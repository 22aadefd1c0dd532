/* The ordered gates that every request passes. */
#ifndef LECTERN_API_GATES_H
#define LECTERN_API_GATES_H

#include "api/req.h"

/* Answer one request: all gates, reply, log line and metrics. */
void gates_run(struct req *r);

#endif
