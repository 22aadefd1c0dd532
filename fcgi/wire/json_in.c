/* The only file that knows json-c. */
#include "wire/json_in.h"

/* Both sides have an enumeration of this tag; in this file json-c's goes by another name. */
#define json_type json_c_type
#include <json-c/json.h>
#include <json-c/printbuf.h>
#undef json_type

#include <errno.h>
#include <limits.h>

#include "base/oom.h"

static json_object *
node_of(struct json_value v)
{
    return v.node;
}

static void
node_release(void *node)
{
    json_object_put(node);
}

/* The document has been scanned, so that what is left to fail is memory. */
static err
parse_scanned(struct text document, json_object **ret_root)
{
    /* json-c counts the scalar inside the innermost container as one level more. */
    json_tokener *tok = json_tokener_new_ex((int)json_limits_default.depth + 1);

    /* It does not look whether its buffer could grow, and would cut a string off. */
    if (tok == NULL || printbuf_memset(tok->pb, 0, 0, (int)document.len + 1) < 0)
        out_of_memory("json", document.len);
    printbuf_reset(tok->pb);
    errno = 0;
    *ret_root = json_tokener_parse_ex(tok, document.p, (int)document.len);
    /* A number may go on as far as json-c knows: NUL tells it that the text is over. */
    if (json_tokener_get_error(tok) == json_tokener_continue)
        *ret_root = json_tokener_parse_ex(tok, "", 1);
    enum json_tokener_error error = json_tokener_get_error(tok);
    /* Short of memory json-c reports any error, or none and null. */
    if (errno == ENOMEM)
        out_of_memory("json", document.len);
    json_tokener_free(tok);
    return error == json_tokener_success ? E_OK : E_JSON_SYNTAX;
}

err
json_parse(struct arena *a, struct text document, struct json_value *ret_root)
{
    json_object *root = NULL;

    if (document.len > INT_MAX)
        return E_JSON_LIMIT;
    TRY(json_scan(a, document, &json_limits_default, NULL));
    TRY(parse_scanned(document, &root));
    if (root != NULL)
        arena_defer(a, node_release, root);
    ret_root->node = root;
    return E_OK;
}

enum json_type
json_type_of(struct json_value v)
{
    switch (json_object_get_type(node_of(v))) {
    case json_type_boolean:
        return JSON_BOOL;
    case json_type_int:
        return JSON_INT;
    case json_type_double:
        return JSON_DOUBLE;
    case json_type_string:
        return JSON_STRING;
    case json_type_array:
        return JSON_ARRAY;
    case json_type_object:
        return JSON_OBJECT;
    case json_type_null:
        break;
    }
    return JSON_NULL;
}

bool
json_get_bool(struct json_value v, bool *ret)
{
    if (json_type_of(v) != JSON_BOOL)
        return false;
    *ret = json_object_get_boolean(node_of(v)) != 0;
    return true;
}

bool
json_get_int(struct json_value v, int64_t *ret)
{
    if (json_type_of(v) != JSON_INT)
        return false;
    *ret = json_object_get_int64(node_of(v));
    return true;
}

bool
json_get_double(struct json_value v, double *ret)
{
    enum json_type type = json_type_of(v);

    if (type != JSON_INT && type != JSON_DOUBLE)
        return false;
    *ret = json_object_get_double(node_of(v));
    return true;
}

bool
json_get_text(struct json_value v, struct text *ret)
{
    if (json_type_of(v) != JSON_STRING)
        return false;
    ret->p = json_object_get_string(node_of(v));
    ret->len = (size_t)json_object_get_string_len(node_of(v));
    return true;
}

size_t
json_count(struct json_value v)
{
    enum json_type type = json_type_of(v);

    if (type == JSON_ARRAY)
        return json_object_array_length(node_of(v));
    return type == JSON_OBJECT ? (size_t)json_object_object_length(node_of(v)) : 0;
}

bool
json_element(struct json_value array, size_t i, struct json_value *ret)
{
    if (json_type_of(array) != JSON_ARRAY || i >= json_object_array_length(node_of(array)))
        return false;
    ret->node = json_object_array_get_idx(node_of(array), i);
    return true;
}

bool
json_next_member(struct json_value object, void **cursor, struct text *ret_name,
                 struct json_value *ret_value)
{
    if (json_type_of(object) != JSON_OBJECT)
        return false;
    struct lh_entry *last = *cursor;
    struct lh_entry *entry =
        last == NULL ? lh_table_head(json_object_get_object(node_of(object))) : lh_entry_next(last);
    if (entry == NULL)
        return false;
    *cursor = entry;
    *ret_name = text_of(lh_entry_k(entry));
    ret_value->node = lh_entry_v(entry);
    return true;
}

struct text
json_serialise(struct arena *a, struct json_value v)
{
    size_t len = 0;

    if (v.node == NULL)
        return TEXT("null");
    const char *p = json_object_to_json_string_length(
        node_of(v), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    return arena_text(a, (struct text){p, len});
}
