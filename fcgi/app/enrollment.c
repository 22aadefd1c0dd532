/* Enrollments: one by one, by oneself, and many from a list. */
#include <string.h>

#include "api/endpoint.h"
#include "api/req.h"
#include "app/statements.h"
#include "base/encode.h"
#include "wire/csv_in.h"

struct enrollment_input {
    struct uuid course_id;
    struct uuid user_id;
    struct text join_code;
    struct timestamp starts_at;
    struct timestamp ends_at;
};

static const struct field enrollment_fields[] = {
    FIELD(enrollment_input, course_id, .place = IN_PATH, .doc = "The course"),
    FIELD(enrollment_input, user_id, .doc = "The student; left out by who enrols themselves"),
    FIELD(enrollment_input, join_code, .min = 1, .max = 64, .format = FORMAT_CODE,
          .sensitive = true, .doc = "The course's code, to enrol oneself where it is asked for"),
    FIELD(enrollment_input, starts_at, .doc = "Access from then on; set by staff"),
    FIELD(enrollment_input, ends_at, .doc = "Access until then; set by staff"),
};

struct enrollment_change {
    struct text status;
    struct timestamp starts_at;
    struct timestamp ends_at;
};

static const struct field enrollment_change_fields[] = {
    FIELD(enrollment_change, status, .choices = "active|completed|withdrawn",
          .doc = "The new state"),
    FIELD(enrollment_change, starts_at, .nullable = true, .doc = "Access from then on"),
    FIELD(enrollment_change, ends_at, .nullable = true, .doc = "Access until then"),
};

struct import_input {
    struct uuid course_id;
    bool dry_run;
    bool atomic;
};

static const struct field import_fields[] = {
    FIELD(import_input, course_id, .place = IN_PATH, .doc = "The course"),
    FIELD(import_input, dry_run, .place = IN_QUERY, .preset = "false",
          .doc = "Report what would happen, change nothing"),
    FIELD(import_input, atomic, .place = IN_QUERY, .preset = "true",
          .doc = "All lines or none; with false the good lines are taken"),
};

struct import_line {
    int64_t line;
    struct text email;
    struct text action;
    struct text code;
    struct uuid user_id;
    struct uuid enrollment_id;
};

static const struct field import_line_fields[] = {
    FIELD(import_line, line, .doc = "Of the CSV, the header being 1"),
    FIELD(import_line, email, .doc = "As it stands there"),
    FIELD(import_line, action, .choices = "enrol|reactivate|unchanged|error",
          .doc = "What is done"),
    FIELD(
        import_line, code, .nullable = true,
        .doc =
            "Of an error: user_unknown, not_a_student, duplicate_line, email_invalid, course_full"),
    FIELD(import_line, user_id, .nullable = true, .doc = "Whom the address belongs to"),
    FIELD(import_line, enrollment_id, .nullable = true, .doc = "The enrollment"),
};

struct import_report {
    struct uuid import_id;
    bool dry_run;
    bool atomic;
    int64_t total;
    int64_t enrolled;
    int64_t reactivated;
    int64_t unchanged;
    int64_t failed;
    struct items lines;
};

static const struct field import_report_fields[] = {
    FIELD(import_report, import_id, .nullable = true, .doc = "For the undo; null for a dry run"),
    FIELD(import_report, dry_run, .doc = "Nothing was changed"),
    FIELD(import_report, atomic, .doc = "All lines or none"),
    FIELD(import_report, total, .doc = "Lines without the header"),
    FIELD(import_report, enrolled, .doc = "New enrollments"),
    FIELD(import_report, reactivated, .doc = "Withdrawn ones brought back"),
    FIELD(import_report, unchanged, .doc = "Enrolled already"),
    FIELD(import_report, failed, .doc = "Lines with an error"),
    FIELD(import_report, lines, .shape = SHAPE(import_line, import_line_fields),
          .doc = "Line by line"),
};

#define IMPORT_ROWS_MAX 5000
#define IMPORT_COLUMNS_MAX 50

/* --- one
 * ------------------------------------------------------------------------------------------- */

/* Enrolling twice is no event; what is brought back keeps its identifier. */
static void
enrollment_found(struct req *r, bool found, const struct sql_enrollment_of_user_row *row,
                 bool dates)
{
    if (!found)
        return;
    r->new_id = row->id;
    r->unchanged = !dates && !text_eq(row->status, TEXT("withdrawn"));
}

static err
enrollment_by_staff(struct req *r, const struct enrollment_input *in)
{
    struct sql_enrollment_of_user_params p = {.course_id = in->course_id, .user_id = in->user_id};
    struct sql_enrollment_of_user_row row;
    bool found;

    TRY(sql_enrollment_of_user_run(r, &p, &row, &found));
    r->status = found ? 200 : 201;
    enrollment_found(r, found, &row, in->starts_at.us != 0 || in->ends_at.us != 0);
    return reply_bound(r, &sql_enrollment_upsert);
}

static err
enrollment_by_oneself(struct req *r)
{
    const struct enrollment_input *in = r->in;
    struct sql_enrollment_of_user_params of = {.course_id = in->course_id,
                                               .user_id = r->claims.user};
    struct sql_enrollment_of_user_row row;
    struct sql_enrollment_self_params p = {.new_id = r->new_id};
    struct sql_enrollment_self_row made;
    struct sql_enrollment_get_params get;
    bool found;

    if (in->starts_at.us != 0 || in->ends_at.us != 0)
        return fail(r, E_FORBIDDEN);
    p.course_id = in->course_id;
    p.join_code = in->join_code;
    TRY(sql_enrollment_of_user_run(r, &of, &row, &found));
    TRY(sql_enrollment_self_run(r, &p, &made));
    get.enrollment_id = made.id;
    r->status = uuid_eq(&made.id, &r->new_id) ? 201 : 200;
    enrollment_found(r, found, &row, false);
    return reply_one(r, &sql_enrollment_get, &get);
}

static err
enrollment_create(struct req *r, const void *input)
{
    const struct enrollment_input *in = input;
    struct sql_course_visible_params p = {.course_id = in->course_id};
    struct sql_course_visible_row row;

    if (uuid_is_nil(&in->user_id) || uuid_eq(&in->user_id, &r->claims.user))
        return enrollment_by_oneself(r);
    TRY(sql_course_visible_run(r, &p, &row));
    return enrollment_by_staff(r, in);
}

/* --- many
 * ------------------------------------------------------------------------------------------ */

static bool
import_column(const struct csv_row *header, size_t *ret_column)
{
    for (size_t i = 0; i < header->count; i++) {
        if (text_eq_nocase(text_trim(header->field[i]), TEXT("email"))) {
            *ret_column = i;
            return true;
        }
    }
    return false;
}

struct import_list {
    struct text *emails;
    struct text *lines;
    struct uuid *ids;
    size_t count;
};

/* Other columns than the address are not looked at, so that a school's own export can be sent. */
static err
import_read(struct req *r, struct import_list *ret_list)
{
    struct csv_limits limits = {IMPORT_ROWS_MAX + 1, IMPORT_COLUMNS_MAX};
    struct csv_table table;
    size_t column, n = 0;

    TRY(wire_csv_parse(r->arena, r->body, limits, &table));
    if (table.count == 0 || !import_column(&table.row[0], &column)) {
        req_violation(r, "/0", "header", "the first line must name a column email");
        return req_violations(r);
    }
    ret_list->emails = arena_array(r->arena, table.count, sizeof *ret_list->emails);
    ret_list->lines = arena_array(r->arena, table.count, sizeof *ret_list->lines);
    ret_list->ids = arena_array(r->arena, table.count, sizeof *ret_list->ids);
    for (size_t i = 1; i < table.count; i++) {
        const struct csv_row *row = &table.row[i];
        if (row->count == 0)
            continue;
        ret_list->emails[n] = column < row->count ? row->field[column] : TEXT("");
        ret_list->lines[n] = arena_printf(r->arena, "%zu", row->line);
        ret_list->ids[n] = uuid_v7();
        n++;
    }
    ret_list->count = n;
    if (n == 0)
        req_violation(r, "/1", "required", "the list has no line besides its header");
    return req_violations(r);
}

static void
import_count(struct import_report *report, struct text action)
{
    report->total++;
    if (text_eq(action, TEXT("enrol")))
        report->enrolled++;
    else if (text_eq(action, TEXT("reactivate")))
        report->reactivated++;
    else if (text_eq(action, TEXT("unchanged")))
        report->unchanged++;
    else
        report->failed++;
}

/* All or nothing, and something is wrong: each line's fault is a violation. */
static err
import_refuse(struct req *r, const struct sql_enrollment_import_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].code.p == NULL)
            continue;
        req_violation(r, arena_printf(r->arena, "/%lld/email", (long long)rows[i].line).p,
                      arena_text(r->arena, rows[i].code).p, "this line cannot be enrolled");
    }
    return req_violations(r);
}

static err
import_reply(struct req *r, struct import_report *report,
             const struct sql_enrollment_import_row *rows, size_t count)
{
    struct import_line *lines = arena_array(r->arena, count + 1, sizeof *lines);

    for (size_t i = 0; i < count; i++) {
        import_count(report, rows[i].action);
        lines[i] = (struct import_line){rows[i].line, rows[i].email,   rows[i].action,
                                        rows[i].code, rows[i].user_id, rows[i].enrollment_id};
    }
    if (!report->dry_run && report->atomic && report->failed > 0)
        return import_refuse(r, rows, count);
    report->lines = (struct items){lines, count};
    r->status = report->dry_run ? 200 : 201;
    r->unchanged = report->dry_run;
    return reply_shape(r, SHAPE(import_report, import_report_fields), report);
}

static err
enrollment_import(struct req *r, const void *input)
{
    const struct import_input *in = input;
    struct import_report report = {.dry_run = in->dry_run, .atomic = in->atomic};
    struct sql_enrollment_import_row *rows;
    struct import_list list = {.count = 0};
    uint8_t digest[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    size_t count;

    TRY(import_read(r, &list));
    sha256(r->body, digest);
    hex_encode(digest, sizeof digest, hex);
    struct sql_enrollment_import_params p = {.import_id = r->new_id,
                                             .course_id = in->course_id,
                                             .emails = {list.emails, list.count},
                                             .lines = {list.lines, list.count},
                                             .ids = {list.ids, list.count},
                                             .atomic = in->atomic,
                                             .dry_run = in->dry_run,
                                             .digest = text_of(hex)};
    TRY(sql_enrollment_import_run(r, &p, &rows, &count));
    if (!in->dry_run)
        report.import_id = r->new_id;
    return import_reply(r, &report, rows, count);
}

#define ENROLLMENT_FAILS                                                           \
    .fails = FAILS(E_FORBIDDEN, E_COURSE_FULL, E_COURSE_ARCHIVED, E_NOT_A_STUDENT, \
                   E_JOIN_CODE_WRONG, E_ENROLLMENT_CLOSED)

static const struct endpoint rows[] = {
    {ENDPOINT(GET, "/enrollments", enrollment_list, USER, EVERYONE), .sql = &sql_enrollment_list,
     .unbounded = true, .since = "0.1.0",
     .doc =
         "List the enrollments that the caller may see: one's own, those of courses one teaches, "
         "or all."},
    {ENDPOINT(GET, "/enrollments/{enrollment_id}", enrollment_get, USER, EVERYONE),
     .sql = &sql_enrollment_get, .since = "0.1.0", .doc = "Read an enrollment."},
    {ENDPOINT(PATCH, "/enrollments/{enrollment_id}", enrollment_update, USER, TEACHERS),
     .in = SHAPE(enrollment_change, enrollment_change_fields), .sql = &sql_enrollment_update,
     .probe = &sql_enrollment_visible,
     .fails = FAILS(E_COURSE_FULL, E_COURSE_ARCHIVED, E_NOT_A_STUDENT),
     .event = {"enrollment.updated", "enrollment", "enrollment_id", NULL}, .since = "0.1.0",
     .doc = "Complete, withdraw or reactivate an enrollment, or set when it gives access."},
    {ENDPOINT(DELETE, "/enrollments/{enrollment_id}", enrollment_withdraw, USER, EVERYONE),
     .sql = &sql_enrollment_withdraw, .probe = &sql_enrollment_visible, .status = 204,
     .rate = RATE_DESTRUCTIVE, .audit = {"enrollment.withdraw", "enrollment", "enrollment_id"},
     .event = {"enrollment.withdrawn", "enrollment", "enrollment_id", NULL}, .since = "0.1.0",
     .doc = "Withdraw oneself or, as staff, a student. The record stays."},
    {ENDPOINT(GET, "/courses/{course_id}/enrollments", course_enrollment_list, USER, EVERYONE),
     .sql = &sql_enrollment_of_course_list, .probe = &sql_course_visible, .unbounded = true,
     .since = "0.1.0", .doc = "List the enrollments of a course."},
    {ENDPOINT(POST, "/courses/{course_id}/enrollments", enrollment_create, USER, EVERYONE),
     .in = SHAPE(enrollment_input, enrollment_fields), .body = BODY_JSON_OPTIONAL,
     .run = enrollment_create, .reply_sql = &sql_enrollment_upsert, .status = 201, .also = 200,
     .location = "/enrollments/{id}", ENROLLMENT_FAILS,
     .event = {"enrollment.created", "enrollment", "new", "course_id"}, .since = "0.1.0",
     .doc = "Enrol a student (staff), or oneself where the course is open or the code is known. "
            "Enrolling twice changes nothing."},
    {ENDPOINT(POST, "/courses/{course_id}/enrollments/import", enrollment_import, USER, TEACHERS),
     .in = SHAPE(import_input, import_fields), .body = BODY_CSV, .run = enrollment_import,
     .reply = SHAPE(import_report, import_report_fields), .status = 201, .also = 200,
     .fails = FAILS(E_CSV_SYNTAX, E_CSV_LIMIT, E_COURSE_ARCHIVED),
     .audit = {"enrollment.import", "enrollment_import", "new"},
     .event = {"enrollment.imported", "enrollment_import", "new", "course_id"}, .since = "0.1.0",
     .doc = "Enrol everyone on a CSV list with a column email, reported line by line."},
    {ENDPOINT(GET, "/courses/{course_id}/enrollment-imports", enrollment_import_list, USER,
              TEACHERS),
     .sql = &sql_enrollment_import_list, .probe = &sql_course_visible, .since = "0.1.0",
     .doc = "List the imports of a course."},
    {ENDPOINT(GET, "/enrollment-imports/{import_id}", enrollment_import_get, USER, TEACHERS),
     .sql = &sql_enrollment_import_get, .since = "0.1.0", .doc = "Read what an import did."},
    {ENDPOINT(POST, "/enrollment-imports/{import_id}/undo", enrollment_import_undo, USER, TEACHERS),
     .sql = &sql_enrollment_import_undo, .status = 200, .fails = FAILS(E_IMPORT_UNDONE),
     .audit = {"enrollment.import_undo", "enrollment_import", "import_id"},
     .event = {"enrollment.import_undone", "enrollment_import", "import_id", NULL},
     .since = "0.1.0",
     .doc = "Undo an import: new enrollments go (or are withdrawn, if they have changed since), "
            "brought back ones return to what they were."},
};

DOMAIN(enrollment, "Enrollments", rows);
