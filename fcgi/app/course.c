/* Courses: their life cycle and who keeps them. */
#include "api/endpoint.h"
#include "app/statements.h"

struct course_list {
    struct text scope;
};

static const struct field course_list_fields[] = {
    FIELD(course_list, scope, .place = IN_QUERY, .choices = "taught|enrolled|catalogue",
          .doc = "Only courses I teach, am enrolled in, or of the catalogue"),
};

/* Creating and changing differ in what is required only. */
struct course_input {
    struct uuid course_id;
    struct uuid owner_id;
    struct text title;
    struct text description;
    struct text visibility;
    struct text enrollment;
    struct text join_code;
    int64_t seats;
    struct timestamp starts_at;
    struct timestamp ends_at;
};

#define COURSE_FIELDS                                                                              \
    FIELD(course_input, description, .max = 2000, .format = FORMAT_MULTILINE,                      \
          .doc = "What the course is about"),                                                      \
        FIELD(course_input, visibility, .choices = "private|catalogue",                            \
              .doc = "private: staff and enrolled only; catalogue: everyone of the organisation"), \
        FIELD(course_input, enrollment, .choices = "closed|code|open",                             \
              .doc = "How students enrol themselves"),                                             \
        FIELD(course_input, join_code, .min = 6, .max = 64, .format = FORMAT_CODE,                 \
              .sensitive = true, .nullable = true,                                                 \
              .doc = "The code that enrollment=code asks for"),                                    \
        FIELD(course_input, seats, .min = 1, .max = 100000, .nullable = true,                      \
              .doc = "How many may be enrolled at once"),                                          \
        FIELD(course_input, starts_at, .nullable = true, .doc = "When it begins"),                 \
        FIELD(course_input, ends_at, .nullable = true, .doc = "When it ends, after starts_at")

static const struct field course_create_fields[] = {
    FIELD(course_input, title, .required = true, .min = 1, .max = 255, .doc = "Its name"),
    FIELD(course_input, owner_id, .doc = "The teacher it belongs to, oneself if left out"),
    COURSE_FIELDS,
};

static const struct field course_update_fields[] = {
    FIELD(course_input, course_id, .place = IN_PATH, .doc = "The course"),
    FIELD(course_input, title, .min = 1, .max = 255, .doc = "Its name"),
    COURSE_FIELDS,
};

struct course_owner {
    struct uuid owner_id;
};

static const struct field course_owner_fields[] = {
    FIELD(course_owner, owner_id, .required = true, .doc = "The new owner, a teacher"),
};

struct course_staff_input {
    struct uuid user_id;
    struct text role;
};

static const struct field course_staff_fields[] = {
    FIELD(course_staff_input, user_id, .required = true, .doc = "Whom to add"),
    FIELD(course_staff_input, role, .required = true, .choices = "teacher|assistant",
          .doc = "teacher changes the course, assistant sees and announces"),
};

static const struct endpoint rows[] = {
    {ENDPOINT(GET, "/courses", course_list, USER, EVERYONE),
     .in = SHAPE(course_list, course_list_fields), .sql = &sql_course_list, .since = "0.1.0",
     .doc = "List the courses that the caller may see."},
    {ENDPOINT(POST, "/courses", course_create, USER, TEACHERS),
     .in = SHAPE(course_input, course_create_fields), .sql = &sql_course_insert, .status = 201,
     .location = "/courses/{id}",
     .fails = FAILS(E_JOIN_CODE_MISSING, E_JOIN_CODE_TAKEN, E_NOT_A_TEACHER),
     .unaudited = "A course has its first owner; the event course.created keeps who made it.",
     .event = {"course.created", "course", "new", "new"}, .since = "0.1.0",
     .doc = "Create a draft course; only a title is required."},
    {ENDPOINT(GET, "/courses/{course_id}", course_get, USER, EVERYONE), .sql = &sql_course_get,
     .since = "0.1.0", .doc = "Read a course. The join code is shown to those who keep it."},
    {ENDPOINT(PATCH, "/courses/{course_id}", course_update, USER, TEACHERS),
     .in = SHAPE(course_input, course_update_fields), .sql = &sql_course_update,
     .probe = &sql_course_visible, .fails = FAILS(E_JOIN_CODE_MISSING, E_JOIN_CODE_TAKEN),
     .event = {"course.updated", "course", "course_id", "course_id"}, .since = "0.1.0",
     .doc = "Change a course; what is left out stays."},
    {ENDPOINT(DELETE, "/courses/{course_id}", course_delete, USER, TEACHERS),
     .sql = &sql_course_delete, .probe = &sql_course_visible, .rate = RATE_DESTRUCTIVE,
     .audit = {"course.delete", "course", "course_id"},
     .event = {"course.deleted", "course", "course_id", NULL}, .since = "0.1.0",
     .doc = "Delete a course with its enrollments and announcements."},
    {ENDPOINT(POST, "/courses/{course_id}/publish", course_publish, USER, TEACHERS),
     .sql = &sql_course_publish, .probe = &sql_course_visible,
     .event = {"course.published", "course", "course_id", "course_id"}, .since = "0.1.0",
     .doc = "Publish a draft, or bring an archived course back as published."},
    {ENDPOINT(POST, "/courses/{course_id}/unpublish", course_unpublish, USER, TEACHERS),
     .sql = &sql_course_unpublish, .probe = &sql_course_visible,
     .event = {"course.unpublished", "course", "course_id", "course_id"}, .since = "0.1.0",
     .doc = "Make a course a draft again, which only its staff see."},
    {ENDPOINT(POST, "/courses/{course_id}/archive", course_archive, USER, TEACHERS),
     .sql = &sql_course_archive, .probe = &sql_course_visible,
     .event = {"course.archived", "course", "course_id", "course_id"}, .since = "0.1.0",
     .doc = "Archive a course: it can be read and takes no enrollments."},
    {ENDPOINT(POST, "/courses/{course_id}/transfer-owner", course_transfer, USER, TEACHERS),
     .in = SHAPE(course_owner, course_owner_fields), .sql = &sql_course_transfer,
     .fails = FAILS(E_NOT_A_TEACHER), .audit = {"course.transfer_owner", "course", "course_id"},
     .event = {"course.owner_transferred", "course", "course_id", "course_id"}, .since = "0.1.0",
     .doc = "Give a course to another teacher; the former owner stays as a co-teacher."},
    {ENDPOINT(GET, "/courses/{course_id}/staff", course_staff_list, USER, EVERYONE),
     .sql = &sql_course_staff_list, .probe = &sql_course_visible, .since = "0.1.0",
     .doc = "List the co-teachers and assistants of a course."},
    {ENDPOINT(POST, "/courses/{course_id}/staff", course_staff_add, USER, TEACHERS),
     .in = SHAPE(course_staff_input, course_staff_fields), .sql = &sql_course_staff_insert,
     .probe = &sql_course_visible, .status = 201,
     .fails = FAILS(E_NOT_A_TEACHER, E_REFERENCE_UNKNOWN, E_CONFLICT),
     .audit = {"course.staff_add", "course", "course_id"},
     .event = {"course.staff_added", "course", "course_id", "course_id"}, .since = "0.1.0",
     .doc = "Add a co-teacher or an assistant to a course."},
    {ENDPOINT(DELETE, "/courses/{course_id}/staff/{user_id}", course_staff_remove, USER, TEACHERS),
     .sql = &sql_course_staff_delete, .probe = &sql_course_staff_visible, .rate = RATE_DESTRUCTIVE,
     .audit = {"course.staff_remove", "course", "course_id"},
     .event = {"course.staff_removed", "course", "course_id", "course_id"}, .since = "0.1.0",
     .doc = "Remove a co-teacher or an assistant from a course."},
};

DOMAIN(course, "Courses and their staff", rows);
