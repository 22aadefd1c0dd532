/* The audit trail, for admins. */
#include "api/endpoint.h"
#include "api/req.h"
#include "app/statements.h"

static const struct endpoint rows[] = {
    {ENDPOINT(GET, "/admin/audit-logs", audit_list, USER, ADMINS), .sql = &sql_audit_list,
     .unbounded = true, .rate = RATE_ADMIN_READ, .since = "0.1.0",
     .doc = "List what was changed by whom, newest first."},
    {ENDPOINT(GET, "/admin/audit-logs.csv", audit_export, USER, ADMINS), .sql = &sql_audit_list,
     .csv = "audit-logs.csv", .produces = "text/csv; charset=utf-8", .unbounded = true,
     .rate = RATE_ADMIN_READ, .since = "0.2.0",
     .doc = "Export the same list as CSV, a file a page."},
};

DOMAIN(audit, "The audit trail", rows);
