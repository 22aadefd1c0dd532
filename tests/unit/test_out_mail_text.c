/* What mails say, in both languages, and pauses between attempts. */
#include <string.h>

#include "api/mail.h"
#include "jobs/kind.h"
#include "out/mail_text.h"
#include "unit.h"

static struct arena *arena;

static struct mail_words
words(const char *kind, const char *locale, const char *detail)
{
    return (struct mail_words){.kind = text_of(kind),
                               .locale = text_of(locale),
                               .site = TEXT("https://school.test"),
                               .name = TEXT("A Student"),
                               .secret = TEXT("TOKEN"),
                               .detail = text_of(detail)};
}

static const char *
detail_of(enum mail_kind kind)
{
    return kind == MAIL_SECOND_FACTOR ? "enabled" : "15";
}

/* No place is left open, and what a link leads to stands in both forms. */
static void
check_filled(const struct mail_text *t)
{
    CU_ASSERT_TRUE(t->subject.len > 0 && t->subject.len < 78);
    CU_ASSERT_PTR_NULL(memchr(t->plain.p, '{', t->plain.len));
    CU_ASSERT_PTR_NULL(memchr(t->html.p, '{', t->html.len));
    CU_ASSERT_PTR_NOT_NULL(strstr(t->plain.p, "\n\nhttps://school.test/"));
    CU_ASSERT_PTR_NOT_NULL(strstr(t->html.p, "<p><a href=\"https://school.test/"));
    CU_ASSERT_PTR_NOT_NULL(strstr(t->html.p, "</body>"));
}

static void
test_every_kind_in_both_languages(void)
{
    for (int kind = 0; kind < MAIL_KINDS; kind++) {
        const char *name = mail_kind_name((enum mail_kind)kind);
        const char *detail = detail_of((enum mail_kind)kind);
        struct mail_words en = words(name, "en", detail), de = words(name, "de-CH", detail);
        struct mail_text english, german;
        CU_ASSERT_TRUE_FATAL(mail_text_make(arena, &en, &english));
        CU_ASSERT_TRUE_FATAL(mail_text_make(arena, &de, &german));
        check_filled(&english);
        check_filled(&german);
        CU_ASSERT_FALSE(text_eq(english.subject, german.subject));
        CU_ASSERT_PTR_NOT_NULL(strstr(english.plain.p, "Hello A Student,\n\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(german.plain.p, "Guten Tag A Student,\n\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(german.html.p, "<html lang=\"de\">"));
    }
}

static void
test_other_languages_are_english(void)
{
    static const char *const locales[] = {"en", "fr", "den", "DE", "", "de_DE"};

    for (size_t i = 0; i < sizeof locales / sizeof locales[0]; i++) {
        struct mail_words w = words("password_reset", locales[i], NULL);
        struct mail_text t;
        CU_ASSERT_TRUE(mail_text_make(arena, &w, &t));
        CU_ASSERT_TRUE(text_eq(t.subject, TEXT("Choose a new password")));
    }
}

static void
test_details_choose(void)
{
    static const char *const details[] = {"enabled", "disabled", "recovery_code_used"};
    struct mail_text t, last = {.subject = TEXT("")};
    struct mail_words w;

    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++) {
        w = words("second_factor", "en", details[i]);
        CU_ASSERT_TRUE(mail_text_make(arena, &w, &t));
        CU_ASSERT_FALSE(text_eq(t.subject, last.subject));
        last = t;
    }
    w = words("second_factor", "en", "else");
    CU_ASSERT_FALSE(mail_text_make(arena, &w, &t));
    w = words("greeting", "en", NULL);
    CU_ASSERT_FALSE(mail_text_make(arena, &w, &t));
}

static void
test_links(void)
{
    struct mail_words w = words("password_reset", "en", NULL);
    struct mail_text t;

    CU_ASSERT_TRUE(mail_text_make(arena, &w, &t));
    CU_ASSERT_PTR_NOT_NULL(strstr(t.plain.p, "\nhttps://school.test/reset-password#token=TOKEN\n"));
    w = words("password_changed", "en", NULL);
    w.secret = TEXT_NULL;
    CU_ASSERT_TRUE(mail_text_make(arena, &w, &t));
    CU_ASSERT_PTR_NOT_NULL(strstr(t.plain.p, "\nhttps://school.test/forgot-password\n"));
}

static void
test_html_is_escaped(void)
{
    struct mail_words w = words("invitation", "en", "<b>\"A\" & 'B'</b>");
    struct mail_text t;

    w.name = TEXT("<i>&\"'");
    w.site = TEXT("https://school.test\"><x");
    CU_ASSERT_TRUE(mail_text_make(arena, &w, &t));
    CU_ASSERT_PTR_NULL(strstr(t.html.p, "<b>"));
    CU_ASSERT_PTR_NULL(strstr(t.html.p, "<i>"));
    CU_ASSERT_PTR_NULL(strstr(t.html.p, "<x"));
    CU_ASSERT_PTR_NOT_NULL(strstr(t.html.p, "&lt;b&gt;&quot;A&quot; &amp; &#39;B&#39;&lt;/b&gt;"));
    CU_ASSERT_PTR_NOT_NULL(strstr(t.plain.p, "<b>\"A\" & 'B'</b>"));
}

static void
test_names(void)
{
    static const char *const good[] = {"A Student", "Dr. A", "\xc3\x84 \xc3\x96", "O'B-C", "A."};
    static const char *const bad[] = {
        "",
        "see https://else.test",
        "else.test",
        "a@b",
        "win: money",
        "x\\y",
        "\xff",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaa"};
    struct mail_words w = words("verify_email", "en", NULL);
    struct mail_text t;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_TRUE(mail_name_harmless(text_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(mail_name_harmless(text_of(bad[i])));
    CU_ASSERT_FALSE(mail_name_harmless(TEXT_NULL));
    w.name = TEXT("win at https://else.test");
    CU_ASSERT_TRUE(mail_text_make(arena, &w, &t));
    CU_ASSERT_PTR_NOT_NULL(strstr(t.plain.p, "Hello,\n\n"));
    CU_ASSERT_PTR_NULL(strstr(t.plain.p, "else.test"));
}

static void
test_pauses(void)
{
    CU_ASSERT_EQUAL(mail_pause_seconds(1, 30, 0), 30);
    CU_ASSERT_EQUAL(mail_pause_seconds(2, 30, 0), 60);
    CU_ASSERT_EQUAL(mail_pause_seconds(5, 30, 0), 480);
    CU_ASSERT_EQUAL(mail_pause_seconds(11, 30, 0), 6 * 3600);
    CU_ASSERT_EQUAL(mail_pause_seconds(1000, 3600, 0), 6 * 3600);
    for (uint64_t random = 0; random < 1000; random++) {
        int64_t pause = mail_pause_seconds(3, 30, random * UINT64_C(0x9e3779b97f4a7c15));
        CU_ASSERT_TRUE(pause >= 60 && pause <= 120);
    }
    CU_ASSERT_EQUAL(mail_pause_seconds(1, 1, UINT64_MAX), 1);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"every kind in both languages", test_every_kind_in_both_languages},
        {"other languages are English", test_other_languages_are_english},
        {"details choose", test_details_choose},
        {"links", test_links},
        {"HTML is escaped", test_html_is_escaped},
        {"names", test_names},
        {"pauses", test_pauses},
        {NULL, NULL},
    };
    int status;

    arena = arena_new(1 << 20);
    status = unit_main("out mail text", cases);
    arena_free(arena);
    return status;
}
