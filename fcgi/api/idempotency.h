/* Doing a POST once: the key is claimed in the transaction of the effect, and the answer is kept
 * there before the commit. */
#ifndef LECTERN_API_IDEMPOTENCY_H
#define LECTERN_API_IDEMPOTENCY_H

#include "api/req.h"

/* The gate: checks the header and queues the claim. */
err gate_idempotency(struct req *r) MUST_CHECK;
/* Is this failure a sign that the key was answered before? Then replay. */
bool idempotency_is_replay(const struct req *r, err e);
/* In a transaction of its own: the kept answer becomes the answer. */
err idempotency_replay(struct req *r) MUST_CHECK;
/* Queue the keeping of the answer that stands in the body buffer. */
err idempotency_store(struct req *r) MUST_CHECK;

#endif
