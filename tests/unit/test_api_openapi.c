/* The OpenAPI document that the rows make. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "api/emit.h"
#include "api/route.h"
#include "base/buf.h"
#include "unit.h"

static struct json_object *
at(struct json_object *o, const char *name)
{
    struct json_object *v = NULL;
    return json_object_object_get_ex(o, name, &v) ? v : NULL;
}

/* "#/components/schemas/course"; names of components hold no slash. */
static bool
ref_resolves(struct json_object *root, const char *ref)
{
    struct text rest = text_of(ref);
    struct json_object *o = root;

    if (!text_eq(text_cut(&rest, '/'), TEXT("#")))
        return false;
    while (rest.p != NULL && o != NULL) {
        struct text part = text_cut(&rest, '/');
        char name[128];
        snprintf(name, sizeof name, "%.*s", TEXT_ARG(part));
        o = at(o, name);
    }
    return o != NULL;
}

static size_t
refs_check(struct json_object *root, struct json_object *o)
{
    size_t n = 0;

    if (json_object_is_type(o, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(o); i++)
            n += refs_check(root, json_object_array_get_idx(o, i));
    } else if (json_object_is_type(o, json_type_object)) {
        json_object_object_foreach(o, name, value)
        {
            if (strcmp(name, "$ref") == 0) {
                CU_ASSERT(ref_resolves(root, json_object_get_string(value)));
                n++;
            } else
                n += refs_check(root, value);
        }
    }
    return n;
}

static struct json_object *
openapi(void)
{
    struct buf b;
    struct json_object *root;

    buf_init(&b, 1U << 20, (size_t)64 << 20);
    emit_openapi(&b);
    buf_char(&b, '\0');
    root = json_tokener_parse(b.p);
    buf_free(&b);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    return root;
}

static struct json_object *
openapi_operation(struct json_object *root, const char *id)
{
    json_object_object_foreach(at(root, "paths"), path, methods)
    {
        (void)path;
        json_object_object_foreach(methods, method, operation)
        {
            (void)method;
            if (strcmp(json_object_get_string(at(operation, "operationId")), id) == 0)
                return operation;
        }
    }
    return NULL;
}

static void
openapi_has_every_row(void)
{
    struct json_object *root = openapi();
    size_t operations = 0;

    json_object_object_foreach(at(root, "paths"), path, methods)
    {
        CU_ASSERT_EQUAL(path[0], '/');
        operations += (size_t)json_object_object_length(methods);
    }
    CU_ASSERT_EQUAL(operations, routes_count());
    for (size_t i = 0; i < routes_count(); i++)
        CU_ASSERT_PTR_NOT_NULL(openapi_operation(root, route_at(i)->row->id));
    CU_ASSERT(refs_check(root, root) > 100);
    json_object_put(root);
}

static bool
openapi_answers(struct json_object *root, const char *id, const char *status, const char *code)
{
    struct json_object *response = at(at(openapi_operation(root, id), "responses"), status);
    const char *text = response == NULL ? NULL : json_object_to_json_string(response);
    char ref[128], word[128];

    snprintf(ref, sizeof ref, "responses\\/%s\"", code);
    snprintf(word, sizeof word, "\"%s\"", code);
    return text != NULL && (strstr(text, ref) != NULL || strstr(text, word) != NULL);
}

static void
openapi_has_the_errors_of_a_row(void)
{
    struct json_object *root = openapi();

    CU_ASSERT(openapi_answers(root, "course_update", "409", "join_code_taken"));
    CU_ASSERT(openapi_answers(root, "course_update", "412", "precondition_failed"));
    CU_ASSERT(openapi_answers(root, "course_update", "403", "csrf_failed"));
    CU_ASSERT(openapi_answers(root, "course_update", "415", "unsupported_media_type"));
    CU_ASSERT(openapi_answers(root, "course_create", "409", "idempotency_in_progress"));
    CU_ASSERT(openapi_answers(root, "course_create", "422", "idempotency_key_reused"));
    CU_ASSERT(openapi_answers(root, "course_get", "401", "session_ended"));
    CU_ASSERT(openapi_answers(root, "course_get", "404", "not_found"));
    CU_ASSERT_FALSE(openapi_answers(root, "course_get", "403", "csrf_failed"));
    CU_ASSERT_FALSE(openapi_answers(root, "course_get", "412", "precondition_failed"));
    CU_ASSERT_FALSE(openapi_answers(root, "course_list", "404", "not_found"));
    CU_ASSERT_FALSE(openapi_answers(root, "course_list", "413", "payload_too_large"));
    CU_ASSERT_FALSE(openapi_answers(root, "auth_login", "422", "idempotency_key_reused"));
    CU_ASSERT_FALSE(openapi_answers(root, "health_live", "429", "rate_limited"));
    CU_ASSERT_PTR_NOT_NULL(at(at(openapi_operation(root, "course_create"), "responses"), "201"));
    CU_ASSERT_PTR_NOT_NULL(at(at(openapi_operation(root, "course_delete"), "responses"), "204"));
    CU_ASSERT_PTR_NOT_NULL(at(at(openapi_operation(root, "course_get"), "responses"), "304"));
    CU_ASSERT_PTR_NULL(at(at(openapi_operation(root, "course_list"), "responses"), "304"));
    json_object_put(root);
}

static struct json_object *
openapi_schema(struct json_object *root, const char *name)
{
    return at(at(at(root, "components"), "schemas"), name);
}

static void
openapi_describes_fields(void)
{
    struct json_object *root = openapi();
    struct json_object *body = openapi_schema(root, "course_create_request");
    struct json_object *fields = at(body, "properties");

    CU_ASSERT_STRING_EQUAL(json_object_to_json_string(at(body, "required")), "[ \"title\" ]");
    CU_ASSERT_FALSE(json_object_get_boolean(at(body, "additionalProperties")));
    CU_ASSERT_EQUAL(json_object_get_int(at(at(fields, "title"), "maxLength")), 255);
    CU_ASSERT_EQUAL(json_object_get_int(at(at(fields, "title"), "minLength")), 1);
    CU_ASSERT_EQUAL(json_object_get_int(at(at(fields, "seats"), "maximum")), 100000);
    CU_ASSERT_STRING_EQUAL(json_object_to_json_string(at(at(fields, "seats"), "type")),
                           "[ \"integer\", \"null\" ]");
    CU_ASSERT_STRING_EQUAL(json_object_to_json_string(at(at(fields, "visibility"), "enum")),
                           "[ \"private\", \"catalogue\" ]");
    CU_ASSERT_STRING_EQUAL(json_object_get_string(at(at(fields, "owner_id"), "format")), "uuid");
    fields = at(openapi_schema(root, "course"), "properties");
    CU_ASSERT_STRING_EQUAL(json_object_get_string(at(at(fields, "created_at"), "format")),
                           "date-time");
    CU_ASSERT_PTR_NULL(at(fields, "join_code"));
    CU_ASSERT_PTR_NOT_NULL(at(at(openapi_schema(root, "course_get"), "properties"), "join_code"));
    json_object_put(root);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"openapi has every row", openapi_has_every_row},
        {"openapi has the errors of a row", openapi_has_the_errors_of_a_row},
        {"openapi describes fields", openapi_describes_fields},
        {NULL, NULL},
    };

    if (routes_build(stderr) != 0)
        return EXIT_FAILURE;
    return unit_main("api openapi", cases);
}
