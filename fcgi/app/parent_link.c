/* Parents and their students. */
#include "api/endpoint.h"
#include "api/req.h"
#include "app/statements.h"
#include "auth/link_code.h"
#include "base/settings.h"

struct link_input {
    struct uuid student_id;
    struct text student_email;
    struct text code;
};

static const struct field link_fields[] = {
    FIELD(link_input, student_id, .doc = "The student; an admin decides"),
    FIELD(link_input, student_email, .min = 3, .max = 254, .format = FORMAT_EMAIL,
          .sensitive = true, .doc = "The student's address instead; an admin decides"),
    FIELD(link_input, code, .min = 12, .max = 32, .format = FORMAT_CODE, .sensitive = true,
          .doc = "Or the code that the student made; it takes effect at once"),
};

struct link_outcome {
    struct text status;
    struct uuid id;
};

static const struct field link_outcome_fields[] = {
    FIELD(link_outcome, status, .choices = "accepted|linked",
          .doc = "accepted: whether or not there is such a student; linked: by the code"),
    FIELD(link_outcome, id, .nullable = true, .doc = "The link that the code made"),
};

#define OUTCOME_SHAPE SHAPE(link_outcome, link_outcome_fields)

struct link_code {
    struct text code;
    struct timestamp expires_at;
};

static const struct field link_code_fields[] = {
    FIELD(link_code, code, .doc = "For one parent, once; shown only now"),
    FIELD(link_code, expires_at, .doc = "Of no use from then on"),
};

struct link_change {
    struct text status;
};

static const struct field link_change_fields[] = {
    FIELD(link_change, status, .required = true, .choices = "approved|rejected|ended",
          .doc = "The new state"),
};

/* One way to name a student, not two and not none. */
static err
link_check(struct req *r, const struct link_input *in)
{
    int ways = !uuid_is_nil(&in->student_id) + (in->student_email.p != NULL) + (in->code.p != NULL);

    if (ways != 1)
        req_violation(r, "", "one_of", "name exactly one of student_id, student_email and code");
    return req_violations(r);
}

/* The answer is the same whoever was asked for, so nothing is audited here: the decision is. */
static err
link_ask(struct req *r, const struct link_input *in)
{
    struct sql_parent_link_ask_params p = {.new_id = r->new_id,
                                           .has_student_id = !uuid_is_nil(&in->student_id),
                                           .student_id = in->student_id,
                                           .student_email = in->student_email};
    struct sql_parent_link_ask_row row;
    struct link_outcome out = {.status = TEXT("accepted")};

    TRY(sql_parent_link_ask_run(r, &p, &row));
    r->unchanged = true;
    return reply_shape(r, OUTCOME_SHAPE, &out);
}

/* A wrong code is counted, and the count stays. */
static err
link_redeem(struct req *r, struct text code)
{
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct sql_parent_link_redeem_row row;
    struct link_outcome out = {.status = TEXT("linked")};

    if (!link_code_parse(code, digest))
        random_bytes(digest, SHA256_LEN);
    struct sql_parent_link_redeem_params p = {.new_id = r->new_id,
                                              .digest = {(const char *)digest, SHA256_LEN}};
    TRY(sql_parent_link_redeem_run(r, &p, &row));
    if (!row.has_id) {
        r->keep = true;
        return fail(r, E_LINK_CODE_WRONG);
    }
    r->new_id = out.id = row.id;
    r->status = 201;
    return reply_shape(r, OUTCOME_SHAPE, &out);
}

static err
link_create(struct req *r, const void *input)
{
    const struct link_input *in = input;

    TRY(link_check(r, in));
    return in->code.p != NULL ? link_redeem(r, in->code) : link_ask(r, in);
}

static err
link_code_make(struct req *r, const void *input)
{
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct link_code out = {.code = link_code_issue(r->arena, digest)};
    struct sql_parent_link_code_put_params p = {.digest = {(const char *)digest, SHA256_LEN},
                                                .minutes =
                                                    setting_int(S_PARENT_CODE_EXPIRY_MINUTES)};
    struct sql_parent_link_code_put_row row;

    (void)input;
    TRY(sql_parent_link_code_put_run(r, &p, &row));
    out.expires_at = row.expires_at;
    return reply_shape(r, SHAPE(link_code, link_code_fields), &out);
}

static const struct endpoint rows[] = {
    {ENDPOINT(GET, "/parent-links", parent_link_list, USER, EVERYONE), .sql = &sql_parent_link_list,
     .rate = RATE_PARENT_LINKS, .unbounded = true, .since = "0.2.0",
     .doc = "List the links that the caller may see: as an admin all, as a student one's own, as a "
            "parent those that were granted."},
    {ENDPOINT(POST, "/parent-links", parent_link_create, USER, PARENTS),
     .in = SHAPE(link_input, link_fields), .run = link_create, .reply = OUTCOME_SHAPE,
     .status = 202, .also = 201, .rate = RATE_PARENT_LINKS, .fails = FAILS(E_LINK_CODE_WRONG),
     .audit = {"parent_link.create", "parent_link", "new"}, .since = "0.2.0",
     .doc = "Ask to be tied to a student, which an admin decides, or be tied at once by the "
            "student's code."},
    {ENDPOINT(POST, "/parent-links/code", parent_link_code, USER, STUDENTS), .run = link_code_make,
     .reply = SHAPE(link_code, link_code_fields), .status = 201, .rate = RATE_PARENT_LINKS,
     .idempotency = IDEMPOTENCY_NONE, .audit = {"parent_link.code", "parent_link", NULL},
     .since = "0.2.0",
     .doc = "Make the code by which a parent is tied to oneself; the one before is void."},
    {ENDPOINT(GET, "/parent-links/{link_id}", parent_link_get, USER, EVERYONE),
     .sql = &sql_parent_link_get, .rate = RATE_PARENT_LINKS, .since = "0.2.0",
     .doc = "Read a link."},
    {ENDPOINT(PATCH, "/parent-links/{link_id}", parent_link_update, USER, ADMINS),
     .in = SHAPE(link_change, link_change_fields), .sql = &sql_parent_link_update,
     .probe = &sql_parent_link_visible, .rate = RATE_PARENT_LINKS, .fails = FAILS(E_LINK_STATE),
     .audit = {"parent_link.decide", "parent_link", "link_id"}, .since = "0.2.0",
     .doc = "Approve, reject or end a link."},
    {ENDPOINT(DELETE, "/parent-links/{link_id}", parent_link_end, USER, EVERYONE),
     .sql = &sql_parent_link_end, .probe = &sql_parent_link_visible, .status = 204,
     .rate = RATE_PARENT_LINKS, .fails = FAILS(E_LINK_STATE),
     .audit = {"parent_link.end", "parent_link", "link_id"}, .since = "0.2.0",
     .doc = "End a link: the admin any, the parent their own, the student one made by their code."},
};

DOMAIN(parent_link, "Parents and their students", rows);
