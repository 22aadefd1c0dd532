/* Counters of the whole host, in shared memory. */
#ifndef LECTERN_API_METRICS_H
#define LECTERN_API_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "api/req.h"
#include "base/buf.h"

#define METRIC_POOLS 4
#define METRIC_SLOTS 1024

/* A worker begins in its slot: what its predecessor held is gone. */
void metric_slot_reset(struct api *api);

/* How many counters the tables need, and a hash of what they mean; after routes_build. */
size_t metrics_size(void);
uint64_t metrics_tag(void);

void metric_request_begin(struct api *api);
void metric_request_end(const struct req *r);
/* Of one that could not be read far enough to be routed. */
void metric_request_refused(struct api *api);
void metric_rate_hit(struct api *api, enum rate_class c);
void metric_replay(struct api *api);
void metric_statement(struct api *api, const struct pg_stmt *stmt, int64_t us, bool failed);
void metric_database(struct api *api, bool up, bool again);
/* `started`: 1 a new worker, 2 one in place of another, 0 none. */
void metric_worker(struct api *api, int started, bool signalled);

int64_t metrics_in_flight(const struct api *api);
int64_t metrics_connections(const struct api *api);

/* Prometheus text format 0.0.4. */
void metrics_write(const struct api *api, struct buf *out);

#endif
