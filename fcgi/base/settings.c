#include "base/settings_parts.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define VALUE_FILE_MAX_BYTES ((size_t)64 * 1024)

static const struct setting_info table[S_COUNT] = {
#define SETTING(name, kind, preset, min, max, choices, flags, doc) \
    [S_##name] = {#name, SETTING_##kind, preset, min, max, choices, flags, doc},
#include "base/settings.def"
#undef SETTING
};

static struct {
    struct setting_value values[S_COUNT];
    bool ready;
    char *config_file;
} state;

const struct setting_info *
setting_info(enum setting_id id)
{
    return &table[id];
}

void
fault_add(struct faults *f, const char *name, const char *format, ...)
{
    va_list args;

    f->count++;
    if (f->out == NULL)
        return;
    fprintf(f->out, "%s: ", name);
    va_start(args, format);
    vfprintf(f->out, format, args);
    va_end(args);
    fputc('\n', f->out);
}

/* --- from the sources to a set of values ------------------------------------------------- */

static void
raw_free(struct setting_raw raw[S_COUNT])
{
    for (size_t id = 0; id < S_COUNT; id++) {
        free(raw[id].value);
        free(raw[id].file);
    }
}

static char *
environment_copy(const char *name, const char *suffix)
{
    char full[96];
    const char *value;

    snprintf(full, sizeof full, "%s%s", name, suffix);
    value = getenv(full);
    return value != NULL ? settings_copy(value, strlen(value)) : NULL;
}

static void
environment_read(struct setting_raw raw[S_COUNT])
{
    for (size_t id = 0; id < S_COUNT; id++) {
        raw[id].value = environment_copy(table[id].name, "");
        raw[id].file = environment_copy(table[id].name, "_FILE");
    }
}

/* An empty value is none: that is how an EnvironmentFile says "not set". */
static bool
is_given(const char *z)
{
    return z != NULL && z[0] != '\0';
}

/* The content of NAME_FILE without the newline at its end; NULL after a fault. */
static char *
value_from_file(const char *name, const char *path, struct faults *f)
{
    size_t n;
    const char *reason;
    char *bytes = settings_read_file(path, VALUE_FILE_MAX_BYTES, &n, &reason);

    if (bytes == NULL) {
        fault_add(f, name, "the file of %s_FILE cannot be read: %s", name, reason);
        return NULL;
    }
    if (n > 0 && bytes[n - 1] == '\n')
        bytes[--n] = '\0';
    if (n > 0 && bytes[n - 1] == '\r')
        bytes[--n] = '\0';
    return bytes;
}

/* What one source says, as an owned text; NULL when it says nothing, or after a fault. */
static char *
raw_resolve(const char *name, const struct setting_raw *raw, struct faults *f)
{
    if (is_given(raw->value) && is_given(raw->file)) {
        fault_add(f, name, "both %s and %s_FILE are set", name, name);
        return NULL;
    }
    if (is_given(raw->file))
        return value_from_file(name, raw->file, f);
    return is_given(raw->value) ? settings_copy(raw->value, strlen(raw->value)) : NULL;
}

static void
value_choose(enum setting_id id, const struct setting_raw *config, const struct setting_raw *env,
             struct setting_value *ret_value, struct faults *f)
{
    const char *name = table[id].name;
    bool from_env = is_given(env->value) || is_given(env->file);

    size_t before = f->count;

    ret_value->text = raw_resolve(name, from_env ? env : config, f);
    ret_value->number = 0;
    ret_value->faulty = f->count > before;
    ret_value->source = from_env ? FROM_ENVIRONMENT : FROM_CONFIG;
    if (ret_value->text == NULL) {
        ret_value->text = settings_copy(table[id].preset, strlen(table[id].preset));
        ret_value->source = FROM_DEFAULT;
    }
}

/* A value as it may stand in a message: short, printable, and never a secret's. */
static void
value_quote(enum setting_id id, const char *value, char *ret_text, size_t size)
{
    size_t n = 0;

    if ((table[id].flags & (SET_SECRET | SET_MASKED)) != 0) {
        snprintf(ret_text, size, "something else (not shown)");
        return;
    }
    for (; value[n] != '\0' && n + 1 < size; n++)
        ret_text[n] = (char)(value[n] >= ' ' && value[n] <= '~' ? value[n] : '?');
    ret_text[n] = '\0';
}

static void
value_check(enum setting_id id, struct setting_value *v, struct faults *f)
{
    char expected[256];
    char found[80];

    if (v->text[0] == '\0' && (table[id].flags & SET_REQUIRED) != 0) {
        if (!v->faulty)
            fault_add(f, table[id].name, "this setting is required");
        return;
    }
    if (setting_well_formed(id, v))
        return;
    setting_describe(id, expected, sizeof expected);
    value_quote(id, v->text, found, sizeof found);
    fault_add(f, table[id].name, "expected %s, found %s", expected, found);
    v->faulty = true;
    /* The default stands in, so that rules over several settings meet only well-formed values. */
    free(v->text);
    v->text = settings_copy(table[id].preset, strlen(table[id].preset));
    setting_well_formed(id, v);
}

static void
values_free(struct setting_value values[S_COUNT])
{
    for (size_t id = 0; id < S_COUNT; id++)
        free(values[id].text);
}

static void
values_read(const char *config_file, struct setting_value values[S_COUNT], struct faults *f)
{
    struct setting_raw config[S_COUNT] = {{NULL, NULL}};
    struct setting_raw env[S_COUNT] = {{NULL, NULL}};

    if (config_file != NULL)
        config_file_read(config_file, config, f);
    environment_read(env);
    for (enum setting_id id = 0; id < S_COUNT; id++) {
        value_choose(id, &config[id], &env[id], &values[id], f);
        value_check(id, &values[id], f);
    }
    settings_check_together(values, f);
    raw_free(config);
    raw_free(env);
}

/* --- loading ------------------------------------------------------------------------------ */

size_t
settings_load(const char *config_file, FILE *faults)
{
    struct setting_value next[S_COUNT];
    struct faults f = {faults, 0};
    char *path = config_file != NULL ? settings_copy(config_file, strlen(config_file)) : NULL;

    values_read(path, next, &f);
    if (f.count > 0) {
        values_free(next);
        free(path);
        return f.count;
    }
    values_free(state.values);
    free(state.config_file);
    memcpy(state.values, next, sizeof next);
    state.config_file = path;
    state.ready = true;
    return 0;
}

/* What would be in force after a reload: views into the two sets, nothing owned. */
static void
values_merge(const struct setting_value next[S_COUNT], struct setting_value ret_merged[S_COUNT])
{
    for (size_t id = 0; id < S_COUNT; id++) {
        bool reload = (table[id].flags & SET_RELOAD) != 0;
        ret_merged[id] = reload ? next[id] : *setting_value((enum setting_id)id);
    }
}

static void
values_take_over(struct setting_value next[S_COUNT])
{
    for (size_t id = 0; id < S_COUNT; id++) {
        struct setting_value old = state.values[id];
        if ((table[id].flags & SET_RELOAD) != 0) {
            state.values[id] = next[id];
            next[id] = old;
        } else if (strcmp(old.text, next[id].text) != 0) {
            log_event(LOG_L_WARN, "a setting has changed that needs a restart",
                      LOG_Z("setting", table[id].name));
        }
    }
}

size_t
settings_reload(FILE *faults)
{
    struct setting_value next[S_COUNT];
    struct setting_value merged[S_COUNT];
    struct faults f = {faults, 0};

    values_read(state.config_file, next, &f);
    if (f.count == 0) {
        values_merge(next, merged);
        settings_check_together(merged, &f);
    }
    if (f.count == 0)
        values_take_over(next);
    values_free(next);
    return f.count;
}

/* --- values in force ----------------------------------------------------------------------- */

static void
defaults_take(void)
{
    for (enum setting_id id = 0; id < S_COUNT; id++) {
        struct setting_value *v = &state.values[id];
        v->text = settings_copy(table[id].preset, strlen(table[id].preset));
        v->source = FROM_DEFAULT;
        setting_well_formed(id, v);
    }
    state.ready = true;
}

const struct setting_value *
setting_value(enum setting_id id)
{
    if (!state.ready)
        defaults_take();
    return &state.values[id];
}

struct text
setting_text(enum setting_id id)
{
    return text_of(setting_value(id)->text);
}

const char *
setting_z(enum setting_id id)
{
    return setting_value(id)->text;
}

int64_t
setting_int(enum setting_id id)
{
    return setting_value(id)->number;
}

bool
setting_bool(enum setting_id id)
{
    return setting_value(id)->number != 0;
}

bool
setting_is_set(enum setting_id id)
{
    return setting_value(id)->source != FROM_DEFAULT;
}

bool
setting_production(void)
{
    return text_eq(setting_text(S_APP_ENV), TEXT("production"));
}
