/* Organisations as operators see them, and who is invited into one. */
#include "api/endpoint.h"
#include "api/mail.h"
#include "api/req.h"
#include "app/statements.h"
#include "auth/link.h"
#include "auth/password.h"
#include "base/settings.h"

#define ROLES "student|teacher|parent|vendor|moderator|analyst|admin|operator"

/* --- invitations ------------------------------------------------------------------------------ */

struct invitation_input {
    struct uuid org_id;
    struct text email;
    struct text role;
};

static const struct field invitation_fields[] = {
    FIELD(invitation_input, email, .required = true, .min = 3, .max = 254, .format = FORMAT_EMAIL,
          .sensitive = true, .doc = "Where the invitation goes"),
    FIELD(invitation_input, role, .required = true, .choices = ROLES,
          .doc = "The role of the account to come, not above one's own"),
};

static const struct field admin_invitation_fields[] = {
    FIELD(invitation_input, org_id, .place = IN_PATH, .doc = "The organisation"),
    FIELD(invitation_input, email, .required = true, .min = 3, .max = 254, .format = FORMAT_EMAIL,
          .sensitive = true, .doc = "Where the invitation goes"),
};

struct invitation {
    struct uuid id;
    struct text email;
    struct text role;
    struct text state;
    struct timestamp created_at;
    struct timestamp expires_at;
};

static const struct field invitation_made_fields[] = {
    FIELD(invitation, id, .doc = "The invitation"),
    FIELD(invitation, email, .doc = "Whom it went to"),
    FIELD(invitation, role, .choices = ROLES, .doc = "The role that it gives"),
    FIELD(invitation, state, .choices = "open", .doc = "It can be accepted"),
    FIELD(invitation, created_at, .doc = "When it was made"),
    FIELD(invitation, expires_at, .doc = "Until when it can be accepted"),
};

#define INVITATION_SHAPE SHAPE(invitation, invitation_made_fields)

/* The mail is of the caller's organisation, which need not be the one that it invites into. */
static err
invitation_mail(struct req *r, struct text address, struct text token,
                const struct sql_invitation_insert_row *made)
{
    struct mail m = {.kind = MAIL_INVITATION,
                     .org = r->claims.org,
                     .address = address,
                     .locale = made->org_locale,
                     .secret = token,
                     .detail = made->org_name};

    return mail_enqueue(r, &m);
}

static err
invitation_send(struct req *r, const struct uuid *id, const struct invitation_input *in,
                struct sql_invitation_insert_row *ret_made)
{
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct text token = link_issue(r->arena, TEXT("invitation"), digest);
    struct sql_invitation_insert_params p = {.id = *id,
                                             .org_id = in->org_id,
                                             .email = in->email,
                                             .role = in->role,
                                             .digest = {(const char *)digest, SHA256_LEN},
                                             .days = setting_int(S_INVITATION_EXPIRY_DAYS)};

    TRY(sql_invitation_insert_run(r, &p, ret_made));
    return invitation_mail(r, in->email, token, ret_made);
}

static err
invitation_answer(struct req *r, const struct invitation_input *in)
{
    struct sql_invitation_insert_row made;

    TRY(invitation_send(r, &r->new_id, in, &made));
    struct invitation out = {.id = r->new_id,
                             .email = in->email,
                             .role = in->role,
                             .state = TEXT("open"),
                             .created_at = made.made_at,
                             .expires_at = made.expires_at};
    return reply_shape(r, INVITATION_SHAPE, &out);
}

static err
invitation_create(struct req *r, const void *input)
{
    struct invitation_input in = *(const struct invitation_input *)input;

    in.org_id = r->claims.org;
    return invitation_answer(r, &in);
}

static err
admin_org_invite(struct req *r, const void *input)
{
    struct invitation_input in = *(const struct invitation_input *)input;

    in.role = TEXT("admin");
    return invitation_answer(r, &in);
}

/* --- organisations ---------------------------------------------------------------------------- */

struct admin_org_input {
    struct text slug;
    struct text name;
    struct text locale;
    struct text timezone;
    struct json_text settings;
    int64_t users;
    int64_t storage_bytes;
    int64_t workbench_runs_per_day;
    int64_t telemetry_events_per_day;
    struct text admin_email;
    struct text admin_name;
    struct text admin_password;
};

static const struct field admin_org_fields[] = {
    FIELD(admin_org_input, slug, .required = true, .min = 2, .max = 63, .format = FORMAT_SLUG,
          .doc = "Its short name, unique in the installation"),
    FIELD(admin_org_input, name, .required = true, .min = 1, .max = 255, .doc = "Its name"),
    FIELD(admin_org_input, locale, .min = 2, .max = 35, .format = FORMAT_LOCALE,
          .doc = "Its language"),
    FIELD(admin_org_input, timezone, .min = 1, .max = 64, .format = FORMAT_TIMEZONE,
          .doc = "Its time zone"),
    FIELD(admin_org_input, settings, .doc = "Its preferences, at most 32 KiB"),
    FIELD(admin_org_input, users, .min = 0, .max = 1000000000,
          .doc = "How many accounts it may have; any number if left out"),
    FIELD(admin_org_input, storage_bytes, .min = 0, .max = INT64_C(1) << 60,
          .doc = "How much it may store; without limit if left out"),
    FIELD(admin_org_input, workbench_runs_per_day, .min = 0, .max = 1000000000,
          .doc = "Queries run in the workbench in a day; without limit if left out"),
    FIELD(admin_org_input, telemetry_events_per_day, .min = 0, .max = INT64_C(1000000000000),
          .doc = "Events taken in a day; without limit if left out"),
    FIELD(admin_org_input, admin_email, .required = true, .min = 3, .max = 254,
          .format = FORMAT_EMAIL, .sensitive = true,
          .doc = "The first admin's address; it is invited when there is no admin_password"),
    FIELD(admin_org_input, admin_name, .min = 1, .max = 255, .sensitive = true,
          .doc = "The first admin's name, with admin_password"),
    FIELD(admin_org_input, admin_password, .min = 8, .max = 128, .sensitive = true,
          .doc = "A password makes the account at once, its address taken as proven"),
};

struct admin_org_change {
    struct text slug;
    struct text name;
    struct text status;
};

static const struct field admin_org_change_fields[] = {
    FIELD(admin_org_change, slug, .min = 2, .max = 63, .format = FORMAT_SLUG,
          .doc = "Its short name, unique in the installation"),
    FIELD(admin_org_change, name, .min = 1, .max = 255, .doc = "Its name"),
    FIELD(admin_org_change, status, .choices = "active|suspended",
          .doc = "suspended: nobody of it signs in, and all its sessions end"),
};

static err
admin_org_check(struct req *r, const struct admin_org_input *in)
{
    if (in->admin_password.p == NULL && in->admin_name.p != NULL)
        req_violation(r, "/admin_password", "required", "is required with admin_name");
    if (in->admin_password.p != NULL && in->admin_name.p == NULL)
        req_violation(r, "/admin_name", "required", "is required with admin_password");
    if (in->admin_password.p != NULL && password_is_weak(in->admin_password, in->admin_email))
        req_violation(r, "/admin_password", "weak_password",
                      "is a common password or the e-mail address");
    return req_violations(r);
}

static err
admin_org_insert(struct req *r, const struct admin_org_input *in)
{
    struct sql_admin_org_insert_params p = {
        .id = r->new_id,
        .slug = in->slug,
        .name = in->name,
        .locale = in->locale,
        .timezone = in->timezone,
        .settings = in->settings.text,
        .users = in->users,
        .has_users = req_sent(r, offsetof(struct admin_org_input, users)),
        .storage_bytes = in->storage_bytes,
        .has_storage_bytes = req_sent(r, offsetof(struct admin_org_input, storage_bytes)),
        .workbench_runs_per_day = in->workbench_runs_per_day,
        .has_workbench_runs_per_day =
            req_sent(r, offsetof(struct admin_org_input, workbench_runs_per_day)),
        .telemetry_events_per_day = in->telemetry_events_per_day,
        .has_telemetry_events_per_day =
            req_sent(r, offsetof(struct admin_org_input, telemetry_events_per_day)),
    };
    struct sql_admin_org_insert_row row;

    return sql_admin_org_insert_run(r, &p, &row);
}

static err
admin_org_admin(struct req *r, const struct admin_org_input *in, struct text hash)
{
    struct sql_admin_org_first_admin_params p = {.user_id = uuid_v7(),
                                                 .org_id = r->new_id,
                                                 .email = in->admin_email,
                                                 .name = in->admin_name,
                                                 .password_hash = hash};
    struct sql_admin_org_first_admin_row row;

    return sql_admin_org_first_admin_run(r, &p, &row);
}

static err
admin_org_invite_first(struct req *r, const struct admin_org_input *in)
{
    struct invitation_input who = {r->new_id, in->admin_email, TEXT("admin")};
    struct sql_invitation_insert_row made;
    struct uuid id = uuid_v7();

    return invitation_send(r, &id, &who, &made);
}

static err
admin_org_create(struct req *r, const void *input)
{
    const struct admin_org_input *in = input;
    struct sql_admin_org_get_params p = {.org_id = r->new_id};
    struct text hash = TEXT_NULL;

    TRY(admin_org_check(r, in));
    if (in->admin_password.p != NULL)
        TRY(password_hash(r->arena, in->admin_password, &hash));
    TRY(admin_org_insert(r, in));
    if (hash.p != NULL)
        TRY(admin_org_admin(r, in, hash));
    else
        TRY(admin_org_invite_first(r, in));
    return reply_one(r, &sql_admin_org_get, &p);
}

static const struct endpoint rows[] = {
    {ENDPOINT(POST, "/org/invitations", invitation_create, USER, ADMINS),
     .in = SHAPE(invitation_input, invitation_fields), .run = invitation_create,
     .reply = INVITATION_SHAPE, .status = 201, .fails = FAILS(E_ROLE_TOO_HIGH, E_ALREADY_MEMBER),
     .audit = {"invitation.create", "invitation", "new"},
     .event = {"invitation.created", "invitation", "new", NULL}, .since = "0.2.0",
     .doc = "Invite an address; an earlier open invitation of it is taken back."},
    {ENDPOINT(GET, "/org/invitations", invitation_list, USER, ADMINS), .sql = &sql_invitation_list,
     .unbounded = true, .since = "0.2.0",
     .doc = "List invitations: open, accepted, expired or revoked."},
    {ENDPOINT(DELETE, "/org/invitations/{invitation_id}", invitation_revoke, USER, ADMINS),
     .sql = &sql_invitation_revoke, .rate = RATE_DESTRUCTIVE,
     .audit = {"invitation.revoke", "invitation", "invitation_id"},
     .event = {"invitation.revoked", "invitation", "invitation_id", NULL}, .since = "0.2.0",
     .doc = "Take back an invitation that was not accepted; its link is worth nothing any more."},
    {ENDPOINT(POST, "/admin/orgs", admin_org_create, USER, OPERATORS),
     .in = SHAPE(admin_org_input, admin_org_fields), .run = admin_org_create,
     .reply_sql = &sql_admin_org_get, .status = 201, .location = "/admin/orgs/{id}",
     .idempotency = IDEMPOTENCY_NONE, .pool = POOL_AUTH,
     .fails = FAILS(E_SLUG_TAKEN, E_ACCOUNT_EXISTS, E_QUOTA_USERS),
     .audit = {"org.create", "org", "new"}, .event = {"org.created", "org", "new", NULL},
     .since = "0.2.0", .doc = "Make an organisation with its limits and its first admin."},
    {ENDPOINT(GET, "/admin/orgs", admin_org_list, USER, OPERATORS), .sql = &sql_admin_org_list,
     .rate = RATE_ADMIN_READ, .unbounded = true, .since = "0.2.0",
     .doc = "List the organisations of the installation."},
    {ENDPOINT(GET, "/admin/orgs/{org_id}", admin_org_get, USER, OPERATORS),
     .sql = &sql_admin_org_get, .rate = RATE_ADMIN_READ, .since = "0.2.0",
     .doc = "Read an organisation with its limits; what is in it is not shown."},
    {ENDPOINT(PATCH, "/admin/orgs/{org_id}", admin_org_update, USER, OPERATORS),
     .in = SHAPE(admin_org_change, admin_org_change_fields), .sql = &sql_admin_org_update,
     .fails = FAILS(E_SLUG_TAKEN, E_ORG_HAS_OPERATORS), .audit = {"org.change", "org", "org_id"},
     .event = {"org.changed", "org", "org_id", NULL}, .since = "0.2.0",
     .doc = "Rename, suspend or readmit an organisation."},
    {ENDPOINT(POST, "/admin/orgs/{org_id}/invitations", admin_org_invite, USER, OPERATORS),
     .in = SHAPE(invitation_input, admin_invitation_fields), .run = admin_org_invite,
     .reply = INVITATION_SHAPE, .status = 201, .fails = FAILS(E_ALREADY_MEMBER),
     .audit = {"org.invite_admin", "org", "org_id"},
     .event = {"org.admin_invited", "org", "org_id", NULL}, .since = "0.2.0",
     .doc = "Invite an admin into an organisation that has none who can sign in."},
};

DOMAIN(tenant, "Organisations from outside, and invitations into them", rows);
