#include "base/settings_parts.h"

#include <string.h>

#define MASK "********"

/* The table once more: a title where a chapter begins, NULL for each setting. */
static const char *const marks[] = {
#define SETTING_GROUP(title) title,
#define SETTING(name, kind, preset, min, max, choices, flags, doc) NULL,
#include "base/settings.def"
#undef SETTING
};

void
settings_show(FILE *out)
{
    static const char *const sources[] = {"default", "config file", "environment"};

    for (enum setting_id id = 0; id < S_COUNT; id++) {
        const struct setting_info *s = setting_info(id);
        const struct setting_value *v = setting_value(id);
        bool masked = (s->flags & (SET_SECRET | SET_MASKED)) != 0 && v->text[0] != '\0';
        const char *source = v->text[0] == '\0' ? "not set" : sources[v->source];
        fprintf(out, "%s=%s\t# %s\n", s->name, masked ? MASK : v->text, source);
    }
}

/* Text in a cell of a table: '|' would end it. */
static void
put_cell(FILE *out, const char *z)
{
    for (; *z != '\0'; z++) {
        if (*z == '|')
            fputc('\\', out);
        fputc(*z, out);
    }
}

static const char *
required_word(unsigned flags)
{
    if ((flags & SET_REQUIRED) != 0)
        return "always";
    return (flags & SET_PRODUCTION) != 0 ? "in production" : "no";
}

static void
put_default(FILE *out, const char *preset)
{
    /* A list without blanks would widen its column without bound. */
    if (preset[0] == '\0') {
        fputs("none", out);
        return;
    }
    fputc('`', out);
    for (; *preset != '\0'; preset++) {
        fputc(*preset, out);
        if (*preset == ',')
            fputs("` `", out);
    }
    fputc('`', out);
}

static void
put_row(FILE *out, enum setting_id id)
{
    const struct setting_info *s = setting_info(id);
    char takes[256];

    setting_describe(id, takes, sizeof takes);
    fprintf(out, "| `%s` | ", s->name);
    put_default(out, s->preset);
    fputs(" | ", out);
    put_cell(out, takes);
    fprintf(out, " | %s | %s | ", required_word(s->flags),
            (s->flags & SET_RELOAD) != 0 ? "yes" : "no");
    put_cell(out, s->doc);
    if ((s->flags & SET_SECRET) != 0)
        fputs(" Secret.", out);
    fputs(" |\n", out);
}

void
settings_emit_markdown(FILE *out)
{
    enum setting_id id = 0;

    fputs(
        "# Configuration\n\n"
        "<!-- Produced from fcgi/base/settings.def; edit that. -->\n\n"
        "Every setting is an environment variable. `NAME_FILE` names a file that holds the value\n"
        "instead (one newline at its end is cut); giving both is a fault. `--config FILE` reads\n"
        "lines `NAME=value`, with optional quotes and `#` comments; the environment wins over the\n"
        "file. An empty value counts as not given. What can be reloaded is taken over on SIGHUP.\n"
        "In production a secret must have at least 32 bytes and must not be a sample.\n",
        out);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (marks[i] == NULL)
            put_row(out, id++);
        else
            fprintf(out,
                    "\n## %s\n\n"
                    "| Setting | Default | Takes | Required | Reload | Meaning |\n"
                    "|---|---|---|---|---|---|\n",
                    marks[i]);
    }
}
