/* Every setting of the program: one table, settings.def. Values come from the environment,
 * from NAME_FILE, or from a --config file of NAME=value lines; the environment wins. */
#ifndef LECTERN_BASE_SETTINGS_H
#define LECTERN_BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text.h"

enum setting_kind {
    SETTING_TEXT,    /* min and max bound its length; `choices` may name characters: "a-z0-9-" */
    SETTING_INT,     /* min and max bound its value */
    SETTING_BOOL,    /* 0, 1, true, false */
    SETTING_CHOICE,  /* one of the words of `choices`, separated by '|' */
    SETTING_URL,     /* scheme://… ; `choices` lists schemes */
    SETTING_ORIGINS, /* comma-separated scheme://host[:port], or * */
    SETTING_CIDRS,   /* comma-separated addresses or networks */
    SETTING_LIST,    /* comma-separated words of letters, digits and ._+*-/; of `choices`, if any */
    SETTING_BASE64,  /* standard alphabet, line breaks allowed; min and max bound its length */
    SETTING_KEY,     /* base64 of 32 bytes */
    SETTING_KEYS,    /* comma-separated id:base64 of 32 bytes */
};

enum setting_flags {
    SET_SECRET = 1,     /* masked when shown; ≥ 32 bytes in production */
    SET_PRODUCTION = 2, /* required when APP_ENV=production */
    SET_RELOAD = 4,     /* taken over by SIGHUP */
    SET_REQUIRED = 8,   /* required everywhere */
    SET_MASKED = 16,    /* may hold a password: masked when shown; the password is a secret */
};

enum setting_id {
#define SETTING(name, kind, preset, min, max, choices, flags, doc) S_##name,
#include "base/settings.def"
#undef SETTING
    S_COUNT
};

struct setting_info {
    const char *name;
    enum setting_kind kind;
    const char *preset; /* default, as text; "" for none */
    int64_t min, max;
    const char *choices;
    unsigned flags;
    const char *doc;
};

const struct setting_info *setting_info(enum setting_id id);

/* An empty value counts as not given. Before settings_load the defaults are in force.
 * Read and check everything. Every fault is written to `faults`, one line each, never with a
 * secret's value. Returns the number of faults: 0 means the values are in force. A config_file
 * of NULL means the environment alone. */
size_t settings_load(const char *config_file, FILE *faults);
/* Re-read for SIGHUP (the --config file and the files of NAME_FILE can have changed; a process's
 * own environment cannot): takes over what is marked SET_RELOAD, logs by name what changed but
 * needs a restart. With faults nothing changes; returns their number. */
size_t settings_reload(FILE *faults);

struct text setting_text(enum setting_id id); /* "" when unset; NUL-terminated */
const char *setting_z(enum setting_id id);
int64_t setting_int(enum setting_id id);
bool setting_bool(enum setting_id id);
bool setting_is_set(enum setting_id id); /* given, not defaulted */
bool setting_production(void);

/* Does an address (v4, v6, v4-mapped) lie in a comma-separated list of networks? ::/0 is all of
 * version 6 and nothing of version 4. A malformed network matches nothing. */
bool cidr_match(struct text list, struct text address);

/* Print NAME=value lines, secrets masked; with `source` where each came from. */
void settings_show(FILE *out);
/* docs/configuration.md */
void settings_emit_markdown(FILE *out);

#endif
