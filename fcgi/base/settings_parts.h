/* What the files of the settings share; nobody else includes this. */
#ifndef LECTERN_BASE_SETTINGS_PARTS_H
#define LECTERN_BASE_SETTINGS_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/settings.h"

enum setting_source { FROM_DEFAULT, FROM_CONFIG, FROM_ENVIRONMENT };

struct setting_value {
    char *text; /* owned; "" when there is none */
    int64_t number;
    enum setting_source source;
    bool faulty; /* a fault has been told already: no second one */
};

/* What one source says of one setting, before anything is made of it. Owned. */
struct setting_raw {
    char *value;
    char *file; /* NAME_FILE */
};

struct faults {
    FILE *out; /* may be NULL: then they are only counted */
    size_t count;
};

/* One line: "NAME: sentence". */
void fault_add(struct faults *f, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A copy; memory refused ends the process. */
char *settings_copy(const char *p, size_t n);
/* A file's bytes with a NUL behind them, owned by the caller. NULL with a reason (constant or of
 * strerror) when it cannot be read, is longer than max, or holds a NUL. */
char *settings_read_file(const char *path, size_t max, size_t *ret_length, const char **ret_reason);

/* The lines of a --config file. */
void config_file_read(const char *path, struct setting_raw raw[S_COUNT], struct faults *f);
/* S_COUNT when there is none of that name. */
enum setting_id setting_by_name(struct text name);

/* Does the value have the form that the table asks for? Fills in its number. */
bool setting_well_formed(enum setting_id id, struct setting_value *v);
/* "a whole number from 1 to 256" */
void setting_describe(enum setting_id id, char *ret_text, size_t size);
/* scheme://host[:port] of http or https */
bool origin_well_formed(struct text t);

/* Rules over several settings, and those of production. */
void settings_check_together(const struct setting_value values[S_COUNT], struct faults *f);

/* The value in force. */
const struct setting_value *setting_value(enum setting_id id);

#endif
