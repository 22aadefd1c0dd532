#include "api/session.h"

#include <stdint.h>
#include <string.h>

#include "base/settings.h"
#include "base/timestamp.h"
#include "shm/shm.h"

#define SLOTS 4096 /* a conflict costs one look-up more */

struct slot {
    struct uuid session;
    int64_t checked_ms;
    int64_t factor_ms; /* when a proven second factor was seen; 0: never */
};

static struct slot slots[SLOTS];

/* The tail of a UUIDv7 is random. */
static struct slot *
session_slot(const struct uuid *session)
{
    uint32_t tail;
    memcpy(&tail, session->b + 12, sizeof tail);
    return &slots[tail % SLOTS];
}

/* The session's slot, begun anew when it was another's. */
static struct slot *
session_own_slot(const struct uuid *session)
{
    struct slot *s = session_slot(session);

    if (!uuid_eq(&s->session, session))
        *s = (struct slot){.session = *session};
    return s;
}

static bool
session_stale(int64_t seen_ms)
{
    return seen_ms == 0 || clock_ms() - seen_ms >= setting_int(S_SESSION_VALIDATION_CACHE_TTL_MS);
}

bool
session_check_due(const struct uuid *session)
{
    const struct slot *s = session_slot(session);

    return !uuid_eq(&s->session, session) || session_stale(s->checked_ms);
}

void
session_checked(const struct uuid *session)
{
    session_own_slot(session)->checked_ms = clock_ms();
}

bool
session_factor_due(const struct uuid *session)
{
    const struct slot *s = session_slot(session);

    return !uuid_eq(&s->session, session) || session_stale(s->factor_ms);
}

void
session_factor_checked(const struct uuid *session)
{
    session_own_slot(session)->factor_ms = clock_ms();
}

void
session_forget(struct req *r, const struct uuid *sessions, size_t count)
{
    int64_t now = clock_ms(), until = now + (setting_int(S_TOKEN_EXPIRY_MINUTES) + 1) * 60000;

    for (size_t i = 0; i < count; i++)
        shm_revoke(r->api->shm, sessions[i].b, until, now);
}
