#include "base/settings_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/oom.h"

#define CONFIG_MAX_BYTES ((size_t)1024 * 1024)
#define NAME_MAX_BYTES 64

char *
settings_copy(const char *p, size_t n)
{
    char *copy = malloc(n + 1);

    if (copy == NULL)
        out_of_memory("settings", n);
    memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

char *
settings_read_file(const char *path, size_t max, size_t *ret_length, const char **ret_reason)
{
    FILE *in = fopen(path, "re");
    char *bytes;
    size_t n;

    if (in == NULL) {
        *ret_reason = strerror(errno);
        return NULL;
    }
    bytes = malloc(max + 2);
    if (bytes == NULL)
        out_of_memory("settings", max);
    errno = 0;
    n = fread(bytes, 1, max + 1, in);
    *ret_reason = NULL;
    if (ferror(in))
        *ret_reason = strerror(errno);
    else if (n > max)
        *ret_reason = "the file is too long";
    else if (memchr(bytes, '\0', n) != NULL)
        *ret_reason = "the file holds a NUL byte";
    fclose(in);
    if (*ret_reason != NULL) {
        free(bytes);
        return NULL;
    }
    bytes[n] = '\0';
    *ret_length = n;
    return bytes;
}

enum setting_id
setting_by_name(struct text name)
{
    for (enum setting_id id = 0; id < S_COUNT; id++) {
        if (text_eq(name, text_of(setting_info(id)->name)))
            return id;
    }
    return S_COUNT;
}

/* Insertions, removals and replacements that lead from one name to the other (Levenshtein). */
static size_t
distance(struct text a, struct text b)
{
    size_t row[NAME_MAX_BYTES + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.len];
}

static const char *
nearest_name(struct text name)
{
    const char *nearest = NULL;
    size_t least = name.len / 3 + 1;

    if (name.len > NAME_MAX_BYTES)
        return NULL;
    for (enum setting_id id = 0; id < S_COUNT; id++) {
        struct text known = text_of(setting_info(id)->name);
        size_t d = known.len <= NAME_MAX_BYTES ? distance(name, known) : least;
        if (d < least) {
            least = d;
            nearest = setting_info(id)->name;
        }
    }
    return nearest;
}

struct line {
    const char *path;
    unsigned number;
    struct faults *faults;
    struct setting_raw *raw;
};

static void
line_fault(const struct line *at, const char *sentence)
{
    char place[64];
    const char *base = strrchr(at->path, '/');

    snprintf(place, sizeof place, "%.40s:%u", base != NULL ? base + 1 : at->path, at->number);
    fault_add(at->faults, place, "%s", sentence);
}

static void
name_fault(const struct line *at, struct text name)
{
    const char *nearest = nearest_name(name);
    char sentence[256];

    if (nearest != NULL)
        snprintf(sentence, sizeof sentence, "there is no setting %.64s; %s is the nearest", name.p,
                 nearest);
    else
        snprintf(sentence, sizeof sentence, "there is no setting %.64s", name.p);
    line_fault(at, sentence);
}

static bool
is_name(const char *z)
{
    if (*z == '\0' || (*z >= '0' && *z <= '9'))
        return false;
    return z[strspn(z, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] == '\0';
}

/* Between double quotes a backslash stands before a quote, a backslash, '$' or '`'. Unquotes in
 * place; returns what follows the closing quote, NULL when there is none. */
static char *
unquote_double(char *value)
{
    char *to = value;
    char *from = value + 1;

    while (*from != '\0' && *from != '"') {
        if (*from == '\\' && from[1] != '\0' && strchr("\"\\$`", from[1]) != NULL)
            from++;
        *to++ = *from++;
    }
    if (*from == '\0')
        return NULL;
    *to = '\0';
    return from + 1;
}

static char *
unquote_single(char *value)
{
    char *end = strchr(value + 1, '\'');

    if (end == NULL)
        return NULL;
    memmove(value, value + 1, (size_t)(end - value - 1));
    end[-1] = '\0';
    return end + 1;
}

/* Unquotes in place; says what is wrong, or NULL. */
static const char *
value_problem(char *value)
{
    char *behind;

    if (value[0] == '\'' || value[0] == '"') {
        behind = value[0] == '"' ? unquote_double(value) : unquote_single(value);
        if (behind == NULL)
            return "the quote is not closed";
        return behind[strspn(behind, " \t")] == '\0' ? NULL : "something follows the closing quote";
    }
    if (strpbrk(value, "\"'\\") != NULL || strstr(value, " #") != NULL ||
        strstr(value, "\t#") != NULL)
        return "a value with quotes, a backslash or ' #' must stand in single quotes";
    return NULL;
}

static char **
raw_slot(const struct line *at, const char *name)
{
    struct text t = text_of(name);
    enum setting_id id = setting_by_name(t);

    if (id != S_COUNT)
        return &at->raw[id].value;
    if (t.len > 5 && memcmp(t.p + t.len - 5, "_FILE", 5) == 0) {
        t.len -= 5;
        id = setting_by_name(t);
        if (id != S_COUNT)
            return &at->raw[id].file;
    }
    name_fault(at, text_of(name));
    return NULL;
}

static void
read_line(const struct line *at, char *line)
{
    char *equals;
    const char *problem;
    char **slot;

    if (strncmp(line, "export ", 7) == 0)
        line += 7 + strspn(line + 7, " \t");
    equals = strchr(line, '=');
    if (equals != NULL)
        *equals = '\0';
    if (equals == NULL || !is_name(line)) {
        line_fault(at, "this is not NAME=value");
        return;
    }
    slot = raw_slot(at, line);
    if (slot == NULL)
        return;
    problem = value_problem(equals + 1);
    if (*slot != NULL)
        problem = "this setting was given further up already";
    if (problem != NULL)
        line_fault(at, problem);
    else
        *slot = settings_copy(equals + 1, strlen(equals + 1));
}

/* Without the blanks around it. */
static char *
trimmed(char *line)
{
    size_t n;

    line += strspn(line, " \t");
    for (n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]) != NULL; n--)
        line[n - 1] = '\0';
    return line;
}

void
config_file_read(const char *path, struct setting_raw raw[S_COUNT], struct faults *f)
{
    struct line at = {path, 0, f, raw};
    size_t length;
    const char *reason;
    char *bytes = settings_read_file(path, CONFIG_MAX_BYTES, &length, &reason);
    char *next = bytes;

    if (bytes == NULL) {
        fault_add(f, "--config", "%s: %s", path, reason);
        return;
    }
    while (next != NULL) {
        char *line = next;
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        at.number++;
        line = trimmed(line);
        if (*line != '\0' && *line != '#' && *line != ';')
            read_line(&at, line);
    }
    free(bytes);
}
