#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/oom.h"
#include "base/text.h"

static const struct err_info catalogue[E_COUNT] = {
    [E_OK] = {"OK", "ok", 200, "", "Done.", "Nothing went wrong."},
#define ERR(symbol, code, status, sql, title, doc) \
    [E_##symbol] = {#symbol, code, status, sql, title, doc},
#include "base/errors.def"
#undef ERR
};

/* One SQLSTATE or constraint name and what it means. */
struct sql_word {
    struct text word;
    err meaning;
};

static struct sql_word *words; /* sorted; made at the first question */
static size_t nwords;

const struct err_info *
err_info(err e)
{
    /* The enumeration may be signed or not: compare as a number of catalogue entries. */
    if ((size_t)e >= (size_t)E_COUNT)
        e = E_INTERNAL;
    return &catalogue[e];
}

err
err_public(err e)
{
    return err_info(e)->status == 500 ? E_INTERNAL : e;
}

static int
text_order(struct text a, struct text b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.p, b.p, n);

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static int
word_order(const void *a, const void *b)
{
    const struct sql_word *left = a;
    const struct sql_word *right = b;

    return text_order(left->word, right->word);
}

/* Writes the words of all entries to `out` unless it is NULL; returns their number. */
static size_t
words_collect(struct sql_word *out)
{
    size_t count = 0;

    for (int e = E_OK; e < E_COUNT; e++) {
        struct text rest = text_of(catalogue[e].sql);
        while (rest.p != NULL) {
            struct text word = text_cut(&rest, ' ');
            if (word.len == 0)
                continue;
            if (out != NULL)
                out[count] = (struct sql_word){word, (err)e};
            count++;
        }
    }
    return count;
}

static void
words_build(void)
{
    nwords = words_collect(NULL);
    words = calloc(nwords + 1, sizeof words[0]);
    if (words == NULL)
        out_of_memory("error index", nwords * sizeof words[0]);
    words_collect(words);
    qsort(words, nwords, sizeof words[0], word_order);
}

static err
word_meaning(const char *z)
{
    const struct sql_word wanted = {.word = text_of(z)};
    const struct sql_word *found;

    if (z == NULL || z[0] == '\0')
        return E_OK;
    found = bsearch(&wanted, words, nwords, sizeof words[0], word_order);
    return found != NULL ? found->meaning : E_OK;
}

err
err_from_sql(const char *sqlstate, const char *constraint)
{
    err e;

    if (words == NULL)
        words_build();
    e = word_meaning(constraint);
    return e != E_OK ? e : word_meaning(sqlstate);
}
