/* Who is calling: tokens, cookies, cross-site requests, metrics credentials. */
#ifndef LECTERN_API_CREDENTIALS_H
#define LECTERN_API_CREDENTIALS_H

#include "api/req.h"

#define COOKIE_ACCESS "__Host-lectern_access"
#define COOKIE_REFRESH "__Host-lectern_refresh"
#define COOKIE_CSRF "csrf_token"
#define COOKIE_DEVICE "__Host-lectern_device"

err gate_authenticate(struct req *r) MUST_CHECK;
err gate_csrf(struct req *r) MUST_CHECK;
err gate_grant(struct req *r) MUST_CHECK;
err gate_second_factor(struct req *r) MUST_CHECK;

/* For the sign-in rows: hand a browser its session, or take it back. */
void reply_session_cookies(struct req *r, struct text access, struct text refresh);
void reply_clear_cookies(struct req *r);

/* A browser that signed in with cookies is known again by a signed one that opens nothing: failures
 * elsewhere do not lock it out. False when the request brings none that holds. */
bool device_known(struct req *r, struct uuid *ret_user, struct uuid *ret_device);
/* Make the browser known for its user, or keep it so. */
void reply_device_cookie(struct req *r, const struct uuid *user);

#endif
