/* Announcements of a course and of the organisation. */
#include "api/endpoint.h"
#include "api/req.h"
#include "app/statements.h"

struct announcement_input {
    struct text title;
    struct text body;
    bool pinned;
    struct timestamp publish_at;
};

static const struct field announcement_create_fields[] = {
    FIELD(announcement_input, title, .required = true, .min = 1, .max = 255, .doc = "Its headline"),
    FIELD(announcement_input, body, .required = true, .min = 1, .max = 100000,
          .format = FORMAT_MULTILINE, .doc = "Markdown"),
    FIELD(announcement_input, pinned, .preset = "false", .doc = "Shown above others"),
    FIELD(announcement_input, publish_at, .doc = "When others see it, at once if left out"),
};

static const struct field announcement_update_fields[] = {
    FIELD(announcement_input, title, .min = 1, .max = 255, .doc = "Its headline"),
    FIELD(announcement_input, body, .min = 1, .max = 100000, .format = FORMAT_MULTILINE,
          .doc = "Markdown"),
    FIELD(announcement_input, pinned, .doc = "Shown above others"),
    FIELD(announcement_input, publish_at, .doc = "When others see it"),
};

/* What was read before is read: once more changes nothing. */
static err
announcement_read(struct req *r, const void *input)
{
    struct sql_announcement_read_params p = {.announcement_id = r->path_id[0]};
    struct sql_announcement_visible_params v = {.announcement_id = r->path_id[0]};
    struct sql_announcement_visible_row row;

    (void)input;
    TRY(sql_announcement_visible_run(r, &v, &row));
    return sql_announcement_read_run(r, &p);
}

static const struct endpoint rows[] = {
    {ENDPOINT(GET, "/announcements", announcement_list, USER, EVERYONE),
     .sql = &sql_announcement_list, .unbounded = true, .since = "0.1.0",
     .doc = "List the announcements to the whole organisation."},
    {ENDPOINT(POST, "/announcements", announcement_create, USER, ADMINS),
     .in = SHAPE(announcement_input, announcement_create_fields), .sql = &sql_announcement_insert,
     .status = 201, .location = "/announcements/{id}", .rate = RATE_ANNOUNCEMENTS_CREATE,
     .event = {"announcement.created", "announcement", "new", NULL}, .since = "0.1.0",
     .doc = "Announce something to the whole organisation."},
    {ENDPOINT(GET, "/courses/{course_id}/announcements", course_announcement_list, USER, EVERYONE),
     .sql = &sql_announcement_of_course_list, .probe = &sql_course_visible, .unbounded = true,
     .since = "0.1.0",
     .doc = "List the announcements of a course; its staff see scheduled ones too."},
    {ENDPOINT(POST, "/courses/{course_id}/announcements", course_announcement_create, USER,
              EVERYONE),
     .in = SHAPE(announcement_input, announcement_create_fields),
     .sql = &sql_announcement_of_course_insert, .fails = FAILS(E_FORBIDDEN), .status = 201,
     .location = "/announcements/{id}", .rate = RATE_ANNOUNCEMENTS_CREATE,
     .event = {"announcement.created", "announcement", "new", "course_id"}, .since = "0.1.0",
     .doc = "Announce something in a course, now or at a time."},
    {ENDPOINT(GET, "/announcements/{announcement_id}", announcement_get, USER, EVERYONE),
     .sql = &sql_announcement_get, .since = "0.1.0", .doc = "Read an announcement."},
    {ENDPOINT(PATCH, "/announcements/{announcement_id}", announcement_update, USER, EVERYONE),
     .in = SHAPE(announcement_input, announcement_update_fields), .sql = &sql_announcement_update,
     .probe = &sql_announcement_visible,
     .event = {"announcement.updated", "announcement", "announcement_id", NULL}, .since = "0.1.0",
     .doc = "Change, pin or reschedule an announcement."},
    {ENDPOINT(DELETE, "/announcements/{announcement_id}", announcement_delete, USER, EVERYONE),
     .sql = &sql_announcement_delete, .probe = &sql_announcement_visible, .rate = RATE_DESTRUCTIVE,
     .audit = {"announcement.delete", "announcement", "announcement_id"},
     .event = {"announcement.deleted", "announcement", "announcement_id", NULL}, .since = "0.1.0",
     .doc = "Delete an announcement."},
    {ENDPOINT(POST, "/announcements/{announcement_id}/read", announcement_read, USER, EVERYONE),
     .run = announcement_read, .status = 204, .since = "0.1.0",
     .doc = "Note that the caller has read it; doing so again changes nothing."},
    {ENDPOINT(GET, "/announcements/{announcement_id}/reads", announcement_reads, USER, EVERYONE),
     .sql = &sql_announcement_read_count, .since = "0.1.0",
     .doc = "How many have read it, for the course's staff and admins."},
};

DOMAIN(announcement, "Announcements", rows);
